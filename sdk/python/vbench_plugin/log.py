"""Messages for the person at the terminal."""

from . import host


def debug(message: str) -> None:
    """A detail, shown with `-v`."""
    host.current.log("debug", message)


def info(message: str) -> None:
    """Shown as a plain line."""
    host.current.log("info", message)


def warn(message: str) -> None:
    """Shown, and kept in the result."""
    host.current.log("warn", message)
