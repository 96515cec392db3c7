"""Prompts as files with a version: what each task says, and how data is put into it."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable

from cs_bot.errors import ConfigError
from cs_bot.records import Kind, Look
from cs_bot.vision.answers import SHAPES, json_schema
from cs_bot.vision.base import Ask, PictureInput
from cs_bot.vision.generating import Prompt
from cs_bot.vision.prompts.fence import block, neutral

RENDERING = 1  # raise it when data comes out differently: its blocks, what is taken out of it, its bounds
SECOND_SCALE = 0.85  # of a picture's sides: its digits fall on another grid of pixels
ANSWERS = {kind: f"answer_{kind.value}" for kind in Kind if kind is not Kind.OTHER} | {Kind.OTHER: "answer_text"}
SHOWN = frozenset({Kind.PRODUCT, Kind.COMPARISON, Kind.SCENE})  # kinds whose reply needs the picture itself
NAMES = (
    *("system", "classify", "read_order", "read_order_again", "read_product", "read_comparison", "read_scene"),
    *("answer_rules", *sorted(set(ANSWERS.values())), "repair"),
)
OPTIONAL = ("locate_order",)  # a folder without it belongs to a checkpoint that can't do it
LANGUAGES = {"zh": "Simplified Chinese", "zh-Hant": "Traditional Chinese", "en": "English", "ja": "Japanese"}
LANGUAGES |= {"ko": "Korean", "de": "German", "es": "Spanish", "fr": "French", "pt": "Portuguese", "ru": "Russian"}
MAX_QUESTION, MAX_EARLIER, MAX_VALUE, MAX_LINE = 1500, 300, 200, 60
MOST_EARLIER, MOST_LINES, MOST_PICTURES = 6, 12, 4

_VERSION = re.compile(r"version: (\d+)\n\n")
_HOLE = re.compile(r"\[\[([a-z_]+)\]\]")
_TAG = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,3}")
_SLOT = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*")


@dataclass(frozen=True)
class Prompts:
    """The texts by name, each with the version of its file."""

    texts: Mapping[str, str]
    versions: Mapping[str, int]

    @cached_property
    def version(self) -> str:
        """One version for all: changes with every text and every schema."""
        schemas = {shape.__name__: json_schema(shape) for shape in SHAPES}
        said = json.dumps([dict(self.texts), schemas, RENDERING, SECOND_SCALE], sort_keys=True)
        return "p" + hashlib.sha256(said.encode()).hexdigest()[:10]

    def classify(self, picture: PictureInput) -> Prompt:
        """Which kind of picture it is."""
        return Prompt("classify", self.texts["system"], self.texts["classify"], (picture,))

    def read(self, kind: Kind, picture: PictureInput) -> Prompt:
        """What a picture of a kind in READS holds."""
        name = f"read_{kind.value}"
        return Prompt(name, self.texts["system"], self.texts[name], (picture,))

    def read_again(self, picture: PictureInput) -> Prompt:
        """An order page once more: in other words and on another grid of pixels."""
        text = self.texts["read_order_again"]
        return Prompt("read_order_again", self.texts["system"], text, (picture,), SECOND_SCALE)

    def locate(self, picture: PictureInput, fields: tuple[str, ...]) -> Prompt | None:
        """Where these fields of an order page stand; None where the prompts have no words for that."""
        if "locate_order" not in self.texts:
            return None
        text = self._filled("locate_order", fields=", ".join(fields))
        return Prompt("locate_order", self.texts["system"], text, (picture,))

    def answer(self, ask: Ask) -> Prompt:
        """The reply to an ask. Pictures go along only where the words need them."""
        pictures = ask.pictures[:MOST_PICTURES] if ask.kind in SHOWN else ()
        return Prompt(ANSWERS[ask.kind], self.texts["system"], self._answer(ask, data(ask)), pictures)

    def ours(self, ask: Ask) -> str:
        """The words of that prompt that are ours: a reply must not repeat them."""
        return f"{self.texts['system']}\n{self._answer(ask, '')}"

    def _answer(self, ask: Ask, blocks: str) -> str:
        rules = self._filled("answer_rules", language=language(ask.language))
        return self._filled(ANSWERS[ask.kind], rules=rules, data=blocks)

    def repaired(self, prompt: Prompt, why: str) -> Prompt:
        """The same task after an answer that could not be used; `why` is ours, never the answer's words."""
        text = f"{prompt.text}\n\n{self._filled('repair', why=why)}"
        return Prompt(prompt.name, prompt.system, text, prompt.pictures, prompt.scale)

    def _filled(self, name: str, **values: str) -> str:
        """A text with its holes filled in one pass: what a value says is never looked at again."""
        return _HOLE.sub(lambda hole: values[hole.group(1)], self.texts[name])


def load_prompts(folder: Traversable | None = None) -> Prompts:
    """The prompts of a folder; None: those of this package. Raises ConfigError for a file that is missing or bad."""
    place = folder or files("cs_bot").joinpath("vision", "prompts")
    texts: dict[str, str] = {}
    versions: dict[str, int] = {}
    for name in (*NAMES, *(name for name in OPTIONAL if place.joinpath(f"{name}.txt").is_file())):
        try:
            text = place.joinpath(f"{name}.txt").read_text("utf-8")
        except (OSError, UnicodeDecodeError) as problem:
            raise ConfigError(f"prompt {name}.txt can't be read ({type(problem).__name__})") from None
        head = _VERSION.match(text)
        if head is None:
            raise ConfigError(f"prompt {name}.txt does not begin with `version: N` and an empty line")
        texts[name], versions[name] = text[head.end() :].strip(), int(head.group(1))
    return Prompts(texts, versions)


def language(tag: str) -> str:
    """A BCP 47 tag in words; one that we have no word for stays a tag."""
    if tag in LANGUAGES:
        return LANGUAGES[tag]
    return f"the language with the tag {tag}" if _TAG.fullmatch(tag) else LANGUAGES["zh"]


def data(ask: Ask) -> str:
    """Everything an ask holds, as blocks of data."""
    slots = [f"{{{name}}} = {neutral(value, MAX_VALUE)}" for name, value in ask.slots.items() if _SLOT.fullmatch(name)]
    blocks = [
        ("shop", neutral(ask.shop, MAX_VALUE)),
        ("slots", "\n".join(line.replace("\n", " ") for line in slots) or "(none)"),
        ("facts", "\n".join(neutral(note, MAX_VALUE) for note in ask.notes)),
        ("pictures", "\n".join(_seen(ask.looks)) if ask.kind in SHOWN else ""),
        ("earlier", "\n".join(_earlier(ask))),
        ("customer", neutral(ask.question, MAX_QUESTION)),
    ]
    return "\n".join(block(tag, text) for tag, text in blocks if text.strip())


def _earlier(ask: Ask) -> list[str]:
    return [f"{neutral(who, 12)}: {neutral(text, MAX_EARLIER)}" for who, text in ask.earlier[-MOST_EARLIER:]]


def _seen(looks: tuple[Look, ...]) -> list[str]:
    """What the looks say of the things on each picture, and the words printed there."""
    lines = []
    for number, look in enumerate(looks[:MOST_PICTURES], start=1):
        lines.append(f"picture {number}: {look.kind.value}")
        for item in look.items:
            known = ", ".join(f"{name} {neutral(value, MAX_LINE)}" for name, value in item.attributes.items())
            lines.append(f"picture {number}, {neutral(item.where, 12)}: {known}".replace("\n", " "))
        printed = " / ".join(neutral(line, MAX_LINE) for line in look.lines[:MOST_LINES])
        if printed:
            lines.append(f"picture {number}, printed on it: {printed}".replace("\n", " "))
    return lines
