"""Writes the table of docs/demo.md: `python -m tests.repo.demo_docs`; test_docs_demo.py says when it is out of step."""

from cs_bot.demo.engines import COLUMNS
from cs_bot.demo.scenario import Approve, Event, Expect, Say, Scenario
from cs_bot.demo.shop import load_shop
from cs_bot.demo.stories import build_scenarios
from tests.repo.docs import ROOT

PAGE = ROOT / "docs" / "demo.md"
HEAD, TAIL = "<!-- stories -->\n", "<!-- /stories -->"


def table() -> str:
    """Every story: what the customer does, and how each message must end."""
    head = [f"| story | what happens | {' | '.join(COLUMNS)} |", "| --- " * (2 + len(COLUMNS)) + "|"]
    return "\n".join([*head, *(_row(scenario) for scenario in build_scenarios(load_shop()))])


def _row(scenario: Scenario) -> str:
    steps = [_step(step) for step in scenario.steps if isinstance(step, Say | Event | Approve)]
    first, *others = (_ends(scenario.on(engine)) for engine in COLUMNS)
    told = [first, *("same" if ends == first else ends for ends in others)]
    return f"| {scenario.title} | {', then '.join(steps)} | {' | '.join(told)} |"


def _ends(scenario: Scenario) -> str:
    return "; ".join(dict.fromkeys(_end(expect) for expect in scenario.expects))


def _step(step: Say | Event | Approve) -> str:
    if isinstance(step, Approve):
        return "a person approves"
    if isinstance(step, Event):
        return step.kind.replace("conversation.", "").replace("message.", "message ").replace("_", " ")
    words = f"“{step.text}”" if step.text else ""
    return " ".join(part for part in (words, *(f"`{name}`" for name in step.pictures)) if part) or "an echo"


def _end(expect: Expect) -> str:
    reasons = [reason.value for reason in expect.reasons] or [reason.value for reason in expect.any_reason]
    told = f" ({' or '.join(reasons)})" if reasons else ""
    return f"{expect.outcome.value}{told}"


def page(text: str) -> str:
    """The page with its table fresh."""
    before, rest = text.split(HEAD, 1)
    return before + HEAD + table() + "\n" + TAIL + rest.split(TAIL, 1)[1]


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
