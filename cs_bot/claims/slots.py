"""Named slots in a reply: which there are, the words outside them, filling them once."""

import re
import unicodedata
from collections.abc import Mapping

from cs_bot.errors import DraftRefused

_SLOT = re.compile(r"\{([a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*)\}")
_GAP = "\ufffc"  # stands where a slot was, so that the words on both sides don't join
_JOINERS = "\u200c\u200d"  # Persian and emoji need them; they reorder nothing


def slot_names(template: str) -> tuple[str, ...]:
    """The names of the slots of a template, in order, with repeats."""
    return tuple(match.group(1) for match in _SLOT.finditer(template))


def words_outside(template: str) -> str:
    """The words of a template outside its slots.

    Raises DraftRefused for a brace that belongs to no slot.
    """
    words = _SLOT.sub(_GAP, template)
    if "{" in words or "}" in words:
        raise DraftRefused("a template has a brace that belongs to no slot")
    return words


def fill(template: str, slots: Mapping[str, str]) -> str:
    """The template with its slots filled. Values are inserted as they are and never looked at again for slots.

    Raises DraftRefused when a slot has no value, a value belongs to no slot, or a brace stands alone.
    """
    words_outside(template)
    names = set(slot_names(template))
    if names != set(slots):
        raise DraftRefused(f"slots without value or use: {', '.join(sorted(names ^ set(slots)))}")
    if empty := sorted(name for name in names if not slots[name].strip()):
        raise DraftRefused(f"empty slots: {', '.join(empty)}")
    return _SLOT.sub(lambda match: slots[match.group(1)], template)


def clean_value(value: str, *, max_chars: int, lines: bool = False) -> str:
    """A record's text as it may stand in a reply: no control, bidi or invisible characters, blanks collapsed.

    `lines` keeps line breaks. Raises DraftRefused when it is longer than `max_chars`: cutting would change what it
    states.
    """
    kept = []
    for char in value:
        if char in "\n\r\u2028\u2029\x85":
            kept.append("\n" if lines else " ")
        elif char == "\t" or unicodedata.category(char) == "Zs":
            kept.append(" ")
        elif unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Cn") or char in _JOINERS:
            kept.append(char)
    text = re.sub(r" +", " ", "".join(kept))
    text = re.sub(r" ?\n ?", "\n", text)
    text = re.sub(r"\n{3,}", "\n\n", text).strip()
    if len(text) > max_chars:
        raise DraftRefused(f"a value is longer than {max_chars} characters")
    return text
