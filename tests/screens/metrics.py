"""Looks against truth: what was read exactly, wrongly, or where nothing can be seen; exact binomial bounds."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

UNREADABLE_LANGUAGES = frozenset({"ko", "ru"})  # scripts that the OCR's dictionary lacks
NO_ORDER_LOOKS = frozenset({"chat", "cart", "logistics"})
FACTS = ("amount", "status", "order_time")
EXTRAS = ("currency", "status_text")


def binomial_cdf(successes: int, trials: int, p: float) -> float:
    """P(X <= successes) for X ~ Binomial(trials, p)."""
    if p <= 0 or successes >= trials:
        return 1.0
    if p >= 1:
        return 0.0
    logs = [
        math.lgamma(trials + 1) - math.lgamma(k + 1) - math.lgamma(trials - k + 1)
        + k * math.log(p) + (trials - k) * math.log1p(-p)
        for k in range(successes + 1)
    ]  # fmt: skip
    return min(1.0, math.fsum(math.exp(value) for value in logs))


def upper_bound(successes: int, trials: int, confidence: float = 0.95) -> float:
    """One-sided Clopper-Pearson upper bound of a proportion; 1.0 without trials."""
    if successes >= trials:
        return 1.0
    low, high = successes / trials, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if binomial_cdf(successes, trials, middle) > 1 - confidence else (low, middle)
    return high


def same_number(truth: str, got: str) -> bool:
    """The same order number; a leading # and blanks do not count."""
    return truth.lstrip("#") == "".join(got.split()).lstrip("#")


def same_amount(truth: str, got: str) -> bool:
    """The same sum of money."""
    try:
        return Decimal(truth) == Decimal(got)
    except InvalidOperation:
        return False


def same_time(truth: str, got: str) -> bool:
    """The same time as far as the page prints it; what it does not print may be zero or missing, nothing else."""
    if not got.startswith(truth):
        return False
    return not got[len(truth) :].strip("T:0")


def same_text(truth: str, got: str) -> bool:
    """The same words whatever the blanks and the case, or the printed line that begins with them."""
    return "".join(got.split()).casefold().startswith("".join(truth.split()).casefold())


SAME: dict[str, Callable[[str, str], bool]] = {
    "order_id": same_number,
    "amount": same_amount,
    "order_time": same_time,
    "status": lambda truth, got: truth == got,
    "currency": lambda truth, got: truth == got,
    "status_text": same_text,
}


@dataclass
class FieldCount:
    """Outcomes of one field. `whole` counts pictures where it can be seen; `part` where some of it; `none` nothing."""

    whole: int = 0
    right: int = 0
    wrong: int = 0
    part: int = 0
    part_wrong: int = 0
    part_right: int = 0
    none: int = 0
    none_read: int = 0

    def note(self, visible: str, outcome: str) -> None:
        """Add one picture. `outcome` is right, wrong or silent (nothing was `read`)."""
        setattr(self, visible, getattr(self, visible) + 1)
        if outcome == "silent":
            return
        name = {"whole": outcome, "part": f"part_{outcome}", "none": "none_read"}[visible]
        setattr(self, name, getattr(self, name) + 1)


@dataclass
class Tally:
    """Counts over a set of pictures of single orders."""

    pictures: int = 0
    taken_for_order: int = 0
    flagged_list: int = 0
    errors: int = 0
    fields: dict[str, FieldCount] = field(
        default_factory=lambda: {name: FieldCount() for name in ("order_id", *FACTS, *EXTRAS)}
    )


@dataclass(frozen=True)
class Failure:
    """One thing to look at: which picture and field, what came out, what is true."""

    file: str
    field: str
    got: str
    truth: str
    visible: str


@dataclass
class Result:
    """Everything the report shows."""

    total: Tally = field(default_factory=Tally)
    variants: dict[str, Tally] = field(default_factory=dict)
    looks: dict[str, Tally] = field(default_factory=dict)
    others: dict[str, list[int]] = field(default_factory=dict)  # look: [pictures, taken for an order, numbers read]
    lists: list[int] = field(default_factory=lambda: [0, 0, 0])  # pictures, flagged, numbers read
    foreign: list[int] = field(default_factory=lambda: [0, 0, 0])  # pictures, language said, wrong values read
    failures: list[Failure] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def outcome(name: str, truth: dict[str, Any], look: dict[str, Any]) -> tuple[str, str]:
    """(right | wrong | silent, what came out) of one field of one picture."""
    read = look.get("fields", {}).get(name) or {}
    value, state = read.get("value"), read.get("state", "absent")
    shown = f"{state} {value or ''} {' '.join(read.get('guards', ()))}".strip()
    if state != "read":
        return "silent", shown
    true = truth["fields"][name]
    same = true is not None and value is not None and SAME[name](true, value)
    return ("right" if same else "wrong"), shown


def kind_of(look: dict[str, Any]) -> str:
    """The likeliest kind; `error` when the engine failed."""
    kinds = look.get("kinds") or {}
    return max(kinds, key=lambda kind: kinds[kind]) if kinds else "error"


def _judge_order(result: Result, truth: dict[str, Any], look: dict[str, Any]) -> None:
    tallies = [result.total]
    tallies.append(result.variants.setdefault(truth["variant"], Tally()))
    tallies.append(result.looks.setdefault(truth["look"], Tally()))
    kind = kind_of(look)
    for tally in tallies:
        tally.pictures += 1
        tally.taken_for_order += kind == "order"
        tally.flagged_list += "list" in look.get("notes", ())
        tally.errors += kind == "error"
    if kind != "order":
        result.failures.append(Failure(truth["file"], "kind", look.get("error") or kind, "order", "whole"))
    for name in result.total.fields:
        visible = truth["visible"][name]
        judged, shown = outcome(name, truth, look)
        for tally in tallies:
            tally.fields[name].note(visible, judged)
        bad = (
            judged == "wrong"
            or (visible == "whole" and judged == "silent")
            or (visible == "none" and judged == "right")
        )
        if bad:
            result.failures.append(Failure(truth["file"], name, shown, str(truth["fields"][name]), visible))


def _judge_foreign(result: Result, truth: dict[str, Any], look: dict[str, Any]) -> None:
    result.foreign[0] += 1
    result.foreign[1] += any(note.startswith("language:") for note in look.get("notes", ()))
    for name in ("order_id", *FACTS):
        judged, shown = outcome(name, truth, look)
        if judged == "wrong":
            result.foreign[2] += 1
            result.failures.append(Failure(truth["file"], name, shown, str(truth["fields"][name]), "foreign"))


def _judge_rest(result: Result, truth: dict[str, Any], look: dict[str, Any]) -> None:
    number_read = (look.get("fields", {}).get("order_id") or {}).get("state") == "read"
    if truth["kind"] == "list":
        flagged = "list" in look.get("notes", ())
        result.lists = [n + more for n, more in zip(result.lists, (1, flagged, number_read), strict=True)]
        if not flagged:
            result.failures.append(Failure(truth["file"], "list", kind_of(look), "list", "whole"))
        return
    taken = kind_of(look) == "order"
    before = result.others.get(truth["look"], [0, 0, 0])
    result.others[truth["look"]] = [n + more for n, more in zip(before, (1, taken, number_read), strict=True)]
    if taken:
        result.failures.append(Failure(truth["file"], "kind", "order", truth["look"], "whole"))


def judge(pairs: Iterable[tuple[dict[str, Any], dict[str, Any]]]) -> Result:
    """Count (truth line, look as JSON or {"error": text}) pairs."""
    result = Result()
    for truth, look in pairs:
        if look.get("seconds") is not None:
            result.seconds.append(look["seconds"])
        if truth["kind"] != "order":
            _judge_rest(result, truth, look)
        elif truth["language"] in UNREADABLE_LANGUAGES:
            _judge_foreign(result, truth, look)
        else:
            _judge_order(result, truth, look)
    return result


@dataclass(frozen=True)
class Bar:
    """One promise. `count` of `trials`; the share must be at least or at most `target`."""

    name: str
    count: int
    trials: int
    target: float
    at_least: bool

    @property
    def share(self) -> float:
        """count / trials, 0 without trials."""
        return self.count / self.trials if self.trials else 0.0

    @property
    def met(self) -> bool:
        """Whether the share keeps the promise; one with no trials keeps none."""
        return self.trials > 0 and (self.share >= self.target if self.at_least else self.share <= self.target)

    @property
    def bound(self) -> float:
        """95 % upper bound of the share of failures."""
        failures = self.trials - self.count if self.at_least else self.count
        return upper_bound(failures, self.trials) if self.trials else 1.0


def bars(result: Result) -> list[Bar]:
    """The promises about order screens, in the order of their weight."""
    total = result.total
    number = total.fields["order_id"]
    found = [
        Bar("order number read and exact, wholly visible", number.right, number.whole, 0.97, True),
        Bar("order number wrong while read, wholly visible", number.wrong, number.whole, 0.01, False),
        Bar("order number wrong while read, cut or painted over", number.part_wrong, number.part, 0.0, False),
        Bar("order number read where none can be seen", number.none_read, number.none, 0.0, False),
    ]
    for name in FACTS:
        count = total.fields[name]
        found.append(Bar(f"{name} read and exact, wholly visible", count.right, count.whole, 0.95, True))
        found.append(Bar(f"{name} read where none can be seen", count.none_read, count.none, 0.0, False))
        found.append(Bar(f"{name} wrong while read, partly visible", count.part_wrong, count.part, 0.0, False))
    taken = [counts for look, counts in result.others.items() if look in NO_ORDER_LOOKS]
    found.append(Bar("order page taken for an order", total.taken_for_order, total.pictures, 0.98, True))
    found.append(
        Bar(
            "chat, cart or logistics taken for an order", sum(c[1] for c in taken), sum(c[0] for c in taken), 0.0, False
        )
    )
    found.append(Bar("list of orders flagged as a list", result.lists[1], result.lists[0], 0.95, True))
    return [bar for bar in found if bar.trials]
