/**
 * What authors of vbench plugins in JavaScript use.
 *
 * A plugin answers one or more of three questions: what to ask (`Dataset`), how it is written and read on the wire
 * (`Backend`), was it good enough (`Criterion`). Derive a class from one of these, make `plugin({…})` the default export
 * of a module, and `vbench-plugin build my-plugin.js` makes a component of it.
 */

import { host } from "./host.js";

/** Something failed: one sentence in lower case without a final stop. Other errors count as defects of the plugin. */
export class PluginError extends Error {
  static cause = "internal";

  /**
   * @param {string} message
   * @param {{key?: string, at?: {file?: string, row?: number, column?: string}}} [where] the option that is to blame,
   *   whose flag the host prints, and the place in the user's data
   */
  constructor(message, { key, at } = {}) {
    super(message);
    this.name = new.target.name;
    this.key = key;
    this.at = at;
  }
}

/** An option has a wrong value: the user mends the command line. */
export class ConfigError extends PluginError {
  static cause = "config";
}

/** A file, row or field is not as it should be: the user mends the data. */
export class InputError extends PluginError {
  static cause = "input";
}

/** A combination that this plugin does not do. */
export class UnsupportedError extends PluginError {
  static cause = "unsupported";
}

/**
 * What datasets, backends and criteria have in common. `options` are JSON Schemas by name: option `output_len` of
 * dataset `traces` is the flag `--traces-output-len`. An option without a default that is no switch has to be given.
 * Instances have the values as properties of `this.options`.
 */
class Offer {
  /** What the user writes, as in `--dataset-name NAME`: lower-case letters, digits, `-` and `_`. */
  static offer = undefined;
  /** Other names for the same thing. */
  static aliases = [];
  /** One sentence for lists and help. */
  static summary = "";
  /** JSON Schemas of the options by name. */
  static options = {};
  /** Keywords of the contract beside the options, such as `{"x-ignore-eos": true}`. */
  static schemaKeywords = {};

  /** @param {Record<string, unknown>} options given ones and defaults, checked by the host */
  constructor(options) {
    this.options = options;
  }
}

/** A source of samples. Called before the clock starts. */
export class Dataset extends Offer {
  static role = "dataset";

  /**
   * The samples in the order of dispatch.
   *
   * A sample is `{prompt, outputTokens, promptTokens?, media?, id?, arrivalS?, overrides?, session?, tags?}`, or has
   * `turns` of `{prompt, outputTokens, promptTokens?, media?, delayMs?}`. A prompt is a text, a list of texts (inputs of
   * one request), a list of token ids or of such lists, or `{messages}`, `{parts}` or `{object}`. Without `promptTokens`
   * the host counts a text with the run's tokenizer.
   *
   * @param {DatasetContext} cx
   * @returns {Iterable<object>}
   */
  samples(cx) {
    throw new Error(`${this.constructor.name} has no samples()`);
  }

  /** How many rows were passed over, by reason; asked for at the end. */
  skipped() {
    return {};
  }
}

/** A wire format. Called before a request is due and after its response has ended, never in between. */
export class Backend extends Offer {
  static role = "backend";

  /**
   * Keeps what it needs of `{name, endpoint, sampling, extraBody, ignoreEos, logprobs, compat}`.
   */
  open(cx) {
    this.cx = cx;
  }

  /**
   * Where and how requests go out: `{path, framing?, method?, headers?, task?, plan?}`. `framing` is `sse`, `ndjson` or
   * `whole-body`. A plan has the host read events by JSON pointers without calling the plugin: `{content, reasoning?,
   * error?, outputTokens?, promptTokens?, finishReason?, ignore?}`.
   */
  endpoint() {
    throw new Error(`${this.constructor.name} has no endpoint()`);
  }

  /**
   * The body of a request `{id, model, prompt, outputTokens, media, overrides}`: an object that is sent as JSON, or bytes.
   */
  build(request) {
    throw new Error(`${this.constructor.name} has no build()`);
  }

  /**
   * Reads a finished response `{status, headers, events, names}` where there is no plan. Gives `{tokens: [{event, kind?,
   * tokens?}], text?, usage?, finishReason?, error?, extra?}`.
   */
  parse(response) {
    throw new Error("a backend without a plan has to read its responses");
  }
}

/** A criterion. Called after a run. */
export class Criterion extends Offer {
  static role = "sla";

  /** Checks the options; `{name, compat}`. */
  open(cx) {}

  /** For each request whether it was good; undefined if the criterion judges runs only. */
  good(run) {
    return undefined;
  }

  /** The verdict over repeated runs: `{passed, margin, findings: [{criterion, actual?, limit, passed, margin}]}`. */
  evaluate(runs) {
    throw new Error(`${this.constructor.name} has no evaluate()`);
  }

  /** What to make as large as possible while the criterion passes. */
  objective(run) {
    return run.metric("request_throughput") ?? 0;
  }
}

/** The verdict that `actual` is not above `limit`, which is above 0. */
export function atMost(criterion, actual, limit) {
  const passed = actual !== undefined && actual <= limit;
  const margin = actual === undefined ? 1 : (actual - limit) / limit;
  return { passed, margin, findings: [{ criterion, actual, limit, passed, margin }] };
}

/** What a run wants of a dataset. */
export class DatasetContext {
  constructor(args) {
    /** The name, or alias, by which the user chose the dataset. */
    this.name = args.name;
    /** `--seed`, as a BigInt. */
    this.seed = args.seed;
    /** `--num-prompts`: how many samples are wanted. */
    this.count = Number(args.count);
    this.requestIdPrefix = args.requestIdPrefix;
    /** Name of the backend that will write the samples. */
    this.backend = args.backend;
    this.compat = args.compat;
    this.random = generator(this.seed);
  }

  /** The request id with this number. */
  requestId(number) {
    return `${this.requestIdPrefix}${number}`;
  }

  /**
   * The file given for the option `key`, or the file `member` in that folder.
   *
   * @param {string} key
   * @param {{format?: "auto"|"json"|"jsonl"|"csv"|"parquet"|"lines", member?: string}} [how]
   * @returns {Rows}
   */
  rows(key, { format = "auto", member } = {}) {
    return new Rows(host.current.openRows(key, member, format));
  }

  /** The run's tokenizer with `count(texts)`; undefined when the run has none (`--skip-tokenizer-init`). */
  get tokenizer() {
    return host.current.tokenizer();
  }
}

/** Rows of a file that the user named, read natively and by index. */
export class Rows {
  static BATCH = 256;

  constructor(handle) {
    this.handle = handle;
  }

  get length() {
    return Number(this.handle.count());
  }

  /** The rows with these indices, in this order; with `columns` only these keys of each. */
  read(indices, columns = []) {
    const wanted = BigUint64Array.from(indices, BigInt);
    return this.handle.read(wanted, columns).map((row) => JSON.parse(row));
  }

  *[Symbol.iterator]() {
    const length = this.length;
    for (let start = 0; start < length; start += Rows.BATCH) {
      const count = Math.min(Rows.BATCH, length - start);
      yield* this.read(Array.from({ length: count }, (_, index) => start + index));
    }
  }

  /** Names of the columns. */
  columns() {
    return this.handle.columns();
  }

  /** Where a row stands in the user's file, for `new InputError(…, {at})`. */
  locate(index) {
    return this.handle.locate(BigInt(index));
  }
}

/** Messages for the person at the terminal. */
export const log = {
  /** A detail, shown with `-v`. */
  debug: (message) => host.current.log("debug", message),
  /** Shown as a plain line. */
  info: (message) => host.current.log("info", message),
  /** Shown, and kept in the result. */
  warn: (message) => host.current.log("warn", message),
};

/**
 * Numbers from 0 to below 1 that depend on the seed alone: SplitMix64, whose upper 53 bits are taken.
 *
 * @param {bigint|number} seed
 * @returns {() => number}
 */
export function generator(seed) {
  const mask = (1n << 64n) - 1n;
  let state = BigInt(seed) & mask;
  return () => {
    state = (state + 0x9e3779b97f4a7c15n) & mask;
    let z = state;
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & mask;
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & mask;
    return Number((z ^ (z >> 31n)) >> 11n) / 2 ** 53;
  };
}

/** Shuffles a list in place. */
export function shuffle(list, random) {
  for (let last = list.length - 1; last > 0; last -= 1) {
    const other = Math.floor(random() * (last + 1));
    [list[last], list[other]] = [list[other], list[last]];
  }
  return list;
}

/**
 * A plugin: `{name, version, summary, offers}`, where the offers are classes.
 *
 * @param {{name: string, version: string, summary: string, offers: (typeof Offer)[]}} about
 */
export function plugin({ name, version, summary, offers }) {
  for (const offer of offers) {
    if (offer.offer === undefined) throw new TypeError(`${offer.name} has no static \`offer\`, which is its name`);
  }
  return { name, version, summary, offers };
}

/** The JSON Schema of an offer's options. */
export function schemaOf(offer) {
  const required = Object.entries(offer.options)
    .filter(([, schema]) => schema.default === undefined && schema.type !== "boolean")
    .map(([name]) => name);
  const schema = { type: "object", properties: offer.options, required, additionalProperties: false };
  return { ...schema, ...offer.schemaKeywords };
}
