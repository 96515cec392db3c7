"""Blind audits: replies sent alone that are put aside for people to judge."""

from collections.abc import Sequence

from sqlalchemy import and_, func, select, update
from sqlalchemy.engine import RowMapping

from cs_bot.records import Decision
from cs_bot.store.database import Transaction
from cs_bot.store.queries.sql import changed, insert
from cs_bot.store.tables import audits, outbound


def put_aside(tx: Transaction, turn_id: int, decision_id: int, decision: Decision) -> None:
    """Keep a sent reply for a person to judge; a second time changes nothing."""
    tx.execute(
        insert(tx, audits)
        .values(
            turn_id=turn_id,
            decision_id=decision_id,
            kind=decision.kind,
            route=decision.route,
            policy_version=decision.policy_version,
            rate=decision.audit_rate,
            sampled_at=tx.now(),
        )
        .on_conflict_do_nothing()
    )


def waiting(tx: Transaction, limit: int, *, after: int = 0) -> Sequence[RowMapping]:
    """Those nobody has judged and that can still be read, the oldest first, with the reply that was sent."""
    sent = and_(outbound.c.turn_id == audits.c.turn_id, outbound.c.kind == "reply", outbound.c.state == "sent")
    columns = (audits.c.id, audits.c.turn_id, audits.c.decision_id, audits.c.sampled_at, outbound.c.text.label("reply"))
    return tx.rows(
        select(*columns)
        .join(outbound, sent)
        .where(audits.c.id > after, audits.c.judged_at.is_(None), outbound.c.forgotten_at.is_(None))
        .order_by(audits.c.id)
        .limit(limit)
    )


def get(tx: Transaction, audit_id: int) -> RowMapping | None:
    """One of them, judged or not."""
    return tx.row(select(audits).where(audits.c.id == audit_id))


def judge(tx: Transaction, audit_id: int, *, agent_id: int, right: bool, note: str) -> bool:
    """Keep a verdict; False when there is one already."""
    done = tx.changed(
        update(audits)
        .where(audits.c.id == audit_id, audits.c.judged_at.is_(None))
        .values(judged_at=tx.now(), judged_by=agent_id, right=right, note=note[:300])
    )
    if done:
        changed(tx, "audit", audit_id)
    return done


def verdicts(tx: Transaction, kind: str, route: str, *, since_version: int, limit: int) -> list[bool]:
    """Of the newest judged ones that a policy of `since_version` or later sent, oldest first: whether it was wrong."""
    newest = (
        select(audits.c.id, audits.c.judged_at, audits.c.right)
        .where(
            audits.c.kind == kind,
            audits.c.route == route,
            audits.c.judged_at.is_not(None),
            audits.c.policy_version >= since_version,
        )
        .order_by(audits.c.judged_at.desc(), audits.c.id.desc())
        .limit(limit)
    )
    return [not row["right"] for row in reversed(tx.rows(newest))]


def by_state(tx: Transaction) -> dict[str, int]:
    """How many are waiting, right and wrong."""
    found = tx.rows(select(audits.c.right, func.count().label("n")).group_by(audits.c.right))
    names = {None: "waiting", True: "right", False: "wrong"}
    return {names[row["right"]]: int(row["n"]) for row in found}
