"""The OCR engine: one per process, offline, in one thread; tall pages in tiles, turned ones upright."""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cs_bot.errors import EngineError
from cs_bot.settings import keep_libraries_quiet
from cs_bot.vision.lite.boxes import Page, Point, TextBox, page_of

Pixels = NDArray[np.uint8]  # height x width x 3, blue first

DETECT_SIDE = 960  # longest side the text detector sees; the recogniser reads full-size crops
TILE_ASPECT = 2.4  # a page taller than this many widths is read in tiles
TILE_ASPECT_MIN = 0.7  # nor is a tile ever flatter than this: wide pages have small print
TINY = 7.0  # print smaller than this many pixels, as the detector sees it, is read again in smaller tiles
TILE_OVERLAP = 0.12
TILE_MIN_SIDE = 640  # narrower tiles lose nothing when they are a little taller
THUMBNAIL = 900
MAX_TILES = 24
MIN_SIDE = 12  # pixels; nothing lower holds a line, and RapidOCR would blow it up to a huge one
TURNED_MIN = 3  # a page turned on its side still shows its lines; where fewer are seen, it is a photo
READABLE = 0.5  # lines read worse than this are in a script the data lacks, or no text at all

_DET, _REC = "PP-OCRv6_det_small.onnx", "PP-OCRv6_rec_small.onnx"


@dataclass(frozen=True)
class Scan:
    """What the OCR made of a picture: the picture upright, its lines, degrees turned (clockwise), tiles read."""

    upright: Pixels
    page: Page
    turned: int
    tiles: int
    unread: int = 0  # lines that were found but could not be read: no script that the data knows


class Ocr:
    """RapidOCR with fixed settings. Not thread-safe: the engine calls it from one thread."""

    def __init__(self, threads: int) -> None:
        keep_libraries_quiet()
        package = import_module("rapidocr")
        folder = Path(str(package.__file__)).parent / "models"
        for name in (_DET, _REC):
            if not (folder / name).is_file():
                raise EngineError(f"the rapidocr package lacks its data file {name}; nothing is downloaded here")
        self.version = metadata.version("rapidocr")
        logging.getLogger("RapidOCR").setLevel(logging.CRITICAL)
        self._reader: Any = package.RapidOCR(params=_settings(folder, threads))
        self._blank = self._found = 0
        self._steps = self._reader.run_ocr_steps
        self._reader.run_ocr_steps = self._counted_steps  # it drops lines read as nothing; their number tells a lot
        logging.getLogger("RapidOCR").setLevel(logging.CRITICAL)

    def scan(self, picture: Pixels, alive: Callable[[], bool] = lambda: True) -> Scan:
        """Read a picture. `alive` is asked between native calls; when it says no, the rest is left unread."""
        if min(picture.shape[:2]) < MIN_SIDE:
            return Scan(picture, page_of(picture.shape[1], picture.shape[0], []), 0, 1)
        boxes, tiles = self._read(picture, alive)
        turned, blank = 0, self._blank
        if alive() and self._found >= TURNED_MIN and _suspect(boxes):
            turned = self._best_turn(picture, boxes, alive)
            if turned:
                picture = turn(picture, turned)
                boxes, tiles = self._read(picture, alive)
                blank = self._blank
        height, width = picture.shape[:2]
        page = page_of(width, height, [box for box in boxes if box.score >= READABLE])
        poor = sum(box.score < READABLE and box.width > 1.5 * box.height for box in boxes)
        return Scan(picture, page, turned, tiles, poor + blank)

    def line(self, crop: Pixels) -> str:
        """Read one line that was cut out before, without looking for lines in it."""
        if min(crop.shape[:2]) < 4:
            return ""
        result = self._reader(crop, use_det=False, use_cls=False, use_rec=True)
        return "".join(result.txts or ())

    def _read(self, picture: Pixels, alive: Callable[[], bool]) -> tuple[list[TextBox], int]:
        height, width = picture.shape[:2]
        aspect = TILE_ASPECT
        boxes, tiles = self._in_tiles(picture, tiles_of(width, height, aspect), alive)
        while (
            alive() and aspect > TILE_ASPECT_MIN and height > width and _tiny(boxes, width, min(height, aspect * width))
        ):
            aspect /= 2
            finer = tiles_of(width, height, aspect)
            if len(finer) > tiles:
                boxes, tiles = self._in_tiles(picture, finer, alive)
        return boxes, tiles

    def _in_tiles(
        self, picture: Pixels, spans: list[tuple[int, int]], alive: Callable[[], bool]
    ) -> tuple[list[TextBox], int]:
        height = picture.shape[0]
        found: list[TextBox] = []
        self._blank = self._found = 0
        for top, bottom in spans:
            if not alive():
                break
            part = self._lines(np.ascontiguousarray(picture[top:bottom]))
            found += [
                box.moved(0, top) for box in part if not _cut_by_tile(box, bottom - top, top > 0, bottom < height)
            ]
        return (without_doubles(found) if len(spans) > 1 else found), len(spans)

    def _lines(self, picture: Pixels) -> list[TextBox]:
        result = self._reader(picture, use_det=True, use_cls=False, use_rec=True)
        if getattr(result, "boxes", None) is None or not result.txts:
            return []
        return _text_boxes(result)

    def _counted_steps(self, *args: Any) -> Any:
        found, turns, read, crops = self._steps(*args)
        self._found += len(crops)
        for crop, text in zip(crops, read.txts or (), strict=False):
            self._blank += not text.strip() and crop.shape[1] > 1.5 * crop.shape[0]
        return found, turns, read, crops

    def _best_turn(self, picture: Pixels, boxes: list[TextBox], alive: Callable[[], bool]) -> int:
        """The turn under which a thumbnail holds the most text; 0 unless clearly better than as it is."""
        small = _shrunk(picture, THUMBNAIL)
        mass = {0: text_mass(boxes) if boxes else 0.0}
        for degrees in (90, 270) if _standing(boxes) else (90, 180, 270):
            if alive():
                mass[degrees] = text_mass(self._lines(turn(small, degrees)))
        best = max(mass, key=lambda degrees: mass[degrees])
        return best if mass[best] > 1.25 * mass[0] + 4 else 0


def turn(picture: Pixels, degrees: int) -> Pixels:
    """The picture turned clockwise by a multiple of 90 degrees."""
    return np.ascontiguousarray(np.rot90(picture, -degrees // 90 % 4))


def unturned(point: Point, degrees: int, width: int, height: int) -> Point:
    """Where a point of the upright picture lies on the original one, whose size is `width` x `height`."""
    x, y = point
    if degrees == 90:
        return y, height - x
    if degrees == 180:
        return width - x, height - y
    if degrees == 270:
        return width - y, x
    return x, y


def tiles_of(width: int, height: int, aspect: float = TILE_ASPECT) -> list[tuple[int, int]]:
    """Rows (top, bottom) of the tiles, `aspect` widths tall, in which a page is read; one for an ordinary page."""
    tall = max(int(width * aspect), TILE_MIN_SIDE)
    if height <= tall * 1.05:
        return [(0, height)]
    step = tall * (1 - TILE_OVERLAP)
    count = min(MAX_TILES, math.ceil((height - tall) / step) + 1)
    starts = [round((height - tall) * n / (count - 1)) for n in range(count)]
    return [(start, min(height, start + tall)) for start in starts]


def without_doubles(boxes: list[TextBox]) -> list[TextBox]:
    """Drop the second reading of a line that two tiles share; the longer text stays."""
    kept: list[TextBox] = []
    for box in sorted(boxes, key=lambda b: (-len(b.text), -b.score)):
        if not any(_same_place(box, other) for other in kept):
            kept.append(box)
    return sorted(kept, key=lambda b: (b.top, b.left))


def text_mass(boxes: list[TextBox]) -> float:
    """How much sensible text there is: characters of level lines that were read surely."""
    return sum(len(b.text) * b.score**3 for b in boxes if b.width > b.height and b.score > 0.7)


def _tiny(boxes: list[TextBox], width: float, height: float) -> bool:
    """Whether the print was too small for the detector, which saw tiles of this size.

    Judged by the width of the characters: boxes around small print are drawn too high.
    """
    sizes = [
        box.width / sum(0.55 if sign.isascii() else 1.0 for sign in box.text) for box in boxes if len(box.text) > 3
    ]
    if len(sizes) < 6:
        return False
    return float(np.median(sizes)) * DETECT_SIDE / max(width, height, DETECT_SIDE) < TINY


def _suspect(boxes: list[TextBox]) -> bool:
    """Whether the picture may be turned: nothing found, lines that stand upright, or few that read well."""
    long = [b for b in boxes if len(b.text) > 2]
    if len(long) < 3:
        return True
    return _standing(boxes) or sum(b.score < 0.8 for b in long) > 0.35 * len(long)


def _standing(boxes: list[TextBox]) -> bool:
    """Whether most lines run from top to bottom."""
    long = [b for b in boxes if len(b.text) > 2]
    return sum(b.height > 1.5 * b.width or _vertical(b) for b in long) > max(2, 0.4 * len(long))


def _vertical(box: TextBox) -> bool:
    return (box.bottom - box.top) > 1.5 * (box.right - box.left)


def _cut_by_tile(box: TextBox, height: int, above: bool, below: bool) -> bool:
    margin = 0.15 * box.height
    return (above and box.top <= margin) or (below and box.bottom >= height - margin)


def _same_place(a: TextBox, b: TextBox) -> bool:
    wide = min(a.right, b.right) - max(a.left, b.left)
    tall = min(a.bottom, b.bottom) - max(a.top, b.top)
    return wide > 0.4 * min(a.right - a.left, b.right - b.left) and tall > 0.4 * min(a.bottom - a.top, b.bottom - b.top)


def _shrunk(picture: Pixels, side: int) -> Pixels:
    height, width = picture.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return picture
    cv2 = import_module("cv2")
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _settings(folder: Path, threads: int) -> dict[str, Any]:
    """Explicit paths: with them RapidOCR downloads nothing."""
    return {
        "Global.log_level": "critical",
        "Global.text_score": 0.0,
        "Global.use_cls": False,
        "Global.max_side_len": 100_000,
        "Global.return_word_box": True,
        "Global.return_single_char_box": True,
        "Det.model_path": str(folder / _DET),
        "Det.limit_type": "max",
        "Det.limit_side_len": DETECT_SIDE,
        "Rec.model_path": str(folder / _REC),
        "EngineConfig.onnxruntime.intra_op_num_threads": threads,
        "EngineConfig.onnxruntime.inter_op_num_threads": 1,
    }


def _text_boxes(result: Any) -> list[TextBox]:
    """RapidOCR's answer as boxes. Its list of characters may lack lines, so each is matched by its text."""
    words = list(result.word_results or ())
    boxes, taken = [], 0
    for quad, text, score in zip(result.boxes, result.txts, result.scores, strict=True):
        corners = tuple((float(x), float(y)) for x, y in quad)
        box = TextBox(str(text), float(score), (corners[0], corners[1], corners[2], corners[3]))
        bare = box.text.replace(" ", "").replace("\u3000", "")
        if taken < len(words) and "".join(str(word[0]) for word in words[taken]) == bare:
            box = replace(box, cuts=_cuts(box, [word[2] for word in words[taken]]))
            taken += 1
        boxes.append(box)
    return boxes


def _cuts(box: TextBox, quads: list[Any]) -> tuple[float, ...]:
    """Centres of the characters along the line; a space lies midway between its neighbours."""
    (x0, y0), (x1, y1) = box.quad[0], box.quad[1]
    length = max(1e-6, (x1 - x0) ** 2 + (y1 - y0) ** 2)
    marks = []
    for quad in quads:
        x = sum(float(p[0]) for p in quad) / 4
        y = sum(float(p[1]) for p in quad) / 4
        marks.append(((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / length)
    cuts, used = [], 0
    for sign in box.text:
        if sign.isspace():
            before, after = marks[max(0, used - 1)], marks[min(used, len(marks) - 1)]
            cuts.append((before + after) / 2)
        else:
            cuts.append(marks[used])
            used += 1
    return tuple(cuts)
