"""Evidence out of metadata: words of a fixed list, never text of the file."""

import io
import struct
import zlib
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from cs_bot.images import TAGS, accept_picture

IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"


def encode(kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (32, 32), "teal").save(out, kind, **options)
    return out.getvalue()


def with_exif(kind: str = "JPEG", **fields: Any) -> bytes:
    numbers = {"software": 0x0131, "make": 0x010F, "processing": 0x000B, "description": 0x010E}
    exif = Image.Exif()
    for name, value in fields.items():
        if name == "comment":
            exif.get_ifd(0x8769)[0x9286] = value
        else:
            exif[numbers[name]] = value
    return encode(kind, exif=exif)


def with_text(**texts: str) -> bytes:
    info = PngImagePlugin.PngInfo()
    for key, value in texts.items():
        info.add_text(key, value)
    return encode("PNG", pnginfo=info)


def xmp(inner: str) -> bytes:
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF>{inner}</rdf:RDF></x:xmpmeta>'.encode()


def tags(data: bytes) -> tuple[str, ...]:
    found = accept_picture(data).tags
    assert set(found) <= TAGS
    assert list(found) == sorted(found)
    return found


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_a_picture_without_metadata_has_no_tag(kind: str) -> None:
    assert tags(encode(kind)) == ()


@pytest.mark.parametrize(
    ("software", "tag"),
    [
        ("Adobe Photoshop 26.1 (Macintosh)", "edited:photoshop"),
        ("Adobe Lightroom 8.0", "edited:lightroom"),
        ("GIMP 2.10.36", "edited:gimp"),
        ("Snapseed 2.0", "edited:snapseed"),
        ("美图秀秀 10.2", "edited:meitu"),
        ("Meitu XiuXiu", "edited:meitu"),
        ("醒图 9.8", "edited:xingtu"),
        ("PicsArt", "edited:picsart"),
        ("Canva", "edited:canva"),
        ("VSCO", "edited:vsco"),
        ("paint.net 5.0", "edited:paint-net"),
    ],
)
def test_editing_software_is_named_by_one_word(software: str, tag: str) -> None:
    for kind in ("JPEG", "PNG", "WEBP"):
        assert tags(with_exif(kind, software=software.encode())) == (tag,)
    assert tags(with_text(Software=software)) == (tag,)
    assert tags(encode("JPEG", xmp=xmp(f'<rdf:Description xmp:CreatorTool="{software}"/>'))) == (tag,)


def test_software_in_exif_is_read_in_every_format_that_has_it() -> None:
    for kind in ("JPEG", "PNG", "WEBP"):
        assert tags(with_exif(kind, software="Adobe Photoshop 26.1")) == ("edited:photoshop",)
        assert tags(with_exif(kind, processing="Snapseed")) == ("edited:snapseed",)
    assert tags(encode("JPEG", comment=b"Created with GIMP")) == ("edited:gimp",)
    assert tags(encode("GIF", comment=b"Created with GIMP")) == ("edited:gimp",)


def test_software_that_does_not_edit_gives_no_tag() -> None:
    for software in ("17.5.1", "HarmonyOS 4.2", "Canvas renderer", "MIUI Camera", "gimplet", "Picasa"):
        assert tags(with_exif(software=software)) == ()


def test_a_camera_is_noted_and_its_owner_is_not() -> None:
    assert tags(with_exif(make="HUAWEI")) == ("camera",)
    assert tags(with_exif(make="Apple", software="Adobe Photoshop")) == ("camera", "edited:photoshop")
    assert tags(with_exif(make="")) == ()


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "PNG"])
@pytest.mark.parametrize(
    ("source", "tag"),
    [
        ("trainedAlgorithmicMedia", "ai-generated"),
        ("compositeWithTrainedAlgorithmicMedia", "ai-edited"),
        ("compositeSynthetic", "ai-edited"),
        ("digitalCapture", None),
    ],
)
def test_the_iptc_source_type_is_read_from_xmp(kind: str, source: str, tag: str | None) -> None:
    block = xmp(f'<rdf:Description Iptc4xmpExt:DigitalSourceType="{IPTC}{source}"/>')
    if kind == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", block.decode())
        data = encode("PNG", pnginfo=info)
    else:
        data = encode(kind, xmp=block)
    assert tags(data) == ((tag,) if tag else ())


@pytest.mark.parametrize(("label", "tag"), [("1", "ai-generated"), ("2", "ai-suspected"), ("3", "ai-suspected")])
def test_the_chinese_label_for_generated_content_is_read(label: str, tag: str) -> None:
    plain = f'{{"Label":"{label}","ContentProducer":"0001","ProduceID":"x"}}'
    escaped = plain.replace('"', "&quot;")
    for block in (f"<TC260:AIGC>{plain}</TC260:AIGC>", f'<rdf:Description TC260:AIGC="{escaped}"/>'):
        assert tags(encode("JPEG", xmp=xmp(block))) == (tag,)
    assert tags(with_text(AIGC=plain)) == (tag,)
    assert tags(with_exif(comment=b"ASCII\0\0\0" + f'{{"AIGC":{plain}}}'.encode())) == (tag,)


def test_what_image_generators_write_is_seen() -> None:
    assert tags(with_text(parameters="a cat\nSteps: 20, Sampler: Euler a, CFG scale: 7")) == ("ai-generated",)
    assert tags(with_text(prompt="{}", workflow='{"nodes": []}')) == ("ai-generated",)
    steps = b"UNICODE\0" + "a cat\nSteps: 20, Sampler: Euler a".encode("utf-16-be")
    assert tags(with_exif(comment=steps)) == ("ai-generated",)
    for software in ("NovelAI", "Midjourney", "Adobe Firefly", "ComfyUI", "Doubao 豆包"):
        assert tags(with_text(Software=software)) == ("ai-generated",)
    assert tags(encode("JPEG", xmp=xmp('<rdf:Description photoshop:Credit="Made with Google AI"/>'))) == (
        "ai-generated",
    )


def manifest(source: str) -> bytes:
    return b"\0\0\0\x40jumb\0\0\0\x1ejumdc2pa\0\x11\0\x10" + b"c2pa.actions" + f"{IPTC}{source}".encode()


def png_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def test_a_c2pa_manifest_is_seen_in_jpeg_png_and_webp() -> None:
    for source, expected in (
        ("digitalCapture", ("has-c2pa",)),
        ("trainedAlgorithmicMedia", ("ai-generated", "has-c2pa")),
    ):
        box = manifest(source)
        jpeg = encode("JPEG")
        segment = b"\xff\xeb" + struct.pack(">H", len(box) + 10) + b"JP\0\x01\0\0\0\x01" + box
        assert tags(jpeg[:2] + segment + jpeg[2:]) == expected
        png = encode("PNG")
        assert tags(png[:33] + png_chunk(b"caBX", box) + png[33:]) == expected
        webp = encode("WEBP")
        box += b"\0" * (len(box) % 2)
        body = webp[8:] + b"C2PA" + struct.pack("<I", len(box)) + box
        assert tags(b"RIFF" + struct.pack("<I", len(body)) + body) == expected


def test_words_inside_the_pixels_data_or_behind_the_picture_are_no_evidence() -> None:
    assert tags(encode("JPEG") + manifest("trainedAlgorithmicMedia") + b"Adobe Photoshop") == ()
    assert tags(encode("PNG") + b"jumb c2pa parameters") == ()


@settings(deadline=None, max_examples=150)
@given(st.binary(max_size=300))
@example(b"II*\0" + struct.pack("<IH", 8, 1) + struct.pack("<HHIi", 0x8769, 9, 1, -9) + b"\0" * 4)  # a place before it
@example(b"II*\0" + struct.pack("<IH", 8, 60_000))
@example(b"")
def test_forged_exif_is_ignored_and_the_picture_taken(block: bytes) -> None:
    jpeg, png = encode("JPEG"), encode("PNG")
    body = b"Exif\0\0" + block
    for forged in (
        jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:],
        png[:33] + png_chunk(b"eXIf", block) + png[33:],
    ):
        stored = accept_picture(forged)
        assert (stored.width, stored.height) == (32, 32)
        assert set(stored.tags) <= TAGS


@settings(deadline=None, max_examples=150)
@given(st.text(max_size=200))
def test_no_text_of_the_file_gets_into_the_tags(text: str) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_itxt("Software", text)
    info.add_itxt("XML:com.adobe.xmp", text)
    assert set(accept_picture(encode("PNG", pnginfo=info)).tags) <= TAGS
