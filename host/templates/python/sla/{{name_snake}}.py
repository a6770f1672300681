"""Wants the slowest answers to be fast enough."""

from vbench_plugin import Criterion, Run, Verdict, option

__version__ = "0.1.0"


class {{type}}(Criterion):
    """Wants the slowest answers to be fast enough."""

    name = "{{name}}"
    p99_ms: float = option("Longest end-to-end latency of 99 % of the requests", default=1000.0, minimum=1)

    def evaluate(self, runs: list[Run]) -> Verdict:
        # Of repeated runs the worst counts; a run without a value fails.
        values = [run.metric("p99_e2el_ms") for run in runs]
        worst = None if None in values else max(values)
        return Verdict.at_most(f"p99_e2el_ms <= {self.p99_ms:g}", worst, self.p99_ms)
