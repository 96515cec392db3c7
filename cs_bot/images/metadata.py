"""What a picture's metadata says about its origin, as words of a fixed list; the metadata itself is dropped."""

import html
import itertools
import re
from collections.abc import Iterator
from typing import Any

from PIL import Image

_TOOLS = {  # a pattern in a software name -> the word we keep
    r"photoshop|ps express": "photoshop",
    r"lightroom": "lightroom",
    r"\bgimp\b": "gimp",
    r"snapseed": "snapseed",
    r"meitu|美图|beautycam|美颜相机": "meitu",
    r"xingtu|醒图|hypic": "xingtu",
    r"capcut|jianying|剪映": "capcut",
    r"picsart": "picsart",
    r"\bcanva\b": "canva",
    r"\bvsco": "vsco",
    r"pixelmator": "pixelmator",
    r"affinity": "affinity",
    r"facetune": "facetune",
    r"photopea": "photopea",
    r"pixlr": "pixlr",
    r"paint\.net": "paint-net",
    r"inshot": "inshot",
}
_EDITED = {word: re.compile(pattern) for pattern, word in _TOOLS.items()}
_AI_TOOL = re.compile(
    r"stable ?diffusion|automatic1111|comfyui|novelai|invokeai|midjourney|dall[-·• ]?e\b|adobe firefly|"
    r"\bopenai\b|imagen|doubao|豆包|jimeng|即梦|ideogram|leonardo\.ai|made with google ai"
)
TAGS = frozenset(
    {"ai-generated", "ai-edited", "ai-suspected", "has-c2pa", "camera"} | {f"edited:{word}" for word in _EDITED}
)

# https://cv.iptc.org/newscodes/digitalsourcetype/ - the word stands in XMP and, readable, in C2PA manifests
_SOURCE_TYPE = re.compile(
    r"digitalsourcetype/(trainedAlgorithmicMedia|compositeWithTrainedAlgorithmicMedia|compositeSynthetic)\b", re.I
)
_SOURCE_TAGS = {
    "trainedalgorithmicmedia": "ai-generated",
    "compositewithtrainedalgorithmicmedia": "ai-edited",
    "compositesynthetic": "ai-edited",
}
# GB 45438-2025: {"Label": "1" is | "2" may be | "3" is suspected to be AI-generated} under the name AIGC
_AIGC = re.compile(r"AIGC.{0,200}?Label\W{0,20}?([123])\b", re.DOTALL)
_AIGC_TAGS = {"1": "ai-generated", "2": "ai-suspected", "3": "ai-suspected"}
_GENERATION = re.compile(r"\bSteps: \d{1,4}, .{0,40}?Sampler: ")  # what Stable Diffusion front ends write
_GENERATION_KEYS = frozenset(
    {"parameters", "prompt", "workflow", "sd-metadata", "invokeai_metadata", "invokeai_graph", "generation_data"}
)
_XMP_TOOL = re.compile(r"(?:CreatorTool|softwareAgent|Credit)\s?(?:=\s?[\"']|>)([^\"'<]{1,200})")

_SOFTWARE, _PROCESSING_SOFTWARE, _MAKE, _DESCRIPTION = 0x0131, 0x000B, 0x010F, 0x010E
_EXIF_IFD, _USER_COMMENT = 0x8769, 0x9286
_MOST_CHARS = 65_536  # of one text that is searched
_MOST_TEXTS = 64
_XMP_KEYS = ("xmp", "XML:com.adobe.xmp")


def evidence(image: Image.Image, data: bytes) -> tuple[str, ...]:
    """Tags out of TAGS, sorted, for a loaded `image` and the file `data` that it came from.

    A hint for people, never a proof: metadata is easily dropped and easily forged. No text of the file gets out.
    """
    exif = _exif(image)
    xmp, notes = html.unescape(_text(image.info.get("xmp"))), _notes(image, exif)
    names = "\n".join([*notes, *_XMP_TOOL.findall(xmp)]).lower()
    prose = "\n".join([xmp, *notes])
    manifest = _c2pa(image, data)
    tags = {f"edited:{word}" for word, pattern in _EDITED.items() if pattern.search(names)}
    tags |= {_SOURCE_TAGS[found.lower()] for found in _SOURCE_TYPE.findall(f"{prose}\n{manifest}")}
    tags |= {_AIGC_TAGS[found] for found in _AIGC.findall(prose)}
    if _GENERATION_KEYS & set(image.info) or _GENERATION.search(prose) or _AI_TOOL.search(names):
        tags.add("ai-generated")
    if manifest:
        tags.add("has-c2pa")
    if exif.get(_MAKE):
        tags.add("camera")
    return tuple(sorted(tags))


def _exif(image: Image.Image) -> dict[int, Any]:
    """The few EXIF fields that are looked at; a broken block counts as none."""
    try:
        exif = image.getexif()
        found: dict[int, Any] = {tag: exif.get(tag) for tag in (_SOFTWARE, _PROCESSING_SOFTWARE, _MAKE, _DESCRIPTION)}
        found[_USER_COMMENT] = exif.get_ifd(_EXIF_IFD).get(_USER_COMMENT)
    except Exception:  # Pillow's readers raise many kinds on forged blocks, and a picture is not refused for them
        return {}
    return found


def _notes(image: Image.Image, exif: dict[int, Any]) -> list[str]:
    """Short free texts: EXIF software and comments, a JPEG's or GIF's comment, the text chunks of a PNG."""
    values = [exif.get(tag) for tag in (_SOFTWARE, _PROCESSING_SOFTWARE, _DESCRIPTION, _USER_COMMENT)]
    values.append(image.info.get("comment"))
    chunks = getattr(image, "text", {})
    values += [f"{key}: {_text(chunks[key])}" for key in itertools.islice(chunks, _MOST_TEXTS) if key not in _XMP_KEYS]
    return [text for text in map(_text, values) if text]


def _text(value: object) -> str:
    """`value` as searchable text of bounded length; "" for what is no text."""
    if isinstance(value, str):
        try:
            return value[:_MOST_CHARS].encode("latin-1").decode("utf-8")  # Pillow reads EXIF and tEXt as Latin-1
        except UnicodeError:
            return value[:_MOST_CHARS]
    if isinstance(value, bytes):
        return value[:_MOST_CHARS].replace(b"\0", b"").decode("utf-8", "replace")  # makes UTF-16 comments readable
    return ""


def _c2pa(image: Image.Image, data: bytes) -> str:
    """The C2PA manifest store (JUMBF boxes) as text to search, or ""."""
    boxes = [body for name, body in getattr(image, "applist", []) if name == "APP11"]
    boxes += [body for name, body, *_ in getattr(image, "private_chunks", []) if name == b"caBX"]
    boxes += [body for name, body in _riff_chunks(data) if name == b"C2PA"]
    blob = b"".join(boxes)
    return blob.decode("latin-1") if b"jumb" in blob and b"c2pa" in blob else ""


def _riff_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and body of each chunk of a WebP file; nothing for other files."""
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return
    at = 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        yield data[at : at + 4], data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
