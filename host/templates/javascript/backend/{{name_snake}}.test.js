import assert from "node:assert/strict";
import test from "node:test";

import { openBackend } from "vbench-plugin/testing";

import { {{type}} } from "./{{name_snake}}.js";

test("a request holds prompt and length", () => {
  const backend = openBackend({{type}}, { prefix: "> " }, { sampling: { temperature: 0 } });
  const body = backend.build({ model: "m", prompt: "hello", outputTokens: 16, overrides: {} });
  assert.deepEqual([body.prompt, body.max_tokens, body.temperature], ["> hello", 16, 0]);
  assert.equal(backend.endpoint().path, "/v1/completions");
});
