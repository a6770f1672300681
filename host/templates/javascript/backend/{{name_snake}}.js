import { Backend, UnsupportedError, plugin } from "vbench-plugin";

export class {{type}} extends Backend {
  static offer = "{{name}}";
  static summary = "Speaks completions as OpenAI's API has them.";
  static options = {
    prefix: { type: "string", default: "", description: "Text put before every prompt" },
  };

  endpoint() {
    // The host reads the events by these pointers; nothing of the plugin runs for them.
    const plan = {
      content: "/choices/0/text",
      error: "/error/message",
      outputTokens: "/usage/completion_tokens",
      promptTokens: "/usage/prompt_tokens",
      finishReason: "/choices/0/finish_reason",
    };
    return { path: this.cx.endpoint ?? "/v1/completions", plan };
  }

  build({ model, prompt, outputTokens, overrides }) {
    if (typeof prompt !== "string") throw new UnsupportedError("this backend sends text only");
    return {
      model,
      prompt: this.options.prefix + prompt,
      max_tokens: outputTokens,
      stream: true,
      stream_options: { include_usage: true },
      ...this.cx.sampling,
      ...this.cx.extraBody,
      ...overrides,
    };
  }
}

export default plugin({ name: "{{name}}", version: "0.1.0", summary: "Speaks completions.", offers: [{{type}}] });
