import { Criterion, atMost, plugin } from "vbench-plugin";

export class {{type}} extends Criterion {
  static offer = "{{name}}";
  static summary = "Wants the slowest answers to be fast enough.";
  static options = {
    p99_ms: {
      type: "number",
      default: 1000,
      minimum: 1,
      description: "Longest end-to-end latency of 99 % of the requests",
    },
  };

  evaluate(runs) {
    // Of repeated runs the worst counts; a run without a value fails.
    const values = runs.map((run) => run.metric("p99_e2el_ms"));
    const worst = values.includes(undefined) ? undefined : Math.max(...values);
    return atMost(`p99_e2el_ms <= ${this.options.p99_ms}`, worst, this.options.p99_ms);
  }
}

export default plugin({ name: "{{name}}", version: "0.1.0", summary: "Judges latencies.", offers: [{{type}}] });
