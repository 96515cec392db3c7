"""What customers say around the name of a thing: taken away before it is looked for (knowledge/talk.toml)."""

import re
import tomllib
from functools import cache
from importlib.resources import files


def without_talk(text: str) -> str:
    """The text without phrases of asking; unchanged when nothing else is in it."""
    left = _pattern().sub(" ", text)
    return left if any(c.isalnum() for c in left) else text


@cache
def _pattern() -> re.Pattern[str]:
    phrases = tomllib.loads(files("cs_bot.knowledge").joinpath("talk.toml").read_text("utf-8"))["phrases"]
    english = r"\b(?:" + "|".join(phrases.pop("en")) + r")\b"
    return re.compile("|".join([*(p for patterns in phrases.values() for p in patterns), english]), re.IGNORECASE)
