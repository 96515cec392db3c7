"""The things on a picture that is no order page: where they are, their colour, and what is printed about them."""

import re
from collections.abc import Iterable, Sequence

from cs_bot.records import Item
from cs_bot.vision.lite.boxes import Page, TextBox
from cs_bot.vision.lite.layout import WHOLE, Layout, Part
from cs_bot.vision.lite.lexicon import fold
from cs_bot.vision.lite.lines import Line

MAX_VALUE = 60
FEW_LINES = 6  # a picture with more text is a page or a poster: its dominant colour says nothing of the thing

_LABELLED = {
    "code": r"货号|款号|型号|品番|型番|品番号|품번|모델명|sku|(?:item|style|model|art(?:icle)?\.?|product)\s*"
    r"(?:no\.?|number|code|id|#)",
    "brand": r"品牌|ブランド|メーカー|브랜드|제조사|brand",
    "material": r"材质|面料|材料|素材|材質|소재|재질|materials?|fabric",
}
_VALUE = r"(?P<value>[^\s:：][^:：|｜,，;；]{0,59})$"
_PATTERNS = {  # a label with its colon, or one that begins the line
    name: re.compile(rf"(?:(?:^|[\s|])(?:{fold(label)})\s*[:：]\s*|^\s*(?:{fold(label)})\s{{1,6}}){_VALUE}")
    for name, label in _LABELLED.items()
}
_CODE = re.compile(  # letters first, then at least three digits; parts joined by hyphens
    r"(?<![A-Za-z0-9.-])(?:[A-Z]{2,5}[-_ ]?\d{3,8}(?:-?[A-Z0-9]{1,5})?|[A-Z]\d{4,8}"
    r"|[A-Z]{1,5}\d{1,6}(?:-[A-Z0-9]{1,6}){1,3})(?![A-Za-z0-9-])"
)
_NO_CODE = re.compile(
    r"(?:ISO|GB|USB|UTF|RGB|IP|NO|TEL|QQ|WX|SF|JD|YT|EMS|MP|UV|LED|WIFI|UPF|SPF|CNY|USD|RMB|JPY)[-_ ]?\d+.*"
)


def items_of(layout: Layout, page: Page, lines: Sequence[Line], *, several: bool) -> tuple[Item, ...]:
    """The things of a picture; `several`: its parts are things of their own.

    A colour is left out where it is unsure or the picture is full of text; brand, material and code come from printed
    words only, and belong to the part in which they stand. Boxes are in pixels of the upright picture.
    """
    parts = layout.parts if several else (_whole(layout),)
    few = len(lines) <= FEW_LINES
    items = []
    for part in parts:
        texts = [line.raw for line in lines] if len(parts) == 1 else [b.text for b in page.boxes if _within(b, part)]
        said = printed(texts)
        colour = {"colour": part.colour} if part.colour and few else {}
        if few or said:
            items.append(Item(where=part.where, box=part.box, attributes={**colour, **said}))
    return tuple(items)


def printed(texts: Iterable[str]) -> dict[str, str]:
    """Attributes that are printed with their label, and a code that can't be anything else; one value each, or none."""
    found: dict[str, set[str]] = {}
    loose: set[str] = set()
    for raw in texts:
        folded = fold(raw)  # every character keeps its place
        for name, label in _PATTERNS.items():
            match = label.search(folded)
            if match:
                value = raw[match.start("value") : match.end("value")].strip()
                found.setdefault(name, set()).add(value[:MAX_VALUE])
        loose |= {
            match.group().replace(" ", "") for match in _CODE.finditer(raw) if not _NO_CODE.fullmatch(match.group())
        }
    if loose and "code" not in found:
        found["code"] = loose
    return {name: values.pop() for name, values in sorted(found.items()) if len(values) == 1 and all(values)}


def _whole(layout: Layout) -> Part:
    if len(layout.parts) == 1:
        return layout.parts[0]
    lefts, tops, rights, bottoms = zip(*(part.box for part in layout.parts), strict=True)
    colours = {part.colour for part in layout.parts}
    colour = colours.pop() if len(colours) == 1 else None
    return Part(WHOLE, (min(lefts), min(tops), max(rights), max(bottoms)), colour)


def _within(box: TextBox, part: Part) -> bool:
    left, top, right, bottom = part.box
    x, y = box.centre
    return left <= x < right and top <= y < bottom
