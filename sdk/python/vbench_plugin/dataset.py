"""The role `dataset`: what to ask."""

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from . import host
from .errors import InputError, Location
from .options import Configurable
from .samples import Sample


class Format(Enum):
    """How a file is written."""

    AUTO = "auto"
    """By its ending."""
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"
    LINES = "lines"
    """Every line is a row that holds one text."""


class Rows:
    """Rows of a file that the user named, read natively and by index: `rows[3]`, `rows[10:20]`, `for row in rows`."""

    _BATCH = 256

    def __init__(self, handle: Any):
        self._handle = handle

    def __len__(self) -> int:
        return self._handle.count()

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return self.read(range(*index.indices(len(self))))
        at = index if index >= 0 else len(self) + index
        if not 0 <= at < len(self):
            raise IndexError(index)
        return self.read([at])[0]

    def __iter__(self) -> Iterator[Any]:
        for start in range(0, len(self), self._BATCH):
            yield from self.read(range(start, min(start + self._BATCH, len(self))))

    def read(self, indices: Sequence[int], columns: Sequence[str] = ()) -> list[Any]:
        """The rows with these indices, in this order; with `columns` only these keys of each."""
        return [json.loads(row) for row in self._handle.read(list(indices), list(columns))]

    def columns(self) -> list[str]:
        """Names of the columns."""
        return self._handle.columns()

    def lengths(self, column: str) -> list[int]:
        """For every row the number of items or characters that a column holds; -1 where there is none."""
        return self._handle.lengths(column)

    def locate(self, index: int) -> Location:
        """Where a row stands in the user's file, for `InputError(…, at=…)`."""
        return self._handle.locate(index)

    def error(self, index: int, message: str) -> InputError:
        """An error about a row, to be raised."""
        return InputError(message, at=self.locate(index))


class Tokenizer:
    """The run's tokenizer, run natively by the host. Give many texts a call."""

    def __init__(self, facts: dict[str, Any]):
        self.name: str = facts["name"]
        self.vocab_size: int = facts["vocab_size"]
        self.special_ids: list[int] = facts["special_ids"]
        self.has_chat_template: bool = facts["has_chat_template"]

    def count(self, texts: Sequence[str], *, special: bool = False) -> list[int]:
        """Number of tokens of each text."""
        return host.current.count(list(texts), special)

    def encode(self, texts: Sequence[str], *, special: bool = False) -> list[list[int]]:
        """Tokens of each text."""
        return host.current.encode(list(texts), special)

    def decode(self, tokens: Sequence[Sequence[int]], *, skip_special: bool = False) -> list[str]:
        """Text of each sequence."""
        return host.current.decode([list(ids) for ids in tokens], skip_special)

    def render_chat(
        self, chats: Iterable[list[dict[str, Any]]], *, generation_prompt: bool = True, **options: Any
    ) -> list[str]:
        """Each conversation as text by the tokenizer's chat template."""
        given = [(json.dumps(messages, ensure_ascii=False), None) for messages in chats]
        return host.current.render_chat(given, generation_prompt, json.dumps(options) if options else None)


@dataclass
class DatasetContext:
    """What a run wants of a dataset."""

    name: str
    """The name, or alias, by which the user chose the dataset."""
    seed: int
    count: int
    """`--num-prompts`: how many samples are wanted."""
    request_id_prefix: str
    backend: str
    """Name of the backend that will write the samples."""
    compat: str
    folders: dict[str, str] = field(default_factory=dict)
    """Where the folder of a `Path` option is for the plugin. Files are read with `rows`."""

    def request_id(self, number: Any) -> str:
        """The request id with this number."""
        return f"{self.request_id_prefix}{number}"

    def rows(self, key: str, format: Format = Format.AUTO, member: str | None = None) -> Rows:
        """The file given for the `Path` option `key`, or the file `member` in that folder."""
        return Rows(host.current.open_rows(key, member, format.value))

    @property
    def tokenizer(self) -> Tokenizer | None:
        """None when the run has none (`--skip-tokenizer-init`)."""
        facts = host.current.tokenizer()
        return Tokenizer(facts) if facts is not None else None

    @property
    def random(self) -> random.Random:
        """A new generator, seeded with `--seed`."""
        return random.Random(self.seed)


class Dataset(Configurable):
    """A source of samples. Called before the clock starts."""

    def samples(self, cx: DatasetContext) -> Iterable[Sample]:
        """The samples in the order of dispatch. Wrong options and files are errors."""
        raise NotImplementedError

    def skipped(self) -> dict[str, int]:
        """How many rows were passed over, by reason; asked for at the end."""
        return {}
