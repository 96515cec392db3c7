"""The colour of a thing on a picture: what stands out of the backdrop, named; nothing when that is unsure."""

from collections import Counter
from importlib import import_module

import numpy as np
from numpy.typing import NDArray

from cs_bot.vision.lite.ocr import Pixels

Lab = NDArray[np.float32]  # height x width x 3: lightness 0..100, a and b
Mask = NDArray[np.bool_]

RING = 0.04  # the border that is looked at for the backdrop, as a share of the side
EVEN = 12.0  # a backdrop's colours differ no more than this (CIE76) from an even ramp of light ...
EVEN_SHARE = 0.6  # ... over this share of the border
STANDS_OUT = 16.0  # a thing differs more than this from its backdrop
SHADOW = (24.0, 7.0)  # darker by up to this and of the same hue: the thing's shadow
LEAST, MOST = 0.02, 0.92  # shares of the picture that a thing can cover
CENTRE = 0.5  # without an even backdrop, the middle is looked at
CLEAR, CLEAR_CENTRE = 0.55, 0.65  # share of a colour and its neighbours at which it is named
LEADS = 0.38  # ... and of the colour alone
EQUAL = 0.28  # two colours apart with at least this share each: multicolour

# Colours that shade into each other in light and shadow.
_NEIGHBOURS = (
    {"blue", "navy"}, {"navy", "black"}, {"black", "grey"}, {"grey", "white"}, {"beige", "brown"}, {"beige", "white"},
    {"beige", "khaki"}, {"khaki", "brown"}, {"khaki", "green"}, {"red", "pink"}, {"red", "brown"}, {"orange", "brown"},
    {"orange", "yellow"}, {"pink", "purple"}, {"blue", "purple"}, {"orange", "red"}, {"yellow", "beige"},
    {"brown", "black"},
)  # fmt: skip


def lab_of(picture: Pixels) -> Lab:
    """The picture in CIE Lab."""
    cv2 = import_module("cv2")
    return np.asarray(cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_BGR2LAB), dtype=np.float32)


def foreground(lab: Lab) -> Mask | None:
    """What stands out of an even backdrop, without its shadow; None when it is not even or all is backdrop."""
    ground = _backdrop(lab)
    if ground is None:
        return None
    off = lab - ground
    far = np.linalg.norm(off, axis=2) > STANDS_OUT
    dark, hue = SHADOW
    shadow = (off[..., 0] < 0) & (off[..., 0] > -dark) & (np.linalg.norm(off[..., 1:], axis=2) < hue)
    cv2 = import_module("cv2")
    mask = cv2.morphologyEx((far & ~shadow).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)) > 0
    return np.asarray(mask) if LEAST < mask.mean() < MOST else None


def colour_of(lab: Lab, mask: Mask | None) -> str | None:
    """The canonical name of the thing's colour; `multicolour` for two about equal ones, None when unsure."""
    if mask is not None:
        return _named(_shares(lab[mask]), CLEAR)
    height, width = lab.shape[:2]
    top, left = round(height * (1 - CENTRE) / 2), round(width * (1 - CENTRE) / 2)
    middle = _shares(lab[top : height - top, left : width - left].reshape(-1, 3))
    name = _named(middle, CLEAR_CENTRE)
    around = _shares(_ring(lab)[0])
    return name if name and name != "multicolour" and around[name] < 0.5 * middle[name] else None


def _backdrop(lab: Lab) -> Lab | None:
    """The even ramp of light behind the things, fitted to the border of the picture."""
    colours, places = _ring(lab)
    kept = np.linalg.norm(colours - np.median(colours, axis=0), axis=1) < 2 * EVEN
    for _ in range(3):
        if kept.mean() < EVEN_SHARE:
            return None
        ramp, *_ = np.linalg.lstsq(places[kept], colours[kept], rcond=None)
        kept = np.linalg.norm(colours - places @ ramp, axis=1) < EVEN
    if kept.mean() < EVEN_SHARE:
        return None
    height, width = lab.shape[:2]
    down, right = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    return np.asarray(np.stack([np.ones_like(down), down, right], axis=2) @ ramp, dtype=np.float32)


def _ring(lab: Lab) -> tuple[Lab, NDArray[np.float64]]:
    """The border's colours, and (1, y, x) of each pixel."""
    height, width = lab.shape[:2]
    thick = max(2, round(RING * min(height, width)))
    inner = np.zeros((height, width), dtype=bool)
    inner[thick : height - thick, thick : width - thick] = True
    down, right = np.nonzero(~inner)
    places = np.stack([np.ones(len(down)), down / max(1, height - 1), right / max(1, width - 1)], axis=1)
    return lab[down, right], places


def _shares(pixels: Lab) -> Counter[str]:
    names, counts = np.unique(_names(pixels), return_counts=True)
    total = max(1, int(counts.sum()))
    return Counter({str(name): float(count) / total for name, count in zip(names, counts, strict=True)})


def _named(shares: Counter[str], clear: float) -> str | None:
    ranked = sorted(shares, key=lambda name: -shares[name])
    if not ranked:
        return None
    first = ranked[0]
    apart = [name for name in ranked[1:] if {first, name} not in _NEIGHBOURS]
    if apart and shares[apart[0]] >= EQUAL and shares[apart[0]] > 0.5 * shares[first]:
        return "multicolour"
    near = sum(shares[name] for name in ranked[1:] if {first, name} in _NEIGHBOURS)
    return first if shares[first] >= LEADS and shares[first] + near >= clear else None


def _names(pixels: Lab) -> NDArray[np.str_]:
    """The canonical name of each pixel's colour: borders in lightness, chroma and hue, set by eye on sRGB colours."""
    light = pixels[:, 0]
    chroma = np.hypot(pixels[:, 1], pixels[:, 2])
    hue = np.degrees(np.arctan2(pixels[:, 2], pixels[:, 1])) % 360
    neutral = chroma < np.where(light > 85, 8, 10)
    warm = (hue >= 30) & (hue < 112)
    conditions = [
        (light < 20) & (chroma < 20),
        neutral & (light < 30),
        neutral & (light > 84),
        neutral,
        (hue >= 190) & (hue < 312) & (light < 33) & (chroma < 85) & ~((light > 25) & (chroma > 70)),
        (hue >= 190) & (hue < 310),
        (hue >= 310) & (hue < 335),
        (hue >= 335) & (light < 42),
        ((hue >= 335) | (hue < 45)) & (light >= 62) & (chroma < 75) & ~(warm & (chroma < 28)),
        (hue >= 335) & (hue < 352),
        ((hue >= 352) | (hue < 46)) & (chroma >= 34),
        (hue >= 46) & (hue < 80) & (chroma >= 50) & (light >= 52),
        (hue >= 78) & (hue < 112) & (chroma >= 42) & (light >= 62),
        (hue >= 112) & (hue < 190),
        warm & (light >= 70),
        (hue >= 95) & (hue < 112) & (chroma >= 35),
        (hue >= 76) & (hue < 112) & (light >= 42),
        warm | (hue < 30),
    ]
    names = [
        "black", "black", "white", "grey", "navy", "blue", "purple", "purple", "pink", "pink", "red", "orange",
        "yellow", "green", "beige", "green", "khaki", "brown",
    ]  # fmt: skip
    return np.asarray(np.select(conditions, names, default="grey"))
