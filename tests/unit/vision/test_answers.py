"""Answers of a checkpoint: strictly judged, and a number is read only with evidence."""

import json
import tomllib
from importlib.resources import files
from typing import Any

import pytest

from cs_bot.records import ITEM_ATTRIBUTES, ORDER_FIELDS, FieldState
from cs_bot.vision.answers import (
    COLOURS,
    READS,
    ComparisonRead,
    Evidence,
    OrderRead,
    ProductRead,
    Reply,
    Strict,
    Unusable,
    canonical,
    items_of,
    json_schema,
    order_fields,
    parse,
)
from tests.contracts.openai_fake import DRESS, ORDER


def order(**changed: Any) -> OrderRead:
    return parse(OrderRead, json.dumps({**ORDER, **changed}))


def objects(part: Any) -> list[dict[str, Any]]:
    """Every object schema inside a schema."""
    found = [part] if isinstance(part, dict) and part.get("type") == "object" else []
    inner = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    return found + [one for value in inner for one in objects(value)]


def strings(part: Any) -> list[dict[str, Any]]:
    """Every string schema inside a schema."""
    found = [part] if isinstance(part, dict) and part.get("type") == "string" else []
    inner = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    return found + [one for value in inner for one in strings(value)]


@pytest.mark.parametrize("shape", [*READS.values(), Reply])
def test_every_object_is_closed_and_every_string_bounded(shape: type[Strict]) -> None:
    schema = json_schema(shape)
    for one in objects(schema):
        assert one["additionalProperties"] is False
        assert set(one["required"]) == set(one["properties"])
    for one in strings(schema):
        assert "maxLength" in one or "enum" in one
    assert "title" not in json.dumps(schema)


def test_the_shapes_have_the_fields_of_the_records() -> None:
    assert set(OrderRead.model_fields) == {*ORDER_FIELDS, "several_orders"}
    assert set(ITEM_ATTRIBUTES) <= set(json_schema(ProductRead)["$defs"]["ItemRead"]["properties"])


def test_colours_are_the_catalogs() -> None:
    known = tomllib.loads(files("cs_bot").joinpath("knowledge", "attributes.toml").read_text("utf-8"))
    assert set(COLOURS) == set(known["colours"])


def test_two_readings_that_agree_are_read() -> None:
    fields = order_fields(order(), order(), Evidence())
    assert {name: field.value for name, field in fields.items()} == {n: ORDER[n] for n in ORDER_FIELDS}
    assert {field.state for field in fields.values()} == {FieldState.READ}


def test_one_reading_alone_is_to_be_confirmed() -> None:
    fields = order_fields(order(), None, Evidence())
    assert {field.state for field in fields.values()} == {FieldState.CONFIRM}
    assert fields["order_id"].guards == ("single",)


@pytest.mark.parametrize("other", ["112-1234567-7654327", "112-123456-7654321", "unreadable", "1121234567-7654321"])
def test_a_second_reading_that_differs_is_a_doubt(other: str) -> None:
    fields = order_fields(order(), order(order_id=other), Evidence())
    assert (fields["order_id"].state, fields["order_id"].guards) == (FieldState.CONFIRM, ("reread",))
    assert fields["amount"].state is FieldState.READ


def test_an_unlikely_token_is_a_doubt_even_where_two_readings_agree() -> None:
    fields = order_fields(order(), order(), Evidence({"order_id": 0.6, "amount": 0.95}))
    assert (fields["order_id"].state, fields["order_id"].guards) == (FieldState.CONFIRM, ("unlikely",))
    assert fields["amount"].state is FieldState.READ


def test_a_page_shrunk_too_far_proves_nothing() -> None:
    assert order_fields(order(), order(), Evidence(shrunk=0.3))["order_id"].guards == ("small",)


@pytest.mark.parametrize(
    "number", ["1234", "#1001", "2026110312345678", "SO-10234", "240501ABCD1234", "1234567890123456789"]
)
def test_a_number_of_a_known_shape_is_read(number: str) -> None:
    read = order(order_id=number)
    assert order_fields(read, read, Evidence())["order_id"].state is FieldState.READ


@pytest.mark.parametrize("number", ["12-34-56-78", "1A2B3C4D5E6F7G", "ABC1234XYZ"])
def test_a_number_of_no_known_shape_is_to_be_confirmed(number: str) -> None:
    read = order(order_id=number)
    field = order_fields(read, read, Evidence())["order_id"]
    assert (field.state, field.guards) == (FieldState.CONFIRM, ("format",))


NO_VALUES = {
    "order_id": ("", "unreadable", "N/A", "abc", "12", "一二三四五", "1234; DROP TABLE", "9" * 40 + "x", "12<34>56"),
    "amount": (
        *("", "unreadable", "abc", "-5.00", "1.234,50", "1,23", "5.", ".5", "1e5", "NaN", "Infinity", "55.38 USD"),
        *("$55.38", "五十五", "12345678901", "5.12345", "１２.ab"),
    ),
    "currency": ("$", "usd", "XXX", "unreadable"),
    "status": ("on its way", "Shipped", "unreadable"),
    "status_text": ("", "unreadable", "<>"),
    "order_time": (
        *("yesterday", "2026-13-01", "2026-02-30", "20261103", "2026-W01-1", "1999-01-01", "2026-11-03T25:00"),
        *("2026-11-03T12:00Z", "2026-11-03T12:00+08:00", "11/03/2026"),
    ),
}


@pytest.mark.parametrize(("name", "raw"), [(name, raw) for name, values in NO_VALUES.items() for raw in values])
def test_what_does_not_validate_is_unreadable(name: str, raw: str) -> None:
    assert canonical(name, raw) is None


@pytest.mark.parametrize(
    ("name", "raw", "value"),
    [
        ("order_id", " 112–1234567–7654321 ", "112-1234567-7654321"),
        ("order_id", "１２３４５６７８９０１２３４５６７８", "123456789012345678"),
        ("amount", "1,234.50", "1234.50"),
        ("amount", "0055.38", "55.38"),
        ("order_time", "2026-11-03 14:02", "2026-11-03T14:02"),
        ("status_text", "  Out for\n delivery\u202e ", "Out for delivery"),
    ],
)
def test_what_validates_has_the_form_of_records(name: str, raw: str, value: str) -> None:
    assert canonical(name, raw) == value


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(ORDER),
        f"```json\n{json.dumps(ORDER)}\n```",
        f"<think>hm {{ }} hm</think>\nHere you are: {json.dumps(ORDER)} Done.",
        json.dumps(ORDER).replace('"55.38"', "55.38"),
        json.dumps({**ORDER, "status": None}),
    ],
)
def test_talk_around_the_answer_and_nulls_are_forgiven(text: str) -> None:
    assert parse(OrderRead, text).amount == "55.38"


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "   ",
            "no",
            "{",
            "}{",
            "[]",
            "null",
            "{}",
            '{"reply": 5}',
            "{" * 5000,
            '{"a":' * 3000 + "1" + "}" * 3000,
        ),
        json.dumps({**ORDER, "note": "more"}),
        json.dumps({key: value for key, value in ORDER.items() if key != "amount"}),
        json.dumps({**ORDER, "status": "lost"}),
        json.dumps({**ORDER, "order_id": "1" * 41}),
        json.dumps({**ORDER, "order_id": ["1"]}),
        json.dumps({**ORDER, "several_orders": "maybe"}),
        " " * 30_000,
    ],
)
def test_anything_else_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(Unusable) as refused:
        parse(OrderRead, text)
    assert len(str(refused.value)) < 120
    assert "lost" not in str(refused.value)


def test_items_keep_what_was_seen() -> None:
    read = parse(ProductRead, json.dumps({"items": [DRESS]}))
    (item,) = items_of(read)
    assert (item.where, item.attributes) == ("whole", {"category": "dress", "colour": "red", "style": "long, floral"})


def test_items_of_which_nothing_was_seen_and_words_that_are_no_names_are_left_out() -> None:
    nothing = {name: "unreadable" for name in DRESS} | {"where": "left"}
    odd = {**DRESS, "where": "right", "category": "<b>dress</b>{x}", "brand": "N/A", "style": "see www.evil.example"}
    read = parse(ComparisonRead, json.dumps({"items": [nothing, odd]}))
    (item,) = items_of(read)
    assert item.attributes == {"category": "b dress /b x", "colour": "red"}


@pytest.mark.parametrize(("text", "why"), [(" ", "empty"), ("no", "no JSON"), ("{" * 70_000, "too long")])
def test_why_an_answer_is_of_no_use_is_told_apart(text: str, why: str) -> None:
    with pytest.raises(Unusable, match=why):
        parse(OrderRead, text)
