"""Chooses the template for what was read and found, fills its slots and checks the words around them."""

from dataclasses import dataclass, replace
from datetime import datetime

from cs_bot import __version__
from cs_bot.answer.goods import Goods, about_goods
from cs_bot.answer.templates import LANGUAGES, Phrases, phrases
from cs_bot.answer.values import MAX_ANSWER, MAX_NAME, ShopWords, contradicts_itself, is_late, order_values
from cs_bot.claims import Claim, clean_value, fill, find_claims, is_traditional, slot_names, words_outside
from cs_bot.errors import DraftRefused
from cs_bot.records import Draft, Facts, FaqHit, Kind, LookupOutcome, Reading, Reason, Route

ENGINE = "templates"
INFORMATION = ("order_status", "ship_when", "arrive_when", "tracking", "order_amount", "order_number")
REQUESTS = frozenset({"refund", "cancel", "change", "address", "invoice", "complaint"})
SURE_FAQ = 0.8  # beside a product that was found, only an entry this close to the question is meant
_RULES_FIRST = frozenset({"faq", "invoice", "product"})  # asked beside an order, the shop's rules still answer these

_HIDDEN = frozenset({Reason.ORDER_RECORD_TOO_OLD, Reason.SECOND_FIELD_DISAGREES, Reason.MIXED_CUSTOMERS})
_NOT_THEIRS = frozenset({Reason.FOREIGN_ORDER, Reason.UNKNOWN_ORDER})
_WHICH = frozenset({Reason.SEVERAL_ORDERS, Reason.ORDER_LIST})
_NUMBER = frozenset({Reason.NUMBER_UNSURE, Reason.NUMBER_UNREADABLE, Reason.PICTURE_LANGUAGE})
_PICTURE = frozenset({Reason.PICTURE_REFUSED, Reason.PICTURE_UNREACHABLE, Reason.PICTURE_UNREADABLE})


@dataclass(frozen=True)
class _Choice:
    template_id: str
    route: Route = Route.ADVICE
    hit: FaqHit | None = None
    goods: Goods | None = None  # follows the template: the rest of a reply about several things


def draft(reading: Reading, facts: Facts, *, shop: ShopWords, now: datetime) -> Draft | None:
    """A reply to a turn, whether or not it may be sent: the gate decides that.

    An order is stated only when the facts hold it as the customer's own and nothing speaks against it; a foreign and
    an unknown number get the same words. Where nothing can be stated (also when a record contradicts itself or one of
    its values is empty or too long to be true), the draft says that it is being looked into. None when there are no
    templates for the customer's language. Raises DraftRefused for a template that states something by itself.
    """
    language = reply_language(reading, shop)
    if language not in LANGUAGES:
        return None
    words = phrases(language)
    try:
        choice = _with_goods(_choose(reading, facts, shop, now, language), reading, facts, words)
        template, slots, text = _written(choice, facts, shop, words, now)
    except DraftRefused:  # the record's fault, not the turn's: a person sees the record beside the draft
        choice = _Choice("checking")
        template, slots, text = _written(choice, facts, shop, words, now)
    made = Draft(
        template_id=choice.template_id,
        template=template,
        slots=slots,
        text=text,
        language=language,
        kind=reading.kind,
        route=choice.route,
        fingerprint=facts.fingerprint,
        engine=ENGINE,
        engine_version=__version__,
        prompt_version=words.version,
    )
    if claims := check(made):
        stated = ", ".join(claim.type.value for claim in claims)
        raise DraftRefused(f"template {made.template_id} ({language}) states something outside its slots: {stated}")
    return made


def check(made: Draft) -> tuple[Claim, ...]:
    """What a draft states outside its slots.

    Raises DraftRefused when its text is not its template with its slots filled.
    """
    if fill(made.template, made.slots) != made.text:
        raise DraftRefused("a draft's text is not its template with its slots filled")
    return find_claims(words_outside(made.template), made.language)


def reply_language(reading: Reading, shop: ShopWords) -> str:
    """The language a reply is written in; it may be one without templates."""
    language = shop.language if reading.language == "und" else reading.language
    return "zh-Hant" if language == "zh" and is_traditional(reading.question) else language


def _choose(reading: Reading, facts: Facts, shop: ShopWords, now: datetime, language: str) -> _Choice:
    reasons = {*reading.reasons, *facts.reasons}
    if Reason.ASKED_FOR_PERSON in reasons:
        return _Choice("person")
    if Reason.UPSET in reasons:
        return _Choice("apology")
    refusal = _refusal(reasons)
    if refusal:
        return _Choice(refusal)
    if facts.order is not None and contradicts_itself(facts.order):
        return _Choice("checking")
    if facts.order is not None and facts.owned_by is not None:
        return _about_order(reading, facts, shop, now, language)
    return _without_order(reading, facts, reasons, language)


def _with_goods(choice: _Choice, reading: Reading, facts: Facts, words: Phrases) -> _Choice:
    """The choice with what the catalog says: a reply of its own where nothing else was chosen, or after an order."""
    asked = choice.template_id == "checking" and not {*reading.reasons, *facts.reasons} & _HIDDEN
    beside = choice.route is Route.PROOF and len({look.kind for look in reading.looks}) > 1
    if not facts.products or not (asked or beside):
        return choice
    if not reading.looks and all(lookup.outcome is LookupOutcome.NONE for lookup in facts.products):
        return choice  # words alone that the catalog does not know: a person may
    goods = about_goods(reading, facts, words)
    if not goods.lines:
        return choice
    return replace(choice, template_id=choice.template_id if beside else "goods", route=Route.CATALOG, goods=goods)


def _refusal(reasons: set[Reason]) -> str:
    """The template that states nothing of any record, when something speaks against stating it."""
    if reasons & _NOT_THEIRS:
        return "check_number"
    if reasons & _HIDDEN:
        return "checking"
    return "ask_which" if reasons & _WHICH else ""


def _about_order(reading: Reading, facts: Facts, shop: ShopWords, now: datetime, language: str) -> _Choice:
    hit = _hit(facts, language)
    if hit is not None and reading.intent in _RULES_FIRST:
        return _Choice("faq", Route.FAQ, hit)
    if reading.intent in REQUESTS:
        return _Choice("request", Route.PROOF)
    late = facts.order is not None and is_late(facts.order, shop, now)
    if late and reading.intent not in ("order_amount", "order_number"):
        return _Choice("late", Route.PROOF)
    return _Choice(reading.intent if reading.intent in INFORMATION else "order_status", Route.PROOF)


def _without_order(reading: Reading, facts: Facts, reasons: set[Reason], language: str) -> _Choice:
    hit = _hit(facts, language)
    if reasons & _NUMBER and reading.kind is Kind.ORDER:
        return _Choice("ask_number")
    if reasons & _PICTURE:
        return _Choice("ask_picture")
    if reading.intent in ("greeting", "thanks") and not facts.products:
        return _Choice(reading.intent)
    if reading.intent == "complaint":
        return _Choice("apology")
    named = any(lookup.outcome is not LookupOutcome.NONE for lookup in facts.products)
    if hit is not None and reading.kind is Kind.TEXT and not (named and hit.score < SURE_FAQ):
        return _Choice("faq", Route.FAQ, hit)
    if reading.kind is Kind.ORDER or reading.intent in INFORMATION or Reason.NO_ORDER_NUMBER in reasons:
        return _Choice("no_number")
    return _Choice("checking")


def _hit(facts: Facts, language: str) -> FaqHit | None:
    """The best FAQ entry in the language of the reply."""
    primary = language.split("-")[0]
    return next((hit for hit in facts.faq if hit.faq.language.split("-")[0] == primary), None)


def _written(
    choice: _Choice, facts: Facts, shop: ShopWords, words: Phrases, now: datetime
) -> tuple[str, dict[str, str], str]:
    """Template, slots and text."""
    lines = [words.templates[choice.template_id], *(choice.goods.lines if choice.goods is not None else ())]
    template = "\n".join([*lines, *(["{shop.sign_off}"] if shop.sign_off.strip() else [])])
    values = _values(choice, facts, shop, words, now)
    slots = {name: values[name] for name in slot_names(template) if name in values}
    return template, slots, fill(template, slots)


def _values(choice: _Choice, facts: Facts, shop: ShopWords, words: Phrases, now: datetime) -> dict[str, str]:
    values = {
        "shop.name": clean_value(shop.name, max_chars=MAX_NAME),
        "shop.sign_off": clean_value(shop.sign_off, max_chars=MAX_NAME),
    }
    if choice.hit is not None:
        values["faq.answer"] = clean_value(choice.hit.faq.answer, max_chars=MAX_ANSWER, lines=True)
    if choice.goods is not None:
        values |= choice.goods.values
    if facts.order is not None and choice.route in (Route.PROOF, Route.CATALOG):
        known = order_values(facts.order, shop, words, now)
        status = facts.order.status.value
        values |= known
        # A late order's promise lies in the past: every template then says so.
        late = is_late(facts.order, shop, now)
        for name in ("status", "arrival", "tracking", *(["late"] if late else [])):
            values[f"order.{name}"] = words.sentence("late" if late else name, status, known)
    return values
