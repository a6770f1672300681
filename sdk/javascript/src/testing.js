/** Stands in for the host, so that plugins can be tested without building them. */

import { ConfigError, DatasetContext } from "./index.js";
import { host } from "./host.js";

class FakeRows {
  constructor(key, rows) {
    this.key = key;
    this.rows = rows;
  }

  count() {
    return BigInt(this.rows.length);
  }

  columns() {
    return Object.keys(this.rows[0] ?? {});
  }

  read(indices, columns) {
    const kept = (row) => Object.fromEntries(columns.filter((key) => key in row).map((key) => [key, row[key]]));
    const rows = Array.from(indices, (index) => this.rows[Number(index)]);
    return rows.map((row) => JSON.stringify(columns.length > 0 ? kept(row) : row));
  }

  locate(index) {
    return { file: this.key, row: index + 1n };
  }
}

const words = (text) => text.split(/\s+/).filter(Boolean).length;

function pretend(rows, count, messages) {
  host.current = {
    log: (level, message) => messages.push([level, message]),
    tokenizer: () => count && { name: "fake", vocabSize: 1000, count: (texts) => texts.map(count) },
    openRows(key, member, _format) {
      const name = member === undefined ? key : `${key}/${member}`;
      if (rows[name] === undefined) throw new ConfigError("no file was given", { key });
      return new FakeRows(name, rows[name]);
    },
  };
}

function withDefaults(offer, options) {
  const defaults = Object.entries(offer.options).map(([name, schema]) => [
    name,
    schema.default ?? (schema.type === "boolean" ? false : undefined),
  ]);
  return new offer({ ...Object.fromEntries(defaults), ...options });
}

/**
 * The samples of a dataset.
 *
 * @param {object} dataset the class
 * @param {Record<string, unknown>} [options]
 * @param {{count?: number, seed?: number, rows?: Record<string, unknown[]>, countTokens?: (text: string) => number}} [run]
 *   `rows` has the content of files by option, or by `option/member`
 */
export function runDataset(dataset, options = {}, { count = 10, seed = 0, rows = {}, countTokens = words } = {}) {
  pretend(rows, countTokens, []);
  const args = { name: dataset.offer, seed: BigInt(seed), count: BigInt(count), requestIdPrefix: "test-" };
  return [...withDefaults(dataset, options).samples(new DatasetContext({ ...args, backend: "openai", compat: "vbench" }))];
}

/** An opened backend; `cx` replaces fields of its context. */
export function openBackend(backend, options = {}, cx = {}) {
  pretend({}, undefined, []);
  const opened = withDefaults(backend, options);
  const usual = { name: backend.offer, sampling: {}, extraBody: {}, ignoreEos: false, compat: "vbench" };
  opened.open({ ...usual, ...cx });
  return opened;
}

/** The verdict of a criterion over runs, each an object of metrics. */
export function evaluate(criterion, options, ...runs) {
  pretend({}, undefined, []);
  const opened = withDefaults(criterion, options);
  opened.open({ name: criterion.offer, compat: "vbench" });
  return opened.evaluate(runs.map((metrics) => ({ metric: (key) => metrics[key], column: () => undefined, requests: () => 0 })));
}
