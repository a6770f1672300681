"""Errors by whose fault they are. The host turns that into the exit code."""

from dataclasses import dataclass


@dataclass
class Location:
    """Where in the user's data an error lies, as far as it is known."""

    file: str | None = None
    """The path as the user wrote it."""
    row: int | None = None
    """Line of a line-based file, else row; the first is 1."""
    column: str | None = None
    """Column, field or JSON pointer."""


class PluginError(Exception):
    """Something failed. One sentence in lower case without a final stop."""

    cause = "internal"

    def __init__(self, message: str, *, key: str | None = None, at: Location | None = None):
        super().__init__(message)
        self.key = key
        """The option that is to blame; the host prints its flag."""
        self.at = at
        """Where in the user's data."""


class ConfigError(PluginError):
    """An option has a wrong value: the user mends the command line."""

    cause = "config"


class InputError(PluginError):
    """A file, row or field is not as it should be: the user mends the data."""

    cause = "input"


class UnsupportedError(PluginError):
    """A combination that this plugin does not do."""

    cause = "unsupported"


class InternalError(PluginError):
    """A defect of the plugin. Any other exception counts as one, too."""
