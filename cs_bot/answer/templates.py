"""Reply templates and fact sentences, a data file a language."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from cs_bot.claims import fill, slot_names
from cs_bot.errors import DraftRefused

LANGUAGES = ("zh", "zh-Hant", "en", "ja", "ko")


@dataclass(frozen=True)
class Phrases:
    """What one language's file holds.

    `templates` by id, `pieces` of longer replies, `goods`: what is said of a product, by `str.format` patterns.
    `sentences` by set (status, arrival, tracking, late) and order status: alternatives, the fullest first. `formats`
    for times and money, `money` by ISO currency.
    """

    version: str
    language: str
    templates: Mapping[str, str]
    pieces: Mapping[str, str]
    goods: Mapping[str, str]
    sentences: Mapping[str, Mapping[str, tuple[str, ...]]]
    formats: Mapping[str, str]
    months: tuple[str, ...]
    money: Mapping[str, str]

    def sentence(self, name: str, status: str, values: Mapping[str, str]) -> str:
        """The fullest sentence of a set for a status that `values` can fill; other sets fall back to `status`.

        Raises DraftRefused when none can be filled.
        """
        by_status = self.sentences[name]
        for alternative in by_status.get(status) or self.sentences["status"][status]:
            wanted = slot_names(alternative)
            if all(slot in values for slot in wanted):
                return fill(alternative, {slot: values[slot] for slot in wanted})
        raise DraftRefused(f"no {name} sentence for {status} can be filled")


@cache
def phrases(language: str) -> Phrases:
    """The file of one of LANGUAGES."""
    data = tomllib.loads(files("cs_bot").joinpath("answers", f"{language}.toml").read_text("utf-8"))
    formats = dict(data["format"])
    return Phrases(
        version=data["version"],
        language=data["language"],
        templates=data["templates"],
        pieces=data["pieces"],
        goods=data["goods"],
        sentences={
            name: {status: tuple(alternatives) for status, alternatives in by_status.items()}
            for name, by_status in data["sentences"].items()
        },
        months=tuple(formats.pop("months", ())),
        formats=formats,
        money=data["money"],
    )
