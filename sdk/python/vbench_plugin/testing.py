"""Stands in for the host, so that plugins can be tested without building them."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import host
from .backend import Backend, BackendContext, Request
from .criterion import Criterion, CriterionContext, Verdict
from .dataset import Dataset, DatasetContext
from .errors import ConfigError, Location
from .samples import Sample


class _Rows:
    def __init__(self, key: str, rows: Sequence[Any]):
        self._key, self._rows = key, rows

    def count(self) -> int:
        return len(self._rows)

    def columns(self) -> list[str]:
        first = self._rows[0] if self._rows else {}
        return list(first) if isinstance(first, dict) else []

    def read(self, indices: list[int], columns: list[str]) -> list[str]:
        rows = [self._rows[index] for index in indices]
        kept = [{key: row[key] for key in columns if key in row} if columns else row for row in rows]
        return [json.dumps(row) for row in kept]

    def lengths(self, column: str) -> list[int]:
        values = [row.get(column) for row in self._rows]
        return [len(value) if isinstance(value, (list, str)) else -1 for value in values]

    def locate(self, index: int) -> Location:
        return Location(self._key, index + 1)


class _FakeHost:
    """A token is a word, unless told else; rows are what the test gives for an option."""

    def __init__(self, rows: Mapping[str, Sequence[Any]], count: Callable[[str], int] | None):
        self.rows, self._count, self.messages = rows, count, []

    def log(self, level: str, message: str) -> None:
        self.messages.append((level, message))

    def tokenizer(self) -> dict[str, Any] | None:
        if self._count is None:
            return None
        return {"name": "fake", "vocab_size": 1000, "special_ids": [], "has_chat_template": False}

    def count(self, texts: list[str], special: bool) -> list[int]:
        if self._count is None:
            raise ConfigError("this dataset needs a tokenizer, and the run has none")
        return [self._count(text) for text in texts]

    def open_rows(self, key: str, member: str | None, format: str) -> _Rows:
        name = key if member is None else f"{key}/{member}"
        if name not in self.rows:
            raise ConfigError("no file was given", key=key)
        return _Rows(name, self.rows[name])

    def __getattr__(self, name: str) -> Any:
        raise NotImplementedError(f"the stand-in for the host has no `{name}`")


def _words(text: str) -> int:
    return len(text.split())


def run_dataset(
    dataset: type[Dataset],
    config: dict[str, Any] | None = None,
    *,
    count: int = 10,
    seed: int = 0,
    rows: Mapping[str, Sequence[Any]] = {},
    count_tokens: Callable[[str], int] | None = _words,
) -> list[Sample]:
    """The samples of a dataset, with turns and prompt tokens filled in.

    `rows` has the content of files by option, or by `option/member`. Without `count_tokens` there is no tokenizer.
    """
    host.current = _FakeHost(rows, count_tokens)
    opened = dataset.configured(json.dumps(config or {}))
    cx = DatasetContext(dataset.name, seed, count, "test-", "openai", "vbench")
    samples = list(opened.samples(cx))
    for sample in samples:
        sample.turns = sample.steps()
    for turn in (turn for sample in samples for turn in sample.turns):
        if turn.prompt_tokens is None and isinstance(turn.prompt, str) and count_tokens is not None:
            turn.prompt_tokens = count_tokens(turn.prompt)
    return samples


def open_backend(backend: type[Backend], config: dict[str, Any] | None = None, **context: Any) -> Backend:
    """An opened backend; `context` replaces fields of its context."""
    host.current = _FakeHost({}, None)
    opened = backend.configured(json.dumps(config or {}))
    fields = {"name": backend.name, "endpoint": None, "sampling": {}, "extra_body": {}, "ignore_eos": False}
    opened.open(BackendContext(**(fields | {"logprobs": None, "compat": "vbench"} | context)))
    return opened


def request(prompt: Any, output_tokens: int = 16, model: str = "m") -> Request:
    """A request for `Backend.build`."""
    return Request("test-0", model, prompt, output_tokens, [], {})


class FakeRun:
    """A finished run with these metrics and columns."""

    def __init__(self, metrics: dict[str, float], columns: dict[str, list[float]] | None = None):
        self._metrics, self._columns = metrics, columns or {}

    def metric(self, key: str) -> float | None:
        return self._metrics.get(key)

    def column(self, name: str) -> list[float] | None:
        return self._columns.get(name)

    def requests(self) -> int:
        return len(next(iter(self._columns.values()), []))


def evaluate(criterion: type[Criterion], config: dict[str, Any], *runs: FakeRun) -> Verdict:
    """The verdict of a criterion over runs."""
    host.current = _FakeHost({}, None)
    opened = criterion.configured(json.dumps(config))
    opened.open(CriterionContext(criterion.name, "vbench"))
    return opened.evaluate(list(runs))
