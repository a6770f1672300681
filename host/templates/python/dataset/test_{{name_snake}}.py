import unittest

from {{name_snake}} import {{type}}
from vbench_plugin.testing import run_dataset


class {{type}}Test(unittest.TestCase):
    def test_asks_as_often_as_wanted_and_never_the_same(self):
        samples = run_dataset({{type}}, {"prompt": "What is"}, count=3)
        self.assertEqual([sample.prompt for sample in samples], ["What is 0", "What is 1", "What is 2"])


if __name__ == "__main__":
    unittest.main()
