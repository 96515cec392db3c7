"""Ends of the stories on engines that see less than lite, or write words of their own."""

from dataclasses import replace
from typing import Any

from cs_bot.demo.draw import PAGES
from cs_bot.demo.scenario import Approve, Ends, Expect, Outcome, Say, Scenario, Step
from cs_bot.records import Reason

TINY = "tiny"
ORDER_PAGES = frozenset(page.name for page in PAGES if page.order)
NOT_READ = (Reason.NUMBER_UNREADABLE, Reason.NUMBER_UNSURE)
# Reasons that follow from what is seen in a picture; all others stand whatever an engine makes of it.
SEEN = frozenset(
    {
        *(Reason.PROVEN, Reason.FOREIGN_ORDER, Reason.UNKNOWN_ORDER, Reason.ORDER_LIST, Reason.SEVERAL_ORDERS),
        *(Reason.NUMBER_UNSURE, Reason.NUMBER_UNREADABLE, Reason.NO_SECOND_FIELD, Reason.SECOND_FIELD_DISAGREES),
        *(Reason.PRODUCT_UNKNOWN, Reason.KIND_NOT_ANSWERED, Reason.MODE_ASSIST),
    }
)


def differing(story: Scenario, engine: str, **expect: Any) -> Scenario:
    """The story, with what is expected of its messages changed so for one engine."""
    ends = Ends(story.steps, tuple(replace(one, **expect) for one in story.expects), story.replies)
    return replace(story, otherwise={**story.otherwise, engine: ends})


def on_tiny(story: Scenario) -> Scenario:
    """The story with its ends on the tiny checkpoint, which names kinds, things and colours as lite finds them.

    It sees a screen at a few hundred pixels: that it is an order page, but not the page's number.
    """
    if TINY in story.otherwise or not ORDER_PAGES & set(story.pictures):
        return story
    return replace(story, otherwise={**story.otherwise, TINY: with_a_person(story, NOT_READ)})


def with_a_person(story: Scenario, why: tuple[Reason, ...] = ()) -> Ends:
    """How a story with pictures ends when nothing can be read in them: every answer is a person's.

    What needs a reply or a draft of the bot (its echo, an approval) is left out. What must not be told stays so. One
    of the reasons `why` takes the place of what would have been said or seen; the kind is then still seen.
    """
    if not story.pictures:
        return Ends(story.steps, story.expects, story.replies)
    steps = tuple(step for step in story.steps if not _hangs_on_an_answer(step))
    told = {step.name for step in steps if isinstance(step, Say)}
    return Ends(steps, tuple(_held(expect, why) for expect in story.expects if expect.name in told))


def _hangs_on_an_answer(step: Step) -> bool:
    return isinstance(step, Approve) or (isinstance(step, Say) and step.echo_of is not None)


def _held(expect: Expect, why: tuple[Reason, ...]) -> Expect:
    answered = expect.outcome in (Outcome.BOT, Outcome.PERSON)
    seen = SEEN & {*expect.reasons, *expect.any_reason}
    return replace(
        expect,
        outcome=Outcome.REVIEW if answered else expect.outcome,
        kind=expect.kind if why else None,
        contains=(),
        reasons=tuple(reason for reason in expect.reasons if reason not in SEEN),
        any_reason=why if seen or expect.contains else expect.any_reason,
    )
