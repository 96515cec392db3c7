"""A seeded shop: products in families of near-identical ones, and products that it does not sell."""

import random
from dataclasses import dataclass, replace
from typing import Literal

SHAPES = (
    "mug", "tee", "tote", "bottle", "shoe", "lamp", "carton", "watch", "chair", "cap", "case", "cushion", "jar",
    "speaker", "glasses", "fabric",
)  # fmt: skip
PATTERNS = ("plain", "stripes", "checks", "dots", "knit", "grain", "camo", "floral")
PRINTS = ("none", "logo", "words", "scene", "label")
BACKDROPS = ("white", "studio", "wood", "marble", "linen", "paper", "room", "tiles")
Sibling = Literal["colour", "print", "pattern", "label"]
WORDS = (
    "NOVA", "LUMA", "Polar", "KOBE", "Atlas", "Mira", "ORBIT", "Juno", "SOLO", "Hertz", "ZEPHYR", "Cocoa",
    "1987", "RunClub", "No.5", "BASIC", "Fjord", "TOKYO", "Field", "Delta", "Ember", "QUARTZ", "Lotus",
    "Bravo",
)  # fmt: skip


@dataclass(frozen=True)
class Spec:
    """Everything that a picture of a product is drawn from."""

    shape: str
    hue: float  # of a circle
    saturation: float
    value: float
    accent: float  # hue of pattern and small parts
    pattern: str
    pattern_seed: int
    print: str
    print_seed: int
    text: str
    backdrop: str
    shape_seed: int
    pose: tuple[float, float, float, float]  # centre x, y; size (shares of the picture); degrees
    light: float  # degrees


@dataclass(frozen=True)
class Shop:
    """`items` by key; `outside` are not sold, each with what makes it differ and from which item."""

    seed: int
    items: dict[str, Spec]
    outside: list[tuple[str, Spec]]
    twins: dict[str, str]  # key -> the other key with the very same picture


def fresh(rng: random.Random) -> Spec:
    """A product like no other; it has a pattern or a print, or an unusual form."""
    printed = rng.choices(PRINTS, (25, 28, 22, 15, 10))[0]
    pattern = rng.choices(PATTERNS, (38, 10, 9, 9, 9, 9, 8, 8))[0]
    grey = rng.random() < 0.25
    return Spec(
        shape=rng.choice(SHAPES),
        hue=rng.random(),
        saturation=0.04 if grey else rng.uniform(0.35, 0.9),
        value=rng.choice((0.16, 0.5, 0.93)) if grey else rng.uniform(0.35, 0.95),
        accent=rng.random(),
        pattern=pattern,
        pattern_seed=rng.getrandbits(30),
        print=printed,
        print_seed=rng.getrandbits(30),
        text=f"{rng.choice(WORDS)}" if printed != "label" else f"M-{rng.randint(1000, 9999)}",
        backdrop=rng.choices(BACKDROPS, (30, 14, 12, 10, 10, 8, 8, 8))[0],
        shape_seed=rng.getrandbits(30),
        pose=(
            rng.uniform(0.46, 0.54),
            rng.uniform(0.47, 0.54),
            rng.uniform(0.5, 0.82),
            rng.choice((0, 0, 0, -8, 7, 15)),
        ),
        light=rng.uniform(0, 360),
    )


def sibling(spec: Spec, kind: Sibling, rng: random.Random) -> Spec:
    """The same product but for one thing, photographed the same way."""
    if kind == "colour":
        if rng.random() < 0.3:  # black, grey and white ones of the same thing
            values = [v for v in (0.16, 0.5, 0.93) if abs(v - spec.value) > 0.2 or spec.saturation > 0.3]
            return replace(spec, saturation=0.04, value=rng.choice(values))
        hue = (spec.hue + rng.choice((1, -1)) * rng.uniform(0.14, 0.5)) % 1
        return replace(spec, hue=hue, saturation=max(0.5, spec.saturation), value=max(0.45, spec.value))
    if kind == "print":
        printed = spec.print if spec.print in ("logo", "words", "scene") else rng.choice(("logo", "words", "scene"))
        text = rng.choice([word for word in WORDS if word != spec.text])
        return replace(spec, print=printed, print_seed=rng.getrandbits(30), text=text)
    if kind == "pattern":
        pattern = rng.choice([name for name in PATTERNS if name != spec.pattern])
        return replace(spec, pattern=pattern, pattern_seed=rng.getrandbits(30))
    at = rng.randrange(2, 5)
    digits = list(spec.text if spec.text.startswith("M-") else f"M-{rng.randint(1000, 9999)}")
    digits[at], digits[at + 1] = digits[at + 1], digits[at] if digits[at] != digits[at + 1] else "7"
    return replace(spec, print="label", text="".join(digits))


def make_shop(seed: int, count: int = 500, outside: int = 320) -> Shop:
    """`count` products of which two fifths are siblings of others, and `outside` others in five sorts, and labels."""
    rng = random.Random(seed)
    items: dict[str, Spec] = {}
    twins: dict[str, str] = {}
    while len(items) < count:
        spec = fresh(rng)
        family = [spec]
        roll = rng.random()
        if roll < 0.2:
            family += [sibling(spec, "colour", rng) for _ in range(rng.choice((1, 2, 3)))]
        elif roll < 0.4:
            family += [sibling(spec, "print", rng) for _ in range(rng.choice((1, 2)))]
        elif roll < 0.46:
            family += [sibling(spec, "pattern", rng)]
        elif roll < 0.48:
            family += [spec]
        for member in family[: count - len(items)]:
            key = f"P{len(items):04d}"
            same = next((other for other, known in items.items() if known == member), None)
            if same:
                twins[key], twins[same] = same, key
            items[key] = member
    return Shop(seed, items, _outside(rng, list(items.values()), outside), twins)


def _outside(rng: random.Random, items: list[Spec], count: int) -> list[tuple[str, Spec]]:
    """A fifth each: unlike anything, another colour, print or pattern of an item, another thing in an item's place."""
    sorts: tuple[str, ...] = ("stranger", "colour", "print", "pattern", "lookalike")
    found: list[tuple[str, Spec]] = []
    known = set(items)
    while len(found) < count:
        sort, base = sorts[len(found) % len(sorts)], rng.choice(items)
        if sort == "stranger":
            made = fresh(rng)
        elif sort == "lookalike":  # same backdrop, pose and light, and often the same shape
            other = fresh(rng)
            shape = base.shape if rng.random() < 0.5 else other.shape
            printed = other.print if other.print not in ("none", "label") else "logo"
            made = replace(other, backdrop=base.backdrop, pose=base.pose, light=base.light, shape=shape, print=printed)
        else:
            made = sibling(base, sort, rng)  # type: ignore[arg-type]
        if made not in known:
            found.append((sort, made))
    labelled = [item for item in items if item.print == "label"]
    return found + [("label", sibling(item, "label", rng)) for item in labelled[: count // 8]]
