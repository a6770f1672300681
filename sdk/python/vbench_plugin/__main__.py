"""The command `vbench-plugin`."""

import argparse
import sys
from pathlib import Path

from .build import BuildError, build


def main() -> int:
    """Reads the command line; gives the exit code."""
    parser = argparse.ArgumentParser(prog="vbench-plugin", description="Builds vbench plugins written in Python.")
    commands = parser.add_subparsers(required=True)
    build_parser = commands.add_parser("build", help="make a component of a module")
    build_parser.add_argument("source", type=Path, metavar="FILE.py")
    build_parser.add_argument("-o", "--output", type=Path, metavar="FILE.wasm", help="default: beside the module")
    build_parser.add_argument("-p", "--python-path", type=Path, action="append", default=[], metavar="DIR",
                              help="folder of modules that the plugin imports; may be repeated")
    build_parser.add_argument("--stub-wasi", action="store_true",
                              help="import nothing but the contract; no folders and no tracebacks then")
    args = parser.parse_args()
    output = args.output or args.source.with_suffix(".wasm")
    try:
        build(args.source, output, stub_wasi=args.stub_wasi, python_path=tuple(args.python_path))
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{output} ({output.stat().st_size / 2**20:.1f} MiB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
