import { Dataset, plugin } from "vbench-plugin";

export class {{type}} extends Dataset {
  static offer = "{{name}}";
  static summary = "Asks about one number after the other.";
  static options = {
    prompt: {
      type: "string",
      default: "Tell me something about the number",
      description: "What to ask; each request gets a number put after it",
    },
    output_len: { type: "integer", default: 32, minimum: 1, description: "Longest answer, in tokens" },
  };

  *samples(cx) {
    for (let number = 0; number < cx.count; number += 1) {
      const prompt = `${this.options.prompt} ${number}`;
      yield { prompt, outputTokens: this.options.output_len, id: cx.requestId(number) };
    }
  }
}

export default plugin({ name: "{{name}}", version: "0.1.0", summary: "Asks about numbers.", offers: [{{type}}] });
