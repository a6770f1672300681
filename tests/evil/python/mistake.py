"""Divides by zero, for the test of what its author sees."""

from collections.abc import Iterator

from vbench_plugin import Dataset, DatasetContext, Sample


def share(number: int) -> float:
    return 1 / number


class Mistake(Dataset):
    """Divides by zero."""

    name = "mistake"

    def samples(self, cx: DatasetContext) -> Iterator[Sample]:
        for number in range(cx.count):
            yield Sample(f"{share(number)}")
