"""Every reason against a draft, rule by rule: conversation, messages, pictures, reading, draft, proof, catalog."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from cs_bot.claims import fill, find_claims, languages_with_lexicon, words_outside
from cs_bot.errors import DraftRefused
from cs_bot.knowledge.catalog.traits import product_traits
from cs_bot.knowledge.orders import order_lookup_id
from cs_bot.records import (
    Draft,
    Facts,
    FieldState,
    Kind,
    Look,
    LookupOutcome,
    Message,
    Owner,
    PictureState,
    Policy,
    ProductHit,
    Reading,
    Reason,
    Route,
    Turn,
)

SURE = frozenset({Reason.PROVEN, Reason.CALIBRATED})
_RULES = frozenset({Kind.ORDER, Kind.TEXT})
ANSWERED_KINDS = {  # what a reply of that route can be about; a turn with another kind in it waits for a person
    Route.PROOF: _RULES,
    Route.FAQ: _RULES,
    Route.CATALOG: frozenset(Kind) - {Kind.OTHER},
    Route.ADVICE: frozenset(Kind) - {Kind.OTHER},
}
# What a proven order may be told without a person; a wish (refund, cancel, change ...) never is.
PROOF_INTENTS = frozenset({"order_status", "ship_when", "arrive_when", "order_amount", "order_number", "tracking"})
WISHES = frozenset({"refund", "cancel", "change", "address", "complaint"})
# What a record can say of a product; the other aspects (whether it fits, which is better) only an engine's words can.
IN_RECORDS = frozenset({"price", "stock", "link", "colour", "size", "material"})
JUDGED = frozenset({"fit", "advice"})
UNTOLD_WORDS = 2  # so few words whose language can't be told ("ok", "pls") don't make a language unsupported


def of_conversation(turn: Turn, policy: Policy) -> Iterator[Reason]:
    if turn.owner is not Owner.BOT:
        yield Reason.TAKEN_OVER
    if turn.origin == "redraft":
        yield Reason.REVIEW_OPEN
    elif turn.origin != "customer":
        yield Reason.MODE_SHADOW
    if turn.recent_bot_replies >= policy.loop_max:
        yield Reason.LOOP_GUARD
    authors = {message.customer_id for message in turn.messages}
    if len(turn.customers) != 1 or not authors <= {customer.customer_id for customer in turn.customers}:
        yield Reason.MIXED_CUSTOMERS


def of_messages(messages: tuple[Message, ...], policy: Policy, now: datetime) -> Iterator[Reason]:
    if not any(message.text.strip() or message.pictures for message in messages):
        yield Reason.EMPTY
    if any(message.revoked for message in messages):
        yield Reason.REVOKED
    oldest, newest = now - timedelta(seconds=policy.stale_after_s), now + timedelta(seconds=policy.early_by_s)
    if any(min(m.sent_at, m.received_at) < oldest or m.sent_at > newest for m in messages):
        yield Reason.STALE


def of_pictures(turn: Turn, reading: Reading, policy: Policy) -> Iterator[Reason]:
    if len(turn.pictures) > policy.max_pictures:
        yield Reason.TOO_MANY_PICTURES
    seen = {look.picture_sha256 for look in reading.looks}
    for picture in turn.pictures:
        if picture.failure is not None:
            yield picture.failure
        elif picture.state is PictureState.FAILED:
            yield Reason.PICTURE_UNREADABLE
        elif picture.state is not PictureState.READY:
            yield Reason.PICTURE_UNREACHABLE
        elif picture.sha256 not in seen and len(turn.pictures) <= policy.max_pictures:
            yield Reason.PICTURE_UNREADABLE
    notes = {note for look in reading.looks for note in look.notes}
    if "list" in notes:
        yield Reason.ORDER_LIST
    if any(note.startswith("language:") for note in notes):
        yield Reason.PICTURE_LANGUAGE


def of_reading(reading: Reading, facts: Facts) -> Iterator[Reason]:
    yield from (reason for reason in (*reading.reasons, *facts.reasons) if reason not in SURE)
    unknown = reading.language == "und" and len(reading.question.split()) > UNTOLD_WORDS
    if unknown or reading.language not in (*languages_with_lexicon, "und"):
        yield Reason.LANGUAGE_UNSUPPORTED


def of_kinds(reading: Reading, draft: Draft | None) -> Iterator[Reason]:
    """Whether the draft is about every kind in the turn."""
    kinds = kinds_of(reading)
    route = draft.route if draft is not None else Route.ADVICE
    unsaid = Kind.ORDER in kinds and route is Route.CATALOG and not states_order(draft)
    if unsaid or not kinds <= ANSWERED_KINDS[route]:
        yield Reason.KIND_NOT_ANSWERED


def of_draft(reading: Reading, facts: Facts, draft: Draft | None) -> Iterator[Reason]:
    if draft is None:
        yield Reason.NO_ANSWER
        return
    language = draft.language.split("-")[0]
    if language not in languages_with_lexicon or reading.language not in (language, "und"):
        yield Reason.LANGUAGE_UNSUPPORTED
    if draft.fingerprint != facts.fingerprint:
        yield Reason.FACTS_CHANGED
    if not _states_only_slots(draft):
        yield Reason.UNSTATED_CLAIM
    if reading.intent in WISHES and draft.route is not Route.FAQ:
        yield Reason.NO_ANSWER
    if draft.route is Route.FAQ and not facts.faq:
        yield Reason.NO_ANSWER
    if draft.route in (Route.CATALOG, Route.ADVICE) and _leaves_open(reading, facts, draft):
        yield Reason.NO_ANSWER


def _states_only_slots(draft: Draft) -> bool:
    try:
        whole = fill(draft.template, draft.slots) == draft.text
        return whole and not find_claims(words_outside(draft.template), draft.language)
    except DraftRefused:
        return False


def of_proof(turn: Turn, reading: Reading, facts: Facts, policy: Policy, now: datetime) -> Iterator[Reason]:
    """What is missing to the proof: the record, whose it is, its age, the number as read, the second field."""
    if reading.intent not in PROOF_INTENTS:
        yield Reason.NO_ANSWER
    order = facts.order
    if order is None:
        yield Reason.UNKNOWN_ORDER
        return
    if facts.owned_by is None or any(facts.customer_id != customer.customer_id for customer in turn.customers):
        yield Reason.FOREIGN_ORDER
    if now - order.synced_at > timedelta(seconds=policy.order_max_age_s):
        yield Reason.ORDER_RECORD_TOO_OLD
    if facts.second_field not in ("amount", "time"):
        yield Reason.NO_SECOND_FIELD
    yield from _of_number(reading, order_lookup_id(order.order_id))


def states_order(draft: Draft | None) -> bool:
    """Whether a draft tells of an order: as the proof, or beside a product in a turn of several pictures."""
    return draft is not None and (draft.route is Route.PROOF or any(name.startswith("order.") for name in draft.slots))


def of_catalog(facts: Facts, policy: Policy, now: datetime) -> Iterator[Reason]:
    """What the catalog could not settle, and records that are too old to be told."""
    if not facts.products:
        yield Reason.NO_ANSWER
    oldest = now - timedelta(seconds=policy.product_max_age_s)
    for lookup in facts.products:
        if lookup.outcome is LookupOutcome.NONE:
            yield Reason.PRODUCT_UNKNOWN
        if lookup.stale or any(hit.product.synced_at < oldest for hit in lookup.hits):
            yield Reason.PRODUCT_RECORD_TOO_OLD


def _leaves_open(reading: Reading, facts: Facts, draft: Draft) -> bool:
    """Whether a draft about products that were clearly found does not say what is asked of each."""
    clear = [lookup.hits[0] for lookup in facts.products if lookup.outcome is LookupOutcome.CLEAR and lookup.hits]
    if not clear:
        return False  # it asks which one is meant
    asked = set(reading.aspects)
    said = [name.removesuffix("_line").partition(".")[2] for name in draft.slots]
    if asked & JUDGED and draft.template_id != "written":
        return True
    if any(said.count(aspect) < len(clear) for aspect in asked & IN_RECORDS) and "which" not in said:
        return True
    return any(_lacks(hit, name, value) for hit in clear for name, value in reading.wanted.items() if name not in said)


def _lacks(hit: ProductHit, name: str, value: str) -> bool:
    """Whether the record does not say that there is one of that colour or size."""
    return hit.sku is None and value not in product_traits(hit.product).get(name, frozenset())


def _of_number(reading: Reading, wanted: str) -> Iterator[Reason]:
    """The number must be `read` from an order screen; no screen and no word may name another one."""
    screens = [look for look in reading.looks if _number_state(look) is not None]
    states = {_number_state(look) for look in screens}
    if not screens:
        yield Reason.NO_SECOND_FIELD
    elif FieldState.CONFIRM in states:
        yield Reason.NUMBER_UNSURE
    elif FieldState.READ not in states:
        yield Reason.NUMBER_UNREADABLE
    read = [look.fields["order_id"].value or "" for look in screens if _number_state(look) is FieldState.READ]
    if any(order_lookup_id(number) != wanted for number in (*read, *reading.typed_order_ids)):
        yield Reason.SEVERAL_ORDERS


def _number_state(look: Look) -> FieldState | None:
    """The state of the order number on an order screen, None for another picture."""
    field = look.fields.get("order_id")
    if field is None:
        return FieldState.UNREADABLE if look.kind is Kind.ORDER else None
    return field.state


def kinds_of(reading: Reading) -> set[Kind]:
    return {reading.kind, *(look.kind for look in reading.looks)}


def worth_telling(facts: Facts, route: Route) -> Iterator[Reason]:
    """What the agent should know though it speaks against nothing: the reply asks which product is meant."""
    if route is Route.CATALOG and any(lookup.outcome is LookupOutcome.CLOSE for lookup in facts.products):
        yield Reason.PRODUCT_CLOSE
