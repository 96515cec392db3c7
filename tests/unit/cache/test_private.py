"""What of a look is personal: everything that seems an order or holds a long number, however it is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cs_bot.cache import is_personal
from cs_bot.cache.private import has_long_number
from cs_bot.records import FieldState, Item, Kind, ReadField
from cs_bot.testing import a_look


@pytest.mark.parametrize(
    "text",
    [
        "订单编号 4021338819",
        "138 0013 8000",
        "138-0013-8000",
        "138****8000",
        "415.555.0123",
        "１３８００１３８０００",
        "٤٠٢١٣٣٨٨",
        "❶❷❸ 123456",
        "①②③④⑤⑥",
        "身份证 110101 1990 0101 1234",
        "2026-05-01",
        "x123456y",
    ],
)
def test_a_long_number_is_personal_however_it_is_written(text: str) -> None:
    assert has_long_number([text])
    assert is_personal(a_look(kind=Kind.PRODUCT, lines=("plain", text)))
    assert is_personal(a_look(kind=Kind.PRODUCT, items=(Item(attributes={"code": text}),)))


@pytest.mark.parametrize("text", ["¥1299.00", "¥12,999", "42", "2026", "12:30", "M-2089", "iPad 10.9", "99.9%", ""])
def test_prices_sizes_and_short_codes_are_not(text: str) -> None:
    assert not is_personal(a_look(kind=Kind.PRODUCT, lines=(text,)))


@given(st.text(alphabet="0123456789", min_size=6, max_size=24), st.sampled_from(["", " ", "-", "–", "*", "  "]))
def test_no_separator_hides_a_long_number(digits: str, separator: str) -> None:
    assert has_long_number([f"no. {separator.join(digits)} end"])


def test_what_seems_an_order_is_personal_without_any_number() -> None:
    assert is_personal(a_look(kind=Kind.ORDER))
    unsure = a_look().model_copy(update={"kinds": {Kind.OTHER: 0.85, Kind.ORDER: 0.15}})
    assert is_personal(unsure)
    read = {"status": ReadField(value="shipped", state=FieldState.CONFIRM)}
    assert is_personal(a_look(kind=Kind.PRODUCT, fields=read))


def test_a_plain_photo_is_not() -> None:
    photo = a_look().model_copy(update={"kinds": {Kind.PRODUCT: 0.6, Kind.SCENE: 0.38, Kind.ORDER: 0.02}})
    assert not is_personal(photo)
