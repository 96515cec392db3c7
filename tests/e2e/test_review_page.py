"""The review page in a real browser: the script, the content policy, the keyboard."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from cs_bot import bootstrap
from cs_bot.records import Mode, Reason, SendState
from cs_bot.settings import TurnSettings
from cs_bot.store.database import Database
from cs_bot.store.tables import audits, judgements, outbound, reviews
from tests import desk, web
from tests.alone import SENT, finish, send
from tests.conftest import missing

pytestmark = pytest.mark.browser
OFFLINE = ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]


@pytest.fixture
def services(sqlite_database: Database, tmp_path: Path) -> bootstrap.Services:
    return web.services_on(sqlite_database, tmp_path, turns=TurnSettings(quiet_s=0, wait_at_most_s=0))


@pytest.fixture
def page(services: bootstrap.Services) -> Iterator[Any]:
    """A signed-in page; whatever the browser complains about fails the test."""
    chromium = shutil.which("chromium")
    if chromium is None:
        missing("Debian's chromium is not installed")
    from playwright.sync_api import sync_playwright

    _, token = web.add_agent(services.database)
    complaints: list[str] = []
    with web.running(services) as address, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=OFFLINE)
        tab = browser.new_context(locale="en-US", viewport={"width": 1440, "height": 900}).new_page()
        tab.set_default_timeout(10_000)
        tab.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("requestfailed", lambda request: complaints.append(request.url))
        tab.goto(f"{address}/review")
        tab.fill("#token", token)
        tab.keyboard.press("Enter")
        tab.wait_for_selector("#queue")
        yield tab
        browser.close()
    assert complaints == []


def test_an_agent_claims_edits_and_sends_with_the_keyboard(services: bootstrap.Services, page: Any) -> None:
    desk.say(services, "这个订单什么时候发货?", attachments=[{"url": desk.a_picture()}])
    desk.hold(services)
    page.wait_for_selector(".row")  # the queue freshens by itself
    page.click(".row")
    page.wait_for_selector("img.big")
    assert page.evaluate("document.querySelector('img.big').naturalWidth") > 0
    page.keyboard.press("c")
    page.wait_for_selector("#send")
    assert "Approve & send" in page.inner_text("#send")
    page.fill("#text", "请稍等 line one")
    assert "Send edited" in page.inner_text("#send")
    page.press("#text", "Control+Enter")
    page.wait_for_selector(".notice")
    with services.database.read() as tx:
        [row] = tx.rows(select(outbound))
    assert row["text"] == "请稍等 line one"
    assert page.inner_text("#queue").strip() == "Nothing waits here."


def test_an_open_page_keeps_its_claim_and_the_draft_survives_the_queues_changes(
    services: bootstrap.Services, page: Any
) -> None:
    services.settings = services.settings.model_copy(
        update={"review": services.settings.review.model_copy(update={"claim_s": 3.0})}
    )
    desk.say(services, "first")
    desk.hold(services)
    page.reload()
    page.click(".row")
    page.click("[data-key=c]")
    page.fill("#text", "half a sentence")
    with services.database.read() as tx:
        [before] = tx.rows(select(reviews))
    desk.say(services, "second", conversation_id="c2")
    desk.hold(services)
    page.wait_for_selector(".row >> nth=1")
    page.wait_for_timeout(1500)
    with services.database.read() as tx:
        after = tx.rows(select(reviews).order_by(reviews.c.id))[0]
    assert after["claimed_until"] > before["claimed_until"]
    assert page.input_value("#text") == "half a sentence"


def test_in_shadow_an_agent_answers_without_the_draft_and_judges_it_afterwards(
    services: bootstrap.Services, page: Any
) -> None:
    desk.say(services, "这个订单什么时候发货?", attachments=[{"url": desk.a_picture()}])
    desk.hold(services, mode=Mode.SHADOW, reasons=(Reason.MODE_SHADOW,), eligible=True)
    page.click(".row")
    page.wait_for_selector("img.big")
    page.keyboard.press("c")
    page.wait_for_selector("#send")
    assert page.inner_text("#send").startswith("Send")
    assert page.input_value("#text") == ""
    assert desk.DRAFT not in page.content()
    page.fill("#text", "请稍等")
    page.press("#text", "Control+Enter")
    page.wait_for_selector("#would")
    shown = page.inner_text(".card")
    assert shown.index("请稍等") < shown.index(desk.DRAFT)
    page.get_by_role("button", name="Wrong").click()
    page.wait_for_selector("text=would have been wrong")
    with services.database.read() as tx:
        [row] = tx.rows(select(judgements))
    assert (row["verdict"], row["right"], row["text"]) == ("shadow", False, "请稍等")


def test_audits_are_judged_one_after_the_other(services: bootstrap.Services, page: Any) -> None:
    for conversation in ("c1", "c2"):
        finish(services, conversation, **SENT)
        send(services, SendState.SENT)
    page.click("nav >> text=Audits")
    page.wait_for_selector("text=2 waiting")
    page.fill("#note", "too short")
    page.get_by_role("button", name="Wrong").click()
    page.wait_for_selector("text=1 waiting")
    page.get_by_role("button", name="Right").click()
    page.wait_for_selector("text=Nothing waits for an audit.")
    with services.database.read() as tx:
        assert [row["right"] for row in tx.rows(select(audits).order_by(audits.c.id))] == [False, True]


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("path", ["/review", "/audits"])
def test_pages_fit_a_screen_and_a_phone(services: bootstrap.Services, page: Any, path: str, width: int) -> None:
    desk.say(services, "这个订单什么时候发货?", attachments=[{"url": desk.a_picture()}])
    review_id = desk.hold(services, mode=Mode.SHADOW, reasons=(Reason.MODE_SHADOW,))
    finish(services, "c2", **SENT)
    send(services, SendState.SENT)
    page.set_viewport_size({"width": width, "height": 844})
    origin = page.evaluate("location.origin")
    page.goto(origin + (f"/review/{review_id}" if path == "/review" else path))
    page.wait_for_selector(".talk")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_colour_schemes_can_be_read(services: bootstrap.Services, page: Any, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    ground, text = page.evaluate(
        "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
    )
    light = {channel: sum(int(n) for n in colour[4:-1].split(",")) for channel, colour in [("g", ground), ("t", text)]}
    assert (light["g"] > light["t"]) is (scheme == "light")
    assert abs(light["g"] - light["t"]) > 400
