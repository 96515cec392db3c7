"""3  pictures -> Looks -> Reading: kind with probabilities, fields read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cs_bot.cache import LookCache, PictureAsked
from cs_bot.errors import BotError, EngineError, NotFound
from cs_bot.knowledge.intents import Question, read_question
from cs_bot.records import Kind, Look, PictureState, PictureUse, Policy, Reading, Reason, Turn, ordered
from cs_bot.settings import Settings
from cs_bot.store.media import MediaStore
from cs_bot.vision.base import PictureInput, Vision


@dataclass(frozen=True)
class Seen:
    """The looks of a turn's pictures and what they and the words ask."""

    looks: tuple[Look, ...]
    reading: Reading


def see(
    turns: Sequence[Turn],
    *,
    vision: Callable[[], Vision],
    media: MediaStore,
    policy: Policy,
    settings: Settings,
    cache: LookCache | None = None,
    progress: Callable[[], None] | None = None,
) -> list[Seen | EngineError]:
    """Look at the pictures of all turns at once; one result a turn, in order.

    An engine error is the turn's own result, so that it is tried again; on its last attempt it becomes a reason.
    `vision` opens the engine and is called only when there is a picture.
    """
    wanted = [_to_look_at(turn, policy) for turn in turns]
    asked = [tuple(_asked(turn, use) for use in uses) for turn, uses in zip(turns, wanted, strict=True)]
    looks = _look(asked, vision=vision, media=media, cache=cache, progress=progress)
    return [_seen(turn, these, looks, settings) for turn, these in zip(turns, asked, strict=True)]


def _to_look_at(turn: Turn, policy: Policy) -> tuple[PictureUse, ...]:
    ready = [use for use in turn.pictures if use.state is PictureState.READY and use.sha256]
    return tuple(ready[: policy.max_pictures])


def _asked(turn: Turn, use: PictureUse) -> PictureAsked:
    """The picture, and whose it is: in a group, its message's sender."""
    sender = next((m.customer_id for m in turn.messages if m.message_id == use.message_id), None)
    customer = next((c for c in turn.customers if c.customer_id == sender), None)
    return PictureAsked(str(use.sha256), use.pixels_sha256, customer)


def _look(
    asked: Sequence[tuple[PictureAsked, ...]],
    *,
    vision: Callable[[], Vision],
    media: MediaStore,
    cache: LookCache | None,
    progress: Callable[[], None] | None,
) -> dict[PictureAsked, Look | BotError]:
    """One look per distinct picture and customer; each picture is looked at once at most."""
    distinct = list(dict.fromkeys(one for these in asked for one in these))
    if not distinct:
        return {}

    def compute(names: Sequence[str], told: Callable[[], None] | None) -> list[Look | BotError]:
        return _computed(names, vision=vision, media=media, progress=told)

    if cache is not None:
        return dict(
            zip(distinct, cache.looks(distinct, engine=vision(), compute=compute, progress=progress), strict=True)
        )
    names = list(dict.fromkeys(one.sha256 for one in distinct))
    found = dict(zip(names, compute(names, progress), strict=True))
    return {one: found[one.sha256] for one in distinct}


def _computed(
    names: Sequence[str], *, vision: Callable[[], Vision], media: MediaStore, progress: Callable[[], None] | None
) -> list[Look | BotError]:
    """What the engine makes of these pictures, by SHA-256, in order."""
    found: dict[str, Look | BotError] = {}
    inputs: list[PictureInput] = []
    for sha256 in names:
        try:
            inputs.append(PictureInput(sha256, media.read(sha256)))
        except NotFound as problem:  # its retention has passed, or the picture store lost it
            found[sha256] = problem
    if inputs:
        results = vision().look(inputs, progress=progress)
        found.update({given.sha256: result for given, result in zip(inputs, results, strict=True)})
    return [found[sha256] for sha256 in names]


def _seen(
    turn: Turn, asked: Sequence[PictureAsked], results: dict[PictureAsked, Look | BotError], settings: Settings
) -> Seen | EngineError:
    looks: list[Look] = []
    reasons: list[Reason] = []
    for one in asked:
        result = results[one]
        if isinstance(result, Look):
            looks.append(result)
        elif isinstance(result, NotFound):
            reasons.append(Reason.PICTURE_UNREACHABLE)
        elif isinstance(result, EngineError) and turn.attempts < settings.turns.max_attempts:
            return result
        else:
            reasons.append(Reason.ENGINE_FAILED)
    return Seen(tuple(looks), read(turn, looks, reasons, settings=settings))


def read(turn: Turn, looks: Sequence[Look], reasons: Sequence[Reason], *, settings: Settings) -> Reading:
    """Put looks and words together; pure."""
    question = read_question(turn.text)
    kinds = _kinds(looks)
    kind = max(kinds, key=lambda k: kinds[k])
    said = [*reasons, *question.reasons, *_picture_reasons(turn, looks)]
    if len({look.kind for look in looks}) > 1:  # the strictest of several kinds: never the one that may be proven
        said.append(Reason.SEVERAL_QUESTIONS)
    return Reading(
        kind=kind,
        kinds=kinds,
        looks=tuple(looks),
        question=turn.text,
        language=_language(question, settings),
        intent=_intent(question, turn.text, kind),
        typed_order_ids=question.typed_order_ids,
        reasons=ordered(said),
        notes=_notes(turn, looks),
    )


def _kinds(looks: Sequence[Look]) -> dict[Kind, float]:
    if not looks:
        return {Kind.TEXT: 1.0}
    return {kind: sum(look.kinds.get(kind, 0.0) for look in looks) / len(looks) for kind in Kind}


def _picture_reasons(turn: Turn, looks: Sequence[Look]) -> list[Reason]:
    reasons = [use.failure for use in turn.pictures if use.failure is not None]
    if any(use.state in (PictureState.WAITING, PictureState.FETCHING) for use in turn.pictures):
        reasons.append(Reason.PICTURE_UNREACHABLE)  # the burst could wait no longer
    if any(note.startswith("language:") for look in looks for note in look.notes):
        reasons.append(Reason.PICTURE_LANGUAGE)
    return reasons


def _notes(turn: Turn, looks: Sequence[Look]) -> tuple[str, ...]:
    """What the engine noted, and which pictures nobody looked at (`unseen:5` is the fifth)."""
    seen = {look.picture_sha256 for look in looks}
    unseen = [f"unseen:{n}" for n, use in enumerate(turn.pictures, start=1) if use.sha256 not in seen]
    return tuple(dict.fromkeys([*(note for look in looks for note in look.notes), *unseen]))


def _intent(question: Question, text: str, kind: Kind) -> str:
    """An order screen without a question asks how the order stands."""
    if kind is Kind.ORDER and (question.greeting_only or not text.strip()):
        return "order_status"
    return question.intent


def _language(question: Question, settings: Settings) -> str:
    """The customer's own words decide; a picture without words is answered in the shop's language."""
    return question.language if question.language != "und" else settings.shop.language
