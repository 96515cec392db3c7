"""The engine `openai` through the whole flow: what it reads is a key, what it writes is judged, lite stands behind."""

import json
from typing import Any

import pytest

from cs_bot.demo.shop import ACCOUNT as DEMO
from cs_bot.demo.shop import DATA, load_demo_data, load_shop
from cs_bot.store.database import Database
from tests.commands import Run
from tests.contracts.openai_fake import CHECKPOINT, ORDER, FakeServer, of_kind, serving
from tests.services import free_port

OWN = load_shop().order("en-shipped")
PAGE = str(DATA / "pictures" / "en-shipped.png")
TOTAL = sum(item.price * item.quantity for item in OWN.items) + OWN.shipping - OWN.discount
READ = {**ORDER, "order_id": OWN.order_id, "amount": str(TOTAL), "currency": OWN.currency, "order_time": "unreadable"}
KEY = "sk-CANARY-KEY-0123456789"


def use(monkeypatch: pytest.MonkeyPatch, fake: FakeServer, **more: str) -> None:
    """Set the environment so that commands use the server."""
    values = {"NAME": "openai", "URL": fake.url, "CHECKPOINT": CHECKPOINT, "FALLBACK": "", **more}
    for name, value in values.items():
        monkeypatch.setenv(f"CSBOT_ENGINE__{name}", value)


def ask(run: Run, question: str = "Where is my order?", customer: str = OWN.customer.id) -> dict[str, Any]:
    done = run("ask", question, "--image", PAGE, "--account", DEMO, "--customer", customer, "--json")
    shown: dict[str, Any] = json.loads(done.out)
    return shown


def test_an_order_page_read_twice_is_proven_by_the_record(
    run: Run, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_demo_data(sqlite_database)
    with serving(says=of_kind("order", READ)) as fake:
        use(monkeypatch, fake)
        own = ask(run)
        assert own["decision"]["action"] == "send"
        assert own["draft"]["engine"] == "templates", "a proven order keeps its template"
        assert own["reading"]["looks"][0]["engine"] == "openai"
        foreign = ask(run, customer="somebody-else")
        assert foreign["decision"]["action"] == "review"
        assert foreign["facts"]["order"] is None
        assert OWN.tracking_no not in json.dumps(foreign)


@pytest.mark.parametrize(
    "forged",
    [{"order_id": "38063"}, {"amount": "1.00"}, {"order_id": "unreadable"}, {"several_orders": True}],
)
def test_a_page_that_does_not_fit_the_record_is_not_answered(
    run: Run, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch, forged: dict[str, Any]
) -> None:
    load_demo_data(sqlite_database)
    with serving(says=of_kind("order", {**READ, **forged})) as fake:
        use(monkeypatch, fake)
        assert ask(run)["decision"]["action"] == "review"


def test_a_number_that_was_read_once_only_is_no_key(
    run: Run, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_demo_data(sqlite_database)
    with serving(says=of_kind("order", READ), behaviours=["", "", "prose", "prose"]) as fake:
        use(monkeypatch, fake)
        shown = ask(run)
    assert shown["decision"]["action"] == "review"
    assert shown["facts"]["order"] is None


def test_its_words_stand_where_they_state_nothing_and_the_templates_where_they_do(
    run: Run, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_demo_data(sqlite_database)
    reply = {"text": "I will look into it for you."}
    with serving(
        says=lambda a: json.dumps({"reply": reply["text"]}) if a.task == "answer" else of_kind("scene")(a)
    ) as fake:
        use(monkeypatch, fake)
        good = ask(run, "Does this match?")
        assert (good["draft"]["engine"], good["draft"]["text"]) == ("openai", reply["text"])
        assert good["decision"]["action"] == "review", "an engine's words wait for a person until they are calibrated"
        reply["text"] = "Yes, it is in stock and arrives tomorrow."
        bad = ask(run, "Does this match?")
        assert bad["draft"]["engine"] == "templates"
        assert "tomorrow" not in bad["draft"]["text"]


@pytest.mark.ocr
def test_with_the_server_away_lite_answers_and_says_so(
    run: Run, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_demo_data(sqlite_database)
    use(monkeypatch, FakeServer(port=free_port()), FALLBACK="lite")
    shown = ask(run)
    assert shown["reading"]["looks"][0]["engine"] == "lite"
    assert shown["decision"]["action"] == "send"


def test_read_shows_what_the_server_sees(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(says=of_kind("order", READ)) as fake:
        use(monkeypatch, fake)
        line = json.loads(run("read", PAGE, "--json").out)
    assert line["kind"] == "order"
    assert line["fields"]["order_id"] == OWN.order_id


@pytest.mark.usefixtures("with_account")
def test_doctor_asks_the_server_what_it_serves(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(key=KEY) as fake:
        use(monkeypatch, fake, API_KEY=KEY)
        assert f"serves {CHECKPOINT}" in run("doctor").out
        monkeypatch.setenv("CSBOT_ENGINE__CHECKPOINT", "Qwen/typo")
        wrong = run("doctor")
        monkeypatch.setenv("CSBOT_ENGINE__API_KEY", "sk-wrong-CANARY")
        refused = run("doctor")
    away = run("doctor")
    for done, words in ((wrong, CHECKPOINT), (refused, "CSBOT_ENGINE__API_KEY"), (away, "CSBOT_ENGINE__URL")):
        (line,) = [line for line in done.out.splitlines() if line.startswith("bad") and "engine" in line]
        assert words in line
        assert done.code == 1
        assert "CANARY" not in done.out


@pytest.mark.usefixtures("with_account")
def test_doctor_says_that_an_address_is_missing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CSBOT_ENGINE", "openai")
    done = run("doctor")
    assert done.code == 1
    assert "engine 'openai' needs CSBOT_ENGINE__URL" in done.out
