"""Evaluation: cases read strictly, dangerous errors apart from cheap ones, what got worse is named."""

import json
from pathlib import Path
from typing import Any

import pytest

from cs_bot import charts
from cs_bot.errors import ConfigError, ImportRefused
from cs_bot.evaluate import Case, Expected, Figures, Ran, compare, figures, judge, load_cases
from cs_bot.records import (
    Action,
    Decision,
    Facts,
    FieldState,
    Kind,
    LookupOutcome,
    Mode,
    ReadField,
    Reason,
    Route,
)
from tests.readings import look, reading
from tests.unit.answer_cases import lookup, made, product, shop
from tests.unit.answer_cases import reading as words_of


def decision(action: Action = Action.REVIEW, *, score: float | None = None, **values: Any) -> Decision:
    base = {"mode": Mode.AUTO, "kind": Kind.PRODUCT, "route": Route.CATALOG, "reasons": (Reason.MODE_ASSIST,)}
    return Decision(**{**base, "action": action, "suggestion": "", "policy_version": 1, "score": score, **values})


def ran(expect: Expected | None = None, **values: Any) -> Ran:
    """A product's picture answered with its price."""
    facts = Facts(products=(lookup(product()),), fingerprint="f")
    read = words_of("en", "product", Kind.PRODUCT, looks=(look(Kind.PRODUCT),))
    base = {"reading": read, "facts": facts, "draft": made(read, facts, shop("en")), "decision": decision()}
    case = Case(case_id=values.pop("case_id", "c1"), text="How much?", expect=expect or Expected())
    return Ran(**{"case": case, "seconds": {"see": 0.2, "gate": 0.1}, **base, **values})


def test_a_case_as_expected_has_no_problem() -> None:
    verdict = judge(ran(Expected(kind=Kind.PRODUCT, products=("P1",), contains=("129.00",), without=("99",))))
    assert verdict.ok
    assert (verdict.kind, verdict.products, verdict.action) == (True, {"1": "right"}, "right_review")


@pytest.mark.parametrize(
    ("sends", "expect", "action"),
    [
        (True, Expected(action=Action.SEND), "right_send"),
        (True, Expected(action=Action.REVIEW), "wrong_send"),
        (True, Expected(contains=("cheaper",)), "wrong_send"),
        (True, Expected(without=("129",)), "wrong_send"),
        (False, Expected(action=Action.SEND), "needless_review"),
        (False, Expected(action=Action.REVIEW), "right_review"),
        (False, Expected(contains=("cheaper",)), "right_review"),
    ],
)
def test_a_wrong_reply_is_told_from_a_needless_review(sends: bool, expect: Expected, action: str) -> None:
    verdict = judge(ran(expect, decision=decision(Action.SEND if sends else Action.REVIEW)))
    assert verdict.action == action
    assert verdict.ok == (action in ("right_send", "right_review") and verdict.text)


def test_fields_are_right_unread_or_wrong_while_read() -> None:
    read = {
        "order_id": ReadField(value="12345678", state=FieldState.READ),
        "amount": ReadField(value="9.90", state=FieldState.CONFIRM),
        "status": ReadField(value="shipped", state=FieldState.READ),
        "order_time": ReadField(),
    }
    wanted = {"order_id": "12345678", "amount": "9.90", "status": "paid", "order_time": None}
    verdict = judge(ran(Expected(fields=wanted), reading=reading(look(Kind.ORDER, fields=read))))
    assert verdict.fields == {"order_id": "right", "amount": "unread", "status": "wrong", "order_time": "right"}


@pytest.mark.parametrize(
    ("found", "wanted", "outcome"),
    [
        (lookup(product()), "P2", "wrong"),
        (lookup(product(), product("P2"), outcome=LookupOutcome.CLOSE), "P2", "close"),
        (lookup(product("P3"), outcome=LookupOutcome.NONE), "P2", "missed"),
        (lookup(outcome=LookupOutcome.NONE), "", "right"),
        (lookup(product()), "", "wrong"),
    ],
)
def test_a_product_called_the_one_wrongly_is_the_dangerous_error(found: Any, wanted: str, outcome: str) -> None:
    verdict = judge(ran(Expected(products=(wanted,)), facts=Facts(products=(found,), fingerprint="f")))
    assert verdict.products == {"1": outcome}


def test_a_thing_that_was_never_looked_up_is_missed_even_where_the_shop_does_not_have_it() -> None:
    verdict = judge(ran(Expected(products=("P1", ""))))
    assert verdict.products == {"1": "right", "2": "missed"}


def test_a_stage_that_failed_is_a_problem() -> None:
    verdict = judge(ran(reading=None, draft=None, decision=None, problem="EngineTimeout"))
    assert verdict.problems == ("a stage failed: EngineTimeout",)


def a_run() -> Figures:
    cases = [
        ran(Expected(kind=Kind.PRODUCT, action=Action.SEND), case_id="a", decision=decision(Action.SEND, score=0.9)),
        ran(Expected(kind=Kind.PRODUCT, contains=("no",)), case_id="b", decision=decision(Action.SEND, score=0.5)),
        ran(Expected(kind=Kind.SCENE, action=Action.SEND), case_id="c", decision=decision(score=0.7)),
    ]
    return figures([judge(one) for one in cases], engine="lite")


def test_figures_are_summed_up_by_kind_with_all_of_them_first() -> None:
    found = a_run()
    assert [row.kind for row in found.rows] == ["all", "product", "scene"]
    every, goods, scene = found.rows
    assert (every.cases, every.sent, every.wrong_send, every.needless_review) == (3, 2, 1, 1)
    assert (goods.kind_right, goods.text_right) == (1.0, 0.5)
    assert scene.kind_right == 0.0
    assert every.p50_s == pytest.approx(0.3)
    assert found.failed == ("b", "c")


def test_the_cost_is_that_of_the_machines_hours() -> None:
    verdicts = [judge(ran(seconds={"see": 1.8})), judge(ran(case_id="c2", seconds={"see": 1.8}))]
    assert figures(verdicts, engine="lite").cost_per_1000 is None
    assert figures(verdicts, engine="lite", price_per_hour=0.4).cost_per_1000 == pytest.approx(0.2)


def test_risk_and_coverage_go_from_the_most_certain_draft_down() -> None:
    assert a_run().risk_coverage == ((0.3333, 0.0), (0.6667, 0.0), (1.0, 0.3333))


def test_nothing_is_worse_than_itself_and_what_is_worse_is_named() -> None:
    before = a_run()
    assert compare(before, before) == []
    worse = before.model_copy(
        update={
            "rows": tuple(row.model_copy(update={"text_right": 0.1, "wrong_send": 2}) for row in before.rows[:2]),
            "products": {"wrong": 1},
        }
    )
    told = compare(worse, before)
    assert "all: text_right 0.1 instead of 0.6667" in told
    assert "product: 2 wrong_send instead of 1" in told
    assert "scene: 0 cases instead of 1" in told
    assert "1 products wrongly called the one" in told


def test_a_product_that_is_found_no_longer_is_worse() -> None:
    before = a_run().model_copy(update={"products": {"right": 2}})
    assert compare(before.model_copy(update={"products": {"right": 1, "missed": 1}}), before) == [
        "1 products found instead of 2"
    ]


def test_better_figures_are_not_worse() -> None:
    before = a_run()
    better = before.model_copy(
        update={"rows": tuple(row.model_copy(update={"wrong_send": 0, "kind_right": 1.0}) for row in before.rows)}
    )
    assert compare(better, before) == []


def written(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_cases_are_read_in_order_with_blank_lines_between(tmp_path: Path) -> None:
    rows = [json.dumps({"case_id": name, "text": "hi", "expect": {"kind": "text"}}) for name in ("b", "a")]
    assert [case.case_id for case in load_cases(written(tmp_path / "c.jsonl", rows[0], "", rows[1])).cases] == [
        "b",
        "a",
    ]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "Invalid JSON"),
        ("[]", "object"),
        ('{"text": "hi"}', "case_id"),
        ('{"case_id": "a", "expects": {}}', "expects"),
        ('{"case_id": "a", "expect": {"kind": "cat"}}', "kind"),
        ('{"case_id": ""}', "case_id"),
    ],
)
def test_a_bad_line_is_told_with_its_number(tmp_path: Path, line: str, told: str) -> None:
    with pytest.raises(ImportRefused) as refused:
        load_cases(written(tmp_path / "c.jsonl", '{"case_id": "fine"}', line))
    assert "line 2" in str(refused.value)
    assert told in str(refused.value)


def test_a_case_that_is_there_twice_and_a_file_that_is_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ImportRefused, match="twice"):
        load_cases(written(tmp_path / "c.jsonl", '{"case_id": "a"}', '{"case_id": "a"}'))
    with pytest.raises(ConfigError, match="can't be read"):
        load_cases(tmp_path / "none.jsonl")


def test_charts_say_their_figures_in_words_and_are_empty_without_any() -> None:
    assert charts.curve("Risk", (), x="x", y="y") == ""
    drawn = charts.curve("Risk <1>", ((0.5, 0.1), (1.0, 0.2)), x="answered", y="wrong", highest=0.2)
    assert "Risk &lt;1&gt;" in drawn
    assert "<title>50% → 10.0%</title>" in drawn
    assert "40.0%" in charts.bars("b", {"a": 0.4, "none": None})
