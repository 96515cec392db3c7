"""6  pure: turn state + Reading + Facts + Draft + policy + now -> Decision with reasons (no I/O)."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from cs_bot import signals
from cs_bot.claims import fill, find_claims, languages_with_lexicon, words_outside
from cs_bot.errors import DraftRefused
from cs_bot.knowledge.orders import order_lookup_id
from cs_bot.records import (
    Action,
    Decision,
    Draft,
    Facts,
    FieldState,
    Kind,
    Look,
    LookupOutcome,
    Message,
    Mode,
    Owner,
    PictureState,
    Policy,
    Reading,
    Reason,
    Route,
    Turn,
    ordered,
    strictest,
)

_RULES = frozenset({Kind.ORDER, Kind.TEXT})
ANSWERED_KINDS = {  # what a reply of that route can be about; a turn with another kind in it waits for a person
    Route.PROOF: _RULES,
    Route.FAQ: _RULES,
    Route.CATALOG: frozenset(Kind) - {Kind.OTHER},
    Route.ADVICE: frozenset(Kind) - {Kind.OTHER, Kind.ORDER},
}
# What a proven order may be told without a person; a wish (refund, cancel, change ...) never is.
PROOF_INTENTS = frozenset({"order_status", "ship_when", "arrive_when", "order_amount", "order_number", "tracking"})
WISHES = frozenset({"refund", "cancel", "change", "address", "complaint"})
UNTOLD_WORDS = 2  # so few words whose language can't be told ("ok", "pls") don't make a language unsupported

_SURE = frozenset({Reason.PROVEN, Reason.CALIBRATED})
# Reasons that say nothing against the draft: what is held for these alone is what calibration learns from.
_OF_POLICY = frozenset({Reason.MODE_ASSIST, Reason.MODE_SHADOW, Reason.BELOW_THRESHOLD, Reason.NOT_IN_SHARE})
_MODE_REASONS = {
    Mode.OFF: Reason.MODE_OFF,
    Mode.SHADOW: Reason.MODE_SHADOW,
    Mode.ASSIST: Reason.MODE_ASSIST,
}


def decide(
    turn: Turn, reading: Reading, facts: Facts, draft: Draft | None, *, policy: Policy, now: datetime
) -> Decision:
    """Whether the draft may go out by itself, with every reason against it, the weightiest first.

    SEND needs no reason against, mode `auto` for every kind in the turn, the turn's place within the policy's share
    and, off the proof route, a calibrated score at or above its threshold; its only reason is PROVEN or CALIBRATED.
    Everything else is a REVIEW.
    """
    route = draft.route if draft is not None else Route.ADVICE
    against = {
        *_of_conversation(turn, policy),
        *_of_messages(turn.messages, policy, now),
        *_of_pictures(turn, reading, policy),
        *_of_reading(reading, facts),
        *_of_kinds(reading, draft),
        *_of_draft(reading, facts, draft),
        *(_of_proof(turn, reading, facts, policy, now) if _states_order(draft) else ()),
        *(_of_catalog(facts, policy, now) if route is Route.CATALOG else ()),
    }
    evidence, by = signals.signals(reading, facts, draft), signals.engines(reading, draft)
    leave = _leave(turn, reading, route, policy, evidence, by)
    against |= leave.against
    sure = Reason.PROVEN if route is Route.PROOF else Reason.CALIBRATED
    reasons = ordered({*against, *_told(facts, route)}) if against else (sure,)
    return Decision(
        action=Action.REVIEW if against else Action.SEND,
        mode=leave.mode,
        kind=reading.kind,
        route=route,
        reasons=reasons,
        suggestion=suggestion(reading, reasons),
        policy_version=policy.version,
        signals=evidence,
        score=leave.score,
        engines=by,
        share=leave.share,
        audit_rate=leave.audit_rate,
        eligible=turn.origin == "customer" and against <= _OF_POLICY,
    )


def in_share(turn_id: int, share: float) -> bool:
    """Whether a turn is among the part that `auto` really sends; a larger share keeps those of a smaller one."""
    digest = hashlib.sha256(f"turn:{turn_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64


def suggestion(reading: Reading, reasons: tuple[Reason, ...]) -> str:
    """One sentence for the agent: what it probably is, and what to look at first."""
    first = _HINTS.get(reasons[0], "")
    return f"{_SUBJECTS[reading.kind]}{': ' if first else ''}{first}"


def _of_conversation(turn: Turn, policy: Policy) -> Iterator[Reason]:
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


def _of_messages(messages: tuple[Message, ...], policy: Policy, now: datetime) -> Iterator[Reason]:
    if not any(message.text.strip() or message.pictures for message in messages):
        yield Reason.EMPTY
    if any(message.revoked for message in messages):
        yield Reason.REVOKED
    oldest, newest = now - timedelta(seconds=policy.stale_after_s), now + timedelta(seconds=policy.early_by_s)
    if any(min(m.sent_at, m.received_at) < oldest or m.sent_at > newest for m in messages):
        yield Reason.STALE


def _of_pictures(turn: Turn, reading: Reading, policy: Policy) -> Iterator[Reason]:
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


def _of_reading(reading: Reading, facts: Facts) -> Iterator[Reason]:
    yield from (reason for reason in (*reading.reasons, *facts.reasons) if reason not in _SURE)
    unknown = reading.language == "und" and len(reading.question.split()) > UNTOLD_WORDS
    if unknown or reading.language not in (*languages_with_lexicon, "und"):
        yield Reason.LANGUAGE_UNSUPPORTED


def _of_kinds(reading: Reading, draft: Draft | None) -> Iterator[Reason]:
    """Whether the draft is about every kind in the turn."""
    kinds = _kinds(reading)
    route = draft.route if draft is not None else Route.ADVICE
    unsaid = Kind.ORDER in kinds and route is Route.CATALOG and not _states_order(draft)
    if unsaid or not kinds <= ANSWERED_KINDS[route]:
        yield Reason.KIND_NOT_ANSWERED


def _of_draft(reading: Reading, facts: Facts, draft: Draft | None) -> Iterator[Reason]:
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


def _states_only_slots(draft: Draft) -> bool:
    try:
        whole = fill(draft.template, draft.slots) == draft.text
        return whole and not find_claims(words_outside(draft.template), draft.language)
    except DraftRefused:
        return False


def _of_proof(turn: Turn, reading: Reading, facts: Facts, policy: Policy, now: datetime) -> Iterator[Reason]:
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


def _states_order(draft: Draft | None) -> bool:
    """Whether a draft tells of an order: as the proof, or beside a product in a turn of several pictures."""
    return draft is not None and (draft.route is Route.PROOF or any(name.startswith("order.") for name in draft.slots))


def _of_catalog(facts: Facts, policy: Policy, now: datetime) -> Iterator[Reason]:
    """What the catalog could not settle, and records that are too old to be told."""
    if not facts.products:
        yield Reason.NO_ANSWER
    oldest = now - timedelta(seconds=policy.product_max_age_s)
    for lookup in facts.products:
        if lookup.outcome is LookupOutcome.NONE:
            yield Reason.PRODUCT_UNKNOWN
        if lookup.stale or any(hit.product.synced_at < oldest for hit in lookup.hits):
            yield Reason.PRODUCT_RECORD_TOO_OLD


def _told(facts: Facts, route: Route) -> Iterator[Reason]:
    """What the agent should know though it speaks against nothing: the reply asks which product is meant."""
    if route is Route.CATALOG and any(lookup.outcome is LookupOutcome.CLOSE for lookup in facts.products):
        yield Reason.PRODUCT_CLOSE


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


def _kinds(reading: Reading) -> set[Kind]:
    return {reading.kind, *(look.kind for look in reading.looks)}


@dataclass(frozen=True)
class _Leave:
    """What the policy allows a turn that nothing else speaks against; share and audit rate where it may be sent."""

    mode: Mode
    score: float | None
    against: frozenset[Reason]
    share: float | None = None
    audit_rate: float | None = None


def _leave(
    turn: Turn, reading: Reading, route: Route, policy: Policy, evidence: dict[str, float], by: tuple[str, ...]
) -> _Leave:
    """The strictest mode, the lowest score and the smallest share of the turn's kinds."""
    keys = [f"{kind.value}/{route.value}" for kind in sorted(_kinds(reading))]
    mode = strictest(policy.mode_for(kind, route) for kind in _kinds(reading))
    score, enough = _scored(keys, route, policy, evidence, by)
    if mode is not Mode.AUTO:
        return _Leave(mode, score, frozenset({_MODE_REASONS[mode]}))
    share = min(policy.share, *(policy.shares.get(key, 1.0) for key in keys))
    against = set() if enough else {Reason.BELOW_THRESHOLD}
    if not in_share(turn.turn_id, policy.share):
        mode = Mode.ASSIST
        against.add(Reason.MODE_ASSIST)
    elif not in_share(turn.turn_id, share):
        against.add(Reason.NOT_IN_SHARE)
    rate = policy.audit_share if share == 1.0 else max(policy.audit_share, policy.canary_audit_share)
    return _Leave(mode, score, frozenset(against), share, rate)


def _scored(
    keys: list[str], route: Route, policy: Policy, evidence: dict[str, float], by: tuple[str, ...]
) -> tuple[float | None, bool]:
    """The lowest score of the turn's kinds, and whether each reaches its threshold. A proof is held to a fit only
    where the policy has one; any other route without a fit, a signal or an engine that the fit knows is not enough."""
    fits = [policy.fit_for(key) for key in keys]
    if route is Route.PROOF and not any(key in policy.fits for key in keys):
        return None, True
    lowest, enough = 1.0, True
    for fit in fits:
        score = fit.score(evidence) if fit is not None and set(by) <= set(fit.engines) else None
        if fit is None or score is None:
            return None, False
        lowest, enough = min(lowest, score), enough and score >= fit.threshold
    return lowest, enough


_SUBJECTS = {
    Kind.PRODUCT: "probably a question about a product",
    Kind.COMPARISON: "probably a comparison of products",
    Kind.ORDER: "probably an order question",
    Kind.SCENE: "probably asks for advice on a photo",
    Kind.OTHER: "a picture of no known kind",
    Kind.TEXT: "a question in words",
}

_HINTS = {
    Reason.REVOKED: "the customer took a message back",
    Reason.TAKEN_OVER: "a person has taken over",
    Reason.REVIEW_OPEN: "a new draft was asked for",
    Reason.ASKED_FOR_PERSON: "the customer asks for a person",
    Reason.UPSET: "the customer is upset",
    Reason.MIXED_CUSTOMERS: "the messages are not of exactly one customer",
    Reason.FOREIGN_ORDER: "the order belongs to somebody else, disclose nothing",
    Reason.UNKNOWN_ORDER: "no such order in the records",
    Reason.ORDER_RECORD_TOO_OLD: "the order's record is too old, look it up in the shop",
    Reason.SECOND_FIELD_DISAGREES: "amount or time on the picture differ from the record",
    Reason.NO_SECOND_FIELD: "only the number matches, check that it is really theirs",
    Reason.SEVERAL_ORDERS: "more than one order is meant",
    Reason.ORDER_LIST: "a list of orders, ask which one",
    Reason.PRODUCT_CLOSE: "several products are about as likely, ask which one",
    Reason.PRODUCT_UNKNOWN: "not found in the catalog",
    Reason.PRODUCT_RECORD_TOO_OLD: "the product's record is too old, look it up in the shop",
    Reason.NUMBER_UNSURE: "the number was read but not surely, compare it with the picture",
    Reason.NUMBER_UNREADABLE: "the number can't be read from the picture",
    Reason.EARLIER_PICTURE: "the order is on a picture sent earlier, check that it is meant now",
    Reason.NO_ORDER_NUMBER: "no order number was given",
    Reason.STALE: "the message is old, check that it still matters",
    Reason.LOOP_GUARD: "the bot has answered often here",
    Reason.FACTS_CHANGED: "the records changed after the draft was written",
    Reason.PICTURE_REFUSED: "a picture was refused",
    Reason.PICTURE_UNREACHABLE: "a picture could not be fetched",
    Reason.PICTURE_UNREADABLE: "a picture can't be read",
    Reason.PICTURE_LANGUAGE: "the picture is in a language that can't be read here",
    Reason.TOO_MANY_PICTURES: "more pictures than are looked at",
    Reason.SEVERAL_QUESTIONS: "more than one question",
    Reason.UNSTATED_CLAIM: "the draft states something that no record says",
    Reason.LANGUAGE_UNSUPPORTED: "a language without word list",
    Reason.KIND_NOT_ANSWERED: "not answered automatically",
    Reason.NO_ANSWER: "the draft does not decide what is asked",
    Reason.BELOW_THRESHOLD: "the evidence is not strong enough to answer alone",
    Reason.NOT_IN_SHARE: "outside the share that is answered alone for now",
    Reason.MODE_OFF: "switched off for this kind",
    Reason.MODE_SHADOW: "only watched for now",
    Reason.MODE_ASSIST: "the draft waits for approval",
    Reason.EMPTY: "nothing was said or shown",
    Reason.PROVEN: "proven by the record",
    Reason.CALIBRATED: "the shop's judgements bound the error",
}
