"""Customers' words, OCR and records as data: nothing in them can end the block or name a slot."""

import re
import unicodedata

_BRACKETS = str.maketrans({"<": "‹", ">": "›", "{": "(", "}": ")", "＜": "‹", "＞": "›", "｛": "(", "｝": ")"})
_CONTROL_WORDS = re.compile(r"\[(/?)\s*(INST|SYS|SYSTEM|TOOL_CALLS|AVAILABLE_TOOLS|IMG)\s*\]", re.IGNORECASE)
_LINES = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_KEPT_INVISIBLE = "\u200c\u200d"  # Persian and emoji need them; they reorder nothing
_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_LONG_DIGITS = re.compile(r"\+?[0-9０-９](?:[ \-().]{0,2}[0-9０-９]){6,}")


def neutral(text: str, most: int) -> str:
    """`text` as it may stand in a prompt: at most `most` characters, no control tokens, no braces, no contacts.

    Checkpoints' control tokens are written with angle brackets or as [INST]; both are replaced by look-alikes that no
    tokenizer takes for them. E-mails and runs of seven and more digits (phones, order numbers) are not needed to
    write words and become ‹e-mail› and ‹number›. Line breaks are all `\\n`.
    """
    text = _LINES.sub("\n", text[: 8 * most])
    text = "".join(sign for sign in text if sign in "\n\t" or _may_stay(sign))
    text = _LONG_DIGITS.sub("‹number›", _EMAIL.sub("‹e-mail›", text))
    text = _CONTROL_WORDS.sub(r"(\1\2)", text).translate(_BRACKETS)
    return text if len(text) <= most else text[: most - 1] + "…"


def block(tag: str, text: str) -> str:
    """A block of data. Every line of it begins with `| `, so that no text can close the block."""
    lines = "\n".join(f"| {line}".rstrip() for line in text.split("\n"))
    return f"<{tag}>\n{lines}\n</{tag}>"


def _may_stay(sign: str) -> bool:
    return unicodedata.category(sign) not in ("Cc", "Cf", "Cs", "Co", "Cn") or sign in _KEPT_INVISIBLE
