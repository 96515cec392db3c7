"""Log lines hold ids only, stages are timed whatever happens."""

import io
import json
import logging
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cs_bot import observe
from cs_bot.observe import JsonLines, StageRow, mask, stage


def line(
    message: str, *args: object, extra: dict[str, object] | None = None, error: BaseException | None = None
) -> dict:
    """One formatted record, parsed again."""
    record = logging.LogRecord("cs_bot.x", logging.INFO, __file__, 1, message, args, None)
    vars(record).update(extra or {})
    if error is not None:
        record.exc_info = (type(error), error, error.__traceback__)
    text = JsonLines().format(record)
    assert "\n" not in text
    return json.loads(text)


@pytest.mark.parametrize(
    "secret",
    [
        "138 0013 8000",
        "+86 13800138000",
        "(415) 555-0133",
        "user.name+tag@example.co.uk",
        "https://cdn.example.com/p/1.jpg?sig=abc",
        "postgresql+psycopg://cs:pw@db/cs",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        "Bearer csb_k3jd9",
        "token=hunter2",
        "csb_4bY0mVvJf2Jc3xQm8s9l0KXjKQ1nXvTt5uZs7wYh2aE",
        "data:image/png;base64,iVBORw0KGgo",
        "20268633688652",
    ],
)
def test_numbers_addresses_and_tokens_never_reach_a_log_line(secret: str) -> None:
    for text in (secret, f"about {secret} now", f"a={secret},"):
        assert secret not in mask(text)
    said = json.dumps(line("saw %s", secret, extra={"problem": f"of {secret}", "outbound_id": secret}))
    assert secret not in said


@pytest.mark.parametrize("harmless", ["turn 12 done", "took 0.25 s", "3 of 40 rows", "queue answer"])
def test_plain_words_and_small_numbers_stay_readable(harmless: str) -> None:
    assert mask(harmless) == harmless


def test_a_field_that_is_not_on_the_list_is_dropped() -> None:
    said = line("stage", extra={"turn_id": 7, "text": "my order is late", "customer_name": "A", "body": b"x"})
    assert said["turn_id"] == 7
    assert set(said) == {"at", "level", "logger", "event", "turn_id"}


def test_outbound_ids_stay_readable_so_that_a_send_can_be_traced() -> None:
    outbound_id = "out_0b53f0e2a9714a0c8a2f7f1f9f3a1f11"
    assert line("sent", extra={"outbound_id": outbound_id})["outbound_id"] == outbound_id


def test_an_exception_shows_its_class_and_place_and_nothing_it_says() -> None:
    def deep() -> None:
        local_secret = "13800138000"
        raise ValueError(f"bad phone {local_secret}")

    try:
        deep()
    except ValueError as problem:
        said = line("failed", error=problem)
    assert said["error"] == "ValueError"
    assert said["where"].startswith("test_observe.py:")
    assert ":deep" in said["where"]
    assert "13800138000" not in json.dumps(said)


@given(
    st.text(max_size=400),
    st.recursive(st.none() | st.integers() | st.text(), lambda s: st.lists(s) | st.dictionaries(st.text(), s)),
)
def test_any_record_becomes_one_line_of_json(message: str, value: object) -> None:
    said = line("%s", message, extra={"problem": value})
    assert len(said["event"]) <= observe.MAX_WORDS


def test_masking_long_hostile_text_is_quick() -> None:
    import time

    begun = time.perf_counter()
    for text in ("a" * 200_000, "1 " * 100_000, "a@" * 100_000, "-" * 200_000, "a1" * 100_000, "1." * 100_000):
        assert len(mask(text)) <= observe.MAX_WORDS
    assert time.perf_counter() - begun < 2


def test_a_stage_gives_one_row_a_turn_and_one_log_line(caplog: pytest.LogCaptureFixture) -> None:
    rows: list[StageRow] = []
    with caplog.at_level(logging.INFO, "cs_bot.stage"), stage("see", [1, 2, 3], collect=rows.append) as timed:
        timed.failed(2, ValueError("secret words"))
    assert [(r.turn_id, r.stage, r.outcome) for r in rows] == [
        (1, "see", "ok"),
        (2, "see", "ValueError"),
        (3, "see", "ok"),
    ]
    assert all(0 <= r.seconds < 5 for r in rows)
    [record] = caplog.records
    said = json.loads(JsonLines().format(record))
    assert said["turn_ids"] == [1, 2, 3]
    assert said["outcomes"] == {"2": "ValueError"}
    assert "secret words" not in json.dumps(said)


def test_a_stage_that_raises_is_timed_and_the_error_goes_on() -> None:
    rows: list[StageRow] = []
    before = (
        observe.REGISTRY.get_sample_value("csbot_stage_seconds_count", {"stage": "gate", "outcome": "KeyError"}) or 0
    )
    with pytest.raises(KeyError), stage("gate", [9], collect=rows.append):
        raise KeyError("x")
    assert rows[0].outcome == "KeyError"
    after = observe.REGISTRY.get_sample_value("csbot_stage_seconds_count", {"stage": "gate", "outcome": "KeyError"})
    assert after == before + 1


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    """log_to() sets the hooks of a process; they end with the test."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)


@pytest.mark.usefixtures("hooks")
def test_what_ends_a_process_or_a_thread_says_its_class_and_place_alone() -> None:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    stream = io.StringIO()

    def fails() -> None:
        raise ValueError("my phone is 13800138000")

    try:
        observe.log_to(stream)
        thread = threading.Thread(target=fails)
        thread.start()
        thread.join()
        try:
            fails()
        except ValueError as problem:
            sys.excepthook(ValueError, problem, problem.__traceback__)
        sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    assert "13800138000" not in stream.getvalue()
    said = [json.loads(text) for text in stream.getvalue().splitlines()]
    assert [(entry["error"], ":fails" in entry["where"]) for entry in said] == [("ValueError", True)] * 2


def test_addresses_never_reach_a_log_line() -> None:
    said = line("to %s", "浙江省杭州市西湖区文三路478号", extra={"problem": "call 138****1234, 221B Baker Street"})
    assert said["event"] == "to <address>"
    assert said["problem"] == "call <phone>, <address>"


@pytest.mark.usefixtures("hooks")
def test_log_to_sends_everything_as_json_lines() -> None:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    stream = io.StringIO()
    try:
        observe.log_to(stream, "info")
        logging.getLogger("cs_bot.any").info("ready", extra={"port": 8080})
        logging.getLogger("httpx").info("GET https://secret.example/x")
        logging.getLogger("uvicorn.error").info("Uvicorn running")
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    said = [json.loads(text) for text in stream.getvalue().splitlines()]
    assert [entry["event"] for entry in said] == ["ready", "Uvicorn running"]
    assert said[0]["port"] == 8080
