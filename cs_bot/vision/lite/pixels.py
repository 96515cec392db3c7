"""What the pixels of a line tell that the words don't: hidden, smeared, crossed or cut characters."""

from dataclasses import dataclass
from importlib import import_module

import numpy as np
from numpy.typing import NDArray

from cs_bot.vision.lite.boxes import TextBox
from cs_bot.vision.lite.lines import Span
from cs_bot.vision.lite.ocr import Pixels

Grey = NDArray[np.float32]

INK_MIN = 24.0  # a pixel this far from the background (0-255, largest channel) may be ink
INK_SHARE = 0.42  # ... and so may one this share of the line's full contrast away
MARGIN = 2.6  # looked at on both sides of a number, in character pitches
RUN_LONG = 2.1  # a level stroke through the middle longer than this many pitches crosses several characters
TINT = 55.0  # ink of one character differs this much in colour from the others'
FAINT = 0.62  # ... or has less than this share of their contrast
GROUND = 20.0  # background behind one character differs this much from the others'
SOFT = 0.5  # edges of one character are softer than this share of the others'
BORDER = 14.0  # the page changes colour this much at a container's edge


@dataclass(frozen=True)
class Strip:
    """A line cut out level: its pixels, where its characters have their centres, and how far apart those are."""

    pixels: Grey  # height x width x 3
    centres: tuple[float, ...]
    signs: str
    pitch: float


def cut_out(picture: Pixels, span: Span, above: float, aside: float) -> Strip | None:
    """Cut the characters of a span out of its (single) box.

    `above` line heights are added above and below, `aside` pitches left and right. None when it is impossible.
    """
    parts = span.parts
    if len(parts) != 1 or not parts[0][0].cuts:
        return None
    box, first, last = parts[0]
    centres = [box.cuts[at] * box.width for at in range(first, last)]
    if len(centres) < 3:
        return None
    pitch = float(np.median(np.diff(centres)))
    if pitch <= 1:
        return None
    left, right = centres[0] - aside * pitch, centres[-1] + aside * pitch
    pixels = _warp(picture, box, left, right, above)
    return Strip(pixels, tuple(c - left for c in centres), box.text[first:last], pitch)


def _warp(picture: Pixels, box: TextBox, left: float, right: float, above: float) -> Grey:
    """The band of a line from `left` to `right` (pixels from the box's left end), level, at the same scale."""
    cv2 = import_module("cv2")
    (ax, ay), (bx, by) = box.quad[0], box.quad[1]
    (dx, dy) = box.quad[3]
    along = np.array([bx - ax, by - ay]) / max(1.0, box.width)
    across = np.array([dx - ax, dy - ay]) / max(1.0, box.height)
    origin = np.array([ax, ay]) + along * left - across * above * box.height
    width, height = max(4, round(right - left)), max(4, round(box.height * (1 + 2 * above)))
    source = np.array([origin, origin + along * width, origin + across * height], dtype=np.float32)
    target = np.array([[0, 0], [width, 0], [0, height]], dtype=np.float32)
    matrix = cv2.getAffineTransform(source, target)
    band = cv2.warpAffine(
        picture,
        matrix,
        (width, height),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(1, 254, 1),
    )
    return np.asarray(band, dtype=np.float32)


def line_crop(picture: Pixels, span: Span, aside: float = 0.75) -> Grey | None:
    """The characters of a span alone, for a second reading."""
    strip = cut_out(picture, span, 0.06, aside)
    return None if strip is None else strip.pixels


def covered(picture: Pixels, span: Span) -> str:
    """What lies over or between the characters of a span: `crossed`, `solid`, `odd`; empty for nothing."""
    strip = cut_out(picture, span, 0.0, 0.5)
    if strip is None:
        return "unknown"
    ink = _ink(strip.pixels)
    if _crossed(ink, strip.pitch):
        return "crossed"
    if _solid(ink, strip.pitch):
        return "solid"
    return "odd" if _odd_one(strip) else ""


def solid_beside(picture: Pixels, span: Span, room: tuple[float, float]) -> bool:
    """Whether a solid patch lies directly left or right of a number, within `room` (pixels free of other text)."""
    strip = cut_out(picture, span, 0.0, MARGIN)
    if strip is None:
        return True
    ink = _ink(strip.pixels)
    first, last, pitch = strip.centres[0], strip.centres[-1], strip.pitch
    left = ink[:, round(max(0, first - 0.5 * pitch - room[0])) : max(0, round(first - 0.6 * pitch))]
    right = ink[:, round(last + 0.6 * pitch) : round(last + 0.5 * pitch + room[1])]
    return _solid(left, pitch) or _solid(right, pitch)


def at_border(picture: Pixels, span: Span) -> bool:
    """Whether a number ends at the edge of something (of a picture in the picture): the ground changes right there."""
    strip = cut_out(picture, span, 1.1, 1.6)
    if strip is None:
        return True
    ground = np.median(strip.pixels, axis=0)  # a colour a column
    pitch = strip.pitch
    first, last = strip.centres[0], strip.centres[-1]
    inside = np.median(ground[round(first) : round(last)], axis=0)
    away = np.abs(ground - inside).max(axis=1) > BORDER
    lo, hi = round(first - 1.15 * pitch), round(last + 1.15 * pitch)
    return bool(away[max(0, lo) : round(first - 0.3 * pitch)].any() or away[round(last + 0.3 * pitch) : hi].any())


def stroke_free(crop: Grey) -> Pixels:
    """A grey view in which coloured strokes and watermarks fade: the channel farthest from them, its own white."""
    ground = np.median(crop.reshape(-1, 3), axis=0)
    light = ground.mean() > 110
    view = crop.max(axis=2) if light else 255 - crop.min(axis=2)
    low, high = np.percentile(view, 1), np.percentile(view, 70)
    level = np.clip((view - low) / max(8.0, (high - low) * 0.86), 0, 1) * 255
    return np.repeat(level[..., None], 3, axis=2).astype(np.uint8)


def _ink(pixels: Grey) -> NDArray[np.bool_]:
    ground = np.median(pixels.reshape(-1, 3), axis=0)
    far = np.abs(pixels - ground).max(axis=2)
    full = float(np.percentile(far, 97)) if far.size else 0.0
    return np.asarray(far > max(INK_MIN, INK_SHARE * full))


def _slots(strip: Strip) -> list[Grey]:
    """The pixels around each digit and capital letter."""
    half = strip.pitch / 2
    return [
        strip.pixels[:, max(0, round(centre - half)) : max(round(centre - half) + 2, round(centre + half))]
        for centre, sign in zip(strip.centres, strip.signs, strict=True)
        if sign.isdigit() or (sign.isascii() and sign.isupper())
    ]


def _crossed(ink: NDArray[np.bool_], pitch: float) -> bool:
    """Whether a level stroke runs through several characters at half height."""
    rows = np.flatnonzero(ink.any(axis=1))
    if rows.size < 4:
        return False
    tall = rows[-1] - rows[0]
    core = ink[rows[0] + round(tall * 0.3) : rows[0] + round(tall * 0.75)]
    return any(_longest(row) > RUN_LONG * pitch for row in core)


def _solid(ink: NDArray[np.bool_], pitch: float) -> bool:
    """Whether columns are filled from top to bottom over more than the stroke of a character."""
    if ink.size == 0:
        return False
    tall = ink.shape[0]
    full = ink[round(tall * 0.22) : round(tall * 0.78)].mean(axis=0) > 0.92
    return _longest(full) > 0.62 * pitch


def _longest(row: NDArray[np.bool_]) -> int:
    edges = np.flatnonzero(np.diff(np.concatenate(([0], row.astype(np.int8), [0]))))
    return int((edges[1::2] - edges[::2]).max()) if edges.size else 0


def _odd_one(strip: Strip) -> bool:
    """Whether one character differs from the rest in tint, contrast, ground or sharpness."""
    slots = _slots(strip)
    if len(slots) < 3:
        return False
    ground = np.median(strip.pixels.reshape(-1, 3), axis=0)
    table = np.array([_measures(slot, ground) for slot in slots])
    usual = np.median(table, axis=0)
    tint = np.abs(table[:, :3] - usual[:3]).max(axis=1)
    chroma = np.abs((table[:, :3] - table[:, :3].mean(axis=1, keepdims=True)) - (usual[:3] - usual[:3].mean())).max(
        axis=1
    )
    faint = table[:, 3] < FAINT * usual[3]
    grounds = table[:, 4] > usual[4] + GROUND
    soft = table[:, 5] < SOFT * usual[5]
    return bool((chroma > TINT).any() or (faint & (tint > 20)).any() or grounds.any() or (soft & faint).any())


def _measures(slot: Grey, ground: NDArray[np.floating]) -> tuple[float, float, float, float, float, float]:
    """Mean colour of the slot's ink (3), its contrast, how far its ground is from the line's, its sharpness."""
    far = np.abs(slot - ground).max(axis=2)
    strong = far >= np.percentile(far, 88)
    colour = slot[strong].mean(axis=0)
    weak = slot[far <= np.percentile(far, 35)].mean(axis=0)
    sharp = float(np.percentile(np.abs(np.diff(slot.mean(axis=2), axis=1)), 95)) if slot.shape[1] > 1 else 0.0
    return (
        float(colour[0]), float(colour[1]), float(colour[2]),
        float(np.percentile(far, 92)), float(np.abs(weak - ground).max()), sharp,
    )  # fmt: skip
