"""Hostile pictures: refused with a reason or taken, in bounded memory and time. A process for each measures its peak.

Measured on 2 cores with Pillow 13.0: at most 385 MB above rest for 25-megapixel WebP, 220 MB for every other format,
under 20 MB for what is refused by its header; 2.3 s of CPU for 25 megapixels of noise, under 1.5 s for the rest.
"""

import io
import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

MEMORY_BAR = 400 * 1024  # kB above what the process has after its imports
CPU_BAR_S = 20.0  # far above what is measured: it stops what never ends, on a busy machine too

PROBE = """
import json, sys, time
from cs_bot.errors import PictureUnreadable
from cs_bot.images import accept_picture
def peak():
    return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
data = sys.stdin.buffer.read()
before, began = peak(), time.process_time()
try:
    stored = accept_picture(data)
    outcome = f"{stored.format} {stored.width}x{stored.height}"
except PictureUnreadable as refusal:
    outcome = str(refusal)
print(json.dumps({"outcome": outcome, "kb": peak() - before, "cpu_s": time.process_time() - began}))
"""


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, bits: int = 8, colour: int = 2, extra: bytes = b"") -> bytes:
    row = b"\0" * (1 + (width * bits * {0: 1, 2: 3, 6: 4}[colour] + 7) // 8)
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    parts = chunk(b"IHDR", header) + extra + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def encode(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def many_scans(width: int, height: int, times: int) -> bytes:
    """A progressive JPEG whose last scan, some 40 bytes for a whole pass, comes `times` more."""
    data = encode(Image.new("RGB", (width, height), "white"), "JPEG", progressive=True, quality=50)
    last = data[data.rfind(b"\xff\xda") : -2]
    return data[:-2] + last * times + data[-2:]


def gif_comments() -> bytes:
    data = encode(Image.new("P", (64, 64)), "GIF")
    first = 13 + 3 * 2 ** ((data[10] & 7) + 1)  # behind the header and its palette
    return data[:first] + b"!\xfe" + (b"\xff" + b"c" * 255) * 39_000 + b"\0" + data[first:]


def webp_canvas() -> bytes:
    """An animated WebP that announces 16383x16383 pixels and holds 64x64."""
    side = (16_382).to_bytes(3, "little")
    frame = b"\0" * 6 + (63).to_bytes(3, "little") * 2 + b"\0" * 4 + encode(Image.new("RGB", (64, 64)), "WEBP")[12:]
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + side * 2 + b"ANIM" + struct.pack("<I", 6) + b"\0" * 6
    body += b"ANMF" + struct.pack("<I", len(frame)) + frame
    return b"RIFF" + struct.pack("<I", len(body)) + body


def gif_frames() -> bytes:
    frames = [Image.new("RGB", (200, 200), (number % 256, number // 2, 9)) for number in range(300)]
    return encode(frames[0], "GIF", save_all=True, append_images=frames[1:])


def polyglot() -> bytes:
    return encode(Image.new("RGB", (800, 600), "red"), "JPEG") + b"<html><script>alert(1)</script></html>"


SQUARE = (5000, 5000)
BOMB, DAMAGED = "more than 25 megapixels", "damaged or cut off"
NO_PICTURE = "not a JPEG, PNG, WebP or GIF picture"
HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "no bytes": (lambda: b"", "empty"),
    "an HTML page": (lambda: b"<!doctype html><html><body>hello</body></html>", NO_PICTURE),
    "an SVG drawing": (lambda: b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', NO_PICTURE),
    "a TIFF": (lambda: encode(Image.new("RGB", (64, 64)), "TIFF"), NO_PICTURE),
    "a BMP": (lambda: encode(Image.new("RGB", (64, 64)), "BMP"), NO_PICTURE),
    "an EPS": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", NO_PICTURE),
    "one pixel": (lambda: encode(Image.new("RGB", (1, 1)), "PNG"), "1x1 pixels is too small"),
    "three pixels": (lambda: encode(Image.new("RGB", (3, 3)), "GIF"), "3x3 pixels is too small"),
    "144 megapixels in 420 kB": (lambda: png(12_000, 12_000), BOMB),
    "400 megapixels of one bit": (lambda: png(20_000, 20_000, 1, 0), BOMB),
    "26 megapixels": (lambda: png(5200, 5000, 1, 0), BOMB),
    "100000 pixels wide": (lambda: png(100_000, 9), "a side is longer than 20000 pixels"),
    "a strip": (lambda: png(16_000, 100), "16000x100 pixels is a strip, not a picture"),
    "80 MB in a zTXt chunk": (
        lambda: png(64, 64, extra=chunk(b"zTXt", b"k\0\0" + zlib.compress(b"A" * 80_000_000, 9))),
        DAMAGED,
    ),
    "200 MB in an iCCP chunk": (
        lambda: png(64, 64, extra=chunk(b"iCCP", b"p\0\0" + zlib.compress(b"A" * 200_000_000, 9))),
        DAMAGED,
    ),
    "90 zTXt chunks just under the limit of one": (
        lambda: png(64, 64, extra=chunk(b"zTXt", b"k\0\0" + zlib.compress(b"A" * 999_000, 9)) * 90),
        DAMAGED,
    ),
    "700,000 empty chunks": (lambda: png(64, 64, extra=chunk(b"prVt", b"") * 700_000), "png 64x64"),
    "9 MB of text": (lambda: png(64, 64, extra=chunk(b"tEXt", b"k\0" + b"x" * 9_000_000)), "png 64x64"),
    "a JPEG cut off": (lambda: encode(Image.effect_noise((800, 600), 50), "JPEG")[:20_000], DAMAGED),
    "a PNG cut off": (lambda: encode(Image.effect_noise((800, 600), 50), "PNG")[:-9000], DAMAGED),
    "a JPEG of 200,000 scans": (lambda: many_scans(5000, 4999, 200_000), "a JPEG with more than 100 scans"),
    "a JPEG of 100 scans": (lambda: many_scans(5000, 4999, 90), "jpeg 5000x4999"),
    "a GIF of 10 MB of comments": (gif_comments, "gif 64x64"),
    "a GIF of 300 frames": (gif_frames, "gif 200x200"),
    "a WebP with a huge canvas": (webp_canvas, BOMB),
    "a JPEG that is HTML too": (polyglot, "jpeg 800x600"),
    "25 megapixels of PNG with alpha, turned": (
        lambda: encode(Image.new("RGBA", SQUARE, (1, 2, 3, 4)), "PNG", exif=turned()),
        "png 5000x5000",
    ),
    "25 megapixels of 16-bit PNG": (lambda: encode(Image.new("I;16", SQUARE), "PNG"), "png 5000x5000"),
    "25 megapixels of WebP with alpha, turned": (
        lambda: encode(
            Image.new("RGBA", SQUARE, (1, 2, 3, 4)), "WEBP", lossless=True, quality=0, method=0, exif=turned()
        ),
        "webp 5000x5000",
    ),
    "25 megapixels of GIF with a clear colour": (
        lambda: encode(Image.new("P", SQUARE, 1), "GIF", transparency=1),
        "gif 5000x5000",
    ),
    "25 megapixels of CMYK JPEG, turned": (
        lambda: encode(Image.new("CMYK", SQUARE, (9, 9, 9, 9)), "JPEG", exif=turned()),
        "jpeg 5000x5000",
    ),
    "25 megapixels of noise": (
        lambda: encode(Image.effect_noise(SQUARE, 80).convert("RGB"), "JPEG", quality=35, exif=turned()),
        "jpeg 5000x5000",
    ),
}


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_picture_ends_as_expected_in_bounded_memory(name: str) -> None:
    make, expected = HOSTILE[name]
    data = make()
    assert len(data) <= 10_000_000, "larger ones are refused by their length alone"
    ran = subprocess.run([sys.executable, "-c", PROBE], input=data, capture_output=True, timeout=120, check=True)
    result = json.loads(ran.stdout)
    assert result["outcome"].startswith(expected)
    assert result["kb"] < MEMORY_BAR
    assert result["cpu_s"] < CPU_BAR_S
    if expected in (BOMB, NO_PICTURE, "empty"):
        assert result["kb"] < 20 * 1024, "refused by its header alone"
    assert ran.stderr == b""
