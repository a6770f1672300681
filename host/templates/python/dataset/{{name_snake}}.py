"""Asks about one number after the other."""

from collections.abc import Iterator

from vbench_plugin import Dataset, DatasetContext, Sample, option

__version__ = "0.1.0"


class {{type}}(Dataset):
    """Asks about one number after the other."""

    name = "{{name}}"
    prompt: str = option("What to ask; each request gets a number put after it", default="Tell me something about the number")
    output_len: int = option("Longest answer, in tokens", default=32, minimum=1)

    def samples(self, cx: DatasetContext) -> Iterator[Sample]:
        for number in range(cx.count):
            yield Sample(f"{self.prompt} {number}", self.output_len, id=cx.request_id(number))
