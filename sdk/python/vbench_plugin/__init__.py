"""What authors of vbench plugins in Python use.

A plugin answers one or more of three questions: what to ask (`Dataset`), how it is written and read on the wire
(`Backend`), was it good enough (`Criterion`). Derive a class from one of these in a module of your own, then

    vbench-plugin build my_plugin.py

makes `my_plugin.wasm` of it. Every class of the module with a `name` is offered; name, version and summary of the plugin
are the module's name, its `__version__` and the first line of its documentation. Class attributes made by `option`
become flags. `testing` stands in for the host in tests.
"""

from . import log
from .backend import Backend, BackendContext, Endpoint, Parsed, Plan, Request, Response, Token, Usage
from .criterion import Criterion, CriterionContext, Finding, Run, Verdict
from .dataset import Dataset, DatasetContext, Format, Rows, Tokenizer
from .errors import ConfigError, InputError, InternalError, Location, PluginError, UnsupportedError
from .options import option
from .samples import Body, Media, Messages, Parts, Sample, Turn

__version__ = "0.1.0"

__all__ = [
    "Backend", "BackendContext", "Body", "ConfigError", "Criterion", "CriterionContext", "Dataset", "DatasetContext",
    "Endpoint", "Finding", "Format", "InputError", "InternalError", "Location", "Media", "Messages", "Parsed", "Parts",
    "Plan", "PluginError", "Request", "Response", "Rows", "Run", "Sample", "Token", "Tokenizer", "Turn",
    "UnsupportedError", "Usage", "Verdict", "log", "option",
]
