"""What the terminal gets: one line a message, nothing but plain lines where there is no terminal."""

import io

from rich.console import Console

from cs_bot.demo import stories
from cs_bot.demo.observer import TurnView
from cs_bot.demo.scenario import Scenario
from cs_bot.demo.shop import load_shop
from cs_bot.demo.show import Screen, message_line, plain
from cs_bot.records import Action, End, Kind, Reason

ANSWERED = TurnView(
    claimed=True,
    kind=Kind.ORDER,
    action=Action.SEND,
    reasons=(Reason.PROVEN,),
    end=End.BOT,
    stages=(("see", 0.48), ("gate", 0.001)),
)
HELD = TurnView(claimed=True, kind=Kind.TEXT, action=Action.REVIEW, reasons=(Reason.MODE_ASSIST,), review_open=True)


def story(key: str) -> Scenario:
    return next(scenario for scenario in stories.build_scenarios(load_shop()) if scenario.key == key)


def test_a_line_has_kind_decision_reasons_reply_and_the_time_of_each_stage() -> None:
    scenario = story("zh-shipped")
    line = message_line(scenario, scenario.say("m1"), ANSWERED, "您的包裹\n单号 YT1").plain
    assert "\n" not in line
    for part in ("zh-shipped", "这个到哪了", "[zh-shipped.png]", "order", "send", "[proven]", "-> 您的包裹 单号 YT1"):
        assert part in line
    assert "see 0.48s" in line
    assert "gate 0.00s" in line


def test_a_line_says_which_engine_looked_what_it_saw_and_whose_the_words_are() -> None:
    scenario = story("goods-repost")
    view = HELD.model_copy(update={"seen": ("qwen: product 0.98 (white\nmug)",), "words_by": "qwen"})
    line = message_line(scenario, scenario.say("m1"), view, "您好").plain
    assert "saw qwen: product 0.98 (white mug)  words by qwen" in line
    templates = HELD.model_copy(update={"words_by": "templates"})
    assert "words by" not in message_line(scenario, scenario.say("m1"), templates, "您好").plain


def test_a_held_message_shows_its_draft_or_that_there_is_none() -> None:
    scenario = story("invoice")
    assert "held for a person: draft: 可以的" in message_line(scenario, scenario.say("m1"), HELD, "可以的").plain
    assert "held for a person: no draft" in message_line(scenario, scenario.say("m1"), HELD, "").plain


def test_a_forged_message_was_not_let_in_and_a_silent_one_says_why() -> None:
    forged, taken = story("forged"), story("takeover")
    assert "not let in" in message_line(forged, forged.say("m1"), None, "").plain
    view = TurnView(end=End.HANDED_OVER, end_reason=Reason.TAKEN_OVER)
    assert "handed_over  [taken_over]" in message_line(taken, taken.say("m1"), view, "").plain


def test_control_and_direction_characters_never_reach_the_terminal() -> None:
    assert plain("a\x1b[31mb\u202ec\nd\x00") == "a [31mb c d "


def test_without_a_terminal_only_plain_lines_are_written() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=False, width=200, color_system=None)
    good, bad = story("zh-shipped"), story("invoice")
    with Screen(console, 2) as screen:
        screen.message(good, good.say("m1"), ANSWERED, "YT1")
        screen.story(True, good.title, [])
        screen.story(False, bad.title, ["m1: ended as bot instead of review"])
        screen.tick()
    screen.table([(good, {"m1": "bot"}, 1, []), (bad, {"m1": "bot"}, 1, ["m1: ended as bot instead of review"])])
    text = out.getvalue()
    assert not {char for char in text if ord(char) < 32} - {"\n"}
    assert "not as expected: invoice question (zh): m1: ended as bot instead of review" in text
    assert "1 of 2 stories ended as expected" in text
    assert "FAILED" in text
