"""Customers' words, OCR and records as data: nothing in them can end the block or name a slot."""

import re
import unicodedata

from cs_bot.masking import mask

_BRACKETS = str.maketrans({"<": "‹", ">": "›", "{": "(", "}": ")", "＜": "‹", "＞": "›", "｛": "(", "｝": ")"})
_CONTROL_WORDS = re.compile(r"\[(/?)\s*(INST|SYS|SYSTEM|TOOL_CALLS|AVAILABLE_TOOLS|IMG)\s*\]", re.IGNORECASE)
_LINES = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_KEPT_INVISIBLE = "\u200c\u200d"  # Persian and emoji need them; they reorder nothing
_LONG_NUMBER = re.compile(r"(?<![0-9-])(?!20[0-9]{2}-[0-9]{2}-[0-9]{2}(?![0-9]))[0-9](?:-?[0-9]){6,}")


def neutral(text: str, most: int) -> str:
    """`text` as it may stand in a prompt: at most `most` characters, no control tokens, no braces, no contacts.

    Checkpoints' control tokens are written with angle brackets or as [INST]; both are replaced by look-alikes that no
    tokenizer takes for them. Phones, e-mail and street addresses (`masking`) and numbers of seven and more digits are
    not needed to write words: ‹phone›, ‹e-mail›, ‹address›, ‹number›. Line breaks are all `\\n`.
    """
    text = _LINES.sub("\n", text[: 8 * most])
    text = "".join(sign for sign in text if sign in "\n\t" or _may_stay(sign))[: 2 * most]
    text = _LONG_NUMBER.sub("<number>", mask(unicodedata.normalize("NFC", text)))
    text = _CONTROL_WORDS.sub(r"(\1\2)", text).translate(_BRACKETS)
    return text if len(text) <= most else text[: most - 1] + "…"


def block(tag: str, text: str) -> str:
    """A block of data. Every line of it begins with `| `, so that no text can close the block."""
    lines = "\n".join(f"| {line}".rstrip() for line in text.split("\n"))
    return f"<{tag}>\n{lines}\n</{tag}>"


def _may_stay(sign: str) -> bool:
    return unicodedata.category(sign) not in ("Cc", "Cf", "Cs", "Co", "Cn") or sign in _KEPT_INVISIBLE
