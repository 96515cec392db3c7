"""What is said and what came of it: drafts, decisions, judgements, receipts, the outbox."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import Field

from cs_bot.records.base import Record
from cs_bot.records.words import Action, Kind, Mode, Reason, Route


class Draft(Record):
    """A reply: `template` with named slots, `slots` filled by code from Facts, `text` what a person would read."""

    template_id: str
    template: str
    slots: dict[str, str]
    text: str
    language: str
    kind: Kind
    route: Route
    fingerprint: str
    signals: dict[str, float] = Field(default_factory=dict)  # of the engine that wrote it, as in Look
    engine: str
    engine_version: str
    prompt_version: str


class Decision(Record):
    """The gate's result; always with reasons. `signals` are what the score is made of, kept for calibration.

    `share` is the part of such turns that is sent and `audit_rate` the part of those that is put aside for a blind
    audit; both None where the mode sends nothing. `eligible`: nothing but mode, score or share spoke against sending,
    so that judgements of such turns say how often a reply sent alone would be wrong.
    """

    action: Action
    mode: Mode
    kind: Kind
    route: Route
    reasons: tuple[Reason, ...]
    suggestion: str  # for the agent: "probably an order question"
    policy_version: int
    signals: dict[str, float] = Field(default_factory=dict)  # a missing one is no signal
    score: float | None = None  # None is "no signal", never 1.0
    engines: tuple[str, ...] = ()  # who looked and who wrote, sorted
    share: float | None = None
    audit_rate: float | None = None
    eligible: bool = False


class Verdict(StrEnum):
    """What a person did with a draft; `shadow`: answered without having seen it."""

    APPROVE = "approve"
    EDIT = "edit"
    REJECT = "reject"
    SHADOW = "shadow"


class Judgement(Record):
    """A person's verdict on a draft; `distance` is the normalised edit distance in 0..1."""

    review_id: int
    turn_id: int | None
    agent_id: int
    verdict: Verdict
    distance: float
    policy_version: int
    at: datetime
    right: bool | None = None  # review/judging.py; None: no draft to judge, or a shadow that nobody has judged yet


class SendState(StrEnum):
    """What is known about one attempt to send."""

    SENT = "sent"
    NOT_SENT = "not_sent"  # surely not: connection refused, 429
    FAILED = "failed"  # the platform refuses it for good
    UNKNOWN = "unknown"  # may have arrived: timeout, reset, 5xx


class Receipt(Record):
    """What the platform said about one attempt."""

    state: SendState
    provider_id: str | None = None
    retry_after_s: float | None = None
    detail: str = ""  # status code or error class; never a body, a token or an address


class Outbound(Record):
    """One row of the outbox, claimed for sending. `outbound_id` is the idempotency key the platform sees."""

    outbound_id: str
    conversation_id: int
    channel: str
    account: str
    conversation_external_id: str
    customer_external_id: str | None
    kind: str  # reply | handoff | notice | agent
    text: str
    attempts: int
    send_token: str
    in_reply_to: tuple[str, ...] = ()  # external ids of the messages it answers
    extra: dict[str, Any] = Field(default_factory=dict)
