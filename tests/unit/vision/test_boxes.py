"""Boxes of an order page's fields: in pixels of the stored picture, and only where they can be true."""

import io
import json

import pytest
from PIL import Image

from cs_bot.errors import EngineError
from cs_bot.records import FieldState, Look, ReadField
from cs_bot.vision.answers import json_schema, parse
from cs_bot.vision.base import PictureInput
from cs_bot.vision.boxes import OrderBoxes, to_locate, with_boxes
from cs_bot.vision.generating import Generation, Prompt
from cs_bot.vision.prompted import Limits, PromptedVision
from cs_bot.vision.prompts import Prompts, load_prompts
from tests.unit.vision.test_prompted import Scripted

READ = ReadField(value="x", state=FieldState.READ)
NOWHERE: dict[str, list[int]] = {name: [] for name in OrderBoxes.model_fields}
ORDER = {
    "order_id": "112-1234567-7654321",
    "amount": "55.38",
    "currency": "USD",
    "status": "shipped",
    "status_text": "unreadable",
    "order_time": "unreadable",
    "several_orders": False,
}


def page(width: int = 400, height: int = 800) -> PictureInput:
    out = io.BytesIO()
    Image.new("RGB", (width, height)).save(out, "PNG")
    return PictureInput("a" * 64, out.getvalue())


def boxes(**given: list[int]) -> OrderBoxes:
    return parse(OrderBoxes, json.dumps({**NOWHERE, **given}))


def test_a_box_comes_in_pixels_of_the_picture() -> None:
    found = with_boxes({"order_id": READ}, boxes(order_id=[100, 250, 501, 300]), page())
    assert found["order_id"].box == (40, 200, 201, 240)
    assert found["order_id"].value == "x"


@pytest.mark.parametrize(
    "box", [[], [1, 2, 3], [500, 10, 400, 20], [10, 20, 30, 20], [0, 0, 1000, 1000]], ids=lambda box: str(box)
)
def test_a_box_that_can_not_be_is_dropped(box: list[int]) -> None:
    assert with_boxes({"amount": READ}, boxes(amount=box), page())["amount"].box is None


def test_a_field_that_was_not_read_gets_no_box() -> None:
    fields = {"amount": ReadField(), "order_id": READ}
    found = with_boxes(fields, boxes(amount=[1, 1, 9, 9], order_id=[1, 1, 9, 9]), page())
    assert found["amount"].box is None
    assert found["order_id"].box is not None
    assert to_locate(fields) == ("order_id",)


@pytest.mark.parametrize("box", [[-1, 0, 5, 5], [0, 0, 5, 1001], [1, 2, 3, 4, 5]])
def test_a_box_outside_the_picture_has_no_shape(box: list[int]) -> None:
    with pytest.raises(ValueError, match="form"):
        boxes(amount=box)


def test_the_schema_bounds_every_number() -> None:
    items = json_schema(OrderBoxes)["properties"]["amount"]
    assert items["maxItems"] == 4
    assert (items["items"]["minimum"], items["items"]["maximum"]) == (0, 1000)


def looked(
    said: Generation | Exception, prompts: Prompts | None = None, *, wanted: bool = True
) -> tuple[Look, list[str]]:
    """A look at an order page whose boxes are answered with `said`, and the names of the prompts."""

    def says(prompt: Prompt) -> Generation | Exception:
        if prompt.name == "locate_order":
            return said
        return Generation("order" if prompt.name == "classify" else json.dumps(ORDER))

    generator = Scripted(says)
    engine = PromptedVision(
        generator, name="x", version="1", prompts=prompts or load_prompts(), limits=Limits(boxes=wanted)
    )
    (look,) = engine.look([page()])
    engine.close()
    assert isinstance(look, Look)
    return look, [prompt.name for prompt in generator.prompts]


def test_boxes_are_asked_for_last_and_only_for_what_was_read() -> None:
    look, names = looked(Generation(json.dumps({**NOWHERE, "order_id": [0, 0, 500, 100]})))
    assert names == ["classify", "read_order", "read_order_again", "locate_order"]
    assert look.fields["order_id"].box == (0, 0, 200, 80)
    assert look.fields["order_time"].box is None


@pytest.mark.parametrize("said", [EngineError("x"), Generation("no JSON"), Generation("{", finish_reason="length")])
def test_without_boxes_the_fields_are_what_they_were(said: Generation | Exception) -> None:
    look, _ = looked(said)
    assert look.fields["order_id"].value == ORDER["order_id"]
    assert look.fields["order_id"].box is None


def test_nothing_is_asked_where_the_checkpoint_can_not_tell() -> None:
    ours = load_prompts()
    texts = {name: text for name, text in ours.texts.items() if name != "locate_order"}
    for prompts, wanted in ((Prompts(texts, ours.versions), True), (ours, False)):
        _, names = looked(EngineError("not asked"), prompts, wanted=wanted)
        assert "locate_order" not in names
