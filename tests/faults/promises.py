"""The promises, checked after every step from the outside: what the customer sees, what the steps know, plain queries.

Memory is kept by the steps and never read back from the code under test, except where cs-bot itself silences the bot.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from cs_bot.deliver import Claimed
from cs_bot.records import Turn
from cs_bot.settings import Settings
from cs_bot.store.database import Database, Row, Transaction
from cs_bot.store.queries import metrics
from cs_bot.store.tables import conversations, messages, outbound, reviews, turns
from tests.faults.platform import Platform, Shown

if TYPE_CHECKING:
    from tests.faults.world import World

UNDELIVERED = ("pending", "sending", "unknown")


class Broken(AssertionError):
    """A promise was broken."""


def must(holds: bool, promise: str) -> None:
    """Raise Broken naming the promise."""
    if not holds:
        raise Broken(promise)


@dataclass(frozen=True)
class Composed:
    """What a reply was made of: its messages, the facts' version, when."""

    messages: frozenset[str]
    facts: int
    step: int


@dataclass
class Memory:
    """What the outside knows. Conversations and messages by the platform's ids."""

    step: int = 0
    accepted: dict[str, str] = field(default_factory=dict)
    written_at: dict[str, datetime] = field(default_factory=dict)
    written_step: dict[str, int] = field(default_factory=dict)
    revoked: dict[str, int] = field(default_factory=dict)
    owner: dict[str, str] = field(default_factory=dict)
    owner_at: dict[str, datetime] = field(default_factory=dict)
    silenced_step: dict[str, int] = field(default_factory=dict)
    composing: Composed | None = None
    composed: dict[str, Composed] = field(default_factory=dict)
    ends: dict[str, str] = field(default_factory=dict)
    maybe: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    fences: dict[int, int] = field(default_factory=dict)
    last_row_id: int = 0

    def owner_event(self, conversation: str, at: datetime, owner: str) -> None:
        """A takeover or a release; an older one than the newest known never wins."""
        if conversation in self.owner_at and at < self.owner_at[conversation]:
            return
        self.owner[conversation], self.owner_at[conversation] = owner, at
        if owner != "bot":
            self.silenced_step[conversation] = self.step

    def silenced_by_us(self, database: Database) -> None:
        """cs-bot silenced the bot itself (a hand-off, a customer who asks for a person)."""
        for row in _conversations(database):
            name = row["external_id"]
            if row["owner"] != "bot" and self.owner.get(name, "bot") == "bot":
                self.owner[name], self.owner_at[name] = row["owner"], row["owner_changed_at"]
                self.silenced_step[name] = self.step

    def given_back(self, database: Database, conversation_id: int) -> None:
        """An agent gave the conversation back."""
        row = next(row for row in _conversations(database) if row["id"] == conversation_id)
        self.owner[row["external_id"]], self.owner_at[row["external_id"]] = "bot", row["owner_changed_at"]

    def revoke(self, message_id: str) -> None:
        """The customer took a message back; too late for what has ended."""
        if message_id not in self.ends:
            self.revoked.setdefault(message_id, self.step)

    def surely_not_sent(self, outbound_id: str, token: str) -> None:
        """One attempt was refused."""
        self.maybe[outbound_id].discard(token)


def _conversations(database: Database) -> Sequence[Row]:
    with database.read() as tx:
        return tx.rows(select(conversations))


def conversation_ids(database: Database) -> list[int]:
    """Ids of the conversations that exist."""
    return [row["id"] for row in _conversations(database)]


# --- turns


def claimed_turns_are_new(memory: Memory, claimed: Sequence[Turn], max_attempts: int) -> None:
    """The fence moves with every claim; a turn that may have killed a worker comes alone; attempts are bounded."""
    for turn in claimed:
        must(turn.fence > memory.fences.get(turn.conversation_id, 0), "a claim moves the fence")
        memory.fences[turn.conversation_id] = turn.fence
        must(turn.attempts <= max_attempts, "a turn is tried a bounded number of times")
    if any(turn.attempts > 1 for turn in claimed):
        must(len(claimed) == 1, "a turn on a further attempt runs alone")


@dataclass(frozen=True)
class BeforeFinish:
    """What was stored when a result came in."""

    mine: bool
    waiting: bool
    open_ids: frozenset[int]
    now: datetime


def before_finish(database: Database, turn: Turn) -> BeforeFinish:
    """Look before finish()."""
    with database.read() as tx:
        row = tx.row(select(conversations).where(conversations.c.id == turn.conversation_id))
        state = tx.value(select(turns.c.state).where(turns.c.id == turn.turn_id))
        assert row is not None
        waits = messages.c.turn_id.is_(None) & messages.c.review_id.is_(None) & messages.c.end.is_(None)
        waiting = tx.value(
            select(func.count()).select_from(messages).where(waits, messages.c.conversation_id == row["id"])
        )
        found = tx.rows(select(messages.c.id).where(messages.c.turn_id == turn.turn_id, messages.c.end.is_(None)))
        mine = state == "working" and row["fence"] == turn.fence and row["lease_until"] is not None
        return BeforeFinish(mine, bool(waiting), frozenset(m["id"] for m in found), tx.now())


def finish_was_right(settings: Settings, turn: Turn, before: BeforeFinish, finished: str) -> None:
    """Only the holder of the fence finishes; what came or went meanwhile is not overlooked."""
    must((finished == "lost") == (not before.mine), "only the newest claim may finish a turn")
    may_restart = turn.restarts < settings.turns.max_restarts and before.now < turn.deadline_at
    gone = before.open_ids != {m.message_id for m in turn.messages}
    if finished == "send":
        must(not gone, "a draft for a message that was taken back is not sent")
        must(not (before.waiting and may_restart), "a message that came meanwhile is absorbed")
    if finished == "restarted":
        must(may_restart, "a turn restarts at most twice and not past its deadline")


# --- sends


@dataclass(frozen=True)
class BeforeSend:
    """What was stored when a send was claimed."""

    reviewed: frozenset[int]
    undelivered: tuple[tuple[int, int], ...]  # (conversation id, row id)
    now: datetime


def before_send(database: Database) -> BeforeSend:
    """Look before deliver.claim()."""
    with database.read() as tx:
        reviewed = tx.rows(select(reviews.c.conversation_id).where(reviews.c.state == "open"))
        rows = tx.rows(select(outbound.c.conversation_id, outbound.c.id).where(outbound.c.state.in_(UNDELIVERED)))
        return BeforeSend(
            frozenset(r["conversation_id"] for r in reviewed),
            tuple((r["conversation_id"], r["id"]) for r in rows),
            tx.now(),
        )


def send_is_allowed(
    memory: Memory, platform: Platform, claimed: Claimed, before: BeforeSend, facts: dict[int, int], stale_s: float
) -> None:
    """What must be true of a row when its sending is committed."""
    sent = claimed.outbound
    earlier = [row for conversation, row in before.undelivered if conversation == sent.conversation_id]
    must(min(earlier) == claimed.row_id, "the oldest undelivered row goes first")
    _no_blind_resend(memory, platform, sent.outbound_id)
    memory.maybe[sent.outbound_id].add(sent.send_token)
    if sent.kind != "reply":
        return
    composed, name = memory.composed[sent.outbound_id], sent.conversation_external_id
    must(memory.owner.get(name, "bot") == "bot", "the bot is silent while a person answers")
    must(memory.silenced_step.get(name, -1) < composed.step, "a takeover stops the replies made before it")
    first = min(memory.written_step[m] for m in composed.messages)
    must(memory.silenced_step.get(name, -1) <= first, "what a person took over is theirs, also once it is given back")
    must(sent.conversation_id not in before.reviewed, "the bot is silent while a review is open")
    must(not composed.messages & set(memory.revoked), "a reply to a revoked message is not sent")
    must(facts.get(sent.conversation_id, 0) == composed.facts, "a reply with changed facts is not sent")
    must(set(sent.in_reply_to) <= composed.messages, "a reply names only messages that it was made for")
    oldest = min(memory.written_at[m] for m in composed.messages)
    must(before.now - oldest < timedelta(seconds=stale_s + 1), "a stale message is not answered by the bot")


def _no_blind_resend(memory: Memory, platform: Platform, outbound_id: str) -> None:
    if not memory.maybe[outbound_id] or platform.mode == "key":
        return
    must(outbound_id in platform.denied, "what may have arrived is not sent again blindly")
    platform.denied.discard(outbound_id)
    memory.maybe[outbound_id].clear()


# --- reviews


def before_act(database: Database, review_id: int) -> tuple[int, int]:
    """(version of the review, rows in the outbox) before an agent's decision."""
    with database.read() as tx:
        version = tx.value(select(reviews.c.version).where(reviews.c.id == review_id, reviews.c.state == "open"))
        return int(version or 0), int(tx.value(select(func.count()).select_from(outbound)))


def act_was_right(database: Database, seen: int, before: tuple[int, int], done: bool) -> None:
    """Only a decision on the newest version counts; a refused one leaves nothing in the outbox."""
    version, rows = before
    with database.read() as tx:
        added = int(tx.value(select(func.count()).select_from(outbound))) - rows
    must(not done or seen == version, "a decision on an old version is refused")
    must(done or added == 0, "a refused decision sends nothing")
    must(added <= 1, "a decision sends at most one answer")


# --- after every step


def check(world: "World") -> None:
    """All that must hold whenever nothing is in the middle of a transaction."""
    shown = [s for platform in world.platforms.values() for s in platform.shown]
    with world.database.read() as tx:
        _new_replies(tx, world.memory)
        _the_ledger(tx, world.memory, shown)
        _one_of_each(tx)
        _what_the_customer_sees(tx, world.memory, shown)
        must(metrics.unaccounted(tx) == 0, f"every message is looked after: {metrics.unaccounted_ids(tx)}")


def _new_replies(tx: Transaction, memory: Memory) -> None:
    for row in tx.rows(select(outbound).where(outbound.c.id > memory.last_row_id).order_by(outbound.c.id)):
        memory.last_row_id = row["id"]
        if row["kind"] == "reply":
            must(memory.composing is not None, "a reply comes from a finished turn")
            memory.composed[row["outbound_id"]] = memory.composing  # type: ignore[assignment]
    memory.composing = None


def _the_ledger(tx: Transaction, memory: Memory, shown: list[Shown]) -> None:
    stored = tx.rows(select(messages.c.external_id, messages.c.end))
    must(sorted(m["external_id"] for m in stored) == sorted(memory.accepted), "every message is stored once")
    answered: dict[str, set[str]] = defaultdict(set)
    for s in shown:
        for message_id in s.outbound.in_reply_to:
            if s.outbound.kind != "reply" or message_id in memory.composed[s.outbound.outbound_id].messages:
                answered[s.outbound.kind].add(message_id)
    for row in stored:
        name, end = row["external_id"], row["end"]
        if name in memory.ends:
            must(end == memory.ends[name], "an end never changes")
        elif end is not None:
            memory.ends[name] = end
            _end_has_its_cause(memory, name, end, answered)


def _end_has_its_cause(memory: Memory, name: str, end: str, answered: dict[str, set[str]]) -> None:
    causes = {
        "bot": name in answered["reply"],
        "person": name in answered["agent"],
        "revoked": name in memory.revoked,
        "handed_over": memory.accepted[name] in memory.silenced_step,
        "ignored": name not in memory.written_at,  # only the shop's own words are ignored here
    }
    must(causes.get(end, True), f"{end} is said only of what came about so")


def _one_of_each(tx: Transaction) -> None:
    for table, state in ((turns, "working"), (reviews, "open")):
        many = (
            select(table.c.conversation_id)
            .where(table.c.state == state)
            .group_by(table.c.conversation_id)
            .having(func.count() > 1)
        )
        must(not tx.rows(many), f"a conversation has at most one {state} {table.name[:-1]}")


def _what_the_customer_sees(tx: Transaction, memory: Memory, shown: list[Shown]) -> None:
    must(len({s.outbound.outbound_id for s in shown}) == len(shown), "nothing is shown twice")
    states = {row["id"]: row["state"] for row in tx.rows(select(outbound.c.id, outbound.c.state))}
    last: dict[str, int] = {}
    bots: Counter[str] = Counter()
    answers: dict[str, set[int]] = defaultdict(set)
    for s in shown:
        name = s.outbound.conversation_external_id
        must(last.get(name, 0) < s.row_id, "replies are shown in order")
        last[name] = s.row_id
        for message_id in _answered_by(memory, s):
            bots[message_id] += s.outbound.kind == "reply"
            answers[message_id].add(s.row_id)
    must(max(bots.values(), default=0) <= 1, "a message is answered by the bot once")
    for rows in answers.values():
        known = [row for row in rows if states[row] != "undetermined"]
        must(len(known) <= 1, "a message is answered once, a person may answer what may not have arrived")


def _answered_by(memory: Memory, s: Shown) -> Iterable[str]:
    if s.outbound.kind == "reply":
        return memory.composed[s.outbound.outbound_id].messages
    return s.outbound.in_reply_to if s.outbound.kind == "agent" else ()


# --- the end


def stuck(database: Database) -> dict[str, int]:
    """What has not come to an end: rows on their way, live turns, open messages outside open reviews."""
    with database.read() as tx:
        open_reviews = select(reviews.c.id).where(reviews.c.state == "open")
        held = messages.c.review_id.in_(open_reviews)
        counts = {
            "undelivered": select(func.count()).select_from(outbound).where(outbound.c.state.in_(UNDELIVERED)),
            "working turns": select(func.count()).select_from(turns).where(turns.c.state == "working"),
            "open messages": select(func.count())
            .select_from(messages)
            .where(messages.c.end.is_(None), messages.c.review_id.is_(None) | ~held),
        }
        found: dict[str, Any] = {name: tx.value(statement) for name, statement in counts.items()}
        return {name: int(number) for name, number in found.items() if number}
