"""7a send once through the channel -> Receipt."""

from cs_bot.deliver.claiming import Claimed, Refetch, backoff, claim, claim_head
from cs_bot.deliver.sending import Channels, record, send, send_next
from cs_bot.deliver.settling import sweep
from cs_bot.store.database import Database
from cs_bot.store.queries import outbound

__all__ = [
    "Channels",
    "Claimed",
    "Refetch",
    "backoff",
    "claim",
    "claim_head",
    "record",
    "seconds_until_due",
    "send",
    "send_next",
    "sweep",
]


def seconds_until_due(database: Database) -> float | None:
    """How long until a row is due; None when none waits."""
    with database.read() as tx:
        due_at = outbound.next_due_at(tx)
        return None if due_at is None else max(0.0, (due_at - tx.now()).total_seconds())
