/** From a module whose default export is a plugin to a component. */

import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

import { componentize } from "@bytecodealliance/componentize-js";
import { rolldown } from "rolldown";

import { schemaOf } from "./index.js";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const VERSION = "0.1.0";
/** What the world of a role imports beside `log`. */
const IMPORTS = { dataset: ["tokenizer", "table"], backend: [], sla: [] };

/** The component cannot be made. */
export class BuildError extends Error {}

/**
 * Builds the plugin in the file `source` and writes it to `output`. Gives its size in bytes.
 *
 * @param {string} source
 * @param {string} output
 */
export async function build(source, output) {
  const file = resolve(source);
  const { default: plugin } = await import(pathToFileURL(file));
  if (plugin?.offers === undefined) throw new BuildError(`${source} has no plugin({…}) as its default export`);
  for (const offer of plugin.offers) schemaOf(offer);
  const roles = [...new Set(plugin.offers.map((offer) => offer.role))];
  const folder = await mkdtemp(join(tmpdir(), "vbench-plugin-"));
  try {
    await cp(join(HERE, "../wit/v0.1"), join(folder, "wit"), { recursive: true });
    const included = roles.map((role) => `include ${role}-plugin;`).join(" ");
    await writeFile(join(folder, "wit/app.wit"), `package vbench:plugin@${VERSION};\nworld app { ${included} }\n`);
    await writeFile(join(folder, "entry.js"), entry(file, roles));
    const bundle = await rolldown({
      input: join(folder, "entry.js"),
      external: /^vbench:plugin\//,
      resolve: {
        alias: { "vbench-plugin/component": join(HERE, "component.js"), "vbench-plugin": join(HERE, "index.js") },
      },
    });
    await bundle.write({ file: join(folder, "app.js"), format: "esm" });
    await bundle.close();
    const { component } = await componentize({
      sourcePath: join(folder, "app.js"),
      witPath: join(folder, "wit"),
      worldName: "app",
      disableFeatures: ["http", "fetch-event"],
    });
    await writeFile(output, component);
    return component.length;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The module that joins the plugin, the SDK and the host's interfaces. */
function entry(file, roles) {
  const imported = ["log", ...new Set(roles.flatMap((role) => IMPORTS[role]))];
  return [
    `import plugin from ${JSON.stringify(file)};`,
    `import { exportsOf } from "vbench-plugin/component";`,
    ...imported.map((name) => `import * as ${name} from "vbench:plugin/${name}@${VERSION}";`),
    `export const { ${["meta", ...roles].join(", ")} } = exportsOf(plugin, { ${imported.join(", ")} });`,
    "",
  ].join("\n");
}
