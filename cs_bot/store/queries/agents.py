"""The people who review: names, roles, and hashes of their tokens."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.engine import RowMapping

from cs_bot.store.database import Transaction
from cs_bot.store.tables import agents, audit

ROLES = ("agent", "supervisor", "admin")  # each may do what the ones before it may


def by_token(tx: Transaction, token_sha256: str) -> RowMapping | None:
    """The agent whose token has that SHA-256 (hex); None also for a disabled one."""
    return tx.row(select(agents).where(agents.c.token_sha256 == token_sha256, agents.c.disabled_at.is_(None)))


def get(tx: Transaction, agent_id: int) -> RowMapping | None:
    """One agent, disabled or not."""
    return tx.row(select(agents).where(agents.c.id == agent_id))


def by_name(tx: Transaction, name: str) -> RowMapping | None:
    """One agent, disabled or not."""
    return tx.row(select(agents).where(agents.c.name == name))


def active(tx: Transaction) -> Sequence[RowMapping]:
    """Everybody who may log in, by name."""
    return tx.rows(select(agents).where(agents.c.disabled_at.is_(None)).order_by(agents.c.name))


def add(tx: Transaction, *, name: str, role: str, token_sha256: str) -> int:
    """A new agent; the id. Raises ValueError for an unknown role; a taken name or token breaks a unique key."""
    if role not in ROLES:
        raise ValueError(f"unknown role {role!r}; known: {', '.join(ROLES)}")
    values = {"name": name, "role": role, "token_sha256": token_sha256, "created_at": tx.now()}
    return int(tx.value(agents.insert().values(**values).returning(agents.c.id)))


def change(tx: Transaction, agent_id: int, **values: Any) -> bool:
    """Set columns (a new token_sha256, a role, disabled_at); False when there is no such agent."""
    return tx.changed(update(agents).where(agents.c.id == agent_id).values(**values))


def write_audit(tx: Transaction, *, actor: str, action: str, noun: str, noun_id: str, detail: dict[str, Any]) -> None:
    """One line of who did what."""
    tx.execute(
        audit.insert().values(at=tx.now(), actor=actor, action=action, noun=noun, noun_id=noun_id, detail=detail)
    )
