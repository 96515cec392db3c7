"""Truth stays true when a screenshot is degraded: geometry and visibility without a browser."""

import random

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.screens import degrade
from tests.screens.degrade import Picture
from tests.screens.paint import PLACES, STYLES, page_colour, paint, span
from tests.screens.truth import FIELDS, Layout, Mark, project, truth_line, visibility

SIZE = (400, 800)
FIELD_AT = {"status": (40, 60), "amount": (250, 400), "order_id": (100, 600), "order_time": (120, 640)}


def row(left: float, top: float, count: int = 10) -> tuple[tuple[float, float, float, float], ...]:
    return tuple((left + 10 * n, top, left + 10 * n + 10, top + 24) for n in range(count))


@pytest.fixture
def page() -> Picture:
    """A white page with a black block per character, so that ink can be found again after any degradation."""
    image = Image.new("RGB", SIZE, (250, 250, 250))
    draw = ImageDraw.Draw(image)
    marks = []
    for name, (left, top) in FIELD_AT.items():
        marks.append(Mark(name, row(left, top)))
        for box in row(left, top):
            draw.rectangle((box[0] + 2, box[1] + 6, box[2] - 3, box[3] - 6), fill=(0, 0, 0))
    return Picture(image, Layout(SIZE, tuple(marks)), css=2.0)


def ink_at(picture: Picture, name: str) -> list[float]:
    """Brightness in the middle of every character of a field on the degraded picture."""
    (mark,) = picture.layout.mains(name)
    centres = np.array([((b[0] + b[2]) / 2, (b[1] + b[3]) / 2) for b in mark.chars])
    grey = picture.image.convert("L")
    return [grey.getpixel((int(x), int(y))) for x, y in project(picture.layout.matrix, centres)]


@pytest.mark.parametrize("degrees", [3, -3, 90, 180, 270])
def test_characters_are_found_where_the_matrix_says_after_a_turn(page: Picture, degrees: int) -> None:
    turned = degrade.rotate(page, degrees)
    assert turned.layout.size == turned.image.size
    for name in FIELD_AT:
        assert max(ink_at(turned, name)) < 90
        assert visibility(turned.layout, name) == "whole"


def test_characters_are_found_where_the_matrix_says_after_scaling_and_nesting(page: Picture) -> None:
    frame = Picture(Image.new("RGB", (900, 1200), (9, 9, 9)), Layout((900, 1200), ()), hole=(100, 100, 500, 900))
    nested = degrade.nest(degrade.resize(page, 0.5), frame)
    assert nested.image.size == (900, 1200)
    assert nested.css == pytest.approx(2.0)
    for name in FIELD_AT:
        assert max(ink_at(nested, name)) < 120
        assert visibility(nested.layout, name) == "whole"


def test_characters_are_found_where_the_matrix_says_on_a_photo(page: Picture) -> None:
    shot = degrade.photo(page, random.Random(5), 4.0)
    for name in FIELD_AT:
        dark, light = max(ink_at(shot, name)), shot.image.convert("L").getpixel((shot.image.width // 2, 500))
        assert dark < light - 40
        assert visibility(shot.layout, name) == "whole"


def test_a_jpeg_keeps_the_size_and_the_truth(page: Picture) -> None:
    saved = degrade.jpeg(page, 30)
    assert saved.image.size == page.image.size
    assert saved.layout is page.layout


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((0, 0, 400, 500), {"status": "whole", "amount": "whole", "order_id": "none", "order_time": "none"}),
        ((0, 390, 400, 800), {"status": "none", "amount": "whole", "order_id": "whole", "order_time": "whole"}),
        ((0, 0, 155, 800), {"status": "whole", "amount": "none", "order_id": "part", "order_time": "part"}),
        ((0, 0, 400, 612), {"status": "whole", "amount": "whole", "order_id": "part", "order_time": "none"}),
    ],
)
def test_a_crop_leaves_whole_part_or_none_of_each_field(
    page: Picture, box: tuple[int, int, int, int], expected: dict[str, str]
) -> None:
    cropped = degrade.crop(page, box)
    assert {name: visibility(cropped.layout, name) for name in FIELD_AT} == expected


def test_an_edge_through_the_blank_above_the_glyphs_leaves_the_field_whole(page: Picture) -> None:
    assert visibility(degrade.crop(page, (0, 601, 400, 800)).layout, "order_id") == "whole"


def test_what_one_step_cut_off_stays_cut_off_after_the_next(page: Picture) -> None:
    cut = degrade.crop(page, (0, 0, 400, 612))
    frame = Picture(Image.new("RGB", (900, 900)), Layout((900, 900), ()), hole=(200, 200, 700, 800))
    for later in (degrade.rotate(cut, 3), degrade.nest(cut, frame), degrade.photo(cut, random.Random(1), 2.0)):
        assert visibility(later.layout, "order_id") == "part"
        assert visibility(later.layout, "order_time") == "none"


def test_a_cut_number_is_never_whole_and_never_gone(page: Picture) -> None:
    for seed in range(60):
        assert visibility(degrade.cut_number(page, random.Random(seed)).layout, "order_id") == "part"


def test_a_cropped_part_keeps_at_least_one_whole_field(page: Picture) -> None:
    for seed in range(60):
        cropped = degrade.crop_part(page, random.Random(seed))
        assert "whole" in {visibility(cropped.layout, name) for name in FIELDS}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("place", PLACES)
def test_paint_hides_some_digits_and_touches_no_other_field(page: Picture, style, place) -> None:
    painted = paint(page, "order_id", style, place, random.Random(3))
    assert visibility(painted.layout, "order_id") == "part"
    assert {visibility(painted.layout, name) for name in ("status", "amount", "order_time")} == {"whole"}
    changed = np.any(np.asarray(painted.image) != np.asarray(page.image), axis=2)
    rows = np.flatnonzero(changed.any(axis=1))
    assert changed.any()
    assert 590 < rows.min() <= rows.max() < 640  # only around the number's own line


def test_paint_in_the_colour_of_the_page_leaves_no_ink_under_it(page: Picture) -> None:
    painted = paint(page, "order_id", "page", "last", random.Random(3))
    assert page_colour(page.image, (100, 600, 200, 624)) == (250, 250, 250)
    inks = ink_at(painted, "order_id")
    hidden = sum(ink > 200 for ink in inks)
    assert 3 <= hidden <= 6
    assert all(ink > 200 for ink in inks[-hidden:])


@pytest.mark.parametrize("count", [4, 5, 6, 12, 14, 19, 22])
def test_a_span_is_inside_the_number_and_middle_ones_spare_both_ends(count: int) -> None:
    for seed in range(50):
        for place in PLACES:
            start, end = span(count, place, random.Random(seed))
            assert 0 <= start < end <= count
            assert end - start <= max(1, count // 2)
            if place == "middle":
                assert start > 0
                assert end < count


def test_a_fixed_bar_over_a_field_hides_it(page: Picture) -> None:
    covered = page.layout.covered([(0.0, 590.0, 400.0, 630.0)])
    assert visibility(covered, "order_id") == "none"
    assert visibility(covered, "order_time") == "whole"


def test_the_best_place_of_a_field_counts_and_a_hint_counts_as_part(page: Picture) -> None:
    twice = Layout(SIZE, (Mark("amount", row(390, 100)), Mark("amount", row(20, 200))))
    assert visibility(twice, "amount") == "whole"
    hinted = Layout(SIZE, (Mark("amount", row(20, 200), alt=True),))
    assert visibility(hinted, "amount") == "part"
    assert visibility(Layout(SIZE, ()), "amount") == "none"


def test_currency_and_status_text_are_seen_where_amount_and_status_are(page: Picture) -> None:
    cropped = degrade.crop(page, (0, 300, 400, 800))
    fields = dict.fromkeys(FIELDS, "x") | {"order_time": None}
    line = truth_line("a.png", {"kind": "order"}, "crop", fields, cropped.layout)
    assert line["visible"] == {
        "order_id": "whole",
        "amount": "whole",
        "currency": "whole",
        "status": "none",
        "status_text": "none",
        "order_time": "none",  # the page does not print it
    }
