"""What a chaos run came to: lost, doubled, out of order, spoken out of turn; read from the ledger and the platform."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select

from cs_bot.store.database import Database, Transaction
from cs_bot.store.tables import conversations, messages, outbound
from tests.faults.chaos_platform import Seen


@dataclass
class Verdict:
    """The figures. `wrong` names what must be 0."""

    database: str
    mode: str
    seed: int
    engine: str = "pixels"
    accepted: int = 0
    shown: int = 0
    ends: dict[str, int] = field(default_factory=dict)
    wrong: dict[str, int] = field(default_factory=dict)
    drained: bool = False
    drain_s: float = 0.0
    wall_s: float = 0.0
    rows: dict[str, int] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether every promise held."""
        return self.drained and not any(self.wrong.values())


@dataclass
class Outside:
    """What the outside did, with monotonic times: message ids that were acknowledged, takeovers, revokes."""

    accepted: dict[str, str] = field(default_factory=dict)  # message id -> conversation
    taken: list[tuple[str, str, float]] = field(default_factory=list)  # conversation, event's own time, acknowledged
    released: list[tuple[str, str, float]] = field(default_factory=list)  # conversation, event's own time, posted
    revoked: dict[str, float] = field(default_factory=dict)
    unaccounted: int = 0  # the most that was seen at once, at any time


def judge(verdict: Verdict, database: Database, outside: Outside, seen: list[Seen], slack_s: float) -> None:
    """Fill the verdict. `slack_s`: a request that was claimed before a takeover or revoke arrives this much later."""
    with database.read() as tx:
        stored = Counter(row["external_id"] for row in tx.rows(select(messages.c.external_id)))
        rows = {row["outbound_id"]: dict(row) for row in tx.rows(select(outbound))}
        names = {row["id"]: row["external_id"] for row in tx.rows(select(messages.c.id, messages.c.external_id))}
        verdict.ends = _ends(tx)
        verdict.rows = dict(Counter(f"{row['kind']} {row['state']}" for row in rows.values()))
    verdict.accepted, verdict.shown = len(outside.accepted), len(seen)
    verdict.wrong |= {
        "LOST": sum(1 for message in outside.accepted if stored[message] == 0),
        "STORED_TWICE": sum(1 for count in stored.values() if count > 1),
        "DOUBLED": _doubled(seen, rows, names),
        "OUT_OF_ORDER": _out_of_order(seen, rows),
        "SAID_SENT_NOT_SHOWN": _phantoms(seen, rows),
        "SPOKE_WHILE_TAKEN": _spoke_while_taken(outside, seen, slack_s),
        "ANSWERED_REVOKED": _answered_revoked(outside, seen, rows, names, slack_s),
        "UNACCOUNTED": outside.unaccounted,
    }


def _ends(tx: Transaction) -> dict[str, int]:
    ended = func.coalesce(messages.c.end, "in open review")
    found = tx.execute(select(ended, func.count()).where(messages.c.sender == "customer").group_by(ended))
    return {str(row[0]): int(row[1]) for row in found}


def _answers(s: Seen, rows: dict[str, dict[str, Any]], names: dict[int, str]) -> tuple[str, ...]:
    row = rows[s.outbound_id]
    return tuple(names[i] for i in row["facts"]["messages"]) if row["kind"] == "reply" else s.in_reply_to


def _doubled(seen: list[Seen], rows: dict[str, dict[str, Any]], names: dict[int, str]) -> int:
    """Ids shown twice, and messages with two answers (a person may answer what the bot may not have)."""
    shown = Counter(s.outbound_id for s in seen)
    answers: dict[str, set[str]] = defaultdict(set)
    bots: dict[str, set[str]] = defaultdict(set)
    for s in seen:
        row = rows[s.outbound_id]
        for message in _answers(s, rows, names) if row["kind"] in ("reply", "agent") else ():
            if row["state"] != "undetermined":
                answers[message].add(s.outbound_id)
            if row["kind"] == "reply":
                bots[message].add(s.outbound_id)
    twice = sum(1 for count in shown.values() if count > 1)
    return twice + sum(1 for found in (*answers.values(), *bots.values()) if len(found) > 1)


def _out_of_order(seen: list[Seen], rows: dict[str, dict[str, Any]]) -> int:
    last: dict[str, int] = {}
    wrong = 0
    for s in seen:
        row_id = rows[s.outbound_id]["id"]
        wrong += row_id < last.get(s.conversation, 0)
        last[s.conversation] = max(row_id, last.get(s.conversation, 0))
    return wrong


def _phantoms(seen: list[Seen], rows: dict[str, dict[str, Any]]) -> int:
    shown = {s.outbound_id for s in seen}
    return sum(1 for row in rows.values() if row["state"] == "sent" and row["outbound_id"] not in shown)


def _spoke_while_taken(outside: Outside, seen: list[Seen], slack_s: float) -> int:
    wrong = 0
    for name, event_at, taken_at in outside.taken:
        later = [at for other, event, at in outside.released if other == name and event > event_at]
        until = min(later, default=float("inf"))
        wrong += sum(
            1
            for s in seen
            if s.conversation == name
            and s.sender == "bot"
            and s.kind == "message.reply"
            and taken_at + slack_s < s.at < until
        )
    return wrong


def _answered_revoked(
    outside: Outside, seen: list[Seen], rows: dict[str, dict[str, Any]], names: dict[int, str], slack_s: float
) -> int:
    return sum(
        1
        for s in seen
        if rows[s.outbound_id]["kind"] == "reply"
        for message in _answers(s, rows, names)
        if message in outside.revoked and outside.revoked[message] + slack_s < s.at
    )


def open_conversations(database: Database) -> int:
    """Conversations with something due or leased."""
    with database.read() as tx:
        busy = conversations.c.due_at.is_not(None) | conversations.c.lease_until.is_not(None)
        return int(tx.value(select(func.count()).select_from(conversations).where(busy)))
