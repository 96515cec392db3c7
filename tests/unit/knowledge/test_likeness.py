"""The picture matcher on a few drawn products."""

import random
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from cs_bot.errors import FeaturesUnreadable, MissingExtra
from cs_bot.knowledge.likeness import Box, Features, LikenessIndex, Limits, features, is_clear, propose_regions
from tests import services
from tests.likeness.degrade import CHANGES, chat, page
from tests.likeness.draw import picture
from tests.likeness.specs import make_shop, sibling

if not services.CI:
    pytest.importorskip("cv2", reason="needs the extra: pip install -e '.[lite]'")

SHOP = make_shop(1, 12, 0)
PICTURES = {key: picture(spec, SHOP.seed) for key, spec in SHOP.items.items()}
FEATURES = {key: features(drawn) for key, drawn in PICTURES.items()}
KEY = next(key for key, spec in SHOP.items.items() if spec.print == "scene")


@pytest.fixture
def index() -> LikenessIndex:
    return LikenessIndex(FEATURES.items())


def test_the_same_picture_is_recognised_clearly(index: LikenessIndex) -> None:
    best = index.search(PICTURES[KEY])[0]
    assert (best.key, best.verdict, best.how, best.region) == (KEY, "same", "picture", None)
    assert is_clear(best)
    assert best.score > 0.95


@pytest.mark.parametrize("change", ["jpeg 30", "x 0.25", "crop 80", "rotate 20", "perspective"])
def test_it_is_recognised_after_what_happens_on_the_way(index: LikenessIndex, change: str) -> None:
    best = index.search(CHANGES[change](PICTURES[KEY], random.Random(3)))[0]
    assert (best.key, best.verdict) == (KEY, "same")


@pytest.mark.parametrize("screen", [chat, page])
def test_it_is_found_inside_a_screenshot_and_the_place_is_named(index: LikenessIndex, screen: object) -> None:
    shot = screen(PICTURES[KEY], random.Random(2))  # type: ignore[operator]
    best = index.search(shot)[0]
    assert (best.key, best.verdict) == (KEY, "same")
    assert best.region is not None
    assert best.region.right <= shot.width


def test_a_picture_flipped_left_to_right_is_recognised_and_said_to_be_flipped(index: LikenessIndex) -> None:
    best = index.search(PICTURES[KEY].transpose(Image.Transpose.FLIP_LEFT_RIGHT))[0]
    assert (best.key, best.verdict, best.mirrored) == (KEY, "same", True)


@pytest.mark.parametrize("kind", ["colour", "print"])
def test_a_near_relative_that_the_shop_does_not_sell_is_never_called_the_same(index: LikenessIndex, kind: str) -> None:
    for seed in range(4):
        relative = sibling(SHOP.items[KEY], kind, random.Random(seed))  # type: ignore[arg-type]
        found = index.search(picture(relative, SHOP.seed))
        assert [m.key for m in found if m.verdict == "same"] == []


def test_another_colour_of_a_product_is_called_that(index: LikenessIndex) -> None:
    relative = replace(SHOP.items[KEY], hue=SHOP.items[KEY].hue + 0.4)
    best = index.search(picture(relative, SHOP.seed))[0]
    assert (best.key, best.verdict) == (KEY, "other_colour")


def test_two_products_with_one_picture_are_both_returned_without_margin(index: LikenessIndex) -> None:
    index.add("VARIANT", FEATURES[KEY])
    first, second = index.search(PICTURES[KEY])[:2]
    assert {first.key, second.key} == {KEY, "VARIANT"}
    assert (first.margin, second.margin) == (0, 0)
    assert not is_clear(first)


def test_two_products_that_differ_by_a_small_label_are_asked_about() -> None:
    one = replace(SHOP.items[KEY], print="label", text="M-2089")
    drawn = {"one": picture(one, SHOP.seed), "other": picture(replace(one, text="M-2098"), SHOP.seed)}
    index = LikenessIndex([*FEATURES.items(), *((key, features(each)) for key, each in drawn.items())])
    found = index.search(CHANGES["x 0.25"](drawn["one"], random.Random(1)))
    assert {match.key for match in found if match.verdict == "same"} == {"one", "other"}
    assert not is_clear(found[0])


def test_a_picture_of_something_else_gives_nothing_sure(index: LikenessIndex) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (300, 300, 3), dtype=np.uint8)
    assert index.search(noise) == []
    assert index.search(np.full((300, 200, 3), 255, np.uint8)) == []


def test_a_given_region_is_looked_at() -> None:
    index = LikenessIndex(FEATURES.items())
    canvas = Image.effect_noise((900, 900), 60).convert("RGB")
    canvas.paste(PICTURES[KEY].resize((260, 260)), (500, 100))
    best = index.search(np.asarray(canvas), [Box(500, 100, 760, 360)], propose=False)[0]
    assert (best.key, best.verdict, best.region) == (KEY, "same", (500, 100, 760, 360))


def test_products_can_be_added_and_removed() -> None:
    index = LikenessIndex()
    assert (len(index), index.search(PICTURES[KEY])) == (0, [])
    for key, found in FEATURES.items():
        index.add(key, found)
    assert index.search(PICTURES[KEY])[0].key == KEY
    index.remove(KEY)
    index.remove("unknown")
    assert KEY not in {match.key for match in index.search(PICTURES[KEY])}
    for key in FEATURES:
        index.remove(key)
    assert (len(index), index.search(PICTURES[KEY])) == (0, [])


def test_a_product_may_have_several_pictures() -> None:
    one, two = list(FEATURES)[:2]
    index = LikenessIndex([("A", FEATURES[one]), ("A", FEATURES[two])])
    assert len(index) == 2
    best = index.search(PICTURES[two])[0]
    assert (best.key, is_clear(best)) == ("A", True)


def test_the_answer_is_always_the_same() -> None:
    query = CHANGES["perspective"](PICTURES[KEY], random.Random(9))
    assert LikenessIndex(FEATURES.items()).search(query) == LikenessIndex(FEATURES.items()).search(query)


def test_a_large_catalog_keeps_fewer_features_and_says_so() -> None:
    lean = LikenessIndex(FEATURES.items(), limits=Limits(full=5, lean=50))
    hashed = LikenessIndex(FEATURES.items(), limits=Limits(full=5, lean=6))
    assert (LikenessIndex(FEATURES.items()).mode, lean.mode, hashed.mode) == ("full", "lean", "hash")
    for small in (lean, hashed):
        best = small.search(PICTURES[KEY])[0]
        assert (best.key, is_clear(best)) == (KEY, True)


def test_features_survive_storage() -> None:
    before = FEATURES[KEY]
    data = before.to_bytes()
    after = Features.from_bytes(data)
    assert after.to_bytes() == data
    assert after.size == before.size == (640, 640)
    assert len(before.points) <= 300
    assert len(data) < 100_000
    assert np.abs(after.points - before.points).max() < 0.02
    assert LikenessIndex([("A", after)]).search(PICTURES[KEY])[0].verdict == "same"


@pytest.mark.parametrize("spoil", [
    lambda d: b"", lambda d: d[:40], lambda d: d[:-1], lambda d: b"XXXX" + d[4:], lambda d: d[:4] + b"\x63\x00" + d[6:],
    lambda d: d[:2000] + bytes([d[2000] ^ 1]) + d[2001:], lambda d: d + b"more",
])  # fmt: skip
def test_spoilt_features_are_refused_with_what_to_do(spoil: object) -> None:
    with pytest.raises(FeaturesUnreadable, match=r"index the picture again|no picture features"):
        Features.from_bytes(spoil(FEATURES[KEY].to_bytes()))  # type: ignore[operator]


def test_pillow_and_pixels_give_the_same_features() -> None:
    assert features(np.asarray(PICTURES[KEY])).to_bytes() == FEATURES[KEY].to_bytes()


@pytest.mark.parametrize("shape", [(10, 10), (10, 10, 4), (5, 100, 3)])
def test_what_is_no_picture_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"expected|too short"):
        features(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("size", [(8, 8), (9, 300), (2000, 60), (40, 3000)])
def test_odd_sizes_are_searched_without_a_fault(index: LikenessIndex, size: tuple[int, int]) -> None:
    drawn = PICTURES[KEY].resize(size)
    assert isinstance(features(drawn), Features)
    assert [m for m in index.search(drawn) if m.verdict == "same" and m.key != KEY] == []


def test_regions_are_pictures_and_not_text() -> None:
    screen = Image.new("RGB", (720, 1280), "white")
    screen.paste(PICTURES[KEY].resize((400, 400)), (100, 300))
    screen.paste((150, 236, 105), (100, 900, 600, 1000))
    (box,) = propose_regions(np.asarray(screen))
    assert all(abs(a - b) <= 140 for a, b in zip(box, (100, 300, 500, 700), strict=True))


def test_without_opencv_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)  # as if it were not installed
    with pytest.raises(MissingExtra, match=r"\.\[lite\]"):
        features(PICTURES[KEY])
