"""The pages' words, one JSON file a language, and which language a visitor reads."""

import json
from functools import lru_cache
from pathlib import Path

FOLDER = Path(__file__).parent / "locales"
LANGUAGES = ("zh", "en")
COOKIE = "csbot_lang"


class Words:
    """The words of one language: `words("queue")`, `words("reason.stale")`; a missing key is a KeyError."""

    def __init__(self, language: str, entries: dict[str, str]) -> None:
        self.language, self._entries = language, entries

    def __call__(self, key: str, **values: object) -> str:
        """The words of `key` with its blanks filled."""
        return self._entries[key].format(**values)

    def of(self, group: str, name: object) -> str:
        """The words of `group.name`; a name that we have no words for is shown as it is."""
        return self._entries.get(f"{group}.{name}", str(name))


@lru_cache(maxsize=len(LANGUAGES))
def words_of(language: str) -> Words:
    """The words of one of LANGUAGES."""
    return Words(language, json.loads((FOLDER / f"{language}.json").read_text(encoding="utf-8")))


def choose(cookie: str | None, accept_language: str, default: str) -> str:
    """The language to show: the visitor's own choice, else what the browser asks for first, else `default`."""
    if cookie in LANGUAGES:
        return cookie
    wanted: list[tuple[float, int, str]] = []
    for place, part in enumerate(accept_language.split(",")[:20]):
        tag, _, quality = part.strip().partition(";")
        try:
            weight = float(quality.strip().removeprefix("q=")) if quality else 1.0
        except ValueError:
            continue
        primary = tag.split("-")[0].lower()
        if primary in LANGUAGES and weight > 0:
            wanted.append((-weight, place, primary))
    if wanted:
        return min(wanted)[2]
    return default if default in LANGUAGES else "en"
