"""The words that everything uses: kinds, routes, ends, modes, reasons in the order of their weight."""

from collections.abc import Iterable
from enum import StrEnum


class Kind(StrEnum):
    """What a turn is about."""

    PRODUCT = "product"
    COMPARISON = "comparison"
    ORDER = "order"
    SCENE = "scene"
    OTHER = "other"
    TEXT = "text"


class Route(StrEnum):
    """How an answer came about."""

    PROOF = "proof"
    CATALOG = "catalog"
    FAQ = "faq"
    ADVICE = "advice"


class End(StrEnum):
    """The one state in which every inbound message ends (the ledger)."""

    BOT = "bot"
    PERSON = "person"
    DISMISSED = "dismissed"
    HANDED_OVER = "handed_over"
    REVOKED = "revoked"
    IGNORED = "ignored"


class Owner(StrEnum):
    """Who speaks in a conversation: the bot, the shop's people in our review queue, or people outside."""

    BOT = "bot"
    DESK = "desk"
    OUTSIDE = "outside"


class Action(StrEnum):
    """What the gate decided."""

    SEND = "send"
    REVIEW = "review"


class Mode(StrEnum):
    """What the policy allows for one kind and route, the strictest first.

    off: the bot has no part in it · shadow: it drafts and decides, nothing is sent, nobody sees the draft before they
    have answered · assist: a person sees the draft · auto: it is sent alone where the gate lets it.
    """

    OFF = "off"
    SHADOW = "shadow"
    ASSIST = "assist"
    AUTO = "auto"


def strictest(modes: Iterable[Mode]) -> Mode:
    """The strictest of several modes; there must be one."""
    return min(modes, key=list(Mode).index)


class Reason(StrEnum):
    """Why a decision came out as it did, the weightiest first; agents read the first one."""

    REVOKED = "revoked"
    TAKEN_OVER = "taken_over"
    REVIEW_OPEN = "review_open"
    ASKED_FOR_PERSON = "asked_for_person"
    UPSET = "upset"
    MIXED_CUSTOMERS = "mixed_customers"
    FOREIGN_ORDER = "foreign_order"
    UNKNOWN_ORDER = "unknown_order"
    ORDER_RECORD_TOO_OLD = "order_record_too_old"
    SECOND_FIELD_DISAGREES = "second_field_disagrees"
    NO_SECOND_FIELD = "no_second_field"
    SEVERAL_ORDERS = "several_orders"
    PRODUCT_CLOSE = "product_close"
    PRODUCT_UNKNOWN = "product_unknown"
    PRODUCT_RECORD_TOO_OLD = "product_record_too_old"
    ORDER_LIST = "order_list"
    NUMBER_UNSURE = "number_unsure"
    NUMBER_UNREADABLE = "number_unreadable"
    EARLIER_PICTURE = "earlier_picture"
    NO_ORDER_NUMBER = "no_order_number"
    STALE = "stale"
    LOOP_GUARD = "loop_guard"
    LATE = "late"
    POISON = "poison"
    ENGINE_FAILED = "engine_failed"
    DELIVERY_UNKNOWN = "delivery_unknown"
    DELIVERY_FAILED = "delivery_failed"
    FACTS_CHANGED = "facts_changed"
    PICTURE_REFUSED = "picture_refused"
    PICTURE_UNREACHABLE = "picture_unreachable"
    PICTURE_UNREADABLE = "picture_unreadable"
    PICTURE_LANGUAGE = "picture_language"
    TOO_MANY_PICTURES = "too_many_pictures"
    SEVERAL_QUESTIONS = "several_questions"
    UNSTATED_CLAIM = "unstated_claim"
    LANGUAGE_UNSUPPORTED = "language_unsupported"
    KIND_NOT_ANSWERED = "kind_not_answered"
    NO_ANSWER = "no_answer"
    BELOW_THRESHOLD = "below_threshold"
    NOT_IN_SHARE = "not_in_share"
    MODE_OFF = "mode_off"
    MODE_SHADOW = "mode_shadow"
    MODE_ASSIST = "mode_assist"
    OWN_ECHO = "own_echo"
    AGENT_MESSAGE = "agent_message"
    EMPTY = "empty"
    PROVEN = "proven"
    CALIBRATED = "calibrated"


HIDES_DRAFT = frozenset({Mode.OFF, Mode.SHADOW})  # people answer without having seen it
MODE_REASONS = {Mode.OFF: Reason.MODE_OFF, Mode.SHADOW: Reason.MODE_SHADOW, Mode.ASSIST: Reason.MODE_ASSIST}
_RANK = {reason: rank for rank, reason in enumerate(Reason)}


def ordered(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """The reasons without repeats, the weightiest first."""
    return tuple(sorted(set(reasons), key=_RANK.__getitem__))
