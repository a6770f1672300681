"""The role `backend`: how a turn is written, and how the answer is read."""

from dataclasses import dataclass, field
from typing import Any, Literal

from .options import Configurable
from .samples import Media, Prompt

TokenKind = Literal["content", "reasoning", "tool-call"]


@dataclass
class BackendContext:
    """Under what a backend is opened."""

    name: str
    endpoint: str | None
    """`--endpoint`; none means the backend's usual path."""
    sampling: dict[str, Any]
    """Sampling flags that were given, in the order in which they are to be sent."""
    extra_body: dict[str, Any]
    """`--extra-body`."""
    ignore_eos: bool
    logprobs: int | None
    compat: str


@dataclass
class Plan:
    """How the host reads events by JSON pointers, without calling the plugin."""

    content: str
    """Pointer to the text of an event that carries a token of the answer."""
    reasoning: str | None = None
    """The same for thinking aloud."""
    error: str | None = None
    """Pointer to the message of an event that fails the request."""
    output_tokens: str | None = None
    prompt_tokens: str | None = None
    finish_reason: str | None = None
    ignore: tuple[str, ...] = ("[DONE]",)
    """Payloads that are no JSON and mean nothing."""


@dataclass
class Endpoint:
    """Where and how requests go out. The user gives scheme and host."""

    path: str
    framing: Literal["sse", "ndjson", "whole-body"] = "sse"
    plan: Plan | None = None
    """None: `Backend.parse` reads the responses."""
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    method: str = "POST"
    task: Literal["generation", "pooling"] = "generation"


@dataclass
class Request:
    """What is to be written."""

    id: str | None
    model: str
    prompt: Prompt
    output_tokens: int
    media: list[Media]
    overrides: dict[str, Any]
    """Laid over the extra body."""


@dataclass
class Response:
    """A response as the host received it: one payload an event."""

    status: int
    headers: list[tuple[str, str]]
    events: list[bytes]
    names: dict[int, str]
    """Names of those events that have one, by number."""


@dataclass
class Token:
    """That an event is a token event."""

    event: int
    kind: TokenKind = "content"
    tokens: int = 0
    """Tokens in the event where the format says so."""


@dataclass
class Usage:
    """Token counts as the server reports them."""

    output_tokens: int | None = None
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


@dataclass
class Parsed:
    """What a response says."""

    tokens: list[Token] = field(default_factory=list)
    text: str = ""
    usage: Usage | None = None
    finish_reason: str | None = None
    error: str | None = None
    """Why the request failed, if it did."""
    extra: dict[str, Any] | None = None
    """Kept with the request's record."""


class Backend(Configurable):
    """A wire format. Called before a request is due and after its response has ended, never in between."""

    def open(self, cx: BackendContext) -> None:
        """Keeps what it needs of the context."""
        self.cx = cx

    def endpoint(self) -> Endpoint:
        """Where and how requests go out."""
        raise NotImplementedError

    def build(self, request: Request) -> dict[str, Any] | bytes:
        """The body of a request: an object that is sent as JSON, or bytes."""
        raise NotImplementedError

    def parse(self, response: Response) -> Parsed:
        """Reads a finished response, where there is no plan."""
        raise NotImplementedError("a backend without a plan has to read its responses")
