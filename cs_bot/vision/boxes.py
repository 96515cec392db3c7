"""Where on an order page its fields stand: asked for last, and kept only where it can be true."""

import io
from collections.abc import Mapping, Sequence
from typing import Annotated

from PIL import Image
from pydantic import Field

from cs_bot.records import FieldState, ReadField
from cs_bot.vision.answers import Strict
from cs_bot.vision.base import PictureInput

SIDE = 1000  # boxes come in thousandths of the picture's sides
WHOLE_PAGE = 0.5  # a value that takes more of the page than this was not found
Thousandths = Annotated[tuple[Annotated[int, Field(ge=0, le=SIDE)], ...], Field(max_length=4)]


class OrderBoxes(Strict):
    """The boxes of an order page's fields; empty for what was not found."""

    order_id: Thousandths
    amount: Thousandths
    currency: Thousandths
    status: Thousandths
    status_text: Thousandths
    order_time: Thousandths


def to_locate(fields: Mapping[str, ReadField]) -> tuple[str, ...]:
    """The fields that are worth looking for."""
    return tuple(name for name, field in fields.items() if field.state is not FieldState.UNREADABLE)


def with_boxes(fields: Mapping[str, ReadField], boxes: OrderBoxes, picture: PictureInput) -> dict[str, ReadField]:
    """The fields with their boxes in pixels of the picture; a box that can't be, or of a field not read, is dropped."""
    size = Image.open(io.BytesIO(picture.data)).size
    asked = to_locate(fields)
    return {
        name: field.model_copy(update={"box": _pixels(getattr(boxes, name), size)}) if name in asked else field
        for name, field in fields.items()
    }


def _pixels(box: Sequence[int], size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    if len(box) != 4:
        return None
    left, top, right, bottom = box
    if not (0 <= left < right <= SIDE and 0 <= top < bottom <= SIDE):
        return None
    if (right - left) * (bottom - top) > WHOLE_PAGE * SIDE**2:
        return None
    width, height = size
    return (
        left * width // SIDE,
        top * height // SIDE,
        -(-right * width // SIDE),
        -(-bottom * height // SIDE),
    )
