#!/usr/bin/env node
/** The command `vbench-plugin`. */

import { parseArgs } from "node:util";

import { build } from "./build.js";

const USAGE = "usage: vbench-plugin build FILE.js [-o FILE.wasm]";

try {
  const { values, positionals } = parseArgs({
    options: { output: { type: "string", short: "o" } },
    allowPositionals: true,
  });
  const [command, source, ...rest] = positionals;
  if (command !== "build" || source === undefined || rest.length > 0) throw new Error(USAGE);
  const output = values.output ?? source.replace(/\.[cm]?js$/, "") + ".wasm";
  const bytes = await build(source, output);
  console.log(`${output} (${(bytes / 2 ** 20).toFixed(1)} MiB)`);
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
}
