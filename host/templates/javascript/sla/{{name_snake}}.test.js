import assert from "node:assert/strict";
import test from "node:test";

import { evaluate } from "vbench-plugin/testing";

import { {{type}} } from "./{{name_snake}}.js";

test("the worst run counts", () => {
  const [good, bad] = [{ p99_e2el_ms: 50 }, { p99_e2el_ms: 150 }];
  assert.ok(evaluate({{type}}, { p99_ms: 100 }, good, good).passed);
  const verdict = evaluate({{type}}, { p99_ms: 100 }, good, bad);
  assert.deepEqual([verdict.passed, verdict.margin], [false, 0.5]);
});
