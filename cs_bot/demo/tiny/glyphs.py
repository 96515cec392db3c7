"""Makes glyphs.png and glyphs.json: letters for drawings on machines without fonts. Only developers run it.

    python -m cs_bot.demo.tiny.glyphs

Shapes from Noto Sans CJK and Liberation (SIL Open Font License 1.1) and DejaVu (Bitstream Vera licence): Debian's
fonts-noto-cjk, fonts-liberation and fonts-dejavu.
"""

import json
import string
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from cs_bot.demo.tiny.labels import printed
from cs_bot.demo.tiny.letters import ASCENT, CELL, FILES, MASTER

TRUETYPE = Path("/usr/share/fonts/truetype")
CJK = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc")
SIMPLIFIED, JAPANESE = 2, 0  # faces in that collection
ASCII = "".join(sign for sign in string.printable if sign.isprintable() and sign != " ") + "¥"
DIGITS = "0123456789.,-:/¥$#"
FACES: dict[str, tuple[Path, int, str]] = {
    "sans": (TRUETYPE / "liberation/LiberationSans-Regular.ttf", 0, ASCII),
    "bold": (TRUETYPE / "liberation/LiberationSans-Bold.ttf", 0, ASCII),
    "dejavu": (TRUETYPE / "dejavu/DejaVuSans.ttf", 0, DIGITS),
    "dejavu-bold": (TRUETYPE / "dejavu/DejaVuSans-Bold.ttf", 0, DIGITS),
    "mono": (TRUETYPE / "dejavu/DejaVuSansMono.ttf", 0, DIGITS),
    "condensed": (TRUETYPE / "dejavu/DejaVuSansCondensed.ttf", 0, DIGITS),
    "serif": (TRUETYPE / "liberation/LiberationSerif-Regular.ttf", 0, DIGITS),
    "courier": (TRUETYPE / "liberation/LiberationMono-Regular.ttf", 0, DIGITS),
    "noto": (CJK, SIMPLIFIED, DIGITS),
    "cjk": (CJK, SIMPLIFIED, ""),
}
COLUMNS = 32
LEVELS = 8  # of grey: enough for edges, and the file stays small


def main() -> None:
    """Draw every glyph into one picture, a cell each."""
    drawn = [(name, sign) for name, (_, _, signs) in FACES.items() for sign in signs or printed()]
    sheet = Image.new("L", (COLUMNS * CELL, -(-len(drawn) // COLUMNS) * CELL))
    pen = ImageDraw.Draw(sheet)
    faces: dict[str, dict[str, tuple[int, float]]] = {name: {} for name in FACES}
    fonts = {name: ImageFont.truetype(str(path), MASTER, index=index) for name, (path, index, _) in FACES.items()}
    for number, (name, sign) in enumerate(drawn):
        x, y = number % COLUMNS * CELL, number // COLUMNS * CELL
        pen.text((x + 1, y + ASCENT), sign, fill=255, font=fonts[name], anchor="ls")
        faces[name][sign] = (number, round(fonts[name].getlength(sign), 2))
    steps = [round(round(value * (LEVELS - 1) / 255) * 255 / (LEVELS - 1)) for value in range(256)]
    levels = sheet.point(steps).quantize(LEVELS, Image.Quantize.MAXCOVERAGE)
    levels.save(FILES / "glyphs.png", optimize=True, bits=4)
    told = {name: {sign: list(where) for sign, where in signs.items()} for name, signs in faces.items()}
    text = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
    (FILES / "glyphs.json").write_text(text + "\n", encoding="utf-8", newline="\n")
    print(f"{len(drawn)} glyphs, {(FILES / 'glyphs.png').stat().st_size // 1024} kB")


if __name__ == "__main__":
    main()
