"""Command lines as people type them, run in this process, and how they ended."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from cs_bot.store.database import Database
from cs_bot.testing import SECRET

ACCOUNT = f"""
[[accounts]]
channel = "generic"
name = "shop"
secrets = ["{SECRET}"]
options = {{ reply_url = "https://shop.invalid/reply?key={SECRET}" }}
"""
FAQ = '{"faq_id": "invoice", "question": "怎么开发票?", "answer": "在订单页申请。"}\n'


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Done]


def count(database: Database, table: Any) -> int:
    """How many rows a table has."""
    with database.read() as tx:
        return int(tx.value(select(func.count()).select_from(table)))
