"""Guards: a number that is cut, split, covered or of a wrong shape is never simply `read`."""

from dataclasses import replace

import numpy as np
import pytest

from cs_bot.records import FieldState, Look
from cs_bot.vision.lite.boxes import Page, page_of
from cs_bot.vision.lite.engine import look_of
from cs_bot.vision.lite.guards import format_guard, wide_gap
from cs_bot.vision.lite.lexicon import FORMATS
from cs_bot.vision.lite.ocr import Pixels, Scan
from tests.unit.vision.drawn import HEIGHT, PITCH, box, findings, page, painted

NUMBER = "4159083016613186091"
ORDER = [
    "交易成功",
    ("商品总价", "¥178.00"),
    ("实付款", "¥158.00"),
    f"订单编号：{NUMBER}",
    "创建时间：2026-10-11 21:03:44",
]
NUMBER_ROW = 40 + 40 * 3


class Reader:
    """Answers every second reading with the same words."""

    def __init__(self, *answers: str) -> None:
        self._answers = answers
        self._calls = 0

    def __call__(self, crop: Pixels) -> str:
        self._calls += 1
        return self._answers[(self._calls - 1) // 2 % len(self._answers)]


def look(made: Page, picture: Pixels, reader: Reader | None = None, *, unread: int = 0, turned: int = 0) -> Look:
    """A look with a reader that confirms number, time and total in the order they are asked for."""
    answers = reader or Reader(NUMBER, "2026-10-11 21:03:44", "158.00")
    return look_of("0" * 64, Scan(picture, made, turned, 1, unread), answers, FORMATS, "1", 0.0)


def test_an_order_page_without_a_doubt_is_read_whole() -> None:
    made = page(ORDER)
    found = look(made, painted(made)).fields
    assert {name: field.value for name, field in found.items()} == {
        "order_id": NUMBER,
        "amount": "158.00",
        "currency": "CNY",
        "status": "completed",
        "status_text": "交易成功",
        "order_time": "2026-10-11T21:03:44",
    }
    assert {field.state for field in found.values()} == {FieldState.READ}


def number_field(
    picture: Pixels, made: Page | None = None, reader: Reader | None = None
) -> tuple[FieldState, set[str]]:
    field = look(made or page(ORDER), picture, reader).fields["order_id"]
    return field.state, set(field.guards)


def test_a_number_that_ends_at_the_edge_of_the_picture_is_not_trusted() -> None:
    made = page(ORDER)
    right = round(max(one.right for one in made.boxes if NUMBER in one.text))
    cut = replace(made, width=right + 3)
    state, guards = number_field(np.ascontiguousarray(painted(made)[:, : right + 3]), cut)
    assert state is FieldState.CONFIRM
    assert "edge" in guards


def test_a_number_that_ends_at_the_edge_of_a_picture_in_the_picture_is_not_trusted() -> None:
    made = page(ORDER)
    picture = painted(made)
    right = round(max(one.right for one in made.boxes if NUMBER in one.text))
    picture[:, right:] = (90, 90, 90)
    state, guards = number_field(picture)
    assert state is FieldState.CONFIRM
    assert "edge" in guards


@pytest.mark.parametrize("colour", [(0, 0, 255), (0, 0, 0), (200, 60, 20), (0, 220, 250)])
def test_digits_under_a_stroke_are_not_trusted(colour: tuple[int, int, int]) -> None:
    made = page(ORDER)
    picture = painted(made)
    middle = round(NUMBER_ROW + HEIGHT / 2)
    left = round(40 + PITCH * 10)
    picture[middle - 5 : middle + 5, left : left + 50] = colour
    state, guards = number_field(picture)
    assert state is FieldState.CONFIRM
    assert "covered" in guards


def test_a_patch_behind_the_last_digit_is_not_trusted() -> None:
    made = page(ORDER)
    picture = painted(made)
    right = round(max(one.right for one in made.boxes if NUMBER in one.text))
    picture[NUMBER_ROW - 4 : round(NUMBER_ROW + HEIGHT + 4), right + 4 : right + 60] = (30, 30, 30)
    state, guards = number_field(picture)
    assert state is FieldState.CONFIRM
    assert guards & {"covered", "edge"}


@pytest.mark.parametrize("grey", [215, 228])
def test_a_plate_hardly_darker_than_the_page_beside_the_number_is_not_trusted(grey: int) -> None:
    made = page(ORDER)
    picture = painted(made)
    right = round(max(one.right for one in made.boxes if NUMBER in one.text))
    picture[NUMBER_ROW : round(NUMBER_ROW + HEIGHT), right + 2 : right + 40] = grey
    state, guards = number_field(picture)
    assert state is FieldState.CONFIRM
    assert "covered" in guards


def test_a_patch_at_the_far_end_of_the_line_is_no_doubt() -> None:
    made = page(ORDER)
    picture = painted(made)
    right = round(max(one.right for one in made.boxes if NUMBER in one.text))
    picture[NUMBER_ROW : round(NUMBER_ROW + HEIGHT), right + 30 : right + 90] = 30
    assert number_field(picture) == (FieldState.READ, set())


def test_colour_fringes_of_screen_fonts_are_no_doubt() -> None:
    made = page(ORDER)
    picture = painted(made)
    picture[:, :, 2] = np.roll(picture[:, :, 2], -1, axis=1)
    picture[:, :, 0] = np.roll(picture[:, :, 0], 1, axis=1)
    assert number_field(picture) == (FieldState.READ, set())


def test_a_total_that_goes_on_under_paint_is_not_trusted() -> None:
    made = page([*ORDER[:2], ("实付款", "¥22,"), *ORDER[3:]])
    field = look(made, painted(made), Reader(NUMBER, "2026-10-11 21:03:44", "22")).fields["amount"]
    assert field.state is FieldState.CONFIRM
    assert "split" in field.guards


def test_a_number_far_from_its_label_or_its_copy_button_may_have_lost_digits() -> None:
    rows = [box(ORDER[0], 40, 40), box("实付款 ¥158.00", 40, 80), box("订单号:", 40, 120), box("936439", 200, 120)]
    made = page_of(800, 300, rows)
    field = look(made, painted(made), Reader("936439")).fields["order_id"]
    assert "split" in field.guards
    number = "P796541515476112"
    boxes = [
        box(ORDER[0], 40, 40),
        box("实付款 ¥158.00", 40, 80),
        box(f"订单号 {number}", 40, 120),
        box("|复制", 310, 120),
    ]
    far = page_of(800, 300, boxes)
    field = look(far, painted(far), Reader(number)).fields["order_id"]
    assert "split" in field.guards


def test_a_second_reading_that_differs_is_not_trusted() -> None:
    made = page(ORDER)
    state, guards = number_field(painted(made), made, Reader("4159083016613186097"))
    assert (state, guards) == (FieldState.CONFIRM, {"reread"})


def test_a_wide_gap_between_two_digits_may_hide_one() -> None:
    whole = findings([f"订单编号：{NUMBER}"]).numbers[0].span
    assert not wide_gap(whole)
    text = f"订单编号：{NUMBER}"
    one = box(text, 40, 40)
    cuts = tuple((at + (at > 12)) / (len(text) + 1) for at in range(len(text)))
    made = page_of(800, 200, [replace(one, cuts=cuts)])
    from cs_bot.vision.lite.fields import find, lines_of

    assert wide_gap(find(made, lines_of(made), FORMATS).numbers[0].span)


def test_a_number_in_two_pieces_is_not_trusted() -> None:
    made = page([*ORDER[:3], (f"订单编号：{NUMBER[:10]}", NUMBER[14:]), ORDER[4]])
    field = look(made, painted(made)).fields["order_id"]
    assert field.state is FieldState.CONFIRM
    assert "split" in field.guards


@pytest.mark.parametrize(
    ("value", "labelled", "platforms", "fires"),
    [
        (NUMBER, True, ("taobao",), False),
        (NUMBER[:16], True, ("taobao",), True),
        (NUMBER[:16], True, (), True),
        ("37511253287", True, ("jd",), True),
        ("112-1234567-765432", True, ("amazon",), True),
        ("1024", True, (), False),
        ("WEB1234567", True, (), False),
        ("1024", True, ("amazon",), True),
        ("1024", False, (), True),
        ("E2026110312345678901234", True, ("wechat",), False),
        ("20261103140512345", True, (), False),
        ("2026110340652", True, (), True),
        ("694200790413851", True, (), True),
        ("694200790413851", True, ("jd",), False),
        ("112-9373068-35", True, (), True),
    ],
)
def test_the_shape_of_a_number_is_checked(value: str, labelled: bool, platforms: tuple[str, ...], fires: bool) -> None:
    assert (format_guard(value, labelled, platforms, FORMATS) != ()) is fires


def test_a_shop_may_name_its_own_shape() -> None:
    assert format_guard("AB-123456789-X", True, ("shopify",), {**FORMATS, "shopify": r"AB-\d{9}-X"}) == ()


def test_a_page_with_several_orders_states_nothing() -> None:
    rows = [
        "我的订单",
        ("全部", "待付款", "待发货", "待收货"),
        ("小店", "待收货"),
        "实付款 ¥19.90",
        ("小店", "交易成功"),
    ]
    made = page([*rows, "实付款 ¥88.00"], width=1600)
    seen = look(made, painted(made))
    assert "list" in seen.notes
    assert all(field.state is not FieldState.READ for field in seen.fields.values())


def test_a_page_in_a_script_that_cannot_be_read_says_so() -> None:
    made = page([*ORDER])
    seen = look(made, painted(made), unread=9)
    assert "language:unknown" in seen.notes
    assert all(field.state is not FieldState.READ for field in seen.fields.values())


def test_boxes_are_given_in_pixels_of_the_picture_as_it_came() -> None:
    made = page(ORDER)
    straight = look(made, painted(made)).fields["order_id"].box
    turned = look(made, painted(made), turned=180).fields["order_id"].box
    assert straight is not None
    assert turned is not None
    left, top, right, bottom = straight
    assert turned == (made.width - right, made.height - bottom, made.width - left, made.height - top)
