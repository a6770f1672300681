import unittest

from {{name_snake}} import {{type}}
from vbench_plugin.testing import FakeRun, evaluate


class {{type}}Test(unittest.TestCase):
    def test_the_worst_run_counts(self):
        good, bad = FakeRun({"p99_e2el_ms": 50}), FakeRun({"p99_e2el_ms": 150})
        self.assertTrue(evaluate({{type}}, {"p99_ms": 100}, good, good).passed)
        verdict = evaluate({{type}}, {"p99_ms": 100}, good, bad)
        self.assertEqual((verdict.passed, verdict.margin), (False, 0.5))


if __name__ == "__main__":
    unittest.main()
