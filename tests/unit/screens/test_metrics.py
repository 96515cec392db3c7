"""The evaluator counts what it says it counts, and its bounds are exact."""

from decimal import Decimal
from typing import Any

import pytest

from tests.screens.metrics import (
    Bar,
    bars,
    binomial_cdf,
    judge,
    outcome,
    same_amount,
    same_number,
    same_time,
    upper_bound,
)
from tests.screens.report import markdown
from tests.screens.truth import FIELDS

TRUTH = {"order_id": "123456789012", "amount": "10.50", "currency": "CNY", "status": "shipped", "status_text": "待收货"}
TRUTH |= {"order_time": "2025-03-14T20:13:45"}


def line(visible: str = "whole", **more: Any) -> dict[str, Any]:
    base = {"file": "a.png", "variant": "base", "kind": "order", "look": "jd", "language": "zh"}
    return base | {"fields": dict(TRUTH), "visible": dict.fromkeys(FIELDS, visible)} | more


def look(kind: str = "order", notes: tuple[str, ...] = (), **values: str | None) -> dict[str, Any]:
    fields = {name: {"value": value, "state": "read" if value else "unreadable"} for name, value in values.items()}
    return {"kinds": {kind: 0.9, "text": 0.1}, "notes": list(notes), "fields": fields, "seconds": 0.5}


def counts(result: Any, name: str) -> Any:
    return result.total.fields[name]


def test_the_binomial_distribution_adds_up() -> None:
    assert binomial_cdf(2, 4, 0.5) == pytest.approx(11 / 16)
    assert binomial_cdf(4, 4, 0.3) == 1.0
    assert binomial_cdf(0, 10, 0.0) == 1.0
    assert binomial_cdf(0, 10, 1.0) == 0.0


@pytest.mark.parametrize(
    ("failures", "trials", "expected"),
    [(0, 59, 0.049508), (0, 100, 0.029513), (1, 100, 0.0465598), (5, 10, 0.7775589), (3, 1000, 0.007735), (7, 7, 1.0)],
)
def test_upper_bounds_are_those_of_clopper_and_pearson(failures: int, trials: int, expected: float) -> None:
    assert upper_bound(failures, trials) == pytest.approx(expected, abs=2e-6)


def test_no_failure_gives_the_closed_form() -> None:
    assert upper_bound(0, 271) == pytest.approx(1 - 0.05 ** (1 / 271), abs=1e-9)


@pytest.mark.parametrize(
    ("truth", "got", "same"),
    [
        ("2025-03-14", "2025-03-14", True),
        ("2025-03-14", "2025-03-14T00:00:00", True),
        ("2025-03-14", "2025-03-14T10:00:00", False),
        ("2025-03-14T20:13", "2025-03-14T20:13", True),
        ("2025-03-14T20:13", "2025-03-14T20:13:00", True),
        ("2025-03-14T20:13", "2025-03-14T20:13:45", False),
        ("2025-03-14T20:13:45", "2025-03-14T20:13", False),
        ("2025-03-14T20:13:45", "2025-03-14T20:13:46", False),
    ],
)
def test_times_agree_as_far_as_the_page_prints_them(truth: str, got: str, same: bool) -> None:
    assert same_time(truth, got) is same


def test_numbers_agree_without_the_hash_and_amounts_as_decimals() -> None:
    assert same_number("1001", "#1001")
    assert not same_number("1001", "100")
    assert same_amount("10.50", "10.5")
    assert not same_amount("10.50", "1050")
    assert not same_amount("10.50", "10,5O")
    assert Decimal("10.50") == Decimal("10.5")


def test_only_the_state_read_counts_as_a_value() -> None:
    unsure = {"fields": {"order_id": {"value": "1", "state": "confirm", "guards": ["EDGE"]}}}
    assert outcome("order_id", line(), unsure) == ("silent", "confirm 1 EDGE")
    assert outcome("order_id", line(), {"error": "EngineTimeout: late"})[0] == "silent"


def test_whole_part_and_none_are_counted_apart() -> None:
    right, wrong = look(order_id=TRUTH["order_id"]), look(order_id="12345")
    pairs = [(line(visible), reading) for visible in ("whole", "part", "none") for reading in (right, wrong, look())]
    number = counts(judge(pairs), "order_id")
    assert (number.whole, number.right, number.wrong) == (3, 1, 1)
    assert (number.part, number.part_right, number.part_wrong) == (3, 1, 1)
    assert (number.none, number.none_read) == (3, 2)


def test_a_value_for_a_field_the_page_lacks_breaks_a_promise() -> None:
    lacking = line() | {"fields": TRUTH | {"order_id": None}}
    lacking["visible"]["order_id"] = "none"
    result = judge([(lacking, look(order_id="9"))])
    unseen = next(bar for bar in bars(result) if bar.name == "order number read where none can be seen")
    assert (unseen.count, unseen.trials, unseen.met) == (1, 1, False)


def test_a_perfect_reader_keeps_every_promise_and_an_idle_one_keeps_few() -> None:
    others = [(line(kind="other", look=name), look("text")) for name in ("chat", "cart", "logistics", "label")]
    lists = [(line(kind="list", look="jd"), look(notes=("list",)))]
    perfect = judge([(line(), look(**TRUTH)), *others, *lists])
    assert all(bar.met for bar in bars(perfect))
    assert perfect.failures == []
    idle = judge([(line(), {"error": "EngineError: no"}), *others, *lists])
    assert not all(bar.met for bar in bars(idle))
    assert {failure.field for failure in idle.failures} == {"kind", *FIELDS}


def test_a_chat_taken_for_an_order_and_a_list_not_flagged_are_failures() -> None:
    result = judge([(line(kind="other", look="chat"), look("order")), (line(kind="list"), look("order"))])
    broken = {bar.name for bar in bars(result) if not bar.met}
    assert broken == {"chat, cart or logistics taken for an order", "list of orders flagged as a list"}
    assert [failure.field for failure in result.failures] == ["kind", "list"]


def test_pages_in_unreadable_scripts_stay_out_of_the_shares_but_not_out_of_the_failures() -> None:
    result = judge([(line(language="ko", look="foreign_ko"), look(notes=("language:ko",), order_id="77"))])
    assert result.total.pictures == 0
    assert result.foreign == [1, 1, 1]
    assert result.failures[0].visible == "foreign"


def test_a_promise_without_trials_is_not_kept_and_a_bound_is_about_failures() -> None:
    assert not Bar("x", 0, 0, 0.0, False).met
    assert Bar("x", 100, 100, 0.97, True).bound == pytest.approx(upper_bound(0, 100))


def test_the_report_names_every_promise_and_every_failure() -> None:
    result = judge([(line(), look(**(TRUTH | {"order_id": "999"})))])
    page = markdown(result, "lite-1", "screens")
    assert "order number read and exact, wholly visible" in page
    assert "| a.png | order_id | read 999 | 123456789012 | whole |" in page
