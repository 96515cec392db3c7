"""A shop whose customers were answered, and what a database still says of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import select

from cs_bot import bootstrap, pipeline, receive, retention, review
from cs_bot.receive import Received
from cs_bot.store.database import Database
from cs_bot.store.queries import metrics
from cs_bot.store.tables import metadata
from cs_bot.testing import RecordingChannel, shop_event, shop_message, shop_request
from tests import desk
from tests.web import add_agent, services_on

DAY_S = 86_400.0
WORDS = "我的订单 20268633688652 到哪了? 电话 13800138000"
ANSWER = "张三您好，包裹已寄往文三路478号"
PERSON = {"id": "u1", "name": "张三", "email": "zhang@example.com", "phone": "13800138000"}
PERSONAL = ("张三", "zhang@example.com", "13800138000", "文三路", "到哪了", "m-1", "conv-1")


def a_shop(database: Database, home: Path, **settings: Any) -> bootstrap.Services:
    """Services whose messages are due at once and whose platform is in memory."""
    at_once = {"quiet_s": 0.0, "wait_at_most_s": 0.0}
    services = services_on(database, home, turns=at_once, **settings)
    services.channels["generic", "shop"] = RecordingChannel()
    return services


def event(services: bootstrap.Services, kind: str, data: dict[str, Any], delivery_id: str | None = None) -> Received:
    """One delivery of the platform."""
    return receive.receive(
        shop_request(shop_event(kind, data), delivery_id=delivery_id),
        channel="generic",
        account="shop",
        channels=services.channels,
        database=services.database,
        ring=services.ring,
        settings=services.settings,
    )


PICTURE = [{"type": "image", "url": desk.a_picture()}]


def message(name: str = "m-1", **data: Any) -> dict[str, Any]:
    """A message of 张三 in conversation conv-1."""
    return shop_message(WORDS, **{"message_id": name, "conversation_id": "conv-1", "customer": PERSON, **data})


def asked(services: bootstrap.Services, name: str = "m-1", **data: Any) -> int:
    """A message with a picture that went to a person; the review's id."""
    event(services, "message.created", message(name, **{"attachments": PICTURE, **data}), f"delivery-{name}")
    fetch_all(services)
    return desk.hold(services)


def fetch_all(services: bootstrap.Services) -> None:
    """Fetch what is due."""
    from cs_bot import fetch

    while fetch.fetch_next(services.database, media=services.media, settings=services.settings, ring=services.ring):
        pass


def answered(services: bootstrap.Services, name: str = "m-1", **data: Any) -> int:
    """The same, answered by a person and delivered; the review's id."""
    review_id = asked(services, name, **data)
    agent_id, _ = add_agent(services.database, f"agent {len(rows(services, 'agents'))}")
    rules = services.settings.review
    card = review.claim(services.database, review_id, agent_id=agent_id, version=1, rules=rules)
    review.edit(services.database, review_id, agent_id=agent_id, version=card.version, text=ANSWER, rules=rules)
    deliver_all(services)
    return review_id


def deliver_all(services: bootstrap.Services) -> None:
    """Send what may be sent."""
    while pipeline.deliver_due(
        database=services.database,
        channels=services.channels,
        settings=services.settings,
        policy=services.policy(),
        ring=services.ring,
    ):
        pass


def sweep_all(services: bootstrap.Services) -> int:
    """Retention until nothing is due; how many rows were forgotten."""
    total = 0
    while True:
        services.database.shift(3_601)  # the next pass
        done = retention.sweep(services.database, media=services.media, settings=services.settings, round_s=60)
        if not done:
            return total
        total += done


def rows(services: bootstrap.Services, table: str) -> list[dict[str, Any]]:
    """A table's rows in the order of their first column."""
    found = metadata.tables[table]
    with services.database.read() as tx:
        return [dict(row) for row in tx.rows(select(found).order_by(*found.primary_key.columns))]


def said_anywhere(services: bootstrap.Services, *but: str) -> dict[str, set[str]]:
    """Which personal words stand in which tables, those of `but` left out."""
    found: dict[str, set[str]] = {}
    for table in metadata.tables:
        text = " ".join(_text(value) for row in rows(services, table) for value in row.values())
        words = {word for word in PERSONAL if word in text}
        if words and table not in but:
            found[table] = words
    return found


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def files(home: Path) -> Iterator[Path]:
    """The picture files of a shop's home."""
    return (path for path in (home / "media").rglob("*") if path.is_file())


def figures(services: bootstrap.Services) -> dict[str, Any]:
    """The counts of the dashboard that must survive."""
    with services.database.read() as tx:
        return {
            "unaccounted": metrics.unaccounted(tx),
            "ends": metrics.messages_by_end(tx),
            "turns": metrics.turns_by_outcome(tx),
            "outbound": metrics.outbound_by_state(tx),
            "pictures": metrics.pictures_by_state(tx),
            "events": metrics.events_by_state(tx),
            "conflicts": metrics.conflicting_ids(tx),
            "judgements": metrics.judgements_by_verdict(tx),
        }
