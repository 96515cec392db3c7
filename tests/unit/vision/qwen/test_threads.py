"""Where pictures are opened, how they come, and what happens when there is no memory for that."""

import io
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from cs_bot.errors import EngineFull
from cs_bot.images import accept_picture
from cs_bot.vision.base import PictureInput
from cs_bot.vision.chat import Chat, ChatMessage, Role
from cs_bot.vision.qwen import inputs
from cs_bot.vision.qwen.chats import QwenChats
from cs_bot.vision.qwen.decoding import Answer, Wish
from cs_bot.vision.qwen.row import Row
from tests.unit.vision.qwen.parts import SMALL, Parts, asked, drawn, opened, soon


@pytest.fixture(scope="module")
def parts(random_checkpoint: Path) -> Iterator[Parts]:
    with opened(random_checkpoint) as made:
        yield made


@pytest.fixture
def chats(parts: Parts) -> QwenChats:
    return QwenChats(parts.core, "random-tiny")


def asking(*said: str | PictureInput) -> Chat:
    return Chat((ChatMessage(Role.USER, said),), max_new_tokens=2)


def test_a_picture_whose_size_is_known_is_opened_in_the_callers_thread(
    parts: Parts, chats: QwenChats, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(chats.chat(asking("?", drawn(1)), until=soon()))
    opened_by: list[str] = []

    def noted(data: bytes) -> Image.Image:
        opened_by.append(threading.current_thread().name)
        return pixels_of(data)

    pixels_of = inputs.pixels_of
    monkeypatch.setattr(inputs, "pixels_of", noted)  # patch: only to see who calls it
    parts.core.runner._prefixes.clear()
    for ask in (
        lambda: list(chats.chat(asking("?", drawn(1)), until=soon())),
        lambda: parts.generator.generate(asked("?", drawn(1)), max_tokens=2, until=soon()),
    ):
        ask()
    assert opened_by == ["MainThread"] * 2


def test_the_engine_shows_signs_of_life_between_two_pictures_that_it_has_to_open(parts: Parts) -> None:
    prompt = parts.encoded(asked("?", drawn(2), drawn(3)))
    beats: list[int] = []
    for picture in prompt.pictures:
        picture._make = _noting(picture._make, beats, parts)
        picture.forget()
    list(parts.core.runner.ask(Row(prompt, soon(), Answer(parts.vocabulary, Wish(2)))).results())
    assert len(beats) == 2
    assert beats[0] < beats[1]


def _noting(make: Any, beats: list[int], parts: Parts) -> Any:
    def made() -> Any:
        beats.append(parts.core.runner.beats)
        return make()

    return made


def test_no_memory_to_open_a_picture_is_worth_another_try(
    parts: Parts, chats: QwenChats, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: bytes) -> Any:
        raise MemoryError

    monkeypatch.setattr(inputs, "pixels_of", full)  # patch: no machine is filled for a test
    with pytest.raises(EngineFull):
        chats.chat(asking("?", drawn(4)), until=soon())
    with pytest.raises(EngineFull):
        parts.generator.generate(asked("?", drawn(4)), max_tokens=2, until=soon())
    monkeypatch.undo()
    assert list(chats.chat(asking("?", drawn(4)), until=soon()))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_as_it_came_looks_like_the_stored_one(parts: Parts, kind: str) -> None:
    exif, out = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    noise = Image.open(io.BytesIO(drawn(5, 200, 100).data))
    noise.putalpha(128) if kind == "PNG" else None
    noise.save(out, kind, exif=exif)
    stored = accept_picture(out.getvalue())
    came, kept = (
        parts.core.inputs.encode([ChatMessage(Role.USER, (PictureInput("", data), "?"))], SMALL, room=1).pictures[0]
        for data in (out.getvalue(), stored.data)
    )
    assert came.grid == kept.grid
    assert came.grid[1] > came.grid[2], "upright"
    assert torch.equal(came.values(), kept.values())
