"""The page of blind audits: what was asked and sent, two buttons, the next."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from cs_bot import bootstrap
from cs_bot.records import Facts, Faq, FaqHit, Likeness, LookupOutcome, Product, ProductHit, ProductLookup, SendState
from cs_bot.store.database import Database
from cs_bot.store.tables import audits
from tests.alone import DRAFT, SENT, finish, send
from tests.web import Browser, Caller

NOW = datetime.now(UTC)


@pytest.fixture
def browser(site: httpx.Client, database: Database) -> Iterator[Browser]:
    one = Browser(site)
    assert one.post("/login", token=Caller(site, database).token).status_code == 200
    yield one
    one.client.close()


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url  # the statements run on each kind in tests/contracts/test_gate_that_learns.py


def facts() -> Facts:
    """A product and a FAQ entry, found with certainties that nobody who judges may see."""
    product = Product(
        product_id="P1",
        channel="generic",
        account="shop",
        title="帆布鞋",
        currency="CNY",
        price=Decimal("129.00"),
        stock=7,
        updated_at=NOW,
        synced_at=NOW,
    )
    hit = ProductHit(product=product, likeness=Likeness.WORDS, score=0.8123, margin=0.4123)
    entry = Faq(faq_id="f", language="zh", question="包邮吗", answer="满 99 元包邮", updated_at=NOW)
    return Facts(
        products=(ProductLookup(outcome=LookupOutcome.CLEAR, hits=(hit,)),),
        faq=(FaqHit(faq=entry, score=0.7123, margin=0.5123),),
        fingerprint="f",
    )


def sent(services: bootstrap.Services, conversation: str, **values: Any) -> None:
    """A reply that was sent alone and put aside."""
    finish(services, conversation, **SENT, **values)
    send(services, SendState.SENT)


def rows(database: Database) -> list[Any]:
    with database.read() as tx:
        return list(tx.rows(select(audits).order_by(audits.c.id)))


def number_in(page: httpx.Response) -> int:
    """The audit that the page's form is about."""
    found = re.search(r'action="/audits/(\d+)/right"', page.text)
    assert found is not None
    return int(found.group(1))


def test_question_reply_and_records_are_shown_without_how_sure_the_gate_was(
    services: bootstrap.Services, site: httpx.Client, database: Database, browser: Browser
) -> None:
    sent(services, "c1", facts=facts())
    page, api = browser.get("/audits").text, Caller(site, database, "li").get("/audits").text
    for shown in ("包邮吗", DRAFT, "帆布鞋", "129.00 CNY", "库存 7", "会原样发出吗?"):
        assert shown in page
    for hidden in ("98765", "0.77", "8123", "81%", "7123", "71%", "4123", "5123", '"score"', '"margin"'):
        assert hidden not in page
        assert hidden not in api
    assert "129.00" in api


def test_a_verdict_is_kept_and_the_next_reply_shown(
    services: bootstrap.Services, database: Database, browser: Browser
) -> None:
    for conversation in ("c1", "c2", "c3"):
        sent(services, conversation)
    page = browser.get("/audits")
    assert "待抽检 3" in page.text
    page = browser.post(f"/audits/{number_in(page)}/wrong", note="不包邮")
    assert "已记下:不对" in page.text
    assert "待抽检 2" in page.text
    page = browser.post(f"/audits/{number_in(page)}/right")
    assert [(row["right"], row["note"]) for row in rows(database)] == [(False, "不包邮"), (True, ""), (None, "")]
    page = browser.post(f"/audits/{number_in(page)}/right")
    assert "没有待抽检的回复" in page.text


def test_a_reply_may_be_passed_over_and_comes_back(services: bootstrap.Services, browser: Browser) -> None:
    sent(services, "c1")
    sent(services, "c2")
    first = number_in(browser.get("/audits"))
    second = number_in(browser.get(f"/audits?after={first}"))
    assert second > first
    assert number_in(browser.get(f"/audits?after={second}")) == first


def test_when_somebody_was_faster_their_verdict_stands(
    services: bootstrap.Services, database: Database, browser: Browser
) -> None:
    sent(services, "c1")
    number = number_in(browser.get("/audits"))
    browser.post(f"/audits/{number}/wrong")
    page = browser.post(f"/audits/{number}/right")
    assert "这条已有同事判定" in page.text
    assert rows(database)[0]["right"] is False


def test_the_page_is_for_agents_and_forms_of_ours_only(
    services: bootstrap.Services, database: Database, site: httpx.Client, browser: Browser
) -> None:
    sent(services, "c1")
    assert site.get("/audits").headers["location"] == "/login"
    number = number_in(browser.get("/audits"))
    foreign = browser.client.post(f"/audits/{number}/right", headers={"origin": "https://evil.example"})
    assert foreign.status_code == 403
    assert rows(database)[0]["judged_at"] is None
    assert browser.post(f"/audits/{number}/perhaps").status_code == 422
    assert browser.post("/audits/4711/right").status_code == 404
