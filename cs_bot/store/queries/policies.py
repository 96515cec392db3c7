"""The versioned policy; settings only seed version 1."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.engine import RowMapping

from cs_bot.errors import Conflict
from cs_bot.records import Policy
from cs_bot.store.database import Transaction
from cs_bot.store.queries.sql import changed, insert
from cs_bot.store.tables import policies


def current(tx: Transaction) -> Policy | None:
    """The newest version."""
    row = tx.row(select(policies).order_by(policies.c.version.desc()).limit(1))
    return None if row is None else Policy(**{**row["body"], "version": row["version"]})


def seed(tx: Transaction, policy: Policy) -> Policy:
    """The newest version; `policy` becomes version 1 when there is none."""
    found = current(tx)
    if found is not None:
        return found
    _insert(tx, policy.model_copy(update={"version": 1}), created_by="settings", note="first version")
    return current(tx) or policy


def add(tx: Transaction, policy: Policy, *, created_by: str, note: str) -> Policy:
    """The version after the one that `policy` was made from; raises Conflict when there is one already."""
    newer = policy.model_copy(update={"version": policy.version + 1})
    if not _insert(tx, newer, created_by=created_by, note=note):
        raise Conflict("somebody has changed the policy meanwhile: try again")
    changed(tx, "policy", newer.version)
    return newer


def history(tx: Transaction, limit: int) -> Sequence[RowMapping]:
    """The newest versions with who made them, when and why, the newest first."""
    columns = (policies.c.version, policies.c.created_at, policies.c.created_by, policies.c.note)
    return tx.rows(select(*columns).order_by(policies.c.version.desc()).limit(limit))


def noted(tx: Transaction, words: str) -> int:
    """How many versions have these words in their note."""
    return int(tx.value(select(func.count()).where(policies.c.note.contains(words, autoescape=True))))


def _insert(tx: Transaction, policy: Policy, *, created_by: str, note: str) -> bool:
    values = {
        "version": policy.version,
        "body": policy.model_dump(mode="json", exclude={"version"}),
        "created_at": tx.now(),
        "created_by": created_by[:100],
        "note": note[:300],
    }
    # not by rowcount, which SQLAlchemy promises for UPDATE and DELETE only
    done = insert(tx, policies).values(values).on_conflict_do_nothing().returning(policies.c.version)
    return tx.row(done) is not None
