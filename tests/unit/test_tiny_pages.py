"""The optional pack of screenshots for the tiny checkpoint's training."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cs_bot.demo.draw import PAGES
from cs_bot.demo.tiny.pages import INDEX, Pack, Shot, shots
from cs_bot.demo.tiny.samples import draw_sample, fresh, training, use_pages
from cs_bot.vision.answers import OrderRead, parse


@pytest.fixture
def pack(tmp_path: Path) -> Iterator[Path]:
    kept = [Shot("order.webp", "order", several=True), Shot("mug.webp", "product", colour="red")]
    for shot in kept:
        Image.new("RGB", (192, 448), (1, 200, 3)).save(tmp_path / shot.file, "WEBP", lossless=True)
    (tmp_path / INDEX).write_text("".join(json.dumps(shot._asdict()) + "\n" for shot in kept), encoding="utf-8")
    use_pages(tmp_path)
    yield tmp_path
    use_pages(None)


def test_screenshots_are_mixed_in_as_pages_of_which_nothing_can_be_read(pack: Path) -> None:
    found = [draw_sample("read_order", training(1, number)) for number in range(60)]
    shown = [one for one in found if one.picture is not None and _green(one.picture)]
    assert 2 <= len(shown) <= 25
    for one in shown:
        read = parse(OrderRead, one.answer)
        assert (read.order_id, read.amount, read.several_orders) == ("unreadable", "unreadable", True)


def test_what_is_measured_never_has_a_screenshot(pack: Path) -> None:
    for one in fresh("read_order", 40, 1):
        assert one.picture is not None
        assert not _green(one.picture)


def test_a_pack_tells_which_kinds_it_has(pack: Path) -> None:
    assert Pack(pack).kinds == {"order", "product"}


def test_pages_are_the_demos_own_with_other_orders_and_other_words() -> None:
    made = list(shots(9001))
    assert {shot.kind for shot, _, _ in made} == {"order", "other", "product"}
    assert len({shot.file for shot, _, _ in made}) == len(made) == 31
    assert not {shot.file for shot, _, _ in made} & {page.name for page in PAGES}
    chats = [html for shot, html, _ in made if shot.kind == "other"]
    assert len(set(chats)) == len(chats)
    assert all('<div class="b">' in html for html in chats)


def _green(picture: np.ndarray) -> bool:
    return bool(np.median(picture[..., 1]) > 150 and np.median(picture[..., 0]) < 60)
