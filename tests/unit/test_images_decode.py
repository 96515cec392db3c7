"""What a picture becomes: the same pixels, upright, RGB, and nothing else."""

import hashlib
import io
import threading
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cs_bot.errors import PictureUnreadable
from cs_bot.images import STORED_MEDIA_TYPE, accept_picture, resize_for
from cs_bot.images.hashes import pixels_sha256


def encode(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def pixels(data: bytes) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def gradient(width: int = 60, height: int = 40) -> Image.Image:
    y, x = np.mgrid[0:height, 0:width]
    return Image.fromarray(np.stack([x * 4, y * 6, (x + y) * 2], axis=-1).astype(np.uint8))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_the_stored_copy_has_the_same_pixels(kind: str) -> None:
    data = encode(gradient(), kind)
    stored = accept_picture(data)
    assert (stored.format, stored.width, stored.height, stored.size) == (kind.lower(), 60, 40, len(data))
    assert stored.sha256 == hashlib.sha256(data).hexdigest()
    assert np.array_equal(pixels(stored.data), pixels(data))
    with Image.open(io.BytesIO(stored.data)) as copy:
        assert Image.MIME[str(copy.format)] == STORED_MEDIA_TYPE
        assert (copy.mode, copy.info) == ("RGB", {})


def test_the_pixel_hash_is_that_of_size_and_rgb_bytes_and_the_same_for_the_stored_copy() -> None:
    image = gradient(31, 700)
    stored = accept_picture(encode(image, "PNG"))
    assert stored.pixels_sha256 == hashlib.sha256(b"RGB 31x700\n" + image.tobytes()).hexdigest()
    again = accept_picture(stored.data)
    assert again.pixels_sha256 == stored.pixels_sha256
    assert accept_picture(encode(image, "WEBP", lossless=True)).pixels_sha256 == stored.pixels_sha256


def test_the_pixel_hash_tells_shapes_of_equal_bytes_and_one_changed_pixel_apart() -> None:
    image = gradient(40, 30)
    reshaped = Image.frombytes("RGB", (30, 40), image.tobytes())
    changed = image.copy()
    changed.putpixel((39, 29), (0, 0, 0))
    assert len({pixels_sha256(image), pixels_sha256(reshaped), pixels_sha256(changed)}) == 3


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_and_then_gone(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = accept_picture(encode(gradient(), "PNG", exif=exif))
    x, y = pixels(encode(gradient(), "PNG")), pixels(turned.data)
    upright = {
        1: x,
        2: x[:, ::-1],
        3: x[::-1, ::-1],
        4: x[::-1],
        5: x.transpose(1, 0, 2),
        6: np.rot90(x, -1),
        7: np.rot90(x, -1)[:, ::-1][::-1, ::-1],
        8: np.rot90(x, 1),
    }[orientation]
    assert np.array_equal(y, upright)
    assert (turned.height, turned.width) == upright.shape[:2]
    assert accept_picture(turned.data).pixels_sha256 == turned.pixels_sha256


def test_no_metadata_survives() -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "MAKER", 6
    exif.get_ifd(0x8825).update({1: "N", 2: (31.0, 12.0, 3.0), 3: "E", 4: (121.0, 30.0, 0.0)})
    data = encode(gradient(), "JPEG", exif=exif, icc_profile=b"PROFILE" * 40, comment=b"COMMENT", dpi=(72, 72))
    assert b"MAKER" in data
    for copy in (accept_picture(data).data, resize_for(data)):
        assert not any(word in copy for word in (b"MAKER", b"PROFILE", b"COMMENT", b"Exif", b"eXIf", b"iCCP", b"pHYs"))
        with Image.open(io.BytesIO(copy)) as image:
            assert len(image.getexif()) == 0


def test_the_tail_behind_a_picture_is_gone() -> None:
    tail = b"<script>alert(1)</script>"
    for kind in ("JPEG", "PNG", "WEBP", "GIF"):
        stored = accept_picture(encode(gradient(), kind) + tail)
        assert tail not in stored.data
        assert stored.width == 60


def test_what_is_transparent_becomes_white() -> None:
    half = Image.new("RGBA", (10, 10), (200, 0, 0, 128))
    clear = Image.new("RGBA", (10, 10), (0, 0, 0, 0))
    palette = Image.new("P", (10, 10), 1)
    palette.putpalette([0, 0, 0, 10, 20, 30])
    grey = Image.new("LA", (10, 10), (0, 0))
    assert pixels(accept_picture(encode(half, "PNG")).data)[0, 0].tolist() == [227, 127, 127]
    assert pixels(accept_picture(encode(half, "WEBP", lossless=True)).data)[0, 0].tolist() == [227, 127, 127]
    for data in (
        encode(clear, "PNG"),
        encode(clear, "WEBP", lossless=True, exact=True),
        encode(palette, "PNG", transparency=1),
        encode(palette, "PNG", transparency=b"\xff\x00"),
        encode(palette, "GIF", transparency=1),
        encode(grey, "PNG"),
        encode(Image.new("RGB", (10, 10), (1, 2, 3)), "PNG", transparency=(1, 2, 3)),
        encode(Image.new("L", (10, 10), 7), "PNG", transparency=7),
    ):
        assert pixels(accept_picture(data).data).min() == 255
    assert pixels(accept_picture(encode(palette, "PNG")).data)[5, 5].tolist() == [10, 20, 30]


def test_every_colour_mode_becomes_rgb_by_its_numbers() -> None:
    sixteen = Image.fromarray(np.array([[0, 255, 256, 32768, 40000, 65535, 1, 2]] * 8, dtype=np.uint16))
    assert pixels(accept_picture(encode(sixteen, "PNG")).data)[0, :, 0].tolist() == [0, 0, 1, 128, 156, 255, 0, 0]
    bits = Image.new("1", (8, 8), 1)
    assert pixels(accept_picture(encode(bits, "PNG")).data).min() == 255
    assert pixels(accept_picture(encode(Image.new("L", (8, 8), 77), "JPEG")).data)[0, 0].tolist() == [77] * 3
    cmyk = accept_picture(encode(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=100))
    assert pixels(cmyk.data)[0, 0].tolist() == [255, 0, 0]


def test_the_first_frame_of_an_animation_is_taken() -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "lime", "blue")]
    for kind, options in (("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {})):
        data = encode(frames[0], kind, save_all=True, append_images=frames[1:], duration=100, **options)
        assert pixels(accept_picture(data).data)[10, 10].tolist() == [255, 0, 0]


def test_a_phones_jpeg_with_a_second_image_in_it_is_a_jpeg() -> None:
    data = encode(gradient(), "MPO", save_all=True, append_images=[Image.new("RGB", (30, 20))])
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "MPO", "Pillow calls it something else"
    stored = accept_picture(data)
    assert (stored.format, stored.width, stored.height) == ("jpeg", 60, 40)


def test_a_tall_order_page_is_taken_and_a_strip_is_not() -> None:
    assert accept_picture(encode(Image.new("L", (1080, 20_000)), "PNG")).height == 20_000
    for size, reason in (
        ((1080, 20_001), "longer than 20000"),
        ((7, 100), "7x100 pixels is too small"),
        ((100, 7), "too small"),
        ((10, 410), "is a strip"),
    ):
        with pytest.raises(PictureUnreadable, match=reason):
            accept_picture(encode(Image.new("L", size), "PNG"))
    assert accept_picture(encode(Image.new("L", (10, 400)), "PNG")).width == 10
    assert accept_picture(encode(Image.new("L", (8, 8)), "PNG")).width == 8


def test_the_limits_are_on_the_bytes_and_on_the_pixels() -> None:
    small = encode(gradient(), "JPEG")
    assert accept_picture(small + b"\0" * (10_000_000 - len(small))).width == 60
    with pytest.raises(PictureUnreadable, match="larger than 10 MB"):
        accept_picture(small + b"\0" * (10_000_001 - len(small)))
    with pytest.raises(PictureUnreadable, match="more than 25 megapixels"):
        accept_picture(encode(Image.new("1", (5001, 5000)), "PNG"))
    assert resize_for(small + b"\0" * 11_000_000), "a preview is also made of a stored copy, which may be larger"


def test_a_cut_off_picture_is_unreadable_at_every_length() -> None:
    for kind in ("JPEG", "PNG", "WEBP"):
        data = encode(gradient(), kind)
        for length in range(0, len(data) - 30, 7):
            with pytest.raises(PictureUnreadable):
                accept_picture(data[:length])


def test_a_refusal_is_short_and_quotes_nothing_of_the_picture() -> None:
    for data in (
        b"",
        b"secret words",
        b"GIF89a secret words",
        b"\xff\xd8\xff secret words",
        b"\x89PNG\r\n\x1a\n secret",
    ):
        with pytest.raises(PictureUnreadable) as caught:
            accept_picture(data)
        assert len(str(caught.value)) < 80
        assert "secret" not in str(caught.value)
        assert caught.value.retryable is False


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(["JPEG", "PNG", "WEBP", "GIF"]), st.data())
def test_no_damage_makes_a_picture_fail_with_anything_but_unreadable(kind: str, draw: st.DataObject) -> None:
    data = bytearray(encode(gradient(), kind))
    for _ in range(draw.draw(st.integers(1, 6))):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    try:
        stored = accept_picture(bytes(data))
    except PictureUnreadable:
        return
    assert pixels(stored.data).shape == (stored.height, stored.width, 3)


@settings(deadline=None, max_examples=150)
@given(
    st.binary(max_size=400)
    | st.tuples(
        st.sampled_from([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\x40\0\0\0WEBP", b"GIF89a"]), st.binary()
    ).map(b"".join)
)
def test_no_bytes_make_a_picture_fail_with_anything_but_unreadable(data: bytes) -> None:
    try:
        assert accept_picture(data).width >= 8
    except PictureUnreadable as refusal:
        assert str(refusal)  # noqa: PT017 - either outcome is right, and both are looked at


def test_a_preview_is_a_small_upright_jpeg_that_is_never_enlarged() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(io.BytesIO(resize_for(encode(gradient(3000, 1000), "JPEG", exif=exif)))) as preview:
        assert (preview.format, preview.size) == ("JPEG", (427, 1280))
    with Image.open(io.BytesIO(resize_for(encode(gradient(), "PNG")))) as preview:
        assert preview.size == (60, 40)
    with Image.open(io.BytesIO(resize_for(encode(gradient(400, 10), "PNG"), max_side=100))) as preview:
        assert max(preview.size) == 100
    with pytest.raises(PictureUnreadable):
        resize_for(b"<svg/>")


def test_pictures_may_come_from_several_threads_and_warnings_stay_as_they_were() -> None:
    before = list(warnings.filters)
    data, results = encode(gradient(), "JPEG"), []
    threads = [threading.Thread(target=lambda: results.append(accept_picture(data))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    assert len({stored.pixels_sha256 for stored in results}) == 1
    assert list(warnings.filters) == before
