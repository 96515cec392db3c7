"""Samples as packed arrays: token ids, M-RoPE positions, patches, and the dense labels of each visual token."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cs_bot.demo.tiny.network import CELL, MERGE, PATCH
from cs_bot.demo.tiny.samples import Mark, Sample

DIGITS, NO_DIGIT = 12, 10  # digits that are named of one visual token, in reading order; the class for none
COVERED = 0.35  # of the smaller of cell and mark: from here on the cell shows the mark
END, VISION_START, VISION_END, PAD = "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>"
START = "<|im_start|>"


class Packed(NamedTuple):
    """A batch end to end. The order of the fields is that of `arrays`; torch takes them as they are."""

    ids: NDArray[np.int32]
    positions: NDArray[np.int32]  # (3, tokens)
    bounds: NDArray[np.int32]  # of conversations
    seen: NDArray[np.int64]  # indices of visual tokens
    asked: NDArray[np.int64]  # indices of the tokens from which an answer's next token is told
    told: NDArray[np.int64]  # those next tokens
    of: NDArray[np.int64]  # the sample of each
    pixels: NDArray[np.uint8]  # (patches, 768)
    places: NDArray[np.int16]  # (patches, 4)
    picture_bounds: NDArray[np.int32]
    digits: NDArray[np.uint8]  # (visual tokens, DIGITS)
    tags: NDArray[np.bool_]  # (visual tokens, tags)
    tasks: NDArray[np.int64]


class Coder:
    """Encodes samples with a tokenizer of the `tokenizers` package; pieces that repeat are kept."""

    def __init__(self, tokenizer: Any, tasks: Sequence[str], tags: Sequence[str]) -> None:
        self._tokenizer, self._plain = tokenizer, without_added_tokens(tokenizer)
        self._kept: dict[tuple[str, bool], list[int]] = {}
        self.tasks = {name: number for number, name in enumerate(tasks)}
        self.tags = {name: number for number, name in enumerate(tags)}
        self.pad = self.ids(PAD)[0]

    def ids(self, text: str, *, data: bool = False) -> list[int]:
        """Token ids; in data no added token counts, as the engine cuts it."""
        if (text, data) not in self._kept:
            if len(self._kept) > 20_000:
                self._kept.clear()
            tokenizer = self._plain if data else self._tokenizer
            self._kept[text, data] = tokenizer.encode(text, add_special_tokens=False).ids
        return self._kept[text, data]

    def conversation(self, sample: Sample) -> tuple[list[int], int, list[int]]:
        """(ids up to the answer, index of the first visual token, ids of the answer with its end token)."""
        asked = self.ids(f"{START}system\n") + self.ids(sample.system, data=True) + self.ids(f"{END}\n")
        asked = (asked if sample.system else []) + self.ids(f"{START}user\n")
        first = 0
        if sample.picture is not None:
            asked, first = asked + self.ids(VISION_START), len(asked) + 1
            rows, columns = (side // CELL for side in sample.picture.shape[:2])
            asked = asked + [self.pad] * (rows * columns) + self.ids(VISION_END)
        asked = asked + self.ids(sample.text, data=True) + self.ids(f"{END}\n{START}assistant\n")
        return asked, first, self.ids(sample.answer) + self.ids(END)

    def pack(self, samples: Sequence[Sample], *, words: bool = True) -> Packed:
        """All of them in one row; without `words` only the pictures and their dense labels."""
        row = _Row(len(self.tags))
        for number, sample in enumerate(samples):
            if words:
                row.words(number, *self.conversation(sample), sample.picture)
            row.tasks.append(self.tasks[sample.task])
            if sample.picture is not None:
                row.picture(sample.picture)
                row.labels(sample.picture.shape[:2], sample.marks, self.tags)
        return row.packed()


class _Row:
    """Collects the parts of a batch."""

    def __init__(self, tags: int) -> None:
        self.ids: list[int] = []
        self.tasks: list[int] = []
        self.positions: list[Any] = [np.zeros((3, 0), np.int32)]
        self.bounds, self.picture_bounds = [0], [0]
        self.seen: list[Any] = [np.zeros(0, np.int64)]
        self.asked: list[Any] = [np.zeros(0, np.int64)]
        self.told: list[int] = []
        self.of: list[int] = []
        self.pixels: list[Any] = [np.zeros((0, 3 * PATCH * PATCH), np.uint8)]
        self.places: list[Any] = [np.zeros((0, 4), np.int16)]
        self.digits: list[Any] = [np.zeros((0, DIGITS), np.uint8)]
        self.tags: list[Any] = [np.zeros((0, tags), np.bool_)]

    def words(self, number: int, asked: list[int], first: int, answer: list[int], picture: Any) -> None:
        start = len(self.ids)
        self.ids += asked + answer[:-1]
        length = len(self.ids) - start
        self.bounds.append(len(self.ids))
        cells = (0, 0) if picture is None else tuple(side // CELL for side in picture.shape[:2])
        self.positions.append(rope_positions(length, first, *cells))
        self.seen.append(np.arange(cells[0] * cells[1]) + start + first)
        self.asked.append(np.arange(len(answer)) + start + len(asked) - 1)
        self.told += answer
        self.of += [number] * len(answer)

    def picture(self, picture: NDArray[np.uint8]) -> None:
        patches, places = patchify(picture)
        self.pixels.append(patches)
        self.places.append(places)
        self.picture_bounds.append(self.picture_bounds[-1] + len(patches))

    def labels(self, size: tuple[int, ...], marks: Sequence[Mark], tags: dict[str, int]) -> None:
        digits, named = dense_labels((size[0], size[1]), marks, tags)
        self.digits.append(digits)
        self.tags.append(named)

    def packed(self) -> Packed:
        return Packed(
            np.array(self.ids, np.int32),
            np.concatenate(self.positions, 1).astype(np.int32),
            np.array(self.bounds, np.int32),
            np.concatenate(self.seen).astype(np.int64),
            np.concatenate(self.asked).astype(np.int64),
            np.array(self.told, np.int64),
            np.array(self.of, np.int64),
            np.concatenate(self.pixels),
            np.concatenate(self.places),
            np.array(self.picture_bounds, np.int32),
            np.concatenate(self.digits),
            np.concatenate(self.tags),
            np.array(self.tasks, np.int64),
        )


def without_added_tokens(tokenizer: Any) -> Any:
    """The same tokenizer for data: no control token and no joint is ever found in it."""
    spec = {**json.loads(tokenizer.to_str()), "added_tokens": [], "post_processor": None}
    return type(tokenizer).from_str(json.dumps(spec))


def rope_positions(length: int, first: int, rows: int, columns: int) -> NDArray[np.int64]:
    """(3, length): time, height, width; the picture's tokens stand at `first`, what follows after its longer side."""
    positions = np.tile(np.arange(length), (3, 1))
    count = rows * columns
    if count:
        cells = np.arange(count)
        positions[:, first : first + count] = first + np.stack([0 * cells, cells // columns, cells % columns])
        positions[:, first + count :] += max(rows, columns) - count
    return positions


def patchify(picture: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.int16]]:
    """Patches in the order of the image processor (cell by cell) and (row, column, rows, columns) of each."""
    height, width = picture.shape[:2]
    rows, columns = height // PATCH, width // PATCH
    blocks = picture.reshape(rows // MERGE, MERGE, PATCH, columns // MERGE, MERGE, PATCH, 3)
    patches = blocks.transpose(0, 3, 1, 4, 6, 2, 5).reshape(rows * columns, -1)
    row, column = np.mgrid[:rows, :columns]
    order = [
        side.reshape(rows // MERGE, MERGE, columns // MERGE, MERGE).transpose(0, 2, 1, 3).reshape(-1)
        for side in (row, column)
    ]
    sides = [np.full(rows * columns, side) for side in (rows, columns)]
    return patches, np.stack([*order, *sides], 1).astype(np.int16)


def dense_labels(
    size: tuple[int, int], marks: Sequence[Mark], tags: dict[str, int]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """What each cell of 32x32 pixels shows: the digits whose middle lies in it, and the marks that cover it."""
    rows, columns = size[0] // CELL, size[1] // CELL
    named = np.zeros((rows, columns, len(tags)), np.bool_)
    found: dict[tuple[int, int], list[tuple[int, float, int]]] = {}
    for (left, top, right, bottom), what in marks:
        name, _, value = what.partition(":")
        if name == "digit":
            x, y = (left + right) / 2, (top + bottom) / 2
            if 0 <= x < size[1] and 0 <= y < size[0]:
                cell = (int(y // CELL), int(x // CELL))
                found.setdefault(cell, []).append((round(y / 6), x, int(value)))
        elif what in tags:
            _cover(named[:, :, tags[what]], (left, top, right, bottom))
    digits = np.full((rows, columns, DIGITS), NO_DIGIT, np.uint8)
    for cell, inside in found.items():
        for place, (_, _, figure) in enumerate(sorted(inside)[:DIGITS]):
            digits[(*cell, place)] = figure
    return digits.reshape(-1, DIGITS), named.reshape(-1, len(tags))


def _cover(shown: NDArray[np.bool_], box: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = box
    height, width = shown.shape
    x, y = np.arange(width) * CELL, np.arange(height) * CELL
    wide = np.clip(np.minimum(x + CELL, right) - np.maximum(x, left), 0, None)
    high = np.clip(np.minimum(y + CELL, bottom) - np.maximum(y, top), 0, None)
    least = min(CELL * CELL, max(1, (right - left) * (bottom - top)))
    shown |= np.outer(high, wide) >= COVERED * least
