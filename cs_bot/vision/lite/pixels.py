"""What the pixels of a line tell that the words don't: hidden, smeared, crossed or cut characters."""

from dataclasses import dataclass
from importlib import import_module

import numpy as np
from numpy.typing import NDArray

from cs_bot.vision.lite.boxes import TextBox
from cs_bot.vision.lite.lines import Span
from cs_bot.vision.lite.ocr import Pixels

Grey = NDArray[np.float32]

INK_MIN = 24.0  # a pixel this far from the ground (0-255, largest channel) may be ink
INK_SHARE = 0.42  # ... and so may one this share of the line's full contrast away
MARGIN = 2.6  # looked at on both sides of a number, in character pitches
RUN_LONG = ((13.0, 2.1), (0.0, 3.5))  # (least pitch in pixels, longest level stroke through the middle in pitches)
JOINED = ((17.0, 2.3), (13.0, 3.2), (0.0, 6.0))  # (least pitch, widest connected ink): small characters blur together
SOLID = 0.62  # columns filled from top to bottom over more pitches than this are no character
INK_NEAR = 0.35  # looked at for any ink beside a number, in pitches (a copy icon stands farther away)
INK_BESIDE = 0.2  # columns with ink beside a number, in pitches, that are more than dirt
PLATE_NEAR, PLATE = 0.55, 0.5  # where the ground changes beside a number, and for how long at least, in pitches
PLATE_GROUND = 20.0  # ... and by how much in brightness
SOLID_NEAR = 0.5  # a patch begins so near beside a number, in pitches; the edge of a container lies farther off
FOREIGN, FOREIGN_MIXED = 0.11, 0.2  # more of a character's ink than this off the others' colour is not its own
FAINT, BOLD = 0.76, 1.3  # contrast of one character as a share of the others'
GROUND = 20.0  # the ground behind one character differs this much from the line's
COLOURED = 60.0  # channels of a colour differ this much
BORDER = 14.0  # the page changes colour this much at a container's edge


@dataclass(frozen=True)
class Strip:
    """A line cut out level: its pixels, where its characters have their centres, and how far apart those are."""

    pixels: Grey  # height x width x 3
    centres: tuple[float, ...]
    signs: str
    pitch: float


def cut_out(picture: Pixels, span: Span, above: float, aside: float, beside: float | None = None) -> Strip | None:
    """Cut the characters of a span out of its (single) box.

    `above` line heights are added above and below, `aside` pitches left and right (`beside` where the box goes on).
    None when it is impossible.
    """
    parts = span.parts
    if len(parts) != 1 or not parts[0][0].cuts:
        return None
    box, first, last = parts[0]
    centres = [box.cuts[at] * box.width for at in range(first, last)]
    apart = np.diff(centres if len(centres) >= 3 else [cut * box.width for cut in box.cuts])
    pitch = float(np.median(apart)) if len(apart) else 0.5 * box.height
    if pitch <= 1:
        return None
    inner = aside if beside is None else beside
    left = centres[0] - (inner if first else aside) * pitch
    right = centres[-1] + (inner if last < len(box.text) else aside) * pitch
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


def line_crop(picture: Pixels, span: Span) -> Grey | None:
    """The characters of a span alone, for a second reading."""
    strip = cut_out(picture, span, 0.06, 0.75, 0.55)
    return None if strip is None else strip.pixels


def covered(picture: Pixels, span: Span, *, even: bool = True) -> str:
    """What lies over or between the characters of a span: `crossed`, `solid`, `odd`; empty for nothing.

    `even` says that all characters have one size, as in a number, and not in a price with small decimals.
    """
    strip = cut_out(picture, span, 0.0, 0.5)
    if strip is None:
        return "unknown"
    ink = _ink(strip.pixels)
    if _crossed(ink, strip.pitch) or _joined(ink, strip.pitch * (1.0 if even else 1.5)):
        return "crossed"
    if _solid(ink, strip.pitch):
        return "solid"
    if _foreign(strip) > (FOREIGN if even else FOREIGN_MIXED):
        return "foreign"
    return "odd" if even and _odd_one(strip) else ""


def beside(picture: Pixels, span: Span, room: tuple[float, float]) -> str:
    """What lies directly left or right of a number within `room` (pixels free of other text).

    `solid` for a filled patch, `plate` for one hardly darker or lighter than the page, `ink` for anything at all (an
    icon, or digits made illegible), empty for nothing.
    """
    strip = cut_out(picture, span, 0.0, MARGIN)
    if strip is None:
        return "solid"
    ink = _ink(strip.pixels)
    first, last, pitch = strip.centres[0], strip.centres[-1], strip.pitch
    left = ink[:, round(max(0, first - 0.5 * pitch - room[0])) : max(0, round(first - 0.7 * pitch))]
    right = ink[:, round(last + 0.7 * pitch) : round(last + 0.5 * pitch + room[1])]
    reach = round((SOLID_NEAR + SOLID) * pitch)
    if _solid(left[:, max(0, left.shape[1] - reach) :], pitch) or _solid(right[:, :reach], pitch):
        return "solid"
    if _plate(strip, room):
        return "plate"
    return "ink" if right[:, : round(INK_NEAR * pitch)].any(axis=0).sum() > INK_BESIDE * pitch else ""


def _plate(strip: Strip, room: tuple[float, float]) -> bool:
    """Whether the ground itself changes right beside the number and stays so: digits painted over or pixelated."""
    columns = np.median(strip.pixels, axis=0)
    first, last, pitch = strip.centres[0], strip.centres[-1], strip.pitch
    inside = np.median(columns[round(first) : max(round(first) + 2, round(last))], axis=0)
    off = np.abs((columns - inside).mean(axis=1)) > PLATE_GROUND
    reach = round((PLATE_NEAR + PLATE) * pitch)
    right = off[round(last + 0.6 * pitch) : round(last + 0.5 * pitch + room[1])][:reach]
    left = off[round(max(0, first - 0.5 * pitch - room[0])) : max(0, round(first - 0.6 * pitch))][::-1][:reach]
    return max(_longest(left), _longest(right)) > PLATE * pitch


def at_border(picture: Pixels, span: Span) -> bool:
    """Whether a number ends at the edge of something (of a picture in the picture): the ground changes right there."""
    strip = cut_out(picture, span, 1.1, 1.6)
    if strip is None:
        return True
    ground = np.median(strip.pixels, axis=0)  # a colour a column
    pitch = strip.pitch
    first, last = strip.centres[0], strip.centres[-1]
    inside = np.median(ground[round(first) : max(round(first) + 2, round(last))], axis=0)
    away = np.abs(ground - inside).max(axis=1) > BORDER
    lo, hi = round(first - 1.15 * pitch), round(last + 1.15 * pitch)
    return bool(away[max(0, lo) : round(first - 0.3 * pitch)].any() or away[round(last + 0.3 * pitch) : hi].any())


def stroke_free(crop: Grey) -> Pixels:
    """A grey view in which coloured strokes and watermarks fade, with a white point of its own.

    Grey characters are seen through the lightest channel (the darkest on a dark ground), coloured ones through the
    channel in which they stand out most.
    """
    flat = crop.reshape(-1, 3)
    ground = np.median(flat, axis=0)
    ink = _ink_colour(flat, ground)
    if np.ptp(ink) > COLOURED and np.ptp(ink - ground) > COLOURED:
        view = crop[:, :, int(np.abs(ink - ground).argmax())]
    else:
        view = crop.max(axis=2) if ground.mean() > 110 else crop.min(axis=2)
    if np.median(view) < 110:
        view = 255 - view
    low, high = float(np.percentile(view, 1)), float(np.percentile(view, 70))
    level = np.clip((view - low) / max(8.0, (high - low) * 0.86), 0, 1) * 255
    return np.repeat(level[..., None], 3, axis=2).astype(np.uint8)


def _ink_colour(flat: Grey, ground: Grey) -> Grey:
    far = np.abs(flat - ground).max(axis=1)
    return np.asarray(flat[far >= np.percentile(far, 92)].mean(axis=0), dtype=np.float32)


def _ink(pixels: Grey) -> NDArray[np.bool_]:
    ground = np.median(pixels.reshape(-1, 3), axis=0)
    far = np.abs(pixels - ground).max(axis=2)
    full = float(np.percentile(far, 97)) if far.size else 0.0
    return np.asarray(far > max(INK_MIN, INK_SHARE * full))


def _limit(table: tuple[tuple[float, float], ...], pitch: float) -> float:
    return next(limit for least, limit in table if pitch >= least)


def _crossed(ink: NDArray[np.bool_], pitch: float) -> bool:
    """Whether a level stroke runs through several characters at half height."""
    rows = np.flatnonzero(ink.any(axis=1))
    if rows.size < 4:
        return False
    tall = rows[-1] - rows[0]
    core = ink[rows[0] + round(tall * 0.3) : rows[0] + round(tall * 0.75)]
    return any(_longest(row) > _limit(RUN_LONG, pitch) * pitch for row in core)


def _joined(ink: NDArray[np.bool_], pitch: float) -> bool:
    """Whether some stroke joins several characters to one shape."""
    cv2 = import_module("cv2")
    _, _, shapes, _ = cv2.connectedComponentsWithStats(ink.astype(np.uint8), connectivity=4)
    widest = max(shapes[1:, cv2.CC_STAT_WIDTH], default=0)
    return bool(widest > _limit(JOINED, pitch) * pitch)


def _solid(ink: NDArray[np.bool_], pitch: float) -> bool:
    """Whether columns are filled from top to bottom over more than the stroke of a character."""
    if ink.size == 0:
        return False
    tall = ink.shape[0]
    full = ink[round(tall * 0.22) : round(tall * 0.78)].mean(axis=0) > 0.92
    return _longest(full) > SOLID * pitch


def _longest(row: NDArray[np.bool_]) -> int:
    edges = np.flatnonzero(np.diff(np.concatenate(([0], row.astype(np.int8), [0]))))
    return int((edges[1::2] - edges[::2]).max()) if edges.size else 0


def _foreign(strip: Strip) -> float:
    """How far the ink of one character is off the colour of the others', as a share of its ink.

    Summed over a whole character: the coloured fringes of screen fonts cancel out there, a stroke does not.
    """
    off = strip.pixels - np.median(strip.pixels.reshape(-1, 3), axis=0)
    far = np.abs(off).max(axis=2)
    off = off * (far > max(INK_MIN / 2, 0.15 * float(np.percentile(far, 97))))[..., None]
    half = 0.5 * strip.pitch
    sums = np.array(
        [
            off[:, max(0, round(centre - half)) : round(centre + half) + 1].sum(axis=(0, 1))
            for centre, sign in zip(strip.centres, strip.signs, strict=True)
            if sign.isalnum()
        ]
    ).reshape(-1, 3)
    lengths = np.linalg.norm(sums, axis=1)
    if len(sums) < 3 or not lengths.any():
        return 0.0
    axis = np.median(sums / np.maximum(lengths, 1e-6)[:, None], axis=0)
    axis = axis / max(1e-6, float(np.linalg.norm(axis)))
    beside_axis = np.linalg.norm(sums - np.outer(sums @ axis, axis), axis=1)
    return float((beside_axis / np.maximum(lengths, max(1e-6, 0.4 * float(np.median(lengths))))).max())


def _odd_one(strip: Strip) -> bool:
    """Whether one digit has less or more contrast than the rest, or another ground."""
    ground = np.median(strip.pixels.reshape(-1, 3), axis=0)
    half = 0.6 * strip.pitch
    contrasts, grounds = [], []
    for centre, sign in zip(strip.centres, strip.signs, strict=True):
        if sign.isdigit():
            slot = strip.pixels[:, max(0, round(centre - half)) : round(centre + half) + 1]
            far = np.abs(slot - ground).max(axis=2)
            contrasts.append(float(np.percentile(far, 98)))
            weak = slot[far <= np.percentile(far, 35)].mean(axis=0)
            grounds.append(float(np.abs(weak - ground).max()))
    if len(contrasts) < 3:
        return False
    usual = float(np.median(contrasts))
    uneven = min(contrasts) < FAINT * usual or max(contrasts) > BOLD * usual
    return uneven or max(grounds) > float(np.median(grounds)) + GROUND
