"""The SDK without a host."""

import json
import tempfile
import unittest
from pathlib import Path
from typing import Literal

from vbench_plugin import Body, ConfigError, Dataset, InputError, Location, Messages, Parts, Sample, Turn, log, option
from vbench_plugin.build import BuildError, build
from vbench_plugin.offers import NoOffer, offers_of
from vbench_plugin.options import Configurable
from vbench_plugin.samples import prompt_kind
from vbench_plugin.testing import run_dataset

HERE = Path(__file__).parent


class Options(Configurable):
    name = "options"
    path: Path = option("a")
    words: list[str] = option("b", default=["x"])
    how: Literal["fast", "slow"] = option("c", default="fast")
    most: float | None = option("d", default=None, maximum=2, flag="most", general_flag="all-most")
    deep: dict = option("e", default={})


class OptionsTest(unittest.TestCase):
    def test_annotations_become_schemas(self):
        schema = json.loads(Options.schema())
        self.assertEqual(schema["required"], ["path"])
        properties = schema["properties"]
        self.assertEqual(properties["path"], {"type": "string", "format": "path", "description": "a"})
        self.assertEqual(properties["words"]["items"], {"type": "string"})
        self.assertEqual(properties["how"]["enum"], ["fast", "slow"])
        self.assertEqual(properties["most"]["type"], ["number", "null"])
        self.assertEqual((properties["most"]["x-flag"], properties["most"]["x-general-flag"]), ("most", "all-most"))
        self.assertEqual(properties["deep"]["type"], "object")

    def test_given_values_and_defaults_are_set(self):
        opened = Options.configured('{"path": "x", "most": 1.5}')
        self.assertEqual((opened.path, opened.words, opened.most), ("x", ["x"], 1.5))

    def test_what_cannot_be_an_option_is_named(self):
        class NoType(Configurable):
            name = "x"
            a = option("a")

        class WrongType(Configurable):
            name = "x"
            a: set = option("a")

        self.assertRaisesRegex(TypeError, "no annotation", NoType.schema)
        self.assertRaisesRegex(TypeError, "cannot have the type", WrongType.schema)


class SamplesTest(unittest.TestCase):
    def test_prompts_have_kinds(self):
        for prompt, kind in [
            ("a", "text"), (["a"], "texts"), ([1], "token-ids"), ([[1], [2]], "token-id-lists"),
            (Messages([{}]), "messages"), (Parts([]), "parts"), (Body(a=1), "object"),
        ]:
            self.assertEqual(prompt_kind(prompt)[0], kind)
        self.assertRaises(TypeError, prompt_kind, 7)

    def test_a_sample_is_one_turn_or_several(self):
        self.assertEqual(len(Sample("a").steps()), 1)
        self.assertEqual(len(Sample(turns=[Turn("a", 1), Turn("b", 1)]).steps()), 2)
        self.assertRaises(ValueError, Sample().steps)


class RowsTest(unittest.TestCase):
    def test_rows_are_read_by_index_and_in_stretches(self):
        seen = {}

        class Reads(Dataset):
            name = "reads"

            def samples(self, cx):
                rows = cx.rows("path")
                seen.update(all=len(list(rows)), last=rows[-1], some=rows[1:3], wrong=rows.error(4, "no"))
                log.warn("odd")
                return []

        run_dataset(Reads, rows={"path": [{"n": n} for n in range(600)]})
        self.assertEqual((seen["all"], seen["last"], seen["some"]), (600, {"n": 599}, [{"n": 1}, {"n": 2}]))
        self.assertIsInstance(seen["wrong"], InputError)
        self.assertEqual(seen["wrong"].at, Location("path", 5))

    def test_a_file_that_was_not_given_is_the_users_error(self):
        class Reads(Dataset):
            name = "reads"

            def samples(self, cx):
                return cx.rows("path")

        self.assertRaises(ConfigError, run_dataset, Reads)


class BuildTest(unittest.TestCase):
    def test_offers_are_the_classes_with_a_name(self):
        import vbench_plugin

        self.assertRaises(NoOffer, offers_of, vbench_plugin)

    def test_a_name_that_the_bindings_need_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "dataset.py"
            source.write_text("")
            with self.assertRaisesRegex(BuildError, "rename"):
                build(source, source.with_suffix(".wasm"))

    def test_the_copy_of_the_contract_has_not_drifted(self):
        ours, theirs = HERE.parent / "vbench_plugin/wit/v0.1", HERE.parents[2] / "wit/v0.1"
        self.assertEqual({p.name: p.read_text() for p in ours.iterdir()}, {p.name: p.read_text() for p in theirs.iterdir()})


if __name__ == "__main__":
    unittest.main()
