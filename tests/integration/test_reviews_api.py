"""The review queue over HTTP: the JSON API with tokens, and the pages with a session."""

import re
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from cs_bot import bootstrap
from cs_bot.records import End, Reason
from cs_bot.settings import TurnSettings
from cs_bot.store.database import Database
from cs_bot.store.queries import agents
from cs_bot.store.tables import judgements, messages, outbound, pictures
from tests import desk, web
from tests.web import Browser, Caller, version_in

AT_ONCE = TurnSettings(quiet_s=0, wait_at_most_s=0)


@pytest.fixture
def services(database: Database, tmp_path: Path) -> bootstrap.Services:
    return web.services_on(database, tmp_path, turns=AT_ONCE)


@pytest.fixture
def site(services: bootstrap.Services) -> Iterator[httpx.Client]:
    with web.running(services) as address, web.client(address) as client:
        yield client


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """SQLite, unless a test asks for each kind."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return str(request.getfixturevalue("sqlite_url"))
    server = request.getfixturevalue("postgres_server")
    return str(server.create_database(request.getfixturevalue("postgres_template")))


on_each_database = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def mei(site: httpx.Client, database: Database) -> Caller:
    return Caller(site, database)


def rows(database: Database, table: Any) -> list[Any]:
    """Every row of a table."""
    with database.read() as tx:
        return list(tx.rows(select(table).order_by(table.c.id)))


def held(services: bootstrap.Services, **values: Any) -> int:
    """One conversation that a person has to look at."""
    desk.say(services, conversation_id=values.pop("conversation", "c1"))
    return desk.hold(services, **values)


# What agents do


@on_each_database
def test_from_the_queue_to_an_approved_reply(services: bootstrap.Services, database: Database, mei: Caller) -> None:
    review_id = held(services)
    [listed] = mei.get("/reviews").json()["reviews"]
    assert listed["review_id"] == review_id
    assert listed["reasons"] == ["mode_assist"]
    card = mei.get(f"/reviews/{review_id}").json()
    assert card["draft"]["text"] == desk.DRAFT
    assert [m["text"] for m in card["messages"]] == ["我的订单到哪了?"]
    card = mei.post(f"/reviews/{review_id}/claim", version=card["version"]).json()
    assert card["claimed_by"] == mei.agent_id
    assert mei.post(f"/reviews/{review_id}/renew").status_code == 200
    answer = mei.post(f"/reviews/{review_id}/approve", version=card["version"])
    assert answer.status_code == 200
    assert answer.json()["outcome"] == "approved"
    [row] = rows(database, outbound)
    assert (row["kind"], row["text"], row["state"]) == ("agent", desk.DRAFT, "pending")
    assert [j["verdict"] for j in rows(database, judgements)] == ["approve"]
    assert "deliver" in services.rung  # type: ignore[attr-defined]
    assert mei.get("/reviews").json() == {"reviews": []}


@on_each_database
def test_an_edited_text_with_an_unknown_number_is_sent_and_flagged(
    services: bootstrap.Services, database: Database, mei: Caller
) -> None:
    review_id = held(services)
    version = mei.post(f"/reviews/{review_id}/claim", version=1).json()["version"]
    card = mei.post(f"/reviews/{review_id}/edit", version=version, text="金额 89.00,赔您 50 元").json()
    assert any("50" in flag for flag in card["flags"])
    assert not any("89" in flag for flag in card["flags"])
    assert [row["text"] for row in rows(database, outbound)] == ["金额 89.00,赔您 50 元"]


def test_a_rejected_draft_is_gone_and_the_review_stays(services: bootstrap.Services, mei: Caller) -> None:
    review_id = held(services)
    version = mei.post(f"/reviews/{review_id}/claim", version=1).json()["version"]
    card = mei.post(f"/reviews/{review_id}/reject", version=version, reason="wrong order").json()
    assert (card["state"], card["draft"], card["claimed_by"]) == ("open", None, mei.agent_id)
    assert mei.post(f"/reviews/{review_id}/approve", version=card["version"]).status_code == 409
    done = mei.post(f"/reviews/{review_id}/edit", version=card["version"], text="我查一下")
    assert done.json()["outcome"] == "edited"


def test_dismissing_ends_the_messages_without_a_reply(
    services: bootstrap.Services, database: Database, mei: Caller
) -> None:
    review_id = held(services, draft=None)
    version = mei.post(f"/reviews/{review_id}/claim", version=1).json()["version"]
    assert mei.post(f"/reviews/{review_id}/dismiss", version=version, reason="spam").json()["outcome"] == "dismissed"
    assert [row["end"] for row in rows(database, messages)] == [End.DISMISSED]
    assert rows(database, outbound) == []


def test_handing_over_tells_the_platform_and_giving_back_ends_it(
    services: bootstrap.Services, database: Database, mei: Caller
) -> None:
    review_id = held(services)
    version = mei.post(f"/reviews/{review_id}/claim", version=1).json()["version"]
    card = mei.post(f"/reviews/{review_id}/hand-over", version=version, note="vip").json()
    [row] = rows(database, outbound)
    assert (row["kind"], row["extra"]["note"]) == ("handoff", "vip")
    assert mei.post(f"/conversations/{card['conversation_id']}/give-back").json()["owner"] == "bot"


def test_a_claim_can_be_released_and_given_to_a_colleague(
    services: bootstrap.Services, database: Database, site: httpx.Client, mei: Caller
) -> None:
    tom, review_id = Caller(site, database, "tom"), held(services)
    version = mei.post(f"/reviews/{review_id}/claim", version=1).json()["version"]
    assert tom.post(f"/reviews/{review_id}/claim", version=version).status_code == 409
    version = mei.post(f"/reviews/{review_id}/reassign", version=version, to_agent_id=tom.agent_id).json()["version"]
    assert mei.post(f"/reviews/{review_id}/release", version=version).status_code == 409
    assert [r["review_id"] for r in tom.get("/reviews?claimed=mine").json()["reviews"]] == [review_id]
    assert mei.get("/reviews?claimed=mine").json()["reviews"] == []
    version = tom.post(f"/reviews/{review_id}/release", version=version).json()["version"]
    assert [r["review_id"] for r in mei.get("/reviews?claimed=free").json()["reviews"]] == [review_id]
    assert mei.post(f"/reviews/{review_id}/reassign", version=version, to_agent_id=999).status_code == 404
    names = {agent["name"] for agent in mei.get("/agents").json()["agents"]}
    assert names == {"mei", "tom"}


@on_each_database
def test_pressing_approve_ten_times_at_once_sends_one_reply(
    services: bootstrap.Services, database: Database, mei: Caller
) -> None:
    review_id = held(services)
    version = mei.post(f"/reviews/{review_id}/claim", version=1).json()["version"]
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: mei.post(f"/reviews/{review_id}/approve", version=version), range(10)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 9
    assert len(rows(database, outbound)) == 1


def test_when_the_customer_writes_again_the_old_version_is_refused(
    services: bootstrap.Services, database: Database, mei: Caller
) -> None:
    review_id = held(services)
    version = mei.post(f"/reviews/{review_id}/claim", version=1).json()["version"]
    desk.say(services, "等等,不是这个订单")
    answer = mei.post(f"/reviews/{review_id}/approve", version=version)
    assert answer.status_code == 409
    assert answer.json()["error"]["type"] == "conflict"
    assert rows(database, outbound) == []
    assert len(mei.get(f"/reviews/{review_id}").json()["messages"]) == 2


# What nobody may do


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer wrong", "Basic bWVpOngK", "Bearer \xff", "bearer csb_" + "x" * 9000],
)
def test_without_a_right_token_nothing_is_shown(
    services: bootstrap.Services, site: httpx.Client, mei: Caller, header: str | None
) -> None:
    review_id = held(services)
    headers = {} if header is None else {"authorization": header.encode("latin-1")}
    for method, path in [
        ("GET", "/reviews"),
        ("GET", f"/reviews/{review_id}"),
        ("POST", f"/reviews/{review_id}/claim"),
    ]:
        answer = site.request(method, f"/api{path}", headers=headers)
        assert answer.status_code == 401
        assert answer.json()["error"]["type"] == "not_signed_in"
        assert "订单" not in answer.text


def test_every_route_of_the_api_asks_for_a_token(site: httpx.Client) -> None:
    from cs_bot.web.reviews_api import router

    assert len(router.routes) >= 14
    for route in router.routes:
        path = re.sub(r"{\w+}", "1", route.path)  # type: ignore[attr-defined]
        for method in route.methods:  # type: ignore[attr-defined]
            assert site.request(method, path).status_code == 401, (method, path)


def test_a_disabled_agent_is_out_at_once(site: httpx.Client, database: Database, mei: Caller) -> None:
    assert mei.get("/me").json() == {"agent_id": mei.agent_id, "name": "mei", "role": "agent"}
    with database.write() as tx:
        agents.change(tx, mei.agent_id, disabled_at=tx.now())
    assert mei.get("/me").status_code == 401


def test_many_wrong_tokens_have_to_wait_but_a_known_one_does_not(site: httpx.Client, mei: Caller) -> None:
    assert mei.get("/me").status_code == 200
    answers = [site.get("/api/me", headers={"authorization": f"Bearer guess{n}"}) for n in range(12)]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429] * 2
    assert int(answers[-1].headers["retry-after"]) > 0
    assert mei.get("/me").status_code == 200


def test_tokens_are_not_stored_as_they_are(database: Database, tmp_path: Path, mei: Caller) -> None:
    assert mei.token.encode() not in Path(database.engine.url.database or "").read_bytes()
    with sqlite3.connect(database.engine.url.database or "") as connection:
        [stored] = connection.execute("select token_sha256 from agents").fetchone()
    connection.close()
    assert len(stored) == 64
    assert len(mei.token) >= 43


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/reviews/{id}/approve", {}),
        ("/reviews/{id}/approve", {"version": "x"}),
        ("/reviews/{id}/approve", {"version": 2**40}),
        ("/reviews/{id}/approve", {"version": 1, "extra": 1}),
        ("/reviews/{id}/edit", {"version": 1}),
        ("/reviews/{id}/edit", {"version": 1, "text": ""}),
        ("/reviews/{id}/edit", {"version": 1, "text": "x" * 5001}),
        ("/reviews/{id}/reject", {"version": 1}),
        ("/reviews/{id}/reassign", {"version": 1, "to_agent_id": 2**70}),
        ("/reviews/0/approve", {"version": 1}),
        ("/reviews/99999999999999999999/approve", {"version": 1}),
        ("/reviews/x/approve", {"version": 1}),
    ],
)
def test_a_wrong_body_is_422_and_says_where(
    services: bootstrap.Services, mei: Caller, path: str, body: dict[str, Any]
) -> None:
    answer = mei.post(path.format(id=held(services)), **body)
    assert answer.status_code == 422
    assert answer.json()["error"]["type"] == "invalid"
    assert answer.json()["error"]["message"]


def test_what_is_not_there_is_404_and_what_is_not_yours_is_409(services: bootstrap.Services, mei: Caller) -> None:
    assert mei.get("/reviews/4711").status_code == 404
    assert mei.post("/reviews/4711/claim", version=1).status_code == 404
    assert mei.post("/conversations/4711/give-back").status_code == 404
    assert mei.post(f"/reviews/{held(services)}/approve", version=1).status_code == 409


def test_text_with_nul_and_lone_surrogates_can_be_sent(
    services: bootstrap.Services, site: httpx.Client, mei: Caller
) -> None:
    review_id = held(services)
    version = mei.post(f"/reviews/{review_id}/claim", version=1).json()["version"]
    answer = site.post(
        f"/api/reviews/{review_id}/edit",
        content=b'{"version": %d, "text": "a\\u0000b \\ud800 c"}' % version,
        headers={"authorization": f"Bearer {mei.token}", "content-type": "application/json"},
    )
    assert answer.status_code == 200


# The pages


@pytest.fixture
def browser(site: httpx.Client, mei: Caller) -> Iterator[Browser]:
    one = Browser(site)
    assert one.post("/login", token=mei.token).status_code == 200
    yield one
    one.client.close()


def test_without_a_session_every_page_leads_to_the_sign_in(site: httpx.Client) -> None:
    for path in ("/review", "/review/1", "/review/queue"):
        answer = site.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert site.get(f"/media/{'0' * 64}.jpg").status_code == 401
    assert site.get("/", follow_redirects=False).headers["location"] == "/review"


def test_a_wrong_token_shows_the_form_again(site: httpx.Client) -> None:
    one = Browser(site)
    answer = one.post("/login", token="csb_wrong")
    assert answer.status_code == 401
    assert "令牌不正确" in answer.text
    one.client.close()


def test_the_session_cookie_is_guarded(site: httpx.Client, mei: Caller, services: bootstrap.Services) -> None:
    answer = site.post("/login", data={"token": mei.token}, headers={"origin": str(site.base_url).rstrip("/")})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert mei.token.lower() not in cookie
    key = services.settings.home / "secret.key"
    assert key.stat().st_mode & 0o777 == 0o600


def test_a_forged_or_outdated_session_is_refused(
    site: httpx.Client, database: Database, browser: Browser, mei: Caller
) -> None:
    assert browser.get("/review").status_code == 200
    cookie = browser.client.cookies["csbot_session"]
    other = "A" if cookie[-10] != "A" else "B"  # the very last characters hold bits that base64 ignores
    for wrong in (cookie[:-10] + other + cookie[-9:], "x", "", cookie.replace(".", "..", 1)):
        assert site.get("/review", headers={"cookie": f"csbot_session={wrong}"}).status_code == 303
    with database.write() as tx:
        agents.change(tx, mei.agent_id, token_sha256="f" * 64)
    assert browser.get("/review").status_code == 303


@pytest.mark.parametrize(
    "headers", [{"origin": "https://evil.example"}, {"origin": "null"}, {}, {"sec-fetch-site": "cross-site"}]
)
def test_writes_from_elsewhere_are_refused(
    services: bootstrap.Services, database: Database, browser: Browser, headers: dict[str, str]
) -> None:
    review_id = held(services)
    for path in (f"/review/{review_id}/claim", f"/review/{review_id}/renew", "/logout", "/login", "/language"):
        answer = browser.client.post(path, data={"version": "1", "token": "x", "to": "en"}, headers=headers)
        assert answer.status_code == 403, path
    assert browser.get("/review").status_code == 200


def test_an_agent_answers_on_the_pages(services: bootstrap.Services, database: Database, browser: Browser) -> None:
    review_id = held(services, reasons=(Reason.NUMBER_UNSURE, Reason.MODE_ASSIST))
    queue = browser.get("/review").text
    assert "我的订单到哪了?" in queue
    assert "订单号不确定" in queue
    page = browser.get(f"/review/{review_id}")
    assert desk.DRAFT in page.text
    assert "readonly" in page.text
    page = browser.post(f"/review/{review_id}/claim", version=version_in(page))
    assert "已由您领取" in page.text
    assert "readonly" not in page.text
    page = browser.post(f"/review/{review_id}/send", version=version_in(page), text="赔您 77 元", note="")
    assert "77" in page.text
    assert "不在任何依据中" in page.text
    assert "77" not in browser.get("/review").text  # said once
    [row] = rows(database, outbound)
    assert row["text"] == "赔您 77 元"
    assert [j["verdict"] for j in rows(database, judgements)] == ["edit"]


def test_sending_the_draft_unchanged_is_an_approval(
    services: bootstrap.Services, database: Database, browser: Browser
) -> None:
    review_id = held(services, draft="两行\n回复")
    page = browser.post(f"/review/{review_id}/claim", version="1")
    browser.post(f"/review/{review_id}/send", version=version_in(page), text="两行\r\n回复")
    assert [j["verdict"] for j in rows(database, judgements)] == ["approve"]


@pytest.mark.parametrize(
    ("action", "form", "outcome"),
    [
        ("reject", {"text": "自己的回复", "note": "错了"}, "rejected"),
        ("dismiss", {"note": "广告"}, "dismissed"),
        ("hand-over", {"note": "vip"}, "handed_over"),
    ],
)
def test_every_way_to_end_a_review_has_a_button(
    services: bootstrap.Services, database: Database, browser: Browser, action: str, form: dict[str, str], outcome: str
) -> None:
    review_id = held(services)
    page = browser.post(f"/review/{review_id}/claim", version="1")
    assert f"/review/{review_id}/{action}" in page.text
    browser.post(f"/review/{review_id}/{action}", version=version_in(page), **form)
    from cs_bot import review

    assert review.get(database, review_id).outcome == outcome
    if action == "hand-over":
        page = browser.get(f"/review/{review_id}")
        assert browser.post(f"/review/{review_id}/give-back", version=version_in(page)).status_code == 200


def test_rejecting_the_draft_only_keeps_the_review_and_release_gives_it_back(
    services: bootstrap.Services, browser: Browser
) -> None:
    review_id = held(services)
    page = browser.post(f"/review/{review_id}/claim", version="1")
    page = browser.post(f"/review/{review_id}/discard", version=version_in(page), text=desk.DRAFT, note="")
    assert desk.DRAFT not in page.text
    page = browser.post(f"/review/{review_id}/release", version=version_in(page))
    assert "已放回队列" in page.text
    assert browser.post(f"/review/{review_id}/renew").status_code == 409


def test_when_somebody_was_faster_the_typed_text_is_kept(
    services: bootstrap.Services, database: Database, browser: Browser
) -> None:
    review_id = held(services)
    page = browser.post(f"/review/{review_id}/claim", version="1")
    desk.say(services, "还有一个问题")
    page = browser.post(f"/review/{review_id}/send", version=version_in(page), text="我打的字 <b>")
    assert "我打的字 &lt;b&gt;" in page.text
    assert "还有一个问题" in page.text
    assert "您的文字已保留" in page.text
    assert rows(database, outbound) == []


def test_words_of_customers_are_text_and_never_markup(services: bootstrap.Services, browser: Browser) -> None:
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{7*7}}"
    desk.say(services, evil, customer={"id": "u1", "name": evil})
    review_id = desk.hold(services, draft=evil)
    for path in ("/review", f"/review/{review_id}", "/review/queue"):
        text = browser.get(path).text
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert "49" not in re.sub(r"[\w/.?=&;-]*v=\w+|data-due=\"\d+\"|\d+:\d\d", "", text)


def test_pictures_are_for_signed_in_agents_only(
    services: bootstrap.Services, site: httpx.Client, database: Database, browser: Browser, mei: Caller
) -> None:
    desk.say(services, "看图", attachments=[{"url": desk.a_picture()}])
    review_id = desk.hold(services)
    [row] = rows(database, pictures)
    path = f"/media/{row['sha256']}.jpg"
    assert path in browser.get(f"/review/{review_id}").text
    answer = browser.get(path)
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.content[:3] == b"\xff\xd8\xff"
    assert answer.headers["cache-control"].startswith("private")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert site.get(path, headers={"authorization": f"Bearer {mei.token}"}).status_code == 200
    assert site.get(path).status_code == 401
    assert browser.get(f"/media/{'0' * 64}.jpg").status_code == 404
    for odd in ("/media/x.jpg", "/media/..%2f..%2fetc%2fpasswd.jpg", f"/media/{row['sha256'].upper()}.jpg"):
        assert browser.get(odd).status_code in (404, 422)


def test_pages_speak_the_visitors_language_and_remember_the_choice(site: httpx.Client, mei: Caller) -> None:
    for asked, words in [
        ("zh-CN,en;q=0.5", "退出"),
        ("en-US", "Sign out"),
        ("fr, en;q=0.8, zh;q=0.9", "退出"),
        ("", "退出"),
    ]:
        one = Browser(site, **{"accept-language": asked})
        one.post("/login", token=mei.token)
        assert words in one.get("/review").text
        one.post("/language", to="en", back="//evil.example/x")
        assert "Sign out" in one.get("/review").text
        one.client.close()


def test_a_page_that_is_not_there_says_so_in_words(browser: Browser) -> None:
    answer = browser.get("/review/4711")
    assert answer.status_code == 404
    assert "没有这个页面" in answer.text
    assert browser.get("/review?show=nonsense").status_code == 422
    assert browser.get("/review?kind=&show=free").status_code == 200
    assert browser.get("/review?kind=order&show=mine").status_code == 200


def test_pages_load_nothing_from_elsewhere_and_have_no_inline_code(
    services: bootstrap.Services, browser: Browser
) -> None:
    review_id = held(services)
    browser.post(f"/review/{review_id}/claim", version="1")
    for path in ("/review", f"/review/{review_id}", "/login"):
        text = browser.get(path).text
        assert re.findall(r'(?:src|href|action)="(?!/)', text) == []
        assert "style=" not in text
        assert re.search(r"\son\w+=", text) is None
        for asset in re.findall(r'(?:src|href)="(/static/[^"]+)"', text):
            assert browser.get(asset).status_code == 200


def test_both_languages_have_the_same_words_and_every_reason_has_some() -> None:
    import json

    from cs_bot.records import Kind, OrderStatus
    from cs_bot.web import words

    zh, en = (json.loads((words.FOLDER / f"{lang}.json").read_text()) for lang in words.LANGUAGES)
    assert zh.keys() == en.keys()
    assert {f"reason.{reason}" for reason in Reason} <= zh.keys()
    assert {f"kind.{kind}" for kind in Kind} <= zh.keys()
    assert {f"status.{status}" for status in OrderStatus} <= zh.keys()
    for key in zh:
        assert re.findall(r"{\w+}", zh[key]) == re.findall(r"{\w+}", en[key]), key
