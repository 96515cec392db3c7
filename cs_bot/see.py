"""3  pictures -> Looks -> Reading: kind with probabilities, fields read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cs_bot.cache import LookCache, PictureAsked
from cs_bot.errors import BotError, EngineError, NotFound
from cs_bot.knowledge.followups import is_order_page, taken_up
from cs_bot.knowledge.intents import Question, read_question
from cs_bot.knowledge.kinds import kind_of_turn, weigh
from cs_bot.knowledge.product_words import ProductWords, read_product_words
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
        elif isinstance(result, EngineError) and result.retryable and turn.attempts < settings.turns.max_attempts:
            return result
        else:
            reasons.append(Reason.ENGINE_FAILED)
    return Seen(tuple(looks), read(turn, looks, reasons, settings=settings))


def read(turn: Turn, looks: Sequence[Look], reasons: Sequence[Reason], *, settings: Settings) -> Reading:
    """Put looks and words together; pure.

    The looks of the reading carry kinds with the words counted in. Words without a picture are of kind text, whatever
    they ask; those that are about a picture shown before bring its looks along, with the note `earlier`.
    """
    question, words = read_question(turn.text), read_product_words(turn.text)
    shown = [look.model_copy(update={"kinds": weigh(look.kinds, words)}) for look in looks]
    earlier = taken_up(turn.earlier_looks, question, words) if not turn.pictures else ()
    kind, kinds = kind_of_turn((look.kinds for look in shown), words)
    said = [*reasons, *_word_reasons(question, words), *_picture_reasons(turn, looks)]
    if any(is_order_page(look) for look in earlier):
        said.append(Reason.EARLIER_PICTURE)  # a key for the draft, no proof: another order may be meant now
    return Reading(
        kind=kind,
        kinds=kinds,
        looks=(*shown, *earlier),
        question=turn.text,
        language=_language(question, settings),
        intent=_intent(question, words, turn.text, kind),
        typed_order_ids=question.typed_order_ids,
        numbers=_numbers(turn, looks),
        aspects=words.aspects,
        wanted=words.wanted,
        reasons=ordered(said),
        notes=_notes(turn, (*looks, *earlier), earlier=bool(earlier)),
    )


def _word_reasons(question: Question, words: ProductWords) -> list[Reason]:
    """The reasons that follow from the words; several questions about one product are one question."""
    return [reason for reason in question.reasons if reason is not Reason.SEVERAL_QUESTIONS or not words.only]


def _numbers(turn: Turn, looks: Sequence[Look]) -> tuple[int, ...]:
    """The places in the turn (from 1) of the pictures that were looked at."""
    places = enumerate(turn.pictures, start=1)
    return tuple(next(n for n, use in places if use.sha256 == look.picture_sha256) for look in looks)


def _picture_reasons(turn: Turn, looks: Sequence[Look]) -> list[Reason]:
    reasons = [use.failure for use in turn.pictures if use.failure is not None]
    if any(use.state in (PictureState.WAITING, PictureState.FETCHING) for use in turn.pictures):
        reasons.append(Reason.PICTURE_UNREACHABLE)  # the burst could wait no longer
    if any(note.startswith("language:") for look in looks for note in look.notes):
        reasons.append(Reason.PICTURE_LANGUAGE)
    return reasons


def _notes(turn: Turn, looks: Sequence[Look], *, earlier: bool) -> tuple[str, ...]:
    """What the engine noted, which pictures nobody looked at (`unseen:5` is the fifth), whether looks are `earlier`."""
    seen = {look.picture_sha256 for look in looks}
    unseen = [f"unseen:{n}" for n, use in enumerate(turn.pictures, start=1) if use.sha256 not in seen]
    noted = [note for look in looks for note in look.notes]
    return tuple(dict.fromkeys([*noted, *unseen, *(["earlier"] if earlier else [])]))


def _intent(question: Question, words: ProductWords, text: str, kind: Kind) -> str:
    """An order screen without a question asks how the order stands; only aspects of a product make it `product`."""
    if kind is Kind.ORDER and (question.greeting_only or not text.strip()):
        return "order_status"
    return "product" if words.only else question.intent


def _language(question: Question, settings: Settings) -> str:
    """The customer's own words decide; a picture without words is answered in the shop's language."""
    return question.language if question.language != "und" else settings.shop.language
