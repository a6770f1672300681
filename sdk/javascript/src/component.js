/**
 * What the component exports, on top of the bindings that componentize-js makes. The build writes a module that passes
 * the plugin and the host's interfaces.
 */

import { DatasetContext, PluginError, schemaOf } from "./index.js";
import { host } from "./host.js";

/** What goes wrong becomes an error of the contract; the bindings take it from `payload`. */
function guarded(call) {
  try {
    return call();
  } catch (error) {
    // An error of the host's that the plugin passes on.
    if (error !== null && typeof error === "object" && "payload" in error) throw error;
    const known = error instanceof PluginError;
    if (!known) console.error(error?.stack ? `${error}\n${error.stack}` : String(error));
    const payload = {
      cause: known ? error.constructor.cause : "internal",
      message: known ? error.message : `${error}`,
      configKey: known ? error.key : undefined,
      location: known ? error.at && { row: undefined, ...error.at } : undefined,
    };
    throw Object.assign(new Error(payload.message), { payload });
  }
}

const json = (value) => (value === undefined ? undefined : JSON.stringify(value));

/**
 * The exports of a plugin.
 *
 * @param {ReturnType<import("./index.js").plugin>} plugin
 * @param {{log: object, tokenizer?: object, table?: object}} imports
 */
export function exportsOf(plugin, imports) {
  host.current = {
    log: (level, message) => imports.log.log(level, message),
    tokenizer: () => tokenizer(imports.tokenizer),
    openRows: (key, member, format) => imports.table.Rows.open(key, member, format),
  };
  const find = (role, name) => {
    const found = plugin.offers.find(
      (offer) => offer.role === role && (offer.offer === name || offer.aliases.includes(name)),
    );
    if (found === undefined) throw new Error(`this plugin offers no ${role} \`${name}\``);
    return found;
  };
  const open = (role, args) => {
    const offer = find(role, args.name);
    return new offer(JSON.parse(args.config));
  };
  return {
    meta: { describe: () => describe(plugin) },
    dataset: { Source: source(open) },
    backend: { Client: client(open) },
    sla: { Criterion: judge(open) },
  };
}

function describe({ name, version, summary, offers }) {
  return {
    name,
    version,
    summary,
    offers: offers.map((offer) => ({
      role: offer.role,
      name: offer.offer,
      aliases: offer.aliases,
      summary: offer.summary,
      configSchema: JSON.stringify(schemaOf(offer)),
    })),
  };
}

function tokenizer(bindings) {
  const info = bindings?.describe();
  if (info === undefined) return undefined;
  const { name, vocabSize, specialIds, hasChatTemplate } = info;
  return {
    name,
    vocabSize,
    specialIds: Array.from(specialIds),
    hasChatTemplate,
    count: (texts, { special = false } = {}) => Array.from(bindings.count(texts, special)),
    encode: (texts, { special = false } = {}) => {
      const { ids, ends } = bindings.encode(texts, special);
      return Array.from(ends, (end, index) => Array.from(ids.slice(index === 0 ? 0 : ends[index - 1], end)));
    },
    renderChat: (chats, { generationPrompt = true, options } = {}) =>
      bindings.renderChat(
        chats.map((messages) => ({ messages: JSON.stringify(messages), tools: undefined })),
        generationPrompt,
        json(options),
      ),
  };
}

function source(open) {
  return class Source {
    constructor(dataset, cx) {
      this.dataset = dataset;
      this.counts = cx.tokenizer;
      this.iterator = dataset.samples(cx)[Symbol.iterator]();
      // Wrong options and files show in the first sample.
      this.first = this.take(1);
    }

    static open(args) {
      return guarded(() => new Source(open("dataset", args), new DatasetContext(args)));
    }

    take(max) {
      const samples = [];
      while (samples.length < max) {
        const { done, value } = this.iterator.next();
        if (done) break;
        samples.push(value);
      }
      return samples;
    }

    next(max) {
      return guarded(() => {
        const samples = this.first.concat(this.take(max - this.first.length));
        this.first = [];
        return toSamples(samples, this.counts);
      });
    }

    finish() {
      return guarded(() => ({
        pythonRandom: undefined,
        numpyRandom: undefined,
        skipped: Object.entries(this.dataset.skipped()).map(([reason, count]) => ({ reason, count: BigInt(count) })),
      }));
    }
  };
}

function toSamples(samples, tokenizer) {
  const steps = samples.map((sample) => sample.turns ?? [sample]);
  // All texts of the batch are counted in one call.
  const uncounted = steps.flat().filter((turn) => turn.promptTokens === undefined && typeof turn.prompt === "string");
  const counts = tokenizer && uncounted.length > 0 ? tokenizer.count(uncounted.map((turn) => turn.prompt)) : [];
  const counted = new Map(uncounted.map((turn, index) => [turn, counts[index]]));
  return samples.map((sample, index) => ({
    id: sample.id,
    turns: steps[index].map((turn) => ({
      prompt: toPrompt(turn.prompt),
      attachments: toAttachments(turn.media),
      promptTokens: BigInt(turn.promptTokens ?? counted.get(turn) ?? 0),
      outputTokens: BigInt(turn.outputTokens ?? 128),
      delayMs: turn.delayMs ?? 0,
    })),
    arrivalS: sample.arrivalS,
    overrides: json(sample.overrides),
    session: sample.session,
    tags: Object.entries(sample.tags ?? {}).map(([key, value]) => [key, String(value)]),
  }));
}

function toPrompt(prompt) {
  if (typeof prompt === "string") return { tag: "text", val: prompt };
  if (Array.isArray(prompt)) {
    if (typeof prompt[0] === "string") return { tag: "texts", val: prompt };
    if (typeof prompt[0] === "number") return { tag: "token-ids", val: Uint32Array.from(prompt) };
    return { tag: "token-id-lists", val: prompt.map((ids) => Uint32Array.from(ids)) };
  }
  for (const tag of ["messages", "parts", "object"]) {
    if (prompt?.[tag] !== undefined) return { tag, val: JSON.stringify(prompt[tag]) };
  }
  throw new TypeError(`a prompt cannot be ${JSON.stringify(prompt)?.slice(0, 60)}`);
}

function fromPrompt({ tag, val }) {
  switch (tag) {
    case "messages":
    case "parts":
    case "object":
      return { [tag]: JSON.parse(val) };
    case "token-ids":
      return Array.from(val);
    case "token-id-lists":
      return val.map((ids) => Array.from(ids));
    default:
      return val;
  }
}

function toAttachments(media) {
  const one = ({ kind, url, format, extra }) => ({ kind, url, format, extra: json(extra) });
  if (media === undefined) return { tag: "none" };
  return Array.isArray(media) ? { tag: "many", val: media.map(one) } : { tag: "one", val: one(media) };
}

function fromAttachments({ tag, val }) {
  const media = tag === "many" ? val : tag === "one" ? [val] : [];
  return media.map(({ kind, url, format, extra }) => ({ kind, url, format, extra: extra && JSON.parse(extra) }));
}

function client(open) {
  return class Client {
    constructor(backend) {
      this.backend = backend;
    }

    static open(args) {
      return guarded(() => {
        const backend = open("backend", args);
        const { name, endpoint, ignoreEos, logprobs, compat } = args;
        const [sampling, extraBody] = [JSON.parse(args.sampling), JSON.parse(args.extraBody)];
        backend.open({ name, endpoint, sampling, extraBody, ignoreEos, logprobs, compat });
        return new Client(backend);
      });
    }

    endpoint() {
      return guarded(() => {
        const given = this.backend.endpoint();
        const headers = Object.entries(given.headers ?? { "Content-Type": "application/json" });
        return {
          task: given.task ?? "generation",
          method: given.method ?? "POST",
          path: given.path,
          headers: headers.map(([name, value]) => ({ name, value })),
          framing: given.framing ?? "sse",
          plan: given.plan && toPlan(given.plan),
        };
      });
    }

    build(requests) {
      return guarded(() =>
        requests.map(({ id, model, turn, overrides }) => {
          const prompt = fromPrompt(turn.prompt);
          const body = this.backend.build({
            id,
            model,
            prompt,
            outputTokens: Number(turn.outputTokens),
            media: fromAttachments(turn.attachments),
            overrides: overrides === undefined ? {} : JSON.parse(overrides),
          });
          const bytes = body instanceof Uint8Array ? body : new TextEncoder().encode(JSON.stringify(body));
          const inputSequences = turn.prompt.tag === "texts" ? turn.prompt.val.length : 1;
          return { body: { tag: "bytes", val: bytes }, headers: [], inputSequences };
        }),
      );
    }

    parse({ status, headers, body, ends, names }) {
      return guarded(() => {
        const events = Array.from(ends, (end, index) => body.subarray(index === 0 ? 0 : ends[index - 1], end));
        const parsed = this.backend.parse({
          status,
          headers: headers.map(({ name, value }) => [name, value]),
          events,
          names: new Map(names),
        });
        const usage = parsed.usage && {};
        for (const key of ["outputTokens", "promptTokens", "cachedTokens", "reasoningTokens"]) {
          if (usage) usage[key] = parsed.usage[key] === undefined ? undefined : BigInt(parsed.usage[key]);
        }
        return {
          tokens: parsed.tokens.map(({ event, kind = "content", tokens = 0 }) => ({ event, kind, tokens })),
          text: parsed.text ?? "",
          usage,
          finishReason: parsed.finishReason,
          serverQueueMs: undefined,
          serverTtftMs: undefined,
          error: parsed.error,
          extra: json(parsed.extra),
        };
      });
    }
  };
}

function toPlan(plan) {
  const present = (pointer) => [{ pointer, test: { tag: "truthy" } }];
  const errors = plan.error === undefined ? [] : [plan.error];
  const tokens = [{ when: present(plan.content), kind: "content", text: plan.content }];
  if (plan.reasoning !== undefined) {
    tokens.push({ when: present(plan.reasoning), kind: "reasoning", text: undefined });
  }
  return {
    ignore: plan.ignore ?? ["[DONE]"],
    errors: errors.map((pointer) => ({ when: present(pointer), message: { tag: "pointer", val: pointer } })),
    tokens,
    usage: [
      {
        when: [],
        onTokenEvents: true,
        outputTokens: plan.outputTokens,
        promptTokens: plan.promptTokens,
        cachedTokens: undefined,
        reasoningTokens: undefined,
      },
    ],
    terminal: undefined,
    noToken: "no token came",
    finishReason: plan.finishReason,
    serverQueueMs: undefined,
    serverTtftMs: undefined,
  };
}

function judge(open) {
  return class Criterion {
    constructor(criterion) {
      this.criterion = criterion;
    }

    static open(args) {
      return guarded(() => {
        const criterion = open("sla", args);
        criterion.open({ name: args.name, compat: args.compat });
        return new Criterion(criterion);
      });
    }

    good(run) {
      return guarded(() => this.criterion.good(run));
    }

    evaluate(runs) {
      return guarded(() => {
        const { passed, margin, findings } = this.criterion.evaluate(runs);
        return { pass: passed, margin, findings: findings.map(({ passed: pass, ...rest }) => ({ ...rest, pass })) };
      });
    }

    objective(run) {
      return guarded(() => this.criterion.objective(run));
    }
  };
}
