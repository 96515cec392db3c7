"""read, ask, replay: what pictures show and what would be done, with nothing stored and nothing sent."""

import json
from pathlib import Path

import pytest
from sqlalchemy import select

from cs_bot import pipeline
from cs_bot.demo.shop import ACCOUNT as DEMO
from cs_bot.demo.shop import DATA, load_demo_data, load_shop
from cs_bot.records import ORDER_FIELDS, Kind
from cs_bot.store import tables
from cs_bot.store.database import Database
from cs_bot.testing import ScriptedVision, a_look
from tests.commands import FAQ, Run, count
from tests.desk import say
from tests.web import services_on

OWN_ORDER = load_shop().order("en-shipped")


def written(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


@pytest.mark.ocr
def test_read_prints_one_json_line_a_picture_whatever_it_is(run: Run, tmp_path: Path) -> None:
    page = DATA / "pictures" / "en-shipped.png"
    text = written(tmp_path, "text.png", "this is no picture")
    done = run("read", str(page), text, "--json")
    assert done.code == 0
    good, bad = [json.loads(line) for line in done.out.splitlines()]
    assert list(good) == ["file", "kind", "kinds", "fields", "states", "seconds"]
    assert list(good["fields"]) == list(good["states"]) == list(ORDER_FIELDS)
    assert (good["file"], good["kind"]) == (str(page), "order")
    assert set(good["kinds"]) <= {kind.value for kind in Kind}
    assert sum(good["kinds"].values()) == pytest.approx(1, abs=0.01)
    assert good["fields"]["order_id"] == OWN_ORDER.order_id
    assert isinstance(good["fields"]["amount"], str)
    assert good["fields"]["status"] == "shipped"
    assert set(good["states"].values()) <= {"read", "confirm", "unreadable"}
    for name, state in good["states"].items():
        assert (good["fields"][name] is not None) == (state == "read")
    assert good["seconds"] > 0
    assert bad["file"] == text
    assert bad["error"]
    assert bad["kind"] is None
    assert set(good) <= set(bad), "a reader of the lines finds the same keys in each"


def test_read_without_json_is_for_people(run: Run, tmp_path: Path) -> None:
    done = run("read", written(tmp_path, "text.png", "this is no picture"))
    assert done.code == 0
    assert "error" in done.out


def test_an_engine_nobody_knows_names_the_known_ones(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    page = str(DATA / "pictures" / "en-shipped.png")
    done = run("read", page, "--engine", "crystal-ball")
    assert done.code == 2
    assert "unknown engine 'crystal-ball'; known: lite" in done.err
    monkeypatch.setenv("CSBOT_ENGINE", "crystal-ball")
    assert "known: lite" in run("ask", "--image", page).err


def test_ask_shows_what_would_happen_and_stores_nothing(run: Run, tmp_path: Path, sqlite_database: Database) -> None:
    run("faq", "import", written(tmp_path, "faq.jsonl", FAQ))
    before = {
        table.name: count(sqlite_database, table) for table in tables.metadata.sorted_tables if table.name != "policies"
    }
    done = run("ask", "怎么开发票?")
    assert done.code == 0
    assert "kind      text" in done.out
    assert "decision  review: " in done.out
    assert "在订单页申请" in done.out
    shown = json.loads(run("ask", "怎么开发票?", "--json").out)
    assert set(shown) == {"reading", "facts", "draft", "decision", "stages"}
    assert set(shown["stages"]) == set(pipeline.STAGES)
    assert {name: count(sqlite_database, tables.metadata.tables[name]) for name in before} == before


def test_ask_needs_something_to_ask(run: Run) -> None:
    done = run("ask")
    assert done.code == 2
    assert "give a question, a picture (--image), or both" in done.err


def test_ask_about_a_file_that_is_no_picture_is_one_line(run: Run, tmp_path: Path) -> None:
    done = run("ask", "--image", written(tmp_path, "text.png", "no picture"))
    assert done.code == 1
    assert done.err.count("\n") == 1


@pytest.mark.ocr
def test_ask_answers_the_owner_of_an_order_and_nobody_else(run: Run, sqlite_database: Database) -> None:
    load_demo_data(sqlite_database)
    page = str(DATA / "pictures" / "en-shipped.png")
    asked = ("ask", "Where is my order?", "--image", page, "--account", DEMO, "--json", "--customer")
    own = json.loads(run(*asked, OWN_ORDER.customer.id).out)
    assert own["decision"]["action"] == "send"
    assert own["decision"]["route"] == "proof"
    assert own["facts"]["order"]["order_id"] == OWN_ORDER.order_id
    foreign = json.loads(run(*asked, "somebody-else").out)
    assert foreign["decision"]["action"] == "review"
    assert foreign["facts"]["order"] is None


def test_replay_shows_then_and_now(
    run: Run, tmp_path: Path, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = services_on(sqlite_database, tmp_path / "home", turns={"quiet_s": 0.0})
    services._vision = ScriptedVision(default=a_look(kind=Kind.PRODUCT))
    say(services, "怎么开发票?")
    assert pipeline.answer_due(services.parts(), ring=services.ring)
    with sqlite_database.read() as tx:
        turn_id = tx.value(select(tables.turns.c.id))
    run("faq", "import", written(tmp_path, "faq.jsonl", FAQ))
    before = {table.name: count(sqlite_database, table) for table in tables.metadata.sorted_tables}
    done = run("replay", str(turn_id))
    assert done.code == 0
    then, *now = done.out.splitlines()
    assert then.startswith("then: review text/")
    assert "/faq" not in then
    assert any("在订单页申请" in line for line in now), "today there is an answer"
    shown = json.loads(run("replay", str(turn_id), "--json").out)
    assert shown["then"]["reasons"]
    assert {table.name: count(sqlite_database, table) for table in tables.metadata.sorted_tables} == before


def test_a_turn_that_is_not_there_is_one_line(run: Run) -> None:
    done = run("replay", "4711")
    assert done.code == 1
    assert "there is no turn 4711" in done.err
