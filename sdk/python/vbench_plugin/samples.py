"""What a dataset yields."""

import json
from dataclasses import dataclass, field
from typing import Any, Literal


class Messages(list):
    """Chat messages, to be sent as they are."""


class Parts(list):
    """Content parts of one user message."""


class Body(dict):
    """An object that is merged into the body of a pooling request."""


Prompt = str | list | Messages | Parts | Body
"""Text; a list of texts (inputs of one request); a list of token ids, or of such lists; messages, parts or a body."""


@dataclass
class Media:
    """An image, video or sound that goes with a prompt."""

    kind: Literal["image", "video", "audio"]
    url: str
    """An address that the server resolves, or a `vbench-media:` reference."""
    format: str | None = None
    """Encoding where the wire format names one, such as `wav`."""
    extra: dict[str, Any] | None = None
    """Further keys that belong beside the address."""


@dataclass
class Turn:
    """One step of a sample: what is sent, and what comes back at most."""

    prompt: Prompt
    output_tokens: int
    """Longest answer wanted, in tokens."""
    prompt_tokens: int | None = None
    """What the prompt costs, in tokens; none has the host count a text with the run's tokenizer."""
    media: Media | list[Media] | None = None
    delay_ms: float = 0.0
    """Pause between the end of the previous answer and this turn."""


@dataclass
class Sample:
    """One unit of load: a request, or a conversation if `turns` is given in place of `prompt`."""

    prompt: Prompt | None = None
    output_tokens: int = 128
    prompt_tokens: int | None = None
    media: Media | list[Media] | None = None
    id: str | None = None
    """Sent as `x-request-id`."""
    turns: list[Turn] = field(default_factory=list)
    arrival_s: float | None = None
    """When it is due, in seconds from the start; only for datasets that replay a trace."""
    overrides: dict[str, Any] | None = None
    """Laid over the user's extra body for this sample alone."""
    session: str | None = None
    tags: dict[str, str] = field(default_factory=dict)

    def steps(self) -> list[Turn]:
        """The turns, or the one that `prompt` makes."""
        if self.turns:
            return self.turns
        if self.prompt is None:
            raise ValueError("a sample needs a prompt or turns")
        return [Turn(self.prompt, self.output_tokens, self.prompt_tokens, self.media)]


def prompt_kind(prompt: Prompt) -> tuple[str, Any]:
    """The contract's name for a kind of prompt, and its value as the contract has it."""
    match prompt:
        case str():
            return "text", prompt
        case Messages():
            return "messages", json.dumps(prompt, ensure_ascii=False)
        case Parts():
            return "parts", json.dumps(prompt, ensure_ascii=False)
        case dict():
            return "object", json.dumps(prompt, ensure_ascii=False)
        case [str(), *_]:
            return "texts", list(prompt)
        case [int(), *_]:
            return "token-ids", list(prompt)
        case [[*_], *_]:
            return "token-id-lists", [list(ids) for ids in prompt]
        case _:
            raise TypeError(f"a prompt cannot be {type(prompt).__name__}: {prompt!r:.60}")
