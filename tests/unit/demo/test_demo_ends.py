"""Ends per engine: what hangs on the pictures goes to a person, everything else stays as it is."""

from pathlib import Path

import pytest

from cs_bot.demo import engines
from cs_bot.demo.ends import NOT_READ, ORDER_PAGES, SEEN, with_a_person
from cs_bot.demo.scenario import Approve, Outcome, Say, Scenario
from cs_bot.demo.shop import load_shop
from cs_bot.demo.stories import build_scenarios
from cs_bot.errors import ConfigError, UnknownPlugin
from cs_bot.records import Kind

STORIES = build_scenarios(load_shop())


def story(key: str) -> Scenario:
    return next(one for one in STORIES if one.key == key)


def test_on_an_engine_without_ends_of_its_own_a_story_stays_as_it_is() -> None:
    own = story("zh-shipped")
    assert own.on("lite") is own
    assert own.on("openai") is own


@pytest.mark.parametrize("told", STORIES, ids=lambda told: told.key)
def test_without_reading_a_picture_nothing_is_answered_by_the_bot_and_secrets_stay(told: Scenario) -> None:
    ends = with_a_person(told)
    if not told.pictures:
        assert (ends.steps, ends.expects, ends.replies) == (told.steps, told.expects, told.replies)
        return
    assert {expect.outcome for expect in ends.expects}.isdisjoint({Outcome.BOT, Outcome.PERSON})
    assert ends.replies == (0, 0)
    assert not any(isinstance(step, Approve) for step in ends.steps)
    before = {expect.name: expect.without for expect in told.expects}
    assert {expect.name: expect.without for expect in ends.expects} == {e.name: before[e.name] for e in ends.expects}
    assert not SEEN & {reason for expect in ends.expects for reason in expect.reasons}
    assert {e.name for e in ends.expects} == {
        step.name for step in ends.steps if isinstance(step, Say) and step.same_id_as is None
    }


def test_the_tiny_checkpoint_sees_an_order_page_but_not_its_number_and_all_goods_as_lite_does() -> None:
    for told in STORIES:
        tiny = told.on("tiny")
        pages = [name for name in told.pictures if name in ORDER_PAGES]
        assert (Outcome.BOT in {expect.outcome for expect in tiny.expects}) is False, told.key
        if not pages and not told.key.startswith("goods-unknown"):
            assert tiny is told
    assert story("zh-shipped").on("tiny").expects[0].any_reason == NOT_READ
    assert story("zh-shipped").on("tiny").expects[0].kind is Kind.ORDER
    assert story("goods-repost").on("tiny").expects[0].contains


def test_what_the_ledger_decides_without_an_engine_keeps_its_reason() -> None:
    for key in ("stale", "takeover", "five-pictures", "unreadable", "joins-review"):
        told = story(key)
        assert [e.reasons for e in with_a_person(told).expects] == [e.reasons for e in told.expects], key


def test_an_engine_is_chosen_by_its_name() -> None:
    assert engines.demo_engine(None) is None
    assert engines.demo_engine("openai") == engines.ENGINES["openai"]
    assert engines.ENGINES["openai"].variables == ("CSBOT_ENGINE", "CSBOT_ENGINE__NAME")
    with pytest.raises(UnknownPlugin, match="lite, openai, qwen, tiny"):
        engines.demo_engine("small")


def test_the_tiny_engine_without_its_checkpoint_says_how_to_make_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "TINY_CHECKPOINT", tmp_path / "tiny")
    with pytest.raises(ConfigError, match="train_tiny"):
        engines.demo_engine("tiny")
