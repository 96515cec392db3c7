"""The trained tiny checkpoint through the engine: what it was shipped for holds, in ranges."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from cs_bot.demo.train_tiny import HOME
from tests.conftest import require_qwen

QUICK = {"classify": (40, "kind", 0.93), "read_product": (25, "category and colour", 0.85)}
LONG = {
    "classify": (150, "kind", 0.97),
    "read_product": (150, "category and colour", 0.93),
    "read_scene": (60, "category and colour", 0.75),
    "read_comparison": (60, "category and colour", 0.85),
    "read_order": (80, "amount", 0.85),
}


@pytest.fixture(scope="module")
def generator() -> Iterator[Any]:
    require_qwen()
    from cs_bot.demo.tiny.bars import open_generator

    opened, _ = open_generator(HOME, threads=1, dtype="float32", device="cpu")
    yield opened
    opened.close()


def right(generator: Any, task: str, count: int, name: str) -> float:
    from cs_bot.demo.tiny.bars import measure

    found = measure(generator, task, count, change=lambda sample: sample, tell=lambda: None)
    return float(np.mean([one.right.get(name, False) for one in found if name in one.right or not one.valid]))


@pytest.mark.parametrize("task", QUICK)
def test_it_knows_drawings_that_it_has_never_seen(generator: Any, task: str) -> None:
    count, name, least = QUICK[task]
    assert right(generator, task, count, name) >= least


@pytest.mark.full
@pytest.mark.parametrize("task", LONG)
def test_its_bars_hold(generator: Any, task: str) -> None:
    count, name, least = LONG[task]
    assert right(generator, task, count, name) >= least


@pytest.mark.full
def test_its_certainty_tells_right_from_wrong_on_spoilt_pictures(generator: Any) -> None:
    from cs_bot.demo.tiny.bars import measure, row, worse

    figures = row("read_product", measure(generator, "read_product", 150, change=worse, tell=lambda: None))
    assert figures["auroc"] is None or figures["auroc"] >= 0.8


def test_no_answer_leaves_its_form(generator: Any) -> None:
    from cs_bot.demo.tiny.bars import measure

    for task in ("read_order", "answer_product"):
        assert all(one.valid for one in measure(generator, task, 6, change=lambda sample: sample, tell=lambda: None))
