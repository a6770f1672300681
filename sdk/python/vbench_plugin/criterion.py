"""The role `sla`: was it good enough?"""

from dataclasses import dataclass
from typing import Protocol

from .options import Configurable


class Run(Protocol):
    """One finished run."""

    def metric(self, key: str) -> float | None:
        """A number of the result file by its key, such as `p99_e2el_ms`."""

    def column(self, name: str) -> list[float] | None:
        """One value a request, in dispatch order, not-a-number where there is none."""

    def requests(self) -> int:
        """Number of requests."""


@dataclass
class CriterionContext:
    """Under what a criterion is opened."""

    name: str
    compat: str


@dataclass
class Finding:
    """One comparison behind a verdict."""

    criterion: str
    """What was compared, as `p99_e2el_ms <= 200`."""
    actual: float | None
    """The value found; none if the run has no such value, which fails."""
    limit: float
    passed: bool
    margin: float


@dataclass
class Verdict:
    """Whether it was good enough, and by how much."""

    passed: bool
    margin: float
    """How far from the limit, as a share of it: below 0 is good, 0.1 is ten per cent beyond."""
    findings: list[Finding]

    @classmethod
    def at_most(cls, criterion: str, actual: float | None, limit: float) -> "Verdict":
        """The verdict that `actual` is not above `limit`, which is above 0."""
        passed = actual is not None and actual <= limit
        margin = (actual - limit) / limit if actual is not None else 1.0
        return cls(passed, margin, [Finding(criterion, actual, limit, passed, margin)])


class Criterion(Configurable):
    """A criterion. Called after a run."""

    def open(self, cx: CriterionContext) -> None:
        """Checks the options."""

    def good(self, run: Run) -> list[bool] | None:
        """For each request whether it was good; none if the criterion judges runs only."""
        return None

    def evaluate(self, runs: list[Run]) -> Verdict:
        """The verdict over repeated runs of one setting, at least one."""
        raise NotImplementedError

    def objective(self, run: Run) -> float:
        """What to make as large as possible while the criterion passes."""
        return run.metric("request_throughput") or 0.0
