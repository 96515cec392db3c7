"""Shadow mode: the draft is nowhere before the agent has answered; then it is judged beside the agent's own answer."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from cs_bot import bootstrap, calibration, pipeline, review
from cs_bot.evaluate import save_case
from cs_bot.knowledge.faq import search_column
from cs_bot.records import Action, Faq, FaqHit, Kind, Mode, Policy, Reason, Route
from cs_bot.settings import AccountSettings, TurnSettings
from cs_bot.store.database import Database
from cs_bot.store.queries import faq, policies
from cs_bot.store.tables import drafts, judgements, outbound, review_history
from cs_bot.testing import RecordingChannel, ScriptedVision
from cs_bot.web.metrics import exposition
from tests import desk, web
from tests.makers import faq_in
from tests.web import Browser, Caller, version_in

SHADOW: dict[str, Any] = {"mode": Mode.SHADOW, "reasons": (Reason.MODE_SHADOW,), "eligible": True}
OFF: dict[str, Any] = {"mode": Mode.OFF, "reasons": (Reason.MODE_OFF,)}
OWN = "亲,包裹在路上啦"
SECRET_ANSWER = "满 99 元包邮"


@pytest.fixture
def mei(site: httpx.Client, database: Database) -> Caller:
    return Caller(site, database)


@pytest.fixture
def browser(site: httpx.Client, mei: Caller) -> Iterator[Browser]:
    one = Browser(site)
    assert one.post("/login", token=mei.token).status_code == 200
    yield one
    one.client.close()


def faq_hit() -> FaqHit:
    entry = Faq(faq_id="f", language="zh", question="包邮吗", answer=SECRET_ANSWER, updated_at=datetime.now(UTC))
    return FaqHit(faq=entry, score=0.77, margin=0.5)


def held(services: bootstrap.Services, conversation: str = "c1", **decision: Any) -> int:
    desk.say(services, conversation_id=conversation)
    return desk.hold(services, **(decision or SHADOW), faq=(faq_hit(),))


def rows(database: Database, table: Any) -> list[Any]:
    with database.read() as tx:
        return list(tx.rows(select(table).order_by(table.c.id)))


def answer(mei: Caller, review_id: int, text: str = OWN) -> Any:
    """Claim and answer; the card that comes back."""
    version = mei.post(f"/reviews/{review_id}/claim", version=1).json()["version"]
    done = mei.post(f"/reviews/{review_id}/edit", version=version, text=text)
    assert done.status_code == 200, done.text
    return done.json()


@pytest.mark.parametrize("decision", [SHADOW, OFF], ids=["shadow", "off"])
def test_the_draft_is_in_no_page_and_no_json_before_the_agent_has_answered(
    services: bootstrap.Services, mei: Caller, browser: Browser, decision: dict[str, Any]
) -> None:
    review_id = held(services, **decision)
    shown = [browser.get("/review"), browser.get(f"/review/{review_id}"), browser.get("/review/queue")]
    shown += [mei.get("/reviews"), mei.get(f"/reviews/{review_id}")]
    claimed = mei.post(f"/reviews/{review_id}/claim", version=1)
    shown += [claimed, browser.get(f"/review/{review_id}")]
    for page in shown:
        assert page.status_code == 200
        for hidden in (desk.DRAFT, "已发货。", SECRET_ANSWER, "0.77", "77%"):
            assert hidden not in page.text
    card = claimed.json()
    assert (card["draft"], card["draft_hidden"], card["shadow"]) == (None, True, None)
    assert card["messages"][0]["text"] == "我的订单到哪了?"
    assert card["facts"]["order"]["order_id"] == "20268633688652"  # records are shown
    assert "20268633688652" in shown[-1].text
    assert "看不到机器人的草稿" in shown[-1].text


def test_an_unseen_draft_can_neither_be_sent_nor_rejected(
    services: bootstrap.Services, database: Database, mei: Caller, browser: Browser
) -> None:
    review_id = held(services)
    version = mei.post(f"/reviews/{review_id}/claim", version=1).json()["version"]
    tries = [
        mei.post(f"/reviews/{review_id}/approve", version=version),
        mei.post(f"/reviews/{review_id}/reject", version=version, reason="no"),
        mei.post(f"/reviews/{review_id}/reject", version=version, reason="no", text=OWN),
    ]
    assert [one.status_code for one in tries] == [409, 409, 409]
    assert all(desk.DRAFT not in one.text and "hidden" in one.text for one in tries)
    page = browser.get(f"/review/{review_id}").text
    assert f"/review/{review_id}/reject" not in page
    assert f"/review/{review_id}/discard" not in page
    assert (rows(database, outbound), rows(database, judgements)) == ([], [])


def test_after_the_answer_both_are_kept_and_one_click_says_whether_the_bot_was_right(
    services: bootstrap.Services, database: Database, mei: Caller
) -> None:
    review_id = held(services)
    card = answer(mei, review_id)
    assert (card["outcome"], card["draft"]["text"], card["draft_hidden"]) == ("answered", desk.DRAFT, False)
    assert card["shadow"] == {"answer": OWN, "right": None}
    assert [row["text"] for row in rows(database, outbound)] == [OWN]
    [kept] = rows(database, judgements)
    assert (kept["verdict"], kept["right"], kept["counts"], kept["text"]) == ("shadow", None, True, OWN)
    assert kept["draft_id"] is not None
    assert kept["distance"] > 0.2
    assert [one["review_id"] for one in mei.get("/shadows").json()["reviews"]] == [review_id]
    judged = mei.post(f"/reviews/{review_id}/shadow", right=False)
    assert judged.json()["shadow"] == {"answer": OWN, "right": False}
    assert mei.post(f"/reviews/{review_id}/shadow", right=True).status_code == 409
    assert mei.get("/shadows").json() == {"reviews": []}
    assert rows(database, judgements)[0]["right"] is False
    assert [(row["action"], row["agent_id"]) for row in rows(database, review_history)][-1] == (
        "shadow_judged",
        mei.agent_id,
    )


def test_the_very_same_words_need_no_click(services: bootstrap.Services, database: Database, mei: Caller) -> None:
    card = answer(mei, held(services), text=f" {desk.DRAFT}\n")
    assert card["shadow"]["right"] is True
    assert mei.get("/shadows").json() == {"reviews": []}
    assert mei.post(f"/reviews/{card['review_id']}/shadow", right=False).status_code == 409
    assert rows(database, judgements)[0]["right"] is True


def test_a_colleague_sees_mine_only_when_asking_for_all_and_may_judge_it(
    services: bootstrap.Services, database: Database, site: httpx.Client, mei: Caller
) -> None:
    review_id = held(services)
    answer(mei, review_id)
    li = Caller(site, database, "li")
    assert li.get("/shadows").json() == {"reviews": []}
    assert len(li.get("/shadows?whose=all").json()["reviews"]) == 1
    assert li.post(f"/reviews/{review_id}/shadow", right=True).status_code == 200


def test_what_was_not_answered_beside_a_hidden_draft_has_nothing_to_judge(
    services: bootstrap.Services, mei: Caller
) -> None:
    desk.say(services)
    seen = desk.hold(services)
    assert mei.post(f"/reviews/{seen}/shadow", right=True).status_code == 404
    assert mei.post("/reviews/4711/shadow", right=True).status_code == 404
    assert mei.post(f"/reviews/{seen}/shadow", right="maybe").status_code == 422
    desk.say(services, conversation_id="c2")
    none = desk.hold(services, **{**SHADOW, "eligible": False}, draft=None)
    card = answer(mei, none)
    assert (card["outcome"], card["shadow"]) == ("answered", None)


def test_where_the_bot_is_off_an_answer_judges_nothing_and_the_draft_stays_hidden(
    services: bootstrap.Services, database: Database, mei: Caller
) -> None:
    card = answer(mei, held(services, **OFF), text=desk.DRAFT)
    assert (card["draft"], card["draft_hidden"], card["shadow"]) == (None, True, None)
    [kept] = rows(database, judgements)
    assert (kept["verdict"], kept["right"], kept["counts"], kept["draft_id"]) == ("edit", None, False, None)


def test_handing_over_gives_no_hidden_draft_away(services: bootstrap.Services, database: Database, mei: Caller) -> None:
    review_id = held(services)
    version = mei.post(f"/reviews/{review_id}/claim", version=1).json()["version"]
    done = mei.post(f"/reviews/{review_id}/hand-over", version=version, note="vip")
    assert (done.json()["draft"], done.json()["draft_hidden"]) == (None, True)
    [row] = rows(database, outbound)
    assert (row["kind"], row["text"]) == ("handoff", "")


def test_a_platforms_own_desk_gets_no_hidden_draft(database: Database, tmp_path: Path) -> None:
    account = AccountSettings(
        channel="generic", name="shop", secrets=("whsec_c2VjcmV0",), desk="platform", options={"reply_url": "https://x"}
    )
    services = web.services_on(database, tmp_path, turns=TurnSettings(quiet_s=0, wait_at_most_s=0))
    theirs = services.settings.model_copy(update={"accounts": (account,)})
    for place, (mode, text) in enumerate([(Mode.SHADOW, ""), (Mode.OFF, ""), (Mode.ASSIST, desk.DRAFT)]):
        desk.say(services, conversation_id=f"c{place}")
        services.settings = theirs
        with pytest.raises(ValueError, match="empty"):  # no review is opened
            desk.hold(services, mode=mode)
        services.settings = web.settings_for(tmp_path, turns=TurnSettings(quiet_s=0, wait_at_most_s=0))
        assert rows(database, outbound)[-1]["text"] == text


def test_the_pipeline_drafts_and_decides_in_shadow_and_sends_nothing(database: Database, tmp_path: Path) -> None:
    services = web.services_on(database, tmp_path, turns={"quiet_s": 0.0})
    services.channels["generic", "shop"] = RecordingChannel()
    services._vision = ScriptedVision()
    entry = faq_in("invoice", "怎么开发票", "在订单页申请。")
    with database.write() as tx:
        faq.save_many(tx, [(entry, search_column(entry))])
        policies.seed(tx, Policy())
    calibration.start(database, Policy(), (Kind.TEXT, Route.FAQ), Mode.SHADOW, by="owner")
    desk.say(services, "怎么开发票")
    assert pipeline.answer_due(services.parts(), ring=services.ring)
    [summary] = review.list_open(database)
    card = review.get(database, summary.review_id)
    assert (card.draft, card.draft_hidden, card.reasons) == (None, True, (Reason.MODE_SHADOW,))
    assert rows(database, outbound) == []
    [draft] = rows(database, drafts)
    assert "在订单页申请" in draft["draft"]["text"]
    assert "在订单页申请" not in card.model_dump_json()
    services.close()


def test_an_agent_answers_compares_and_clicks_on_the_pages(
    services: bootstrap.Services, database: Database, browser: Browser
) -> None:
    review_id = held(services)
    page = browser.post(f"/review/{review_id}/claim", version="1")
    page = browser.post(f"/review/{review_id}/send", version=version_in(page), text=OWN)
    assert "回复已进入发送队列" in page.text
    assert OWN in page.text
    assert desk.DRAFT in page.text
    assert "这条回复原样发出去,对吗?" in page.text
    queue = browser.get("/review").text
    assert "待与机器人对照的回复:1" in queue
    assert f'href="/review/{review_id}?show=all"' in queue
    page = browser.post(f"/review/{review_id}/right", version=version_in(browser.get(f"/review/{review_id}")))
    assert "机器人的回复是对的" in page.text
    assert "待与机器人对照" not in page.text
    assert rows(database, judgements)[0]["right"] is True
    late = browser.post(f"/review/{review_id}/wrong", version="9")
    assert "已判定" in late.text
    assert rows(database, judgements)[0]["right"] is True


def test_words_of_agents_and_drafts_are_text_and_never_markup(services: bootstrap.Services, browser: Browser) -> None:
    evil = "<script>alert(1)</script>"
    desk.say(services)
    review_id = desk.hold(services, **SHADOW, draft=evil)
    page = browser.post(f"/review/{review_id}/claim", version="1")
    page = browser.post(f"/review/{review_id}/send", version=version_in(page), text=f"{evil} 2")
    assert page.text.count("&lt;script&gt;") == 2
    assert "<script>alert" not in page.text


def test_what_is_forgotten_can_no_longer_be_judged(
    services: bootstrap.Services, database: Database, mei: Caller, browser: Browser
) -> None:
    review_id = held(services)
    answer(mei, review_id)
    with database.write() as tx:
        tx.execute(update(drafts).values(facts={"schema": 1}, forgotten_at=tx.now()))
    assert browser.get(f"/review/{review_id}").status_code == 200
    assert mei.get("/shadows").json() == {"reviews": []}
    with database.write() as tx:
        tx.execute(update(judgements).values(forgotten_at=tx.now(), text=None))
    assert mei.post(f"/reviews/{review_id}/shadow", right=True).status_code == 409
    assert mei.get(f"/reviews/{review_id}").json()["shadow"] == {"answer": "", "right": None}


def test_the_scrape_counts_shadow_judgements(services: bootstrap.Services, database: Database, mei: Caller) -> None:
    for place, right in enumerate([True, False, None]):
        review_id = held(services, f"c{place}")
        answer(mei, review_id)
        if right is not None:
            mei.post(f"/reviews/{review_id}/shadow", right=right)
    shown = exposition(database).decode().splitlines()
    for state in ("right", "wrong", "waiting"):
        assert f'csbot_shadow_judgements{{state="{state}"}} 1.0' in shown
    assert 'csbot_judgements{verdict="shadow"} 3.0' in shown


@pytest.mark.parametrize(("right", "action"), [(True, Action.SEND), (False, Action.REVIEW)])
def test_a_judged_shadow_becomes_a_case(
    services: bootstrap.Services, database: Database, mei: Caller, tmp_path: Path, right: bool, action: Action
) -> None:
    review_id = held(services)
    answer(mei, review_id)
    mei.post(f"/reviews/{review_id}/shadow", right=right)
    turn_id = rows(database, judgements)[0]["turn_id"]
    path = tmp_path / "cases.jsonl"
    case = save_case(database, services.media, turn_id, path, settings=services.settings, policy=services.policy())
    assert case.expect.contains == ((desk.DRAFT,) if right else ())
    assert case.expect.action == (None if right else action)
