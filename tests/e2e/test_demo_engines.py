"""The demo on engines behind a server: one that sees everything right, and one that sees everything wrong."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from cs_bot.demo.ends import with_a_person
from cs_bot.demo.run import run_scenarios
from cs_bot.demo.scenario import Outcome, Scenario
from cs_bot.demo.shop import load_shop
from cs_bot.demo.stand import standing
from cs_bot.demo.stories import build_scenarios
from tests.contracts.demo_truth import LIED, Pictures, SeesRight, SeesWrong
from tests.contracts.openai_fake import CHECKPOINT, serving
from tests.e2e.test_demo import left, told
from tests.services import free_port


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    """Encoded once for both."""
    return Pictures(load_shop())


def test_with_an_engine_that_sees_right_every_story_ends_as_expected(short_path: Path, pictures: Pictures) -> None:
    with serving(says=SeesRight(pictures)) as fake:
        server = {"CSBOT_ENGINE__URL": fake.url, "CSBOT_ENGINE__CHECKPOINT": CHECKPOINT}
        unused = {"CSBOT_ENGINE": "lite", "CSBOT_DATABASE_URL": "sqlite:////nobody/asked"}
        said = told(short_path, "--engine", "openai", **server, **unused)
    assert "not used by the demo: CSBOT_DATABASE_URL, CSBOT_ENGINE\n" in said
    assert "saw openai: order 0.97" in said
    assert "words by openai" in said
    assert {asked.task for asked in fake.asked} == {"classify", "read", "answer"}
    assert left(short_path) == []


@pytest.fixture
def folder(short_path: Path) -> Path:
    home = short_path / "demo"
    home.mkdir()
    return home


def told_wrong(story: Scenario) -> Scenario:
    """The story as it must end when everything that is seen is wrong; none of the lies may be told."""
    ends = with_a_person(story)
    expects = tuple(replace(expect, without=(*expect.without, *LIED)) for expect in ends.expects)
    return replace(story, steps=ends.steps, expects=expects, replies=ends.replies)


def test_with_an_engine_that_sees_wrong_every_picture_ends_with_a_person(folder: Path, pictures: Pictures) -> None:
    stories = [told_wrong(story) for story in build_scenarios(load_shop())]
    out = io.StringIO()
    console = Console(file=out, width=200, color_system=None)
    with serving(says=SeesWrong(pictures)) as fake:
        engine = {"name": "openai", "url": fake.url, "checkpoint": CHECKPOINT, "fallback": ""}
        with standing(folder, port=free_port(), engine=engine, say=console.print) as stand:
            results = run_scenarios(
                stand.platform, stories, observer=stand.observer, console=console, agent=stand.agent
            )
            replies = stand.platform.replies()
    assert [(result.scenario.key, result.problems) for result in results if not result.ok] == []
    assert sum(e.outcome is Outcome.REVIEW for story in stories for e in story.expects if story.pictures) >= 50
    assert {reply.type for reply in replies} <= {"message.reply"}
    assert replies == [], "no story without a picture is answered by the bot"
    assert {asked.task for asked in fake.asked} == {"classify", "read", "answer"}
