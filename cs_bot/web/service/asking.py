"""A request's body -> Asked: what the checkpoint is to go on with, and how the client wants to hear it."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar

import pydantic_core
from pydantic import ValidationError

from cs_bot.errors import BadRequest
from cs_bot.settings import EngineSettings
from cs_bot.vision.chat import Chat, ChatMessage, Role
from cs_bot.web.service.pictures import Pictures
from cs_bot.web.service.refusing import require_affordable, require_meaning
from cs_bot.web.service.shapes import MAX_STOPS, AnyObject, BySchema, ChatRequest, Options, Said, TextPart

_IN_A_FORM = ("response_format", "stream_options")  # there they are JSON in a field
Served = Callable[[str | None], None]
_O = TypeVar("_O", bound=Options)


@dataclass(frozen=True)
class Asked:
    """A chat, and how its answer is told. `checkpoint` is the name that the client used, None for none."""

    chat: Chat
    checkpoint: str | None
    stream: bool
    include_usage: bool
    at: int  # unix time

    def over(self, messages: tuple[ChatMessage, ...]) -> "Asked":
        """The same, of these messages."""
        return replace(self, chat=replace(self.chat, messages=messages))


@dataclass(frozen=True)
class Form:
    """A multipart form as it came: text fields, and the files named `image` in order."""

    fields: Mapping[str, Sequence[str]]
    images: Sequence[bytes]


class _Unseen(NamedTuple):
    """A picture that is not fetched yet."""

    url: str


@dataclass(frozen=True)
class _Message:
    """A message whose pictures are not fetched yet."""

    role: Role
    parts: tuple[str | _Unseen, ...]

    @property
    def words(self) -> bool:
        """Whether there is any text."""
        return any(isinstance(part, str) and part.strip() for part in self.parts)

    def seen(self, pictures: Pictures) -> ChatMessage:
        """With its pictures; raises as Pictures.at does."""
        return ChatMessage(self.role, tuple(p if isinstance(p, str) else pictures.at(p.url) for p in self.parts))


def from_json(body: bytes, pictures: Pictures, engine: EngineSettings, served: Served) -> Asked:
    """A JSON body; fetches its pictures, when nothing else is wrong. Raises BadRequest, PictureError, TooSlow.

    `served` is called with the name of the checkpoint that is wanted, and raises for one that is not there.
    """
    said = _valid(ChatRequest, _object(body))
    messages = _one_system(_message(message, f"messages.{at}") for at, message in enumerate(said.messages))
    if messages[-1].role is not Role.USER:
        raise BadRequest("the last message must be the user's", "messages")
    _require_words([message for message in messages if message.role is Role.USER])
    asked = _asked(said, engine)
    served(asked.checkpoint)
    pictures.require_few(sum(isinstance(part, _Unseen) for message in messages for part in message.parts))
    return asked.over(tuple(message.seen(pictures) for message in messages))


def from_form(form: Form, pictures: Pictures, engine: EngineSettings, served: Served) -> Asked:
    """A multipart form: `prompt`, and any number of files `image`, seen in their order. Raises as from_json does."""
    prompt = "\n".join(form.fields.get("prompt", ()))
    if not prompt.strip():
        raise BadRequest("the field `prompt` is missing or empty", "prompt", "empty_prompt")
    raw: dict[str, Any] = {name: values[-1] for name, values in form.fields.items() if name != "stop"}
    raw |= {"stop": list(form.fields["stop"])} if form.fields.get("stop") else {}
    for name in _IN_A_FORM:
        if name in raw:
            raw[name] = _object(raw[name].encode(), name)
    options = _valid(Options, {name: value for name, value in raw.items() if value != ""}, texts=True)
    asked = _asked(options, engine)
    served(asked.checkpoint)
    pictures.require_few(len(form.images))
    shown = tuple(pictures.file(image) for image in form.images)
    system = raw.get("system", "")
    first = (ChatMessage(Role.SYSTEM, (system,)),) if system.strip() else ()
    return asked.over((*first, ChatMessage(Role.USER, (*shown, prompt))))


def _object(body: bytes, param: str | None = None) -> dict[str, Any]:
    where = f"`{param}`" if param else "the body"
    try:
        found = pydantic_core.from_json(body, allow_inf_nan=False)
    except ValueError as problem:  # what it says names a place, never the text
        raise BadRequest(f"{where} is not valid JSON: {problem}", param, "invalid_json") from None
    if not isinstance(found, dict):
        raise BadRequest(f"{where} is not a JSON object", param, "invalid_json")
    return found


def _valid(shape: type[_O], raw: dict[str, Any], *, texts: bool = False) -> _O:
    """The body as its shape; what is not done here is refused by name first, so that the reason is clear."""
    require_meaning(raw, texts=texts)
    try:
        return shape.model_validate(raw)
    except ValidationError as problem:
        first = problem.errors(include_url=False, include_input=False, include_context=False)[0]
        param = ".".join(str(part) for part in first["loc"]) or None
        raise BadRequest(f"{param or 'the body'}: {first['msg']}", param, "invalid_value") from None


def _message(said: Said, where: str) -> _Message:
    role = Role.SYSTEM if said.role == "developer" else Role(said.role)
    content = said.content if isinstance(said.content, list) else [TextPart(type="text", text=said.content or "")]
    parts: list[str | _Unseen] = []
    for part in content:
        if isinstance(part, TextPart):
            parts.append(part.text)
        elif role is Role.USER:
            parts.append(_Unseen(part.image_url if isinstance(part.image_url, str) else part.image_url.url))
        else:
            raise BadRequest(f"only the user's messages may hold pictures, not the {role}'s", where)
    return _Message(role, tuple(parts))


def _one_system(messages: Iterable[_Message]) -> tuple[_Message, ...]:
    """All that the system says in one message at the beginning: templates refuse it elsewhere, or drop it."""
    said = tuple(messages)
    system = [part for message in said if message.role is Role.SYSTEM for part in message.parts if part]
    rest = tuple(message for message in said if message.role is not Role.SYSTEM)
    return (_Message(Role.SYSTEM, ("\n\n".join(map(str, system)),)), *rest) if system else rest


def _require_words(asked: Sequence[_Message]) -> None:
    """Raise BadRequest when the user says nothing at all, or nothing in the last of these messages."""
    if not any(message.words for message in asked):
        raise BadRequest("the prompt is empty: no message of the user has any text", "messages", "empty_prompt")
    if not asked[-1].words and not any(isinstance(part, _Unseen) for part in asked[-1].parts):
        raise BadRequest("the last message has neither text nor picture", "messages", "empty_prompt")


def _asked(options: Options, engine: EngineSettings) -> Asked:
    """All but the messages."""
    wanted = options.max_completion_tokens or options.max_tokens or engine.max_new_tokens
    chat = Chat(
        messages=(),
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
    require_affordable(form.json_schema.schema_)
    return form.json_schema.schema_


def _top(options: Options) -> int | None:
    if options.top_logprobs and not options.logprobs:
        raise BadRequest("`top_logprobs` needs `logprobs`: true", "top_logprobs")
    return (options.top_logprobs or 0) if options.logprobs else None


def _stops(stop: str | list[str] | None) -> tuple[str, ...]:
    stops = (stop,) if isinstance(stop, str) else tuple(stop or ())
    if len(stops) > MAX_STOPS:
        raise BadRequest(f"more than {MAX_STOPS} texts to stop at", "stop")
    return stops
