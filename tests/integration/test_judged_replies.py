"""What people say of replies: marks of judgements through the review API, and blind audits of what was sent alone."""

from typing import Any

import httpx
import pytest
from sqlalchemy import select

from cs_bot import bootstrap
from cs_bot.records import (
    Action,
    Reason,
    SendState,
    Verdict,
)
from cs_bot.review import list_open, marks
from cs_bot.store.database import Database
from cs_bot.store.queries import turns as turn_queries
from cs_bot.store.tables import audits, judgements
from tests import web
from tests.alone import DRAFT, SENT, finish, send


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url  # the statements run on each kind in tests/contracts/test_gate_that_learns.py


def rows(database: Database, table: Any) -> list[Any]:
    with database.read() as tx:
        return list(tx.rows(select(table).order_by(table.c.id)))


HELD: dict[str, Any] = {"action": Action.REVIEW, "reasons": (Reason.NOT_IN_SHARE,), "share": 0.05, "audit_rate": 1.0}


def test_a_reply_that_was_sent_alone_is_judged_without_its_confidence(
    services: bootstrap.Services, database: Database, site: httpx.Client
) -> None:
    agent_id, token = web.add_agent(database)
    headers = {"authorization": f"Bearer {token}"}
    finish(services, "c1", **SENT)
    assert rows(database, audits) == []  # not sent yet
    send(services, SendState.SENT)
    [card] = site.get("/api/audits", headers=headers).json()["audits"]
    assert card["reply"] == DRAFT
    assert [message["text"] for message in card["messages"]] == ["包邮吗"]
    shown = site.get("/api/audits", headers=headers).text
    for hidden in ("0.98765", "0.77", "score", "signals", "calibrated", "auto"):
        assert hidden not in shown
    address = f"/api/audits/{card['audit_id']}"
    assert site.post(address, headers=headers, json={"right": False, "note": "错了"}).status_code == 200
    assert site.post(address, headers=headers, json={"right": True}).status_code == 409
    assert site.get("/api/audits", headers=headers).json() == {"audits": []}
    [row] = rows(database, audits)
    assert (row["right"], row["judged_by"], row["note"], row["rate"]) == (False, agent_id, "错了", 1.0)
    assert (row["kind"], row["route"], row["policy_version"]) == ("text", "faq", 1)


def test_an_audit_needs_token_and_verdict(services: bootstrap.Services, database: Database, site: httpx.Client) -> None:
    _, token = web.add_agent(database)
    headers = {"authorization": f"Bearer {token}"}
    assert site.get("/api/audits").status_code == 401
    assert site.post("/api/audits/1", json={"right": True}).status_code == 401
    assert site.post("/api/audits/1", headers=headers, json={"right": True}).status_code == 404
    assert site.post("/api/audits/1", headers=headers, json={"right": "perhaps"}).status_code == 422


@pytest.mark.parametrize("receipts", [(SendState.FAILED,), (SendState.UNKNOWN,), (SendState.NOT_SENT,)])
def test_what_did_not_surely_arrive_is_not_audited(
    services: bootstrap.Services, database: Database, receipts: tuple[SendState, ...]
) -> None:
    finish(services, "c1", **SENT)
    send(services, *receipts)
    assert rows(database, audits) == []


def test_only_the_drawn_part_is_audited_and_a_persons_answer_never(
    services: bootstrap.Services, database: Database
) -> None:
    for place in range(20):
        finish(services, f"c{place}", **{**SENT, "audit_rate": 0.0 if place % 2 else 1.0})
        send(services, SendState.SENT)
    assert len(rows(database, audits)) == 10
    finish(services, "d1", **{**SENT, "share": None, "audit_rate": None})
    send(services, SendState.SENT)
    assert len(rows(database, audits)) == 10


def test_judgements_keep_marks_that_can_be_computed_again(
    services: bootstrap.Services, database: Database, site: httpx.Client
) -> None:
    _, token = web.add_agent(database)
    texts = {
        "approve": {},
        "edit": {"text": DRAFT + "亲"},
        "reject": {"reason": "不对"},
    }
    decisions = [HELD, HELD, {**HELD, "reasons": (Reason.STALE,), "eligible": False}]
    for place, (action, body) in enumerate(texts.items()):
        finish(services, f"c{place}", **decisions[place])
        [found] = list_open(database)
        headers = {"authorization": f"Bearer {token}"}
        claimed = site.post(f"/api/reviews/{found.review_id}/claim", headers=headers, json={"version": found.version})
        version = claimed.json()["version"]
        done = site.post(f"/api/reviews/{found.review_id}/{action}", headers=headers, json={"version": version, **body})
        assert done.status_code == 200, done.text
    kept = rows(database, judgements)
    assert [(row["verdict"], row["right"], row["small_edit"], row["counts"]) for row in kept] == [
        ("approve", True, False, True),
        ("edit", True, True, True),
        ("reject", False, False, False),
    ]
    with database.read() as tx:
        for row in kept:
            draft = turn_queries.draft(tx, row["draft_id"])
            assert draft is not None
            again = marks(Verdict(row["verdict"]), draft["draft"]["text"], row["text"])
            assert again.model_dump() == {name: row[name] for name in type(again).model_fields}
            assert (row["kind"], row["route"]) == ("text", "faq")
