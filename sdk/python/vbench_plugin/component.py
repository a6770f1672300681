"""What the component exports, on top of the bindings that componentize-py makes. Imported in components only.

`vbench-plugin build` writes an app that calls `load` with the plugin's module, and modules `dataset`, `backend` and
`sla`, named after the contract's interfaces, in which the bindings look for the resources.
"""

import itertools
import json
import math
import traceback
from collections.abc import Callable
from types import ModuleType
from typing import Any

import componentize_py_types as wit
from wit_world import exports
from wit_world.imports import log as wit_log
from wit_world.imports import types

from . import host
from .backend import Backend, BackendContext, Plan, Request, Response
from .criterion import Criterion, CriterionContext
from .dataset import Dataset, DatasetContext
from .errors import Location, PluginError
from .offers import Offers, offers_of
from .samples import Body, Media, Messages, Parts, Sample, Turn, prompt_kind

_CAUSES = {
    "config": types.Cause.CONFIG,
    "input": types.Cause.INPUT,
    "unsupported": types.Cause.UNSUPPORTED,
    "internal": types.Cause.INTERNAL,
}
_MEDIA = {"image": types.MediaKind.IMAGE, "video": types.MediaKind.VIDEO, "audio": types.MediaKind.AUDIO}
_MEDIA_BACK = {kind: name for name, kind in _MEDIA.items()}

_offers: Offers
_stderr = True


def load(module: ModuleType, *, stderr: bool) -> None:
    """Takes the classes of the plugin's module. Without `stderr` nothing is printed, for WASI is stubbed out."""
    global _offers, _stderr
    _offers, _stderr = offers_of(module), stderr
    host.current = _Vbench()


def _guarded[T](call: Callable[[], T]) -> T:
    """What goes wrong becomes an error of the contract."""
    try:
        return call()
    except wit.Err:
        raise
    except PluginError as error:
        at = types.Location(error.at.file, error.at.row, error.at.column) if error.at else None
        raise wit.Err(types.Error(_CAUSES[error.cause], str(error), error.key, at)) from None
    except Exception as error:
        if _stderr:
            traceback.print_exc()
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "vbench_plugin" not in frame.filename]
        where = f", in {frames[-1].name}, line {frames[-1].lineno} of {frames[-1].filename}" if frames else ""
        message = f"{type(error).__name__}: {error}{where}"
        raise wit.Err(types.Error(types.Cause.INTERNAL, message, None, None)) from None


class Meta:
    """The interface `meta`."""

    def describe(self) -> Any:
        from wit_world.exports import meta

        roles = {"dataset": meta.Role.DATASET, "backend": meta.Role.BACKEND, "sla": meta.Role.SLA}
        offers = [
            meta.Offer(roles[role], offer.name, list(offer.aliases), offer.summary(), offer.schema())
            for role, offer in _offers.all()
        ]
        return meta.Description(_offers.name, _offers.version, _offers.summary, offers)


class Source:
    """The resource `source` of the interface `dataset`."""

    @classmethod
    def open(cls, args: Any) -> "Source":
        def open() -> "Source":
            folders = {grant.config_key: grant.guest_path for grant in args.grants}
            cx = DatasetContext(
                args.name, args.seed, args.count, args.request_id_prefix, args.backend, args.compat, folders
            )
            this = cls()
            this.dataset = _offers.find(Dataset, args.name).configured(args.config)
            this.samples = iter(this.dataset.samples(cx))
            # Wrong options and files show in the first sample.
            this.first = list(itertools.islice(this.samples, 1))
            this.counts = cx.tokenizer is not None
            return this

        return _guarded(open)

    def next(self, max: int) -> list[Any]:
        def next() -> list[Any]:
            samples = self.first + list(itertools.islice(self.samples, max - len(self.first)))
            self.first = []
            return _samples(samples, self.counts)

        return _guarded(next)

    def finish(self) -> Any:
        from wit_world.exports import dataset

        def finish() -> Any:
            skipped = [dataset.Skip(reason, count) for reason, count in self.dataset.skipped().items()]
            return dataset.Summary(None, None, skipped)

        return _guarded(finish)


def _samples(samples: list[Sample], counts: bool) -> list[Any]:
    steps = [sample.steps() for sample in samples]
    # All texts of the batch are counted in one call.
    uncounted = [turn for turns in steps for turn in turns if turn.prompt_tokens is None and isinstance(turn.prompt, str)]
    tokens = host.current.count([turn.prompt for turn in uncounted], False) if counts and uncounted else []
    counted = {id(turn): count for turn, count in zip(uncounted, tokens)}
    return [
        types.Sample(
            sample.id,
            [_turn(turn, counted) for turn in turns],
            sample.arrival_s,
            _json_or_none(sample.overrides),
            sample.session,
            [(key, str(value)) for key, value in sample.tags.items()],
        )
        for sample, turns in zip(samples, steps)
    ]


def _turn(turn: Turn, counted: dict[int, int]) -> Any:
    kinds = {
        "text": types.Prompt_Text,
        "texts": types.Prompt_Texts,
        "token-ids": types.Prompt_TokenIds,
        "token-id-lists": types.Prompt_TokenIdLists,
        "messages": types.Prompt_Messages,
        "parts": types.Prompt_Parts,
        "object": types.Prompt_Object,
    }
    kind, value = prompt_kind(turn.prompt)
    match turn.media:
        case None:
            media = types.Attachments_None_()
        case Media():
            media = types.Attachments_One(_media(turn.media))
        case many:
            media = types.Attachments_Many([_media(one) for one in many])
    tokens = turn.prompt_tokens if turn.prompt_tokens is not None else counted.get(id(turn), 0)
    return types.Turn(kinds[kind](value), media, tokens, turn.output_tokens, float(turn.delay_ms))


def _media(media: Media) -> Any:
    return types.Media(_MEDIA[media.kind], media.url, media.format, _json_or_none(media.extra))


def _json_or_none(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False)


class Client:
    """The resource `client` of the interface `backend`."""

    @classmethod
    def open(cls, args: Any) -> "Client":
        def open() -> "Client":
            this = cls()
            this.backend = _offers.find(Backend, args.name).configured(args.config)
            sampling, extra_body = json.loads(args.sampling), json.loads(args.extra_body)
            this.backend.open(
                BackendContext(
                    args.name, args.endpoint, sampling, extra_body, args.ignore_eos, args.logprobs, args.compat
                )
            )
            return this

        return _guarded(open)

    def endpoint(self) -> Any:
        from wit_world.exports import backend as wit_backend

        def endpoint() -> Any:
            given = self.backend.endpoint()
            framing = {
                "sse": wit_backend.Framing.SSE,
                "ndjson": wit_backend.Framing.NDJSON,
                "whole-body": wit_backend.Framing.WHOLE_BODY,
            }
            tasks = {"generation": wit_backend.Task.GENERATION, "pooling": wit_backend.Task.POOLING}
            headers = [types.Header(name, value) for name, value in given.headers.items()]
            plan = _plan(given.plan) if given.plan is not None else None
            return wit_backend.Endpoint(
                tasks[given.task], given.method, given.path, headers, framing[given.framing], plan
            )

        return _guarded(endpoint)

    def build(self, requests: list[Any]) -> list[Any]:
        from wit_world.exports import backend as wit_backend

        def build() -> list[Any]:
            out = []
            for request in requests:
                body = self.backend.build(_request(request))
                if not isinstance(body, bytes):
                    body = json.dumps(body, ensure_ascii=False).encode()
                inputs = len(request.turn.prompt.value) if isinstance(request.turn.prompt, types.Prompt_Texts) else 1
                out.append(wit_backend.RequestOut(wit_backend.Body_Bytes(body), [], inputs))
            return out

        return _guarded(build)

    def parse(self, response: Any) -> Any:
        from wit_world.exports import backend as wit_backend

        def parse() -> Any:
            starts = itertools.chain([0], response.ends)
            events = [response.body[start:end] for start, end in zip(starts, response.ends)]
            headers = [(header.name, header.value) for header in response.headers]
            parsed = self.backend.parse(Response(response.status, headers, events, dict(response.names)))
            kinds = {
                "content": types.TokenKind.CONTENT,
                "reasoning": types.TokenKind.REASONING,
                "tool-call": types.TokenKind.TOOL_CALL,
            }
            tokens = [wit_backend.TokenEvent(token.event, kinds[token.kind], token.tokens) for token in parsed.tokens]
            usage = parsed.usage and types.Usage(**vars(parsed.usage))
            return wit_backend.Parsed(
                tokens, parsed.text, usage, parsed.finish_reason, None, None, parsed.error, _json_or_none(parsed.extra)
            )

        return _guarded(parse)


def _request(request: Any) -> Request:
    turn = request.turn
    match turn.prompt:
        case types.Prompt_Messages(text):
            prompt = Messages(json.loads(text))
        case types.Prompt_Parts(text):
            prompt = Parts(json.loads(text))
        case types.Prompt_Object(text):
            prompt = Body(json.loads(text))
        case other:
            prompt = other.value
    match turn.attachments:
        case types.Attachments_One(one):
            media = [one]
        case types.Attachments_Many(many):
            media = many
        case _:
            media = []
    media = [
        Media(_MEDIA_BACK[one.kind], one.url, one.format, json.loads(one.extra) if one.extra else None)
        for one in media
    ]
    overrides = json.loads(request.overrides) if request.overrides else {}
    return Request(request.id, request.model, prompt, turn.output_tokens, media, overrides)


def _plan(plan: Plan) -> Any:
    from wit_world.exports import backend as wit_backend

    def present(pointer: str) -> list[Any]:
        return [wit_backend.Condition(pointer, wit_backend.Test_Truthy())]

    errors = []
    if plan.error is not None:
        errors.append(wit_backend.ErrorRule(present(plan.error), wit_backend.FailureText_Pointer(plan.error)))
    tokens = [wit_backend.TokenRule(present(plan.content), types.TokenKind.CONTENT, plan.content)]
    if plan.reasoning is not None:
        tokens.append(wit_backend.TokenRule(present(plan.reasoning), types.TokenKind.REASONING, None))
    usage = [wit_backend.UsageRule([], True, plan.output_tokens, plan.prompt_tokens, None, None)]
    return wit_backend.Plan(
        list(plan.ignore), errors, tokens, usage, None, "no token came", plan.finish_reason, None, None
    )


class Judge:
    """The resource `criterion` of the interface `sla`."""

    @classmethod
    def open(cls, args: Any) -> "Judge":
        def open() -> "Judge":
            this = cls()
            this.criterion = _offers.find(Criterion, args.name).configured(args.config)
            this.criterion.open(CriterionContext(args.name, args.compat))
            return this

        return _guarded(open)

    def good(self, run: Any) -> list[bool] | None:
        return _guarded(lambda: self.criterion.good(run))

    def evaluate(self, runs: list[Any]) -> Any:
        from wit_world.exports import sla

        def evaluate() -> Any:
            verdict = self.criterion.evaluate(runs)
            findings = [
                sla.Finding(one.criterion, _finite(one.actual), one.limit, one.passed, one.margin)
                for one in verdict.findings
            ]
            return sla.Verdict(verdict.passed, verdict.margin, findings)

        return _guarded(evaluate)

    def objective(self, run: Any) -> float:
        return _guarded(lambda: float(self.criterion.objective(run)))


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


class _Vbench:
    """The real host. Interfaces that the world does not import are looked up when they are used."""

    def log(self, level: str, message: str) -> None:
        wit_log.log(wit_log.Level[level.upper()], message)

    def tokenizer(self) -> dict[str, Any] | None:
        from wit_world.imports import tokenizer

        info = tokenizer.describe()
        return vars(info) if info is not None else None

    def count(self, texts: list[str], special: bool) -> list[int]:
        from wit_world.imports import tokenizer

        return tokenizer.count(texts, special)

    def encode(self, texts: list[str], special: bool) -> list[list[int]]:
        from wit_world.imports import tokenizer

        lists = tokenizer.encode(texts, special)
        return [lists.ids[start:end] for start, end in zip([0, *lists.ends], lists.ends)]

    def decode(self, tokens: list[list[int]], skip_special: bool) -> list[str]:
        from wit_world.imports import tokenizer

        ids = list(itertools.chain.from_iterable(tokens))
        ends = list(itertools.accumulate(len(one) for one in tokens))
        return tokenizer.decode(tokenizer.TokenLists(ids, ends), skip_special)

    def render_chat(self, chats: list[tuple[str, str | None]], prompt: bool, options: str | None) -> list[str]:
        from wit_world.imports import tokenizer

        return tokenizer.render_chat([tokenizer.Chat(messages, tools) for messages, tools in chats], prompt, options)

    def open_rows(self, key: str, member: str | None, format: str) -> Any:
        from wit_world.imports import table

        return _Rows(table.Rows.open(key, member, table.Format[format.upper()]))


class _Rows:
    """Rows of the host, places in the SDK's own type."""

    def __init__(self, rows: Any):
        self._rows = rows

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rows, name)

    def locate(self, index: int) -> Location:
        at = self._rows.locate(index)
        return Location(at.file, at.row, at.column)
