"""Textures and backdrops as arrays: wood, marble, linen, knit, camouflage, flowers."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
Colours = NDArray[np.float32]  # height x width x 3, red first, 0..1


def smooth(rng: np.random.Generator, size: int, cells: tuple[float, float]) -> Plane:
    """Smooth noise in 0..1 with about `cells` bumps across and down."""
    grid = rng.random((max(2, round(cells[1]) + 1), max(2, round(cells[0]) + 1)), dtype=np.float32)
    plane = cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.clip(plane, 0, 1)


def layered(rng: np.random.Generator, size: int, cells: tuple[float, float], octaves: int = 4) -> Plane:
    """Noise with details of several sizes, stretched to 0..1."""
    total = np.zeros((size, size), np.float32)
    for n in range(octaves):
        total += smooth(rng, size, (cells[0] * 2**n, cells[1] * 2**n)) / 2**n
    return (total - total.min()) / max(1e-6, float(np.ptp(total)))


def hsv(hue: float, saturation: float, value: float) -> Colours:
    """One colour as RGB in 0..1."""
    pixel = np.array([[[hue % 1 * 360, saturation, value]]], np.float32)
    return np.asarray(cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0])


def grey(value: float) -> Colours:
    """One grey."""
    return np.full(3, value, np.float32)


def mix(a: Colours, b: Colours, share: Plane) -> Colours:
    """Colours between a and b."""
    return np.asarray(a + (b - a) * share.astype(np.float32)[..., None], np.float32)


@lru_cache(maxsize=64)
def backdrop(name: str, seed: int, size: int) -> Colours:
    """The backdrop `name` of a shop; all its pictures have the very same one."""
    rng = np.random.default_rng((seed, sum(map(ord, name))))
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size
    tone = hsv(rng.random(), rng.uniform(0.1, 0.35), rng.uniform(0.7, 0.95))
    if name == "white":
        return np.ones((size, size, 3), np.float32)
    if name == "studio":
        return mix(grey(0.97), grey(0.72), np.clip(np.hypot(x - 0.5, y - 0.4), 0, 1))
    if name == "wood":
        rings = layered(rng, size, (3, 24)) * 9 + layered(rng, size, (4, 160), 2)
        return mix(hsv(0.08, 0.55, 0.42), hsv(0.09, 0.45, 0.78), (rings % 1).astype(np.float32))
    if name == "marble":
        veins = np.abs(np.sin(6 * np.pi * (x + 0.6 * y) + 7 * layered(rng, size, (4, 4), 5)))
        return mix(grey(0.62), grey(0.96), np.clip(veins**0.35, 0, 1))
    if name == "linen":
        weave = 0.5 + 0.25 * np.sin(x * size * 0.9) + 0.25 * np.sin(y * size * 0.9)
        weave = 0.6 * weave + 0.4 * layered(rng, size, (90, 90), 2)
        return mix(tone * 0.75, tone, weave.astype(np.float32))
    if name == "paper":
        return mix(tone * 0.94, tone, layered(rng, size, (60, 60), 3))
    if name == "room":
        wall = mix(tone, tone * 0.8, x)
        boards = (layered(rng, size, (60, 4)) * 6 % 1).astype(np.float32)
        floor = mix(hsv(0.07, 0.5, 0.35), hsv(0.08, 0.45, 0.55), boards)
        return np.where((y > 0.72)[..., None], floor, wall)
    lines = ((x * 7 % 1 < 0.03) | (y * 7 % 1 < 0.03)).astype(np.float32)
    return mix(mix(tone * 0.9, tone, layered(rng, size, (12, 12))), grey(0.5), lines)


def pattern(name: str, seed: int, size: int, base: Colours, accent: Colours) -> Colours:
    """The surface of a product."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size
    angle = rng.uniform(-0.5, 0.5)
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    count = rng.uniform(7, 18)
    if name == "stripes":
        share = (u * count % 1 < rng.uniform(0.25, 0.55)).astype(np.float32)
    elif name == "checks":
        share = 0.5 * (u * count % 1 < 0.5) + 0.5 * (v * count % 1 < 0.5)
    elif name == "dots":
        share = (np.hypot(u * count % 1 - 0.5, v * count % 1 - 0.5) < rng.uniform(0.18, 0.35)).astype(np.float32)
    elif name == "knit":
        share = 0.35 * (0.5 + 0.5 * np.sin(40 * u * 6.28 / 2 + 3 * np.abs((v * 36 % 1) - 0.5) * 4))
    elif name == "grain":
        share = 0.6 * (layered(rng, size, (3, 40)) * 6 % 1)
    elif name == "camo":
        share = (layered(rng, size, (6, 6), 3) > rng.uniform(0.45, 0.55)).astype(np.float32)
    elif name == "floral":
        share = _flowers(rng, size)
    else:
        share = 0.08 * layered(rng, size, (30, 30), 2)
    return mix(base, accent, share.astype(np.float32))


def _flowers(rng: np.random.Generator, size: int) -> Plane:
    canvas = np.zeros((size, size), np.float32)
    for _ in range(int(rng.integers(25, 50))):
        cx, cy = rng.integers(0, size, 2).tolist()
        radius, petals = rng.uniform(0.015, 0.04) * size, int(rng.integers(4, 7))
        for n in range(petals):
            turn = 6.283 * n / petals + cx
            at = (round(cx + radius * np.cos(turn)), round(cy + radius * np.sin(turn)))
            cv2.ellipse(canvas, (at, (radius * 1.6, radius * 0.8), float(np.degrees(turn))), 1.0, -1, cv2.LINE_AA)
        cv2.circle(canvas, (cx, cy), max(1, round(radius * 0.4)), 0.4, -1, cv2.LINE_AA)
    return canvas
