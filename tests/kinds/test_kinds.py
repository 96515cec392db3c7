"""Kinds of pictures are told as well as promised, with the customer's question; nothing wrong is called an order."""

import pytest

from cs_bot.records import Kind
from cs_bot.vision.base import load_engine
from tests import services
from tests.kinds.draw import drawn
from tests.kinds.evaluate import HELD_SEED, REPORT, Result, evaluate, markdown, numbered, read_kind
from tests.kinds.questions import pool
from tests.readings import look, screen

FULL, SLICE = 300, 20
COMPARISON, PHOTO = 0.9, 0.85  # recall with the question


def needs_ocr() -> None:
    """The engine's packages come with the extra; CI installs it."""
    if not services.CI:
        pytest.importorskip("rapidocr", reason="needs the extra: pip install -e '.[lite]'")


def looked(count: int) -> tuple[Result, str]:
    """The held-out part's first pictures, judged; and the engine's version."""
    engine = load_engine("lite", timeout_s=300.0)
    try:
        return evaluate(numbered(count, held=True), engine, held=True), f"lite {engine.version}"
    finally:
        engine.close()


def test_pictures_are_drawn_the_same_for_the_same_seed_and_of_every_kind() -> None:
    first, again = drawn(10, HELD_SEED, held=True), drawn(10, HELD_SEED, held=True)
    assert [one.jpeg(80) for one in first] == [one.jpeg(80) for one in again]
    assert {one.kind for one in first} == {Kind.PRODUCT, Kind.COMPARISON, Kind.SCENE, Kind.OTHER}


@pytest.mark.parametrize("kind", [Kind.PRODUCT, Kind.SCENE, Kind.COMPARISON])
def test_the_question_decides_beside_a_photo_that_could_be_either(kind: Kind) -> None:
    photo = look(Kind.PRODUCT).model_copy(
        update={"kinds": {Kind.PRODUCT: 0.5, Kind.SCENE: 0.35, Kind.COMPARISON: 0.05, Kind.OTHER: 0.1}}
    )
    texts = pool(kind, held=True)
    wrong = [text for text in texts if read_kind(photo, text) is not kind]
    assert len(wrong) <= (1 - PHOTO) * len(texts), wrong


@pytest.mark.parametrize("kind", [Kind.PRODUCT, Kind.SCENE, Kind.COMPARISON, Kind.OTHER])
def test_an_order_page_stays_one_beside_any_question(kind: Kind) -> None:
    page = screen(order_id="4021338819")
    assert {read_kind(page, text) for text in pool(kind, held=True)} == {Kind.ORDER}


@pytest.mark.ocr
def test_a_slice_of_the_held_out_pictures_is_told_right() -> None:
    needs_ocr()
    result, _ = looked(SLICE)
    assert result.called_order() == 0
    assert sum(result.asked[kind, kind] for kind in Kind) >= PHOTO * result.pictures, result.failures
    assert result.colours["wrong"] <= 0.1 * sum(result.colours.values())


@pytest.mark.full
@pytest.mark.ocr
def test_every_promise_about_kinds_is_kept_on_the_held_out_pictures() -> None:
    needs_ocr()
    result, engine = looked(FULL)
    REPORT.write_text(markdown(result, engine), encoding="utf-8")
    assert result.called_order() == 0
    assert result.recall(result.asked, Kind.COMPARISON) >= COMPARISON, result.failures
    for kind in (Kind.PRODUCT, Kind.SCENE):
        assert result.recall(result.asked, kind) >= PHOTO, result.failures
    assert result.colours["wrong"] <= 0.05 * sum(result.colours.values())
