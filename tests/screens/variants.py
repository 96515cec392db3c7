"""The degraded pictures of one page: which there are, seeded by page and name."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.screens import degrade
from tests.screens.catalog import Device, PageSpec
from tests.screens.degrade import Picture
from tests.screens.paint import PLACES, STYLES, Place, Style, paint
from tests.screens.shots import Screens
from tests.screens.truth import visibility

CHAT, GALLERY, WIDE = Device(390, 844, 3), Device(412, 915, 2.625), Device(1500, 1050, 1.75)
LEGIBLE = 1.25  # pixels per CSS pixel below which small print can't be read by a person
COMBINATIONS: tuple[tuple[Style, Place], ...] = tuple((style, place) for place in PLACES for style in STYLES)
OPEN_ENDED = frozenset({"shopify"})  # number formats of any length: hidden ends that leave no trace are nobody's fault


@dataclass(frozen=True)
class Variant:
    """One picture to be written. `quality` is None for PNG; `fields` is its page's truth."""

    name: str
    detail: str
    picture: Picture
    fields: dict[str, str | None]
    quality: int | None = None


@dataclass
class Maker:
    """Makes the variants of pages; keeps the empty frames it has photographed."""

    screens: Screens
    frames: dict[tuple[str, str, bool, Device], Picture] = field(default_factory=dict)

    def variants(self, spec: PageSpec, index: int) -> Iterator[Variant]:
        """All pictures of one page, one at a time. `index` is the page's place in the catalog."""
        base, fields = self.screens.shoot(spec)
        yield Variant("base", "", base, fields)
        yield Variant("jpeg30", "", base, fields, 30)
        if spec.kind == "foreign":
            return
        yield Variant("photo", "", self._photo(spec, base), fields, 84)
        if spec.kind == "order":
            yield from self._order_variants(spec, index, base, fields)
        elif spec.kind == "list":
            yield self._nested(spec, base, fields)

    def _order_variants(
        self, spec: PageSpec, index: int, base: Picture, fields: dict[str, str | None]
    ) -> Iterator[Variant]:
        rng = random.Random(f"{spec.seed}/turn")
        yield Variant("half", "", degrade.resize(base, 0.5), fields)
        degrees = rng.choice((3, -3))
        yield Variant("rot3", f"{degrees:+d}", degrade.rotate(base, degrees, _backdrop(rng)), fields, 90)
        degrees = rng.choice((90, 270))
        yield Variant("rot90", f"{degrees}", degrade.rotate(base, degrees), fields, 92)
        if index % 3 == 0:
            yield Variant("rot180", "", degrade.rotate(base, 180), fields, 92)
        yield self._nested(spec, base, fields)
        yield Variant("crop", "", degrade.crop_part(base, random.Random(f"{spec.seed}/crop")), fields)
        if fields["order_id"] and visibility(base.layout, "order_id") == "whole":
            yield Variant("cut", "", degrade.cut_number(base, random.Random(f"{spec.seed}/cut")), fields)
            yield from _painted(spec, index, base, fields)
        tall, tall_fields = self.screens.shoot(spec, tall=True)
        yield Variant("tall", "", tall, tall_fields, 86)

    def _photo(self, spec: PageSpec, base: Picture) -> Picture:
        rng = random.Random(f"{spec.seed}/photo")
        scale = rng.uniform(1.6, 1.9) if spec.device.desktop else rng.uniform(2.1, 2.7)
        return degrade.photo(base, rng, scale)

    def _nested(self, spec: PageSpec, base: Picture, fields: dict[str, str | None]) -> Variant:
        rng = random.Random(f"{spec.seed}/nest")
        if spec.device.desktop:
            name, device = "gallery", WIDE
        else:
            name, device = rng.choice((("chat", CHAT), ("gallery", GALLERY)))
        frame = self._frame(name, spec, device)
        if name == "chat" and degrade.nested_scale(base, frame) < LEGIBLE:
            name, frame = "gallery", self._frame("gallery", spec, GALLERY)
        if degrade.nested_scale(base, frame) < LEGIBLE:  # too long to be shown whole: one screenful of it
            base = _screenful(base, spec)
        return Variant("nested", name, degrade.nest(base, frame), fields, 90)

    def _frame(self, name: str, spec: PageSpec, device: Device) -> Picture:
        key = (name, spec.language, spec.dark, device)
        if key not in self.frames:
            self.frames[key] = self.screens.frame(name, spec.language, device, spec)
        return self.frames[key]


def _screenful(base: Picture, spec: PageSpec) -> Picture:
    height = min(base.image.height, round(spec.device.height * 1.25 * base.css))
    return degrade.crop(base, (0, 0, base.image.width, height))


def _backdrop(rng: random.Random) -> tuple[int, int, int]:
    grey = rng.choice((0, 20, 128, 235, 255))
    return grey, grey, grey


def _painted(spec: PageSpec, index: int, base: Picture, fields: dict[str, str | None]) -> Iterator[Variant]:
    for turn, step in enumerate((0, 7)):
        style, place = COMBINATIONS[(2 * index + step) % len(COMBINATIONS)]
        name = "amount" if turn == 1 and index % 3 == 0 and visibility(base.layout, "amount") == "whole" else "order_id"
        traceless = style == "page" and (name == "amount" or (spec.numbers in OPEN_ENDED and place != "middle"))
        style = "black" if traceless else style
        picture = paint(base, name, style, place, random.Random(f"{spec.seed}/paint/{turn}"))
        yield Variant("painted", f"{name}:{style}/{place}", picture, fields)
