"""The stories: enough of them, every reference exists, and the check that judges them notices what is wrong."""

from pathlib import Path

import pytest

from cs_bot.demo import stories
from cs_bot.demo.observer import TurnView
from cs_bot.demo.run import check, outcome_of
from cs_bot.demo.scenario import Event, Expect, Outcome, Say, Scenario, Wait
from cs_bot.demo.shop import DemoShop, load_shop, make_shop
from cs_bot.records import Action, End, Kind, OrderStatus, Reason

ANSWERED = TurnView(
    claimed=True, kind=Kind.ORDER, action=Action.SEND, reasons=(Reason.PROVEN,), end=End.BOT, reply="SF1", conflicts=0
)
HELD = TurnView(claimed=True, kind=Kind.TEXT, action=Action.REVIEW, reasons=(Reason.UPSET,), review_open=True)


@pytest.fixture(scope="module")
def shop() -> DemoShop:
    return load_shop()


@pytest.fixture(scope="module")
def told(shop: DemoShop) -> tuple[Scenario, ...]:
    return stories.build_scenarios(shop)


def test_there_are_at_least_twenty_seven_stories_with_keys_of_their_own(told: tuple[Scenario, ...]) -> None:
    assert len(told) >= 27
    assert len({scenario.key for scenario in told}) == len(told)


def test_every_status_is_asked_for_in_chinese_and_in_english(told: tuple[Scenario, ...]) -> None:
    keys = {scenario.key for scenario in told}
    assert {f"{language}-{status}" for language in ("zh", "en") for status in OrderStatus} <= keys


def test_every_picture_of_a_story_is_in_the_shop_and_every_picture_is_used(
    shop: DemoShop, told: tuple[Scenario, ...]
) -> None:
    told_of = {name for scenario in told for name in scenario.pictures}
    assert told_of | {product.picture for product in shop.products if product.listed} == set(shop.pictures)


def test_every_name_in_a_story_is_a_message_of_it(told: tuple[Scenario, ...]) -> None:
    for scenario in told:
        names = [step.name for step in scenario.steps if isinstance(step, Say)]
        assert len(set(names)) == len(names)
        referred = [expect.name for expect in scenario.expects]
        referred += [step.name for step in scenario.steps if isinstance(step, Wait)]
        referred += [step.of for step in scenario.steps if isinstance(step, Event) and step.of]
        referred += [
            other
            for step in scenario.steps
            if isinstance(step, Say)
            for other in (step.echo_of, step.same_id_as)
            if other
        ]
        assert set(referred) <= set(names), scenario.key


def test_every_message_is_expected_to_end_somehow(told: tuple[Scenario, ...]) -> None:
    for scenario in told:
        posted = {step.name for step in scenario.steps if isinstance(step, Say) and step.same_id_as is None}
        assert posted == {expect.name for expect in scenario.expects}, scenario.key


def test_an_answer_by_the_bot_is_judged_by_what_it_says(told: tuple[Scenario, ...]) -> None:
    for scenario in told:
        if any(expect.outcome is Outcome.BOT for expect in scenario.expects):
            assert any(expect.contains for expect in scenario.expects), scenario.key
            assert scenario.replies[0] >= 1


def test_a_shop_of_another_seed_tells_the_same_stories_with_other_facts(
    told: tuple[Scenario, ...], tmp_path: Path
) -> None:
    second = stories.build_scenarios(make_shop(11, tmp_path))
    assert [scenario.key for scenario in second] == [scenario.key for scenario in told]
    facts = {part for scenario in told for expect in scenario.expects for part in expect.contains if part.isalnum()}
    others = {part for scenario in second for expect in scenario.expects for part in expect.contains if part.isalnum()}
    assert {part for part in facts & others if any(char.isdigit() for char in part)} == set()


def test_a_message_that_ended_as_expected_has_no_problem() -> None:
    expect = Expect("m", Outcome.BOT, kind=Kind.ORDER, reasons=(Reason.PROVEN,), contains=("SF1",), without=("999",))
    assert check(expect, ANSWERED, "tracking SF1") == []


@pytest.mark.parametrize(
    ("expect", "text", "problem"),
    [
        (Expect("m", Outcome.REVIEW), "", "ended as bot instead of review"),
        (Expect("m", Outcome.BOT, kind=Kind.TEXT), "", "kind order instead of text"),
        (Expect("m", Outcome.BOT, reasons=(Reason.STALE,)), "", "reason stale is missing"),
        (Expect("m", Outcome.BOT, any_reason=(Reason.STALE, Reason.LATE)), "", "none of the reasons stale, late"),
        (Expect("m", Outcome.BOT, contains=("SF1",)), "tracking SF2", "the text does not hold 'SF1'"),
        (Expect("m", Outcome.BOT, without=("999",)), "999 yuan back", "the text holds '999'"),
        (Expect("m", Outcome.BOT, conflicts=1), "", "0 conflicts instead of 1"),
    ],
)
def test_whatever_is_not_as_expected_is_named(expect: Expect, text: str, problem: str) -> None:
    assert check(expect, ANSWERED, text) == [problem]


@pytest.mark.parametrize(
    ("view", "outcome"),
    [
        (None, "refused"),
        (ANSWERED, "bot"),
        (HELD, "review"),
        (TurnView(claimed=True), "waiting"),
        (TurnView(end=End.HANDED_OVER), "handed_over"),
    ],
)
def test_the_outcome_of_a_message_is_told_from_its_view(view: TurnView | None, outcome: str) -> None:
    assert outcome_of(view) == outcome


def test_a_message_that_nobody_settled_is_a_problem_whatever_was_expected() -> None:
    for outcome in set(Outcome) - {Outcome.REFUSED}:
        assert check(Expect("m", outcome), TurnView(claimed=True), "")
        assert check(Expect("m", outcome), None, "")
