"""From a module with datasets, backends and criteria to a component."""

import importlib
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from .offers import ROLES, NoOffer, offers_of

# The contract's interface, and what `component` has for its resource.
_RESOURCES = {"dataset": "Source", "backend": "Client", "sla": "Judge as Criterion"}


class BuildError(Exception):
    """The component cannot be made."""


def build(source: Path, output: Path, *, stub_wasi: bool = False, python_path: tuple[Path, ...] = ()) -> None:
    """Builds the module in the file `source`. `python_path` has folders of further modules that it imports.

    With `stub_wasi` the component imports nothing but the contract; it cannot read folders nor print then.
    """
    module_name = source.stem
    reserved = {"app", "wit_world", *ROLES}
    if not source.is_file():
        raise BuildError(f"there is no file {source}")
    if not module_name.isidentifier() or module_name in reserved:
        raise BuildError(f"a plugin's module cannot be called `{module_name}`; rename {source}")
    folder = source.resolve().parent
    sys.path[:0] = [str(folder), *map(str, python_path)]
    try:
        offers = offers_of(importlib.import_module(module_name))
        for _, offer in offers.all():
            offer.schema()  # what is wrong with an option shows here
    except (NoOffer, TypeError) as error:
        raise BuildError(str(error)) from error
    sdk = Path(__file__).resolve().parent
    with tempfile.TemporaryDirectory(prefix="vbench-plugin-") as made:
        app = Path(made)
        (app / "app.py").write_text(
            f"import {module_name}\nfrom vbench_plugin.component import Meta, load\n"
            f"load({module_name}, stderr={not stub_wasi})\n"
        )
        for role in offers.by_role:
            (app / f"{role}.py").write_text(f"from vbench_plugin.component import {_RESOURCES[role]}\n")
        # The SDK alone, not its neighbours among the installed packages.
        shutil.copytree(sdk, app / "vbench_plugin", ignore=shutil.ignore_patterns("wit", "__pycache__"))
        command = [_componentize_py(), "--quiet", "-d", str(sdk / "wit" / "v0.1")]
        command += [word for role in offers.by_role for word in ("-w", f"{role}-plugin")]
        command += ["componentize", "app", "-o", str(output), "-p", str(app), "-p", str(folder)]
        command += [word for path in python_path for word in ("-p", str(path))]
        command += ["--stub-wasi"] if stub_wasi else []
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).split("Stack backtrace:")[0].strip()
        raise BuildError(f"componentize-py failed:\n{said}")


def _componentize_py() -> str:
    beside = Path(sysconfig.get_path("scripts")) / "componentize-py"
    found = str(beside) if beside.is_file() else shutil.which("componentize-py")
    if found is None:
        raise BuildError("componentize-py is missing: pip install 'vbench-plugin[build]'")
    return found
