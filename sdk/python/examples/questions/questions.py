"""Asks the questions of a file, one a line, again and again."""

from collections.abc import Iterator
from pathlib import Path

from vbench_plugin import ConfigError, Dataset, DatasetContext, Format, Sample, option

__version__ = "1.0.0"


class Questions(Dataset):
    """Asks the questions of a file, one a line, again and again."""

    name = "questions"
    path: Path = option("File with a question on every line")
    output_len: int = option("Longest answer, in tokens", default=64, minimum=1)
    shuffle: bool = option("Ask in another order, which depends on the seed", default=False)

    def samples(self, cx: DatasetContext) -> Iterator[Sample]:
        questions = [line.strip() for line in cx.rows("path", Format.LINES) if line.strip()]
        if not questions:
            raise ConfigError("the file has no question in it", key="path")
        if self.shuffle:
            cx.random.shuffle(questions)
        for number in range(cx.count):
            question = questions[number % len(questions)]
            yield Sample(question, self.output_len, id=cx.request_id(number))
