"""The demo on a network in the worker: one with random weights, which can read nothing, and the one that is shipped."""

import io
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from cs_bot.demo.ends import with_a_person
from cs_bot.demo.run import run_scenarios
from cs_bot.demo.scenario import Scenario
from cs_bot.demo.shop import load_shop
from cs_bot.demo.stand import standing
from cs_bot.demo.stories import build_scenarios
from tests.e2e.test_demo import ALL_TOLD_S, left, told
from tests.services import free_port

EVERY = 3  # of the stories with pictures: each is tried three times, since a network that names no kind has failed
ON_TIME = "stale"  # its reason is given only where the machine is quick enough for it not to be late as well


def held(story: Scenario) -> Scenario:
    ends = with_a_person(story)
    return replace(story, steps=ends.steps, expects=ends.expects, replies=ends.replies)


def test_with_random_weights_every_picture_ends_with_a_person_and_nothing_is_sent(
    short_path: Path, random_checkpoint: Path
) -> None:
    home = short_path / "demo"
    home.mkdir()
    out = io.StringIO()
    console = Console(file=out, width=200, color_system=None)
    small = {"dtype": "float32", "min_visual_tokens": "4", "visual_tokens": "64"}
    engine = {"name": "qwen", "checkpoint": str(random_checkpoint), "fallback": "", **small}
    stories = [held(story) for story in build_scenarios(load_shop()) if story.pictures and story.key != ON_TIME]
    with standing(home, port=free_port(), engine=engine, say=console.print) as stand:
        results = run_scenarios(
            stand.platform,
            stories[::EVERY],
            observer=stand.observer,
            console=console,
            agent=stand.agent,
            concurrency=len(stories),
            timeout_s=ALL_TOLD_S,
        )
        replies = stand.platform.replies()
    assert len(results) >= 18
    assert [(result.scenario.key, result.problems) for result in results if not result.ok] == []
    assert replies == []
    assert "engine_failed" in out.getvalue()


def test_with_the_tiny_checkpoint_every_story_ends_as_expected(short_path: Path) -> None:
    said = told(short_path, "--engine", "tiny")
    assert "saw qwen: product" in said
    assert "words by qwen" in said
    assert [name for name in left(short_path) if name.startswith("cs-bot")] == []
