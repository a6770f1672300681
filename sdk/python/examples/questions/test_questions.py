import unittest

from questions import Questions
from vbench_plugin import ConfigError
from vbench_plugin.testing import run_dataset


class QuestionsTest(unittest.TestCase):
    def test_questions_are_asked_in_turn(self):
        samples = run_dataset(Questions, count=3, rows={"path": ["one two\n", "\n", "three\n"]})
        self.assertEqual([sample.prompt for sample in samples], ["one two", "three", "one two"])
        self.assertEqual((samples[0].id, samples[0].turns[0].prompt_tokens), ("test-0", 2))

    def test_an_empty_file_names_the_option(self):
        with self.assertRaises(ConfigError) as raised:
            run_dataset(Questions, rows={"path": ["\n"]})
        self.assertEqual(raised.exception.key, "path")

    def test_the_order_depends_on_the_seed(self):
        rows = {"path": [f"{number}\n" for number in range(20)]}

        def asked(seed):
            return [s.prompt for s in run_dataset(Questions, {"shuffle": True}, count=20, seed=seed, rows=rows)]
        self.assertEqual(asked(1), asked(1))
        self.assertNotEqual(asked(1), asked(2))


if __name__ == "__main__":
    unittest.main()
