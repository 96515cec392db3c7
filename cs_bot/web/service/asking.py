"""A request's body -> Asked: what the checkpoint is to go on with, and how the client wants to hear it."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import pydantic_core
from pydantic import ValidationError

from cs_bot.errors import BadRequest
from cs_bot.settings import EngineSettings
from cs_bot.vision.base import PictureInput
from cs_bot.vision.chat import Chat, ChatMessage, Role
from cs_bot.web.service.pictures import Pictures
from cs_bot.web.service.shapes import MAX_STOPS, AnyObject, BySchema, ChatRequest, Options, Said, TextPart

MAX_SCHEMA_CHARS = 20_000  # as JSON; thousands of properties take seconds to prepare
MAX_PATTERNS = 8  # all of them may have to hold for one text: at 12 that takes a second to work out, at 16 for ever
# What would change the answer and is not done here, with the values that ask for nothing.
_NOTHING: tuple[Any, ...] = (None, False, 0, "", "none", "auto", [], {}, ["text"])
MEANINGLESS = (
    *("tools", "tool_choice", "functions", "function_call", "audio", "modalities", "prediction", "web_search_options"),
    *("logit_bias", "frequency_penalty", "presence_penalty", "repetition_penalty", "best_of"),
)
_IN_A_FORM = ("response_format", "stream_options")  # there they are JSON in a field
_O = TypeVar("_O", bound=Options)


@dataclass(frozen=True)
class Asked:
    """A chat, and how its answer is told. `checkpoint` is the name that the client used, None for none."""

    chat: Chat
    checkpoint: str | None
    stream: bool
    include_usage: bool
    at: int  # unix time


@dataclass(frozen=True)
class Form:
    """A multipart form as it came: text fields, and the files named `image` in order."""

    fields: Mapping[str, Sequence[str]]
    images: Sequence[bytes]


def from_json(body: bytes, pictures: Pictures, engine: EngineSettings) -> Asked:
    """A JSON body; fetches its pictures. Raises BadRequest, PictureError."""
    said = _valid(ChatRequest, _object(body))
    messages = _one_system(_message(message, f"messages.{at}", pictures) for at, message in enumerate(said.messages))
    if messages[-1].role is not Role.USER:
        raise BadRequest("the last message must be the user's", "messages")
    if not any(isinstance(part, str) and part.strip() for m in messages if m.role is Role.USER for part in m.parts):
        raise BadRequest("the prompt is empty: no message of the user has any text", "messages", "empty_prompt")
    return _asked(messages, said, engine)


def from_form(form: Form, pictures: Pictures, engine: EngineSettings) -> Asked:
    """A multipart form: `prompt`, and any number of files `image`, seen in their order. Raises as from_json does."""
    prompt = "\n".join(form.fields.get("prompt", ()))
    if not prompt.strip():
        raise BadRequest("the field `prompt` is missing or empty", "prompt", "empty_prompt")
    raw: dict[str, Any] = {name: values[-1] for name, values in form.fields.items() if name != "stop"}
    raw |= {"stop": list(form.fields["stop"])} if form.fields.get("stop") else {}
    for name in _IN_A_FORM:
        if name in raw:
            raw[name] = _object(raw[name].encode(), name)
    options = _valid(Options, {name: value for name, value in raw.items() if value != ""})
    shown = tuple(pictures.file(image) for image in form.images)
    system = raw.get("system", "")
    first = (ChatMessage(Role.SYSTEM, (system,)),) if system.strip() else ()
    return _asked((*first, ChatMessage(Role.USER, (*shown, prompt))), options, engine)


def _object(body: bytes, param: str | None = None) -> dict[str, Any]:
    where = f"`{param}`" if param else "the body"
    try:
        found = pydantic_core.from_json(body, allow_inf_nan=False)
    except ValueError as problem:  # what it says names a place, never the text
        raise BadRequest(f"{where} is not valid JSON: {problem}", param, "invalid_json") from None
    if not isinstance(found, dict):
        raise BadRequest(f"{where} is not a JSON object", param, "invalid_json")
    return found


def _valid(shape: type[_O], raw: dict[str, Any]) -> _O:
    """The body as its shape; what is not done here is refused by name first, so that the reason is clear."""
    for name in MEANINGLESS:
        if raw.get(name) not in _NOTHING:
            raise BadRequest(f"`{name}` is not supported by this server", name, "unsupported_parameter")
    if raw.get("n") not in (None, 1, "1"):
        raise BadRequest("`n`: one answer a request", "n", "unsupported_parameter")
    try:
        return shape.model_validate(raw)
    except ValidationError as problem:
        first = problem.errors(include_url=False, include_input=False, include_context=False)[0]
        param = ".".join(str(part) for part in first["loc"]) or None
        raise BadRequest(f"{param or 'the body'}: {first['msg']}", param, "invalid_value") from None


def _message(said: Said, where: str, pictures: Pictures) -> ChatMessage:
    role = Role.SYSTEM if said.role == "developer" else Role(said.role)
    content = said.content if isinstance(said.content, list) else [TextPart(type="text", text=said.content or "")]
    parts: list[str | PictureInput] = []
    for part in content:
        if isinstance(part, TextPart):
            parts.append(part.text)
        elif role is Role.USER:
            parts.append(pictures.at(part.image_url if isinstance(part.image_url, str) else part.image_url.url))
        else:
            raise BadRequest(f"only the user's messages may hold pictures, not the {role}'s", where)
    return ChatMessage(role, tuple(parts))


def _one_system(messages: Iterable[ChatMessage]) -> tuple[ChatMessage, ...]:
    """All that the system says in one message at the beginning: templates refuse it elsewhere, or drop it."""
    said = tuple(messages)
    system = [part for message in said if message.role is Role.SYSTEM for part in message.parts if part]
    rest = tuple(message for message in said if message.role is not Role.SYSTEM)
    return (ChatMessage(Role.SYSTEM, ("\n\n".join(map(str, system)),)), *rest) if system else rest


def _asked(messages: tuple[ChatMessage, ...], options: Options, engine: EngineSettings) -> Asked:
    wanted = options.max_completion_tokens or options.max_tokens or engine.max_new_tokens
    chat = Chat(
        messages=messages,
        max_new_tokens=min(wanted, engine.max_new_tokens),
        temperature=engine.temperature if options.temperature is None else options.temperature,
        top_p=options.top_p or 1.0,
        seed=options.seed,
        schema=_schema(options),
        top_logprobs=_top(options),
        stop=_stops(options.stop),
    )
    return Asked(
        chat=chat,
        checkpoint=options.model or None,
        stream=bool(options.stream),
        include_usage=options.stream_options is not None and options.stream_options.include_usage,
        at=int(time.time()),
    )


def _schema(options: Options) -> Mapping[str, Any] | None:
    form = options.response_format
    if isinstance(form, AnyObject):
        return {"type": "object"}
    if not isinstance(form, BySchema):
        return None
    schema, param = form.json_schema.schema_, "response_format.json_schema.schema"
    if len(pydantic_core.to_json(schema)) > MAX_SCHEMA_CHARS:
        raise BadRequest(f"the JSON schema has more than {MAX_SCHEMA_CHARS} characters", param, "invalid_json_schema")
    if _patterns(schema) > MAX_PATTERNS:
        raise BadRequest(f"the JSON schema has more than {MAX_PATTERNS} patterns", param, "invalid_json_schema")
    return schema


def _patterns(schema: Any) -> int:
    """How many regular expressions a schema has."""
    found, left = 0, [schema]
    while left:
        part = left.pop()
        if isinstance(part, dict):
            found += isinstance(part.get("pattern"), str)
            found += len(part["patternProperties"]) if isinstance(part.get("patternProperties"), dict) else 0
            left += part.values()
        elif isinstance(part, list):
            left += part
    return found


def _top(options: Options) -> int | None:
    if options.top_logprobs and not options.logprobs:
        raise BadRequest("`top_logprobs` needs `logprobs`: true", "top_logprobs")
    return (options.top_logprobs or 0) if options.logprobs else None


def _stops(stop: str | list[str] | None) -> tuple[str, ...]:
    stops = (stop,) if isinstance(stop, str) else tuple(stop or ())
    if len(stops) > MAX_STOPS:
        raise BadRequest(f"more than {MAX_STOPS} texts to stop at", "stop")
    return stops
