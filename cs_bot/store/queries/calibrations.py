"""What calibration learns from, and what it found: judged turns by kind and route, and each look at them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, func, select
from sqlalchemy.engine import RowMapping

from cs_bot.store.database import Transaction
from cs_bot.store.queries import shadows
from cs_bot.store.tables import audits, calibrations, decisions, judgements


def judged(tx: Transaction, kind: str, route: str, *, since_version: int, limit: int) -> list[RowMapping]:
    """The newest judged turns of a kind and route: `turn_id`, `right`, `at` and the decision's `body`.

    Judgements of held drafts that only the policy kept back, and audits of sent replies, decided by a policy of
    `since_version` or later; a turn that was judged twice counts with its last verdict, a shadow that nobody has judged
    yet as wrong (queries/shadows.py).
    """
    of_people = _counting(kind, route, since_version).order_by(judgements.c.id.desc()).limit(limit)
    of_audits = (
        select(audits.c.turn_id, audits.c.right, audits.c.judged_at.label("at"), decisions.c.body)
        .join(decisions, decisions.c.id == audits.c.decision_id)
        .where(
            audits.c.kind == kind,
            audits.c.route == route,
            audits.c.judged_at.is_not(None),
            audits.c.policy_version >= since_version,
        )
        .order_by(audits.c.judged_at.desc(), audits.c.id.desc())
        .limit(limit)
    )
    oldest_first = [*reversed(tx.rows(of_people)), *reversed(tx.rows(of_audits))]
    rows = sorted(oldest_first, key=lambda row: (row["at"], row["turn_id"]))
    return list({row["turn_id"]: row for row in rows}.values())[-limit:]


def how_many(tx: Transaction, kind: str, route: str, *, since_version: int, at_most: int = 1_000_000) -> int:
    """How many judgements and audits of a kind and route count; stops counting at `at_most`.

    The order is that of an index: without it SQLite may read a whole table for a kind that has no row.
    """
    people = select(judgements.c.id).where(_counts(kind, route, since_version)).order_by(judgements.c.id).limit(at_most)
    sent = and_(audits.c.kind == kind, audits.c.route == route, audits.c.policy_version >= since_version)
    drawn = select(audits.c.id).where(sent, audits.c.judged_at.is_not(None)).order_by(audits.c.judged_at).limit(at_most)
    return sum(int(tx.value(select(func.count()).select_from(found.subquery()))) for found in (people, drawn))


def keys(tx: Transaction) -> list[tuple[str, str]]:
    """Every kind and route that was ever judged."""
    of_people = select(judgements.c.kind, judgements.c.route).where(judgements.c.counts, shadows.counted())
    of_audits = select(audits.c.kind, audits.c.route)
    rows = tx.rows(of_people.union(of_audits))
    return sorted((str(row["kind"]), str(row["route"])) for row in rows)


def add(
    tx: Transaction,
    *,
    kind: str,
    route: str,
    created_by: str,
    policy_version: int,
    judged: int,
    data: tuple[datetime, datetime] | None,
    why: str,
) -> int:
    """Keep a look at the judgements; its id is the version of the fit that set_fit() adds."""
    start, end = data or (None, None)
    values = {"kind": kind, "route": route, "at": tx.now(), "created_by": created_by[:100], "judged": judged}
    values |= {"policy_version": policy_version, "data_from": start, "data_to": end, "why": why[:300], "tests": []}
    return int(tx.value(calibrations.insert().values(**values).returning(calibrations.c.id)))


def set_result(tx: Transaction, version: int, *, fit: dict[str, Any] | None, tests: list[dict[str, Any]]) -> None:
    """The fit of a look, and the thresholds it tested."""
    tx.execute(calibrations.update().where(calibrations.c.id == version).values(fit=fit, tests=tests))


def last_look(tx: Transaction, kind: str, route: str, *, since_version: int) -> RowMapping | None:
    """The newest look at a kind and route under a policy of `since_version` or later."""
    return tx.row(
        select(calibrations)
        .where(
            calibrations.c.kind == kind, calibrations.c.route == route, calibrations.c.policy_version >= since_version
        )
        .order_by(calibrations.c.id.desc())
        .limit(1)
    )


def newest(tx: Transaction, limit: int) -> Sequence[RowMapping]:
    """The newest looks, the newest first."""
    return tx.rows(select(calibrations).order_by(calibrations.c.id.desc()).limit(limit))


def _counts(kind: str, route: str, since_version: int) -> Any:
    return and_(
        judgements.c.kind == kind,
        judgements.c.route == route,
        judgements.c.counts,
        shadows.counted(),
        judgements.c.policy_version >= since_version,
    )


def _counting(kind: str, route: str, since_version: int) -> Select[Any]:
    return (
        select(judgements.c.turn_id, shadows.right(), judgements.c.at, decisions.c.body)
        .join(decisions, decisions.c.id == judgements.c.decision_id)
        .where(_counts(kind, route, since_version))
    )
