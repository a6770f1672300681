"""Speaks completions as OpenAI's API has them."""

from typing import Any

from vbench_plugin import Backend, Endpoint, Plan, Request, UnsupportedError, option

__version__ = "0.1.0"


class {{type}}(Backend):
    """Speaks completions as OpenAI's API has them."""

    name = "{{name}}"
    prefix: str = option("Text put before every prompt", default="")

    def endpoint(self) -> Endpoint:
        # The host reads the events by these pointers; nothing of the plugin runs for them.
        plan = Plan(
            content="/choices/0/text",
            error="/error/message",
            output_tokens="/usage/completion_tokens",
            prompt_tokens="/usage/prompt_tokens",
            finish_reason="/choices/0/finish_reason",
        )
        return Endpoint(self.cx.endpoint or "/v1/completions", plan=plan)

    def build(self, request: Request) -> dict[str, Any]:
        if not isinstance(request.prompt, str):
            raise UnsupportedError("this backend sends text only")
        body = {"model": request.model, "prompt": self.prefix + request.prompt, "max_tokens": request.output_tokens}
        stream = {"stream": True, "stream_options": {"include_usage": True}}
        return body | stream | self.cx.sampling | self.cx.extra_body | request.overrides
