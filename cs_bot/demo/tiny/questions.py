"""What customers ask about pictures and orders, in four languages: questions.toml."""

import random
import tomllib
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from cs_bot.demo.tiny.shelf import code_of, titled
from cs_bot.demo.tiny.things import Thing
from cs_bot.records import Kind

BANKS = {Kind.OTHER: "text"}  # the others have their own name
COURTESY = {"zh": "你好，", "en": "Hi, ", "ja": "すみません、", "ko": "안녕하세요, "}


class Question(NamedTuple):
    """The words, and whether they name an article of the shop."""

    text: str
    names: bool


@cache
def _data() -> dict[str, Any]:
    data: dict[str, Any] = tomllib.loads(Path(__file__).with_name("questions.toml").read_text("utf-8"))
    return data


def question(kind: Kind, language: str, thing: Thing, rng: random.Random) -> Question:
    """One of the bank; now and then with a word of courtesy, or without its last sign."""
    pattern: str = rng.choice(_data()[BANKS.get(kind, kind.value)][language])
    text = pattern.replace("{thing}", _data()["things"][language][thing.shape])
    text = text.replace("{code}", code_of(thing, rng))
    text = text.replace("{title}", titled(thing, language)[: rng.choice((8, 10, 24))])
    if rng.random() < 0.1:
        text = COURTESY[language] + text
    return Question(text.rstrip("？?") if rng.random() < 0.15 else text, "{" in pattern)


def before(language: str, rng: random.Random) -> tuple[tuple[str, str], ...]:
    """Who wrote what before it; mostly nothing."""
    if rng.random() < 0.8:
        return ()
    told = rng.sample(_data()["before"][language], rng.randint(1, 2))
    return tuple((who, text) for who, text in told)
