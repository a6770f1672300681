import { ConfigError, Dataset, plugin, shuffle } from "vbench-plugin";

export class Questions extends Dataset {
  static offer = "questions-js";
  static summary = "Asks the questions of a file, one a line, again and again.";
  static options = {
    path: { type: "string", format: "path", description: "File with a question on every line" },
    output_len: { type: "integer", default: 64, minimum: 1, description: "Longest answer, in tokens" },
    shuffle: { type: "boolean", description: "Ask in another order, which depends on the seed" },
  };

  *samples(cx) {
    const questions = [...cx.rows("path", { format: "lines" })].map((line) => line.trim()).filter(Boolean);
    if (questions.length === 0) throw new ConfigError("the file has no question in it", { key: "path" });
    if (this.options.shuffle) shuffle(questions, cx.random);
    for (let number = 0; number < cx.count; number += 1) {
      const prompt = questions[number % questions.length];
      yield { prompt, outputTokens: this.options.output_len, id: cx.requestId(number) };
    }
  }
}

export default plugin({
  name: "questions-js",
  version: "1.0.0",
  summary: "Asks the questions of a file.",
  offers: [Questions],
});
