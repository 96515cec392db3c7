"""What an agent's verdict says of the draft: right, wrong, or not known yet."""

import re
import unicodedata
from collections import Counter
from difflib import SequenceMatcher

from cs_bot.claims import numbers_in
from cs_bot.records import Record, Verdict

SMALL = 0.2  # the distance up to which an edit is small

_ID = re.compile(r"[a-z0-9]+(?:[-_./:?=&%#@+][a-z0-9]+)*")  # an order number, a SKU, a link: with letters and digits


class Marks(Record):
    """The marks of one verdict; `right` is None when there was no draft to judge, or nobody knows yet.

    Right is an approved draft and a small edit: a distance of at most SMALL with every number and id kept. A large
    edit and a rejection are wrong. Beside a draft that was hidden (shadow) only the very same words are right by
    themselves: two answers to one question may differ in every word and both be right, or in one ("not") and be
    opposites, so a person says it afterwards. All else can be computed again from draft, text sent and verdict.
    """

    distance: float
    numbers_changed: bool
    small_edit: bool
    right: bool | None


def marks(verdict: Verdict, draft: str | None, text: str | None) -> Marks:
    """The marks of a verdict on `draft`, where `text` was sent instead (None: nothing was sent)."""
    if draft is None:
        return Marks(distance=1.0, numbers_changed=False, small_edit=False, right=None)
    if text is None:
        return Marks(distance=1.0, numbers_changed=False, small_edit=False, right=False)
    far, changed = distance(draft, text), numbers_changed(draft, text)
    small = verdict is Verdict.EDIT and far <= SMALL and not changed
    right: bool | None = verdict is Verdict.APPROVE or small
    if verdict is Verdict.SHADOW:
        right = True if far == 0.0 else None
    return Marks(distance=far, numbers_changed=changed, small_edit=small, right=right)


def distance(draft: str, text: str) -> float:
    """How far an agent's text is from the draft, 0..1: one minus difflib's ratio after NFKC and blank folding.

    That is the share of characters deleted or inserted, of both texts together.
    """
    return round(1.0 - SequenceMatcher(None, _fold(draft), _fold(text), autojunk=False).ratio(), 4)


def numbers_changed(draft: str, text: str) -> bool:
    """Whether a number or an id of either text is missing in the other; how and in which order it is written is not
    a change."""
    return Counter(numbers_in(draft)) != Counter(numbers_in(text)) or _ids(draft) != _ids(text)


def _ids(text: str) -> Counter[str]:
    found = _ID.findall(_fold(text).casefold())
    return Counter(one for one in found if re.search(r"[0-9]", one) and re.search(r"[a-z]", one))


def _fold(words: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", words).split())
