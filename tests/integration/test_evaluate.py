"""Cases worked off through the real stages, a case made from a stored turn, a day replayed against another policy."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cs_bot import evaluate, fetch, pipeline, review
from cs_bot.bootstrap import Services
from cs_bot.errors import ConfigError, ImportRefused, NotFound
from cs_bot.receive import receive
from cs_bot.records import Action, FieldState, Kind, Mode, Policy, ReadField, Reason
from cs_bot.settings import Settings
from cs_bot.store import tables
from cs_bot.store.database import Database
from cs_bot.store.queries import agents, forgetting
from cs_bot.testing import ScriptedVision, a_look, shop_event, shop_message, shop_request
from tests.desk import a_picture
from tests.makers import faq_in, order_in
from tests.web import services_on

ORDER = {
    "order_id": ReadField(value="4021338819", state=FieldState.READ),
    "amount": ReadField(value="129.90", state=FieldState.READ),
}


def screen() -> ScriptedVision:
    """An engine that sees the order's page in every picture."""
    return ScriptedVision(default=a_look(kind=Kind.ORDER, fields=ORDER))


def case(case_id: str, text: str = "到哪了？", customer: str = "c1", **expect: Any) -> dict[str, Any]:
    return {"case_id": case_id, "text": text, "pictures": ["p.png"], "customer": {"id": customer}, "expect": expect}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A set of cases with an order, a question and a picture."""
    (tmp_path / "p.png").write_bytes(base64.b64decode(a_picture().partition(",")[2]))
    (tmp_path / "orders.jsonl").write_text(order_in().model_dump_json() + "\n", encoding="utf-8")
    (tmp_path / "faq.jsonl").write_text(faq_in("f1", "怎么开发票", "在订单页申请。").model_dump_json() + "\n", "utf-8")
    return tmp_path


def told(folder: Path, *cases: dict[str, Any]) -> evaluate.CaseSet:
    path = folder / "cases.jsonl"
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in cases), encoding="utf-8")
    return evaluate.load_cases(path)


def ran(cases: evaluate.CaseSet, **more: Any) -> list[evaluate.Verdict]:
    return [evaluate.judge(one) for one in evaluate.run_cases(cases, Settings(), vision=screen(), **more)]


def test_an_own_order_is_sent_and_somebody_elses_is_held(folder: Path) -> None:
    cases = told(
        folder,
        case("own", kind="order", action="send", contains=["4021338819"], fields={"order_id": "4021338819"}),
        case("foreign", customer="c2", action="review", without=["4021338819"]),
        {"case_id": "faq", "text": "怎么开发票", "expect": {"kind": "text", "contains": ["在订单页申请"]}},
    )
    verdicts = ran(cases)
    assert [verdict.problems for verdict in verdicts] == [(), (), ()]
    assert [verdict.action for verdict in verdicts] == ["right_send", "right_review", "right_review"]


def test_another_policy_counts_as_a_needless_review(folder: Path) -> None:
    held = Policy(modes={"*/*": Mode.ASSIST})
    [verdict] = ran(told(folder, case("own", action="send")), policy=held)
    assert (verdict.action, verdict.ok) == ("needless_review", False)


def test_a_picture_that_can_not_be_read_is_a_reason_and_one_that_is_not_there_an_error(folder: Path) -> None:
    (folder / "p.png").write_bytes(b"no picture")
    [verdict] = ran(told(folder, case("broken", action="review")))
    assert verdict.ran.decision is not None
    assert Reason.PICTURE_UNREADABLE in verdict.ran.decision.reasons
    (folder / "p.png").unlink()
    with pytest.raises(NotFound, match=r"p\.png"):
        ran(told(folder, case("gone")))


def test_records_that_can_not_be_read_are_refused_with_their_line(folder: Path) -> None:
    (folder / "orders.jsonl").write_text('{"order_id": "1"}\n', encoding="utf-8")
    with pytest.raises(ImportRefused, match="line 1"):
        ran(told(folder, case("own")))


def test_the_report_shows_figures_plots_and_the_failing_case_with_its_picture(folder: Path) -> None:
    cases = told(folder, case("own", action="send"), case("<b>bad</b>", action="review", contains=["refund"]))
    verdicts = ran(cases)
    found = evaluate.figures(verdicts, engine="scripted")
    evaluate.write_report(folder / "report.html", cases, verdicts, found, worse=["order: worse"])
    text = (folder / "report.html").read_text("utf-8")
    assert "&lt;b&gt;bad&lt;/b&gt;" in text
    assert "<b>bad" not in text
    assert "data:image/jpeg;base64," in text
    assert text.count("<svg") == 2
    assert "order: worse" in text
    assert "wrong send" in text


@pytest.fixture
def shop(sqlite_database: Database, tmp_path: Path) -> Iterator[Services]:
    services = services_on(sqlite_database, tmp_path / "shop", turns={"quiet_s": 0.0, "batch": 8})
    services._vision = screen()
    yield services
    services.close()


def say(shop: Services, kind: str, data: dict[str, Any]) -> None:
    known = {"channel": "generic", "account": "shop", "channels": shop.channels, "database": shop.database}
    receive(shop_request(shop_event(kind, data)), **known, ring=shop.ring, settings=shop.settings)  # type: ignore[arg-type]
    while fetch.fetch_next(shop.database, media=shop.media, settings=shop.settings, ring=shop.ring):
        pass


@pytest.fixture
def day(shop: Services) -> Services:
    """A day with one proven answer (turn 1) and one question in words (turn 2)."""
    say(shop, "order.upserted", {**order_in().model_dump(mode="json"), "customer_id": "u1"})
    say(shop, "message.created", shop_message("到哪了？", conversation_id="c1", attachments=[{"url": a_picture()}]))
    say(shop, "message.created", shop_message("你们几点下班？", conversation_id="c2"))
    while pipeline.answer_due(shop.parts(), ring=shop.ring):
        pass
    return shop


def replayed(shop: Services, *, looks_again: bool = False, policy: Policy | None = None) -> list[evaluate.Change]:
    with shop.database.read() as tx:
        now = tx.now()
    parts = replace(shop.parts(), policy=policy or shop.policy())
    hour = timedelta(hours=1)
    return evaluate.simulate(parts, now - hour, now + hour, looks_again=looks_again)


@pytest.mark.parametrize("looks_again", [False, True])
def test_a_day_replayed_without_a_change_comes_out_the_same_also_when_it_has_long_passed(
    day: Services, looks_again: bool
) -> None:
    assert [change.what for change in replayed(day, looks_again=looks_again)] == ["same", "same"]


def test_a_stricter_policy_would_hold_what_was_sent(day: Services) -> None:
    changes = replayed(day, policy=Policy(modes={"*/*": Mode.ASSIST}))
    assert [change.what for change in changes] == ["would_hold", "same"]
    assert changes[0].now is not None
    assert changes[0].now.reasons == (Reason.MODE_ASSIST,)
    assert evaluate.summary(changes) == {"same": 1, "other_text": 0, "would_send": 0, "would_hold": 1, "failed": 0}


def test_an_engine_that_sees_something_else_is_shown(day: Services, tmp_path: Path) -> None:
    day._vision = ScriptedVision(default=a_look(kind=Kind.SCENE))
    changes = replayed(day, looks_again=True)
    assert changes[0].what == "would_hold"
    evaluate.write_simulation(tmp_path / "day.html", changes, day="2026-11-20", what="another engine")
    assert "sent then, held now" in (tmp_path / "day.html").read_text("utf-8")


def test_who_has_taken_over_since_took_over_nothing_of_that_day(day: Services) -> None:
    say(day, "conversation.taken_by_human", {"conversation_id": "c1"})
    assert [change.what for change in replayed(day)] == ["same", "same"]


@pytest.fixture
def forgotten(day: Services) -> Services:
    """The day long after: words and pictures are older than their retention."""
    with day.database.write() as tx:
        forgetting.forget_drafts(tx, tables.drafts.c.id > 0)
        forgetting.let_go_of_pictures(tx, tables.picture_uses.c.id > 0)
    return day


@pytest.mark.parametrize("looks_again", [False, True])
def test_what_has_been_forgotten_is_not_judged_anew(forgotten: Services, looks_again: bool) -> None:
    changes = replayed(forgotten, looks_again=looks_again)
    assert [change.what for change in changes] == ["failed", "failed"]
    assert "older than its retention" in str(changes[0].problem)


def test_no_case_is_made_of_what_has_been_forgotten(forgotten: Services, tmp_path: Path) -> None:
    rules = {"settings": forgotten.settings, "policy": forgotten.policy()}
    with pytest.raises(NotFound, match="retention"):
        evaluate.save_case(forgotten.database, forgotten.media, 1, tmp_path / "c" / "c.jsonl", **rules)  # type: ignore[arg-type]
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize("name", ["../p.png", "/etc/passwd", "a\x00b", "."])
def test_a_picture_outside_the_folder_of_the_cases_is_not_read(folder: Path, name: str) -> None:
    (folder / "set").mkdir()
    for kept in ("orders.jsonl", "faq.jsonl"):
        (folder / "set" / kept).write_bytes((folder / kept).read_bytes())
    cases = told(folder / "set", {**case("out"), "pictures": [name]})
    with pytest.raises(NotFound, match="not there"):
        ran(cases)


def test_a_turn_outside_the_day_is_not_in_it(day: Services) -> None:
    with day.database.read() as tx:
        now = tx.now()
    assert evaluate.simulate(day.parts(), now + timedelta(days=1), now + timedelta(days=2), looks_again=False) == []


def test_a_turn_becomes_a_case_that_runs_with_its_records(day: Services, tmp_path: Path) -> None:
    path = tmp_path / "saved" / "cases.jsonl"
    saved = evaluate.save_case(day.database, day.media, 1, path, settings=day.settings, policy=day.policy())
    assert (saved.case_id, saved.expect.kind, saved.expect.action) == ("turn-1", Kind.ORDER, Action.SEND)
    assert "129.90" in (path.parent / "orders.jsonl").read_text("utf-8")
    [verdict] = ran(evaluate.load_cases(path))
    assert verdict.problems == ()
    assert verdict.action == "right_send"
    with pytest.raises(ConfigError, match="already"):
        evaluate.save_case(day.database, day.media, 1, path, settings=day.settings, policy=day.policy())
    with pytest.raises(NotFound):
        evaluate.save_case(day.database, day.media, 99, path, settings=day.settings, policy=day.policy())


def test_a_saved_case_holds_no_phone_of_what_was_written(day: Services, tmp_path: Path) -> None:
    say(day, "message.created", shop_message("我的手机号 13800138000，你们几点下班？", conversation_id="c3"))
    assert pipeline.answer_due(day.parts(), ring=day.ring)
    path = tmp_path / "c.jsonl"
    evaluate.save_case(day.database, day.media, 3, path, settings=day.settings, policy=day.policy())
    assert "13800138000" not in path.read_text("utf-8")
    assert "几点下班" in path.read_text("utf-8")


def test_what_a_person_did_with_the_draft_is_what_is_expected(day: Services, tmp_path: Path) -> None:
    with day.database.write() as tx:
        agent_id = agents.add(tx, name="mei", role="agent", token_sha256="0" * 64)
    [open_one] = review.list_open(day.database)
    rules = day.settings.review
    card = review.claim(day.database, open_one.review_id, agent_id=agent_id, version=open_one.version, rules=rules)
    review.edit(
        day.database, card.review_id, agent_id=agent_id, version=card.version, text="晚上九点下班，欢迎。", rules=rules
    )
    saved = evaluate.save_case(
        day.database, day.media, 2, tmp_path / "c.jsonl", settings=day.settings, policy=day.policy()
    )
    assert (saved.expect.action, saved.expect.contains) == (Action.REVIEW, ())
