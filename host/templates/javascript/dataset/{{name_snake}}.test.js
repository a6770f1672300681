import assert from "node:assert/strict";
import test from "node:test";

import { runDataset } from "vbench-plugin/testing";

import { {{type}} } from "./{{name_snake}}.js";

test("asks as often as wanted and never the same", () => {
  const samples = runDataset({{type}}, { prompt: "What is" }, { count: 3 });
  assert.deepEqual(samples.map((sample) => sample.prompt), ["What is 0", "What is 1", "What is 2"]);
});
