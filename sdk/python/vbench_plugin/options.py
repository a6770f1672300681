"""Options: class attributes that become flags."""

import json
import types
import typing
from pathlib import Path
from typing import Any

_REQUIRED = object()
_SIMPLE = {bool: "boolean", int: "integer", float: "number", str: "string", dict: "object"}


class _Option:
    def __init__(self, help: str, default: Any, keywords: dict[str, Any]):
        self.help, self.default, self.keywords = help, default, keywords

    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            return self
        raise AttributeError("options have values once the plugin was opened")


def option(
    help: str,
    *,
    default: Any = _REQUIRED,
    minimum: float | None = None,
    maximum: float | None = None,
    pattern: str | None = None,
    flag: str | None = None,
    general_flag: str | None = None,
) -> Any:
    """An option of a dataset, backend or criterion.

    Its type is the attribute's annotation: `bool`, `int`, `float`, `str`, `pathlib.Path` (a file or folder that the
    plugin may read), `list` of one of these, `dict` (JSON), `Literal` of some words, or one of these `| None`. Option
    `output_len` of dataset `traces` is the flag `--traces-output-len`, or `flag` where that is given. `general_flag`
    names a flag shared by several plugins that wins when given.
    """
    keywords = {"minimum": minimum, "maximum": maximum, "pattern": pattern}
    keywords |= {"x-flag": flag, "x-general-flag": general_flag}
    return _Option(help, default, {key: value for key, value in keywords.items() if value is not None})


def _schema_of(annotation: Any) -> dict[str, Any]:
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation in _SIMPLE or origin is dict:
        return {"type": _SIMPLE[origin or annotation]}
    if annotation is Path:
        return {"type": "string", "format": "path"}
    if origin is list:
        return {"type": "array", "items": _schema_of(args[0])}
    if origin is typing.Literal:
        return {"type": "string", "enum": list(args)}
    if origin in (typing.Union, types.UnionType):
        some = [arg for arg in args if arg is not type(None)]
        if len(some) == 1:
            schema = _schema_of(some[0])
            return schema | {"type": [schema["type"], "null"]}
    raise TypeError(f"an option cannot have the type {annotation}")


class Configurable:
    """What datasets, backends and criteria have in common."""

    name: str
    """What the user writes, as in `--dataset-name NAME`: lower-case letters, digits, `-` and `_`."""
    aliases: tuple[str, ...] = ()
    """Other names for the same thing."""
    schema_keywords: dict[str, Any] = {}
    """Keywords of the contract beside the options, such as `{"x-ignore-eos": True}`."""

    @classmethod
    def options(cls) -> dict[str, _Option]:
        """Options by name, those of base classes first."""
        found: dict[str, _Option] = {}
        for base in reversed(cls.__mro__):
            found |= {key: value for key, value in vars(base).items() if isinstance(value, _Option)}
        return found

    @classmethod
    def schema(cls) -> str:
        """The JSON Schema of the options."""
        hints = typing.get_type_hints(cls)
        properties, required = {}, []
        for name, option in cls.options().items():
            if name not in hints:
                raise TypeError(f"option `{name}` of {cls.__name__} has no annotation, which is its type")
            schema = _schema_of(hints[name]) | {"description": option.help} | option.keywords
            if option.default is _REQUIRED:
                required.append(name)
            elif option.default is not None:
                schema["default"] = option.default
            properties[name] = schema
        schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
        return json.dumps(schema | cls.schema_keywords)

    @classmethod
    def summary(cls) -> str:
        """One sentence for lists and help: the first line of the documentation."""
        return next(iter((cls.__doc__ or "").strip().splitlines()), "")

    @classmethod
    def configured(cls, config: str) -> "Configurable":
        """An instance with the options that the host passes, which it has checked against the schema."""
        this = cls()
        given = json.loads(config)
        for name, option in cls.options().items():
            default = None if option.default is _REQUIRED else option.default
            setattr(this, name, given.get(name, default))
        return this
