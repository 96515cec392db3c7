"""Make the small committed sample of pictures: python -m tests.screens.sample --out tests/data/screens."""

import argparse
import sys
import tempfile
from pathlib import Path

from PIL import Image

from tests.screens.catalog import all_pages
from tests.screens.render import TRUTH, write
from tests.screens.shots import Screens
from tests.screens.truth import append
from tests.screens.variants import Maker

SEED = 7  # not the corpus's: the sample is no part of what is held out
WANTED: tuple[tuple[str, str, str], ...] = (  # page, variant, how it is stored
    ("taobao-02", "base", "png"),
    ("jd-05", "base", "webp"),
    ("pdd-03", "nested", "webp"),
    ("douyin-02", "photo", "jpg"),
    ("wechat-01", "half", "png"),
    ("notes-03", "cut", "webp"),
    ("shopify-02", "base", "png"),
    ("amazon-03", "rot3", "jpg"),
    ("amazon_ja-02", "base", "webp"),
    ("rakuten-04", "crop", "webp"),
    ("shopee_tw-03", "painted", "png"),
    ("shopee_en-02", "rot90", "webp"),
    ("list-taobao-00", "base", "webp"),
    ("other-chat-01", "base", "webp"),
    ("other-logistics-00", "base", "webp"),
    ("foreign-ko-00", "base", "webp"),
)
LIMIT = 1_200_000  # bytes


def store(picture: Image.Image, path: Path) -> None:
    """Save small: PNG with 64 colours, or lossy WebP or JPEG at a quality that a chat would use."""
    if path.suffix == ".png":
        picture.quantize(64).save(path, optimize=True)
    else:
        picture.save(path, quality=72 if path.suffix == ".webp" else 62)


def main(arguments: list[str] | None = None) -> int:
    """Exit 0 when the sample was written, 1 when it is too large."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args(arguments).out
    out.mkdir(parents=True, exist_ok=True)
    (out / TRUTH).unlink(missing_ok=True)
    specs = {spec.page_id: (index, spec) for index, spec in enumerate(all_pages(SEED))}
    with Screens() as screens, tempfile.TemporaryDirectory() as folder:
        maker = Maker(screens)
        for page, variant, suffix in WANTED:
            index, spec = specs[page]
            lines = write(Path(folder), spec, maker.variants(spec, index))
            line = next(line for line in lines if line["variant"] == variant)
            name = f"{page}-{variant}.{suffix}"
            with Image.open(Path(folder) / line["file"]) as picture:
                store(picture.convert("RGB"), out / name)
            append(out / TRUTH, [line | {"file": name}])
    return 0 if sum(file.stat().st_size for file in out.iterdir()) <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
