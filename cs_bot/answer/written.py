"""Answers that an engine puts into words: what it is asked, and whether what it wrote may stand."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cs_bot.answer.drafting import check
from cs_bot.answer.goods import about_goods
from cs_bot.answer.templates import phrases
from cs_bot.answer.values import MAX_ANSWER, MAX_NAME, ShopWords
from cs_bot.cache import DraftAsked, DraftCache
from cs_bot.claims import clean_value, detect_language, fill, slot_names, words_outside
from cs_bot.errors import BotError, DraftRefused
from cs_bot.records import Customer, Draft, Facts, Kind, Reading, Route, Turn
from cs_bot.vision.base import Ask, PictureInput, Vision, Words

LEFT_TO_ENGINES = frozenset({"goods", "checking"})  # everything else the templates say better
WITH_PICTURES = frozenset({Kind.PRODUCT, Kind.COMPARISON, Kind.SCENE})


@dataclass(frozen=True)
class Wanted:
    """A reply that an engine is asked to word: the ask, the template's draft, and who asked."""

    ask: Ask
    draft: Draft
    customer: Customer | None


def wanted(
    turn: Turn, reading: Reading, facts: Facts, draft: Draft | None, *, shop: ShopWords, pictures: Mapping[str, bytes]
) -> Wanted | None:
    """What to ask an engine for beside the template's draft; None where its words are not wanted.

    Proven orders, FAQ entries, refusals and courtesies keep their templates. `pictures` by SHA-256; those of kinds
    that hold no goods stay away from the engine.
    """
    if draft is None or draft.template_id not in LEFT_TO_ENGINES or draft.route is Route.PROOF:
        return None
    if any(slot.startswith("order.") for slot in draft.slots):
        return None
    try:
        goods = about_goods(reading, facts, phrases(draft.language))
        slots = {**goods.for_engines, "shop.name": clean_value(shop.name, max_chars=MAX_NAME)}
    except DraftRefused:
        return None
    shown = [look for look in reading.looks if look.kind in WITH_PICTURES]
    ask = Ask(
        kind=reading.kind,
        language=draft.language,
        question=reading.question,
        slots=slots,
        notes=tuple(goods.notes),
        looks=tuple(shown),
        pictures=tuple(
            PictureInput(look.picture_sha256, pictures[look.picture_sha256])
            for look in shown
            if look.picture_sha256 in pictures
        ),
        earlier=turn.earlier,
        shop=shop.name,
    )
    return Wanted(ask, draft, turn.customers[0] if len(turn.customers) == 1 else None)


def put_into_words(
    asked: Sequence[Wanted],
    *,
    vision: Vision,
    cache: DraftCache[Words] | None,
    policy_version: int,
    progress: Callable[[], None] | None = None,
) -> list[Draft | BotError]:
    """One draft each, in order, or why the engine's words can't stand; words that were written before are reused."""
    refused: set[str] = set()

    def compute(places: Sequence[int], told: Callable[[], None] | None) -> list[Words | BotError]:
        found: list[Words | BotError] = list(vision.write([asked[place].ask for place in places], progress=told))
        refused.update(
            words.template
            for place, words in zip(places, found, strict=True)
            if isinstance(words, Words) and not isinstance(_checked(words, asked[place]), Draft)
        )
        return found

    if cache is None:
        results = compute(range(len(asked)), progress)
    else:
        keys = [DraftAsked(one.ask, one.draft.fingerprint, policy_version, one.customer) for one in asked]
        fit = lambda words: words.template not in refused  # noqa: E731
        results = cache.words(keys, engine=vision, compute=compute, fit=fit, progress=progress)
    return [
        _checked(words, one) if isinstance(words, Words) else words for one, words in zip(asked, results, strict=True)
    ]


def _checked(words: Words, one: Wanted) -> Draft | DraftRefused:
    try:
        return written(words, one.ask, one.draft)
    except DraftRefused as problem:
        return problem


def written(words: Words, ask: Ask, draft: Draft) -> Draft:
    """The engine's words in the place of the template's.

    Raises DraftRefused where they state anything outside the slots, use a slot that was not given, are empty, too
    long, or in another language. That they do not repeat its prompts the engine sees to.
    """
    template = words.template.strip()
    unknown = set(slot_names(template)) - set(ask.slots)
    if unknown:
        raise DraftRefused(f"an engine used slots that it was not given: {len(unknown)}")
    slots = {name: ask.slots[name] for name in slot_names(template)}
    made = draft.model_copy(
        update={
            "template_id": "written",
            "template": template,
            "slots": slots,
            "text": fill(template, slots),
            "route": Route.CATALOG if any(name.startswith("p") for name in slots) else Route.ADVICE,
            "signals": words.signals,
            "engine": words.engine,
            "engine_version": words.engine_version,
            "prompt_version": words.prompt_version,
        }
    )
    if not template or len(made.text) > MAX_ANSWER:
        raise DraftRefused("an engine's words are empty or too long")
    if clean_value(template, max_chars=MAX_ANSWER, lines=True) != template:
        raise DraftRefused("an engine's words hold characters that do not belong into a reply")
    if claims := check(made):
        raise DraftRefused(f"an engine stated something outside its slots: {', '.join(c.type.value for c in claims)}")
    spoken = detect_language(words_outside(template))
    if spoken not in (made.language.split("-")[0], "und"):
        raise DraftRefused("an engine's words are in another language than the customer's")
    return made
