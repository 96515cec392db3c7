"""The versioned policy; settings only seed version 1."""

from sqlalchemy import select

from cs_bot.records import Policy
from cs_bot.store.database import Transaction
from cs_bot.store.queries.sql import insert
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
    tx.execute(
        insert(tx, policies)
        .values(
            version=1,
            body=policy.model_dump(mode="json", exclude={"version"}),
            created_at=tx.now(),
            created_by="settings",
            note="first version",
        )
        .on_conflict_do_nothing()
    )
    return current(tx) or policy
