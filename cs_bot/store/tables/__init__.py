"""Every table. Times are UTC, money is exact, ids are integers; what crosses a process boundary has a text id."""

from cs_bot.store.tables.answers import (
    decisions,
    drafts,
    judgements,
    looks,
    outbound,
    policies,
    review_history,
    reviews,
    stages,
)
from cs_bot.store.tables.checks import cache_checks
from cs_bot.store.tables.columns import Money, UtcTime, metadata
from cs_bot.store.tables.learning import audits, calibrations
from cs_bot.store.tables.privacy import deletions, retention_progress
from cs_bot.store.tables.shop import (
    agents,
    audit,
    changes,
    faq,
    order_lines,
    orders,
    product_codes,
    product_pictures,
    products,
    workers_seen,
)
from cs_bot.store.tables.talk import (
    accounts_seen,
    conversations,
    customers,
    events,
    messages,
    picture_uses,
    pictures,
    revocations,
    turns,
)

__all__ = [
    "Money",
    "UtcTime",
    "accounts_seen",
    "agents",
    "audit",
    "audits",
    "cache_checks",
    "calibrations",
    "changes",
    "conversations",
    "customers",
    "decisions",
    "deletions",
    "drafts",
    "events",
    "faq",
    "judgements",
    "looks",
    "messages",
    "metadata",
    "order_lines",
    "orders",
    "outbound",
    "picture_uses",
    "pictures",
    "policies",
    "product_codes",
    "product_pictures",
    "products",
    "retention_progress",
    "review_history",
    "reviews",
    "revocations",
    "stages",
    "turns",
    "workers_seen",
]
