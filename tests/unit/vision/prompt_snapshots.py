"""Every prompt as it is sent, in tests/data/prompts: `python -m tests.unit.vision.prompt_snapshots` writes them."""

import hashlib
import json
import sys
from pathlib import Path

from cs_bot.records import Item, Kind, Look
from cs_bot.testing import a_look
from cs_bot.vision.answers import READS, SHAPES, json_schema
from cs_bot.vision.base import Ask, PictureInput
from cs_bot.vision.boxes import OrderBoxes
from cs_bot.vision.generating import Prompt
from cs_bot.vision.prompts import RENDERING, Prompts, data, load_prompts

FOLDER = Path(__file__).parents[2] / "data" / "prompts"
VERSIONS = FOLDER / "versions.json"
PICTURE = PictureInput("a" * 64, b"")


def look() -> Look:
    """A product picture with a thing on it and two lines of print."""
    things = (Item(where="left", attributes={"category": "dress", "colour": "red"}),)
    return a_look(kind=Kind.PRODUCT, items=things, lines=("SUMMER SALE", "货号 A-12"))


def asks() -> dict[str, Ask]:
    """One ask a kind, each in another language."""
    goods = {"p1.name": "红色长裙", "p1.price": "199.00 元"}
    earlier = (("customer", "你好"), ("bot", "您好，请问有什么可以帮您？"))
    return {
        "product": Ask(
            Kind.PRODUCT,
            "zh",
            "这款有红色的吗？",
            goods,
            ("picture 1 is p1",),
            (look(),),
            (PICTURE,),
            earlier,
            "示例小店",
        ),
        "comparison": Ask(
            Kind.COMPARISON,
            "en",
            "Which one is warmer?",
            goods,
            (),
            (look(), look()),
            (PICTURE, PICTURE),
            (),
            "Example",
        ),
        "order": Ask(
            Kind.ORDER,
            "ja",
            "いつ届きますか",
            {"order.status": "発送済みです。"},
            (),
            (a_look(kind=Kind.ORDER),),
            (PICTURE,),
        ),
        "scene": Ask(Kind.SCENE, "ko", "이 빨간 불은 뭐예요?", {}, (), (look(),), (PICTURE,)),
        "text": Ask(Kind.TEXT, "zh-Hant", "可以開發票嗎？我的電話 0912-345-678", {"faq.answer": "可以開電子發票。"}),
    }


def prompts() -> dict[str, Prompt]:
    """Every prompt by the name of its snapshot."""
    ours = load_prompts()
    made = {"classify": ours.classify(PICTURE), "read_order_again": ours.read_again(PICTURE)}
    located = ours.locate(PICTURE, ("order_id", "amount"))
    assert located is not None
    made["locate_order"] = located
    made |= {f"read_{kind.value}": ours.read(kind, PICTURE) for kind in READS}
    made |= {f"answer_{name}": ours.answer(ask) for name, ask in asks().items()}
    return made | {"repair": ours.repaired(ours.classify(PICTURE), "it is none of the words")}


def rendered(prompt: Prompt) -> str:
    """A prompt as text."""
    pictures = f"[{len(prompt.pictures)} picture(s), scale {prompt.scale:g}]"
    return f"--- system\n{prompt.system}\n--- user\n{pictures}\n{prompt.text}\n"


def schemas() -> str:
    """All schemas of answers."""
    shapes = [*SHAPES, OrderBoxes]
    return json.dumps({shape.__name__: json_schema(shape) for shape in shapes}, indent=1, ensure_ascii=False) + "\n"


def versions(ours: Prompts) -> dict[str, dict[str, str | int]]:
    """Version and hash of every file, and of the rendering of data."""
    rendering = "\n".join(data(ask) for _, ask in sorted(asks().items()))
    parts = {name: (ours.versions[name], text) for name, text in ours.texts.items()} | {
        "rendering": (RENDERING, rendering)
    }
    return {
        name: {"version": version, "sha256": hashlib.sha256(text.encode()).hexdigest()}
        for name, (version, text) in sorted(parts.items())
    }


def unraised() -> list[str]:
    """Files whose words changed while their version stayed."""
    known = json.loads(VERSIONS.read_text("utf-8")) if VERSIONS.exists() else {}
    return [
        name
        for name, now in versions(load_prompts()).items()
        if name in known and known[name]["sha256"] != now["sha256"] and known[name]["version"] >= now["version"]
    ]


def write() -> int:
    """Write all snapshots; refuses while a version was not raised."""
    if names := unraised():
        sys.stderr.write(f"raise the version of: {', '.join(names)}\n")
        return 1
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, prompt in prompts().items():
        (FOLDER / f"{name}.txt").write_text(rendered(prompt), encoding="utf-8")
    (FOLDER / "schemas.json").write_text(schemas(), encoding="utf-8")
    VERSIONS.write_text(json.dumps(versions(load_prompts()), indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(write())
