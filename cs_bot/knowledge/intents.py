"""Reads a customer's words: what is asked, in which language, with which order numbers, in which mood."""

import re
import tomllib
import unicodedata
from functools import cache
from importlib.resources import files
from typing import Any

from cs_bot.claims import detect_language
from cs_bot.claims.fold import fold_words
from cs_bot.claims.lexicon import fold_pattern
from cs_bot.knowledge.order_numbers import typed_order_ids, without_order_ids
from cs_bot.records import Reason, Record

# One reply of an order template answers all of these at once.
LOGISTICS = frozenset({"order_status", "ship_when", "arrive_when", "tracking", "order_number"})
_WITH_AMOUNT = frozenset({"order_amount", "order_status", "order_number"})
_ONE_BY_ONE = frozenset({"faq", "product"})  # two questions of this kind are two questions
_SMALL_TALK = frozenset({"greeting", "thanks"})
_LANGUAGES = ("zh", "en", "ja", "ko")
MAX_READ = 4000
_LONG_CLAUSE = 30  # characters that nobody understood are taken for a question of their own

_CLAUSES = re.compile(r"[。！？!?\n；;，,、~]+|(?<=[a-z])\.(?=\s|$)|\s{2,}|(?<=[吗呢])\s*(?=\S)")
_ASKS = re.compile(
    r"[?？]|吗|么$|呢$|多少|几[个天件点号时]|哪|谁|什么|怎|为何|啥|是否|能不能|可不可以|有没有|会不会|是不是|要不要|"
    r"(?<![a-z])(?:how|what|when|where|why|who|which|can|could|do|does|did|is|are|will|would|should|any)(?![a-z])|"
    r"か$|かな|でしょうか|ですか|ますか|いつ|どこ|どの|なぜ|何|까$|까요|나요|인가요|언제|어디|왜|무엇|뭐|어떻게"
)
_WANTS = re.compile(
    r"帮我|给我|麻烦|把|我要|想要|希望|(?<![a-z])(?:please|pls|i want|i need|i.d like)(?![a-z])|"
    r"お願い|ください|ほしい|欲しい|주세요|해줘|싶"
)
# A wish that hangs on a condition is more than a question: "if it is not sent today, refund it".
_CONDITION = re.compile(
    r"如果|要是|假如|不然|否则|再不|就(?:退|取消|不要|差评)|もし|場合は|ないなら|만약|아니면|안\s*되면|"
    r"(?<![a-z])(?:if .{0,30}(?:not|n.?t|late|longer|then)|unless|otherwise|or else|instead)(?![a-z])"
)
_STICKER = re.compile(r"\[[^\[\]\n]{1,8}\]|:[a-z_]{2,20}:")


class Question(Record):
    """What a burst of messages asks.

    `intent` is the strictest of `intents`. The list: complaint, refund, cancel, change, address (where the parcel goes
    or a wish to change it), invoice, product (stock, size, colour, price, advice), faq (the shop's rules),
    order_amount, tracking, arrive_when, ship_when, order_number, order_status, thanks, greeting, unknown.
    `several`: more is asked than one reply template can answer. `language` is `und` when it can't be told.
    """

    intent: str
    intents: tuple[str, ...]
    language: str
    typed_order_ids: tuple[str, ...] = ()
    wants_person: bool = False
    upset: bool = False
    greeting_only: bool = False
    several: bool = False

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """The reasons for the gate that follow from the words alone."""
        found = {
            Reason.ASKED_FOR_PERSON: self.wants_person,
            Reason.UPSET: self.upset,
            Reason.SEVERAL_QUESTIONS: self.several,
        }
        return tuple(reason for reason, holds in found.items() if holds)


def read_question(text: str) -> Question:
    """Read the customer's words of one turn; messages are separated by line breaks.

    Of a text longer than MAX_READ characters only the start is read; it then counts as several questions.
    """
    text, rest = text[:MAX_READ], text[MAX_READ:].strip()
    words = _STICKER.sub("\u263a", without_order_ids(text))
    folded = fold_words(words)
    order_ids = typed_order_ids(text)
    found = _intents(folded, bool(order_ids))
    if "address" in found:
        found -= {"change"}  # "the address is wrong, please change it" is one wish
    asked = found - _SMALL_TALK
    return Question(
        intent=_strictest(found),
        intents=tuple(name for name in _strictness() if name in found),
        language=detect_language(words),
        typed_order_ids=order_ids,
        wants_person=bool(_pattern("wants_person").search(folded)),
        upset=bool(_pattern("upset").search(folded)),
        greeting_only=found == {"greeting"},
        several=bool(rest) or _is_several(asked) or _repeats(folded),
    )


def _intents(folded: str, has_ids: bool) -> frozenset[str]:
    found: set[str] = set()
    for clause in clauses(folded):
        here = clause_intents(clause)
        found |= here or ({"unknown"} if is_question(clause) else set())
    if found and is_conditional(folded):
        found.add("unknown")
    if found:
        return frozenset(found)
    if has_ids or not folded.strip():
        return frozenset({"unknown"})
    if _letters(_remove(("greeting", "thanks", "filler"), folded)):
        return frozenset({"unknown"})
    small = {name for name in _SMALL_TALK if _pattern(name).search(folded)}
    if "thanks" in small:
        return frozenset({"thanks"})
    return frozenset({"greeting"} if small or not _letters(folded) else {"unknown"})


def clause_intents(clause: str) -> set[str]:
    """The intents of one folded clause, small talk left out."""
    found = {name for name in _strictness() if name not in (*_SMALL_TALK, "unknown") and _pattern(name).search(clause)}
    return _narrowed(found, clause)


def _narrowed(found: set[str], clause: str) -> set[str]:
    """Words shared by two intents count for the one that the clause is about."""
    if "faq" in found:
        found = {"faq"} | (found & {"complaint", "cancel", "change", "invoice"})
    if "cancel" in found:
        found -= {"refund"}
    if _SIZE_CHART.search(clause):
        found -= LOGISTICS
    if found & {"change", "address"}:
        found -= {"product", "change"} if "address" in found else {"product"}
    if found & {"refund", "cancel", "complaint", "change", "address"}:
        found -= LOGISTICS | {"order_amount", "faq"} if not _ASKS_WHEN.search(clause) else set()
    if "invoice" in found:
        found -= {"faq", "change", "product"} | LOGISTICS
    if "order_amount" in found:
        found -= {"product"}
    if found & LOGISTICS:
        found -= {"product"} if not _PRODUCT_TOO.search(clause) else set()
    return found


_ASKS_WHEN = re.compile(
    r"什么时候.{0,3}发|物流|到哪|快递.{0,3}到|(?<![a-z])(?:where is|track\w*|shipped)(?![a-z])|いつ届|発送|"
    r"언제|배송\s*조회"
)
_SIZE_CHART = re.compile(r"尺[码寸]表|size (?:chart|guide|table)|サイズ表|사이즈\s*표")
_PRODUCT_TOO = re.compile(
    r"有货|现货|库存|颜色|尺码|多少钱|价格|in stock|available|(?<![a-z])(?:colou?r|size)|在库|サイズ|재고|사이즈"
)


def asks(clause: str) -> bool:
    """Whether a folded clause has the form of a question."""
    return bool(_ASKS.search(clause))


def is_conditional(folded: str) -> bool:
    """Whether a wish hangs on a condition: that is more than a question."""
    return bool(_CONDITION.search(folded))


def is_question(clause: str) -> bool:
    """Whether a folded clause asks or wishes something beyond small talk (a long remark counts)."""
    rest = _remove(("greeting", "thanks", "filler"), clause)
    letters = _letters(rest)
    if not letters:
        return False
    return bool(asks(clause) or _WANTS.search(clause)) or len(letters) >= _LONG_CLAUSE


def _is_several(asked: frozenset[str]) -> bool:
    return len(asked) > 1 and not asked <= LOGISTICS and not asked <= _WITH_AMOUNT


def _repeats(folded: str) -> bool:
    counts = [name for clause in clauses(folded) for name in clause_intents(clause) & _ONE_BY_ONE if asks(clause)]
    return len(counts) != len(set(counts))


def _strictest(found: frozenset[str]) -> str:
    return next(name for name in _strictness() if name in found)


def clauses(folded: str) -> list[str]:
    """The clauses of a folded text, with their question mark kept."""
    parts, start = [], 0
    for match in _CLAUSES.finditer(folded):
        mark = "?" if "?" in match.group() else ""
        parts.append(folded[start : match.start()].strip() + mark)
        start = match.end()
    parts.append(folded[start:].strip())
    return [part for part in parts if part.strip("?")]


def _remove(names: tuple[str, ...], folded: str) -> str:
    for name in names:
        folded = _pattern(name).sub(" ", folded)
    return folded


def _letters(text: str) -> str:
    return "".join(char for char in text if unicodedata.category(char)[0] in "LN")


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads(files("cs_bot.knowledge").joinpath("intents.toml").read_text("utf-8"))


def _strictness() -> tuple[str, ...]:
    return tuple(_data()["strictness"])


@cache
def _pattern(name: str) -> re.Pattern[str]:
    parts = []
    for language in _LANGUAGES:
        joined = "|".join(fold_pattern(word) for word in _data()[language].get(name, ()))
        if language == "en":
            joined = rf"(?<![a-z0-9])(?:{joined})(?![a-z0-9])"
        parts.append(joined)
    return re.compile("|".join(part for part in parts if part))
