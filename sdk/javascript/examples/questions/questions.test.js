import assert from "node:assert/strict";
import test from "node:test";

import { ConfigError } from "vbench-plugin";
import { runDataset } from "vbench-plugin/testing";

import { Questions } from "./questions.js";

test("questions are asked in turn", () => {
  const samples = runDataset(Questions, {}, { count: 3, rows: { path: ["one two\n", "\n", "three\n"] } });
  assert.deepEqual(samples.map((sample) => sample.prompt), ["one two", "three", "one two"]);
  assert.equal(samples[0].id, "test-0");
});

test("an empty file names the option", () => {
  const empty = () => runDataset(Questions, {}, { rows: { path: ["\n"] } });
  assert.throws(empty, (error) => error instanceof ConfigError && error.key === "path");
});

test("the order depends on the seed", () => {
  const path = Array.from({ length: 20 }, (_, number) => `${number}\n`);
  const asked = (seed) =>
    runDataset(Questions, { shuffle: true }, { count: 20, seed, rows: { path } }).map((sample) => sample.prompt);
  assert.deepEqual(asked(1), asked(1));
  assert.notDeepEqual(asked(1), asked(2));
});
