"""Samples for the tiny checkpoint: deterministic, in the app's shapes, with marks where things are."""

import json
import random

import numpy as np
import pytest

from cs_bot.demo.tiny.frames import GRID, MAX_PIXELS, MIN_PIXELS
from cs_bot.demo.tiny.samples import TASKS, Sample, compact, draw_sample, fresh, training
from cs_bot.demo.tiny.things import COLOURS
from cs_bot.records import Kind
from cs_bot.vision.answers import COLOURS as KNOWN_COLOURS
from cs_bot.vision.answers import (
    READS,
    UNREADABLE,
    Evidence,
    OrderRead,
    Reply,
    items_of,
    json_schema,
    order_fields,
    parse,
)
from cs_bot.vision.generating import LABELS
from cs_bot.vision.prompts import load_prompts

COUNT = 15


def samples(task: str, count: int = COUNT) -> list[Sample]:
    return [draw_sample(task, training(5, number)) for number in range(count)]


def shape_of(task: str) -> type[OrderRead] | type[Reply]:
    name = task.removesuffix("_again").removeprefix("read_")
    return Reply if task.startswith("answer_") else READS[Kind(name)]  # type: ignore[return-value]


@pytest.mark.parametrize("task", TASKS)
def test_the_same_seed_gives_the_same_sample(task: str) -> None:
    for one, other in zip(samples(task, 5), samples(task, 5), strict=True):
        assert (one.text, one.answer, one.marks) == (other.text, other.answer, other.marks)
        assert (one.picture is None and other.picture is None) or np.array_equal(one.picture, other.picture)


@pytest.mark.parametrize("task", TASKS)
def test_answers_have_the_shape_that_the_app_asks_for_and_no_blanks_between_their_parts(task: str) -> None:
    for sample in samples(task):
        if task == "classify":
            assert sample.answer in LABELS
        else:
            assert compact(parse(shape_of(task), sample.answer)) == sample.answer


@pytest.mark.parametrize("task", [task for task in TASKS if task != "classify"])
def test_the_grammar_of_a_schema_lets_its_answers_be_written(task: str) -> None:
    guidance = pytest.importorskip("llguidance")
    letters = guidance.LLTokenizer("byte")
    grammar = guidance.LLMatcher.grammar_from_json_schema(json.dumps(json_schema(shape_of(task))))
    for sample in samples(task, 5):
        matcher, tokens = guidance.LLMatcher(letters, grammar), letters.tokenize_str(sample.answer)
        assert matcher.consume_tokens(tokens)
        assert matcher.is_accepting()


@pytest.mark.parametrize("task", TASKS)
def test_pictures_are_within_the_limits_and_marks_within_the_pictures(task: str) -> None:
    for sample in samples(task):
        if sample.picture is None:
            assert not sample.marks
            continue
        height, width, channels = sample.picture.shape
        assert channels == 3
        assert height % GRID == width % GRID == 0
        assert MIN_PIXELS <= height * width <= MAX_PIXELS
        for (left, top, right, bottom), what in sample.marks:
            assert 0 <= left < right <= width, what
            assert 0 <= top < bottom <= height, what


def test_fresh_samples_have_the_apps_own_words_and_are_not_those_of_training() -> None:
    texts = load_prompts().texts
    found = list(fresh("read_product", 8, 5))
    assert {(sample.system, sample.text) for sample in found} == {(texts["system"], texts["read_product"])}
    trained = {sample.picture.tobytes() for sample in samples("read_product", 8) if sample.picture is not None}
    assert not trained & {sample.picture.tobytes() for sample in found if sample.picture is not None}


def test_most_samples_have_the_apps_own_words() -> None:
    own = sum(sample.words == 0 for task in TASKS for sample in samples(task, 12))
    assert 0.55 < own / (12 * len(TASKS)) < 0.85


def test_order_pages_give_fields_that_the_app_takes_and_the_digits_of_what_is_read_are_marked() -> None:
    legible = hidden = 0
    for sample in samples("read_order", 60):
        read = parse(OrderRead, sample.answer)
        fields = order_fields(read, read, Evidence())
        for name in ("order_id", "amount", "order_time"):
            given = getattr(read, name)
            assert (fields[name].value is None) == (given == UNREADABLE), (name, given)
            legible, hidden = legible + (given != UNREADABLE), hidden + (given == UNREADABLE)
        marked = sum(what.startswith("digit:") for _, what in sample.marks)
        shown = "" if read.order_id == UNREADABLE else read.order_id
        assert marked >= sum(sign.isdigit() for sign in shown)
    assert hidden / (hidden + legible) > 0.3


def test_things_are_named_in_the_apps_colours_with_where_they_stand() -> None:
    assert set(COLOURS) <= set(KNOWN_COLOURS)
    for task, kind in (
        ("read_product", Kind.PRODUCT),
        ("read_comparison", Kind.COMPARISON),
        ("read_scene", Kind.SCENE),
    ):
        for sample in samples(task):
            items = items_of(parse(READS[kind], sample.answer))  # type: ignore[arg-type]
            assert all(item.attributes["colour"] in COLOURS and item.attributes["category"] for item in items)
            assert len({item.where for item in items}) == len(items)
            assert kind is not Kind.COMPARISON or len(items) >= 2


def test_every_kind_of_picture_is_drawn() -> None:
    assert {sample.answer for sample in samples("classify", 60)} == set(LABELS)


def test_a_task_that_there_is_not_is_no_sample() -> None:
    with pytest.raises(KeyError):
        draw_sample("read_tea_leaves", random.Random(1))
