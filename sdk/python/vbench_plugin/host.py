"""Whoever plays the host: vbench in a component, `testing` in a test."""

from typing import Any, Protocol


class Host(Protocol):
    """What a plugin can ask of the host, in plain types."""

    def log(self, level: str, message: str) -> None: ...
    def tokenizer(self) -> dict[str, Any] | None: ...
    def count(self, texts: list[str], special: bool) -> list[int]: ...
    def encode(self, texts: list[str], special: bool) -> list[list[int]]: ...
    def decode(self, tokens: list[list[int]], skip_special: bool) -> list[str]: ...
    def render_chat(self, chats: list[tuple[str, str | None]], prompt: bool, options: str | None) -> list[str]: ...
    def open_rows(self, key: str, member: str | None, format: str) -> Any: ...


class _Nobody:
    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("there is no host here; in tests use vbench_plugin.testing")


current: Host = _Nobody()
"""Set by the component, or by a test."""
