"""What cases came to: verdicts, and figures per kind. A wrong reply by itself is the dangerous error, counted apart."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from cs_bot.evaluate.running import Ran
from cs_bot.records import Action, FieldState, Kind, LookupOutcome, Reading, Record


@dataclass(frozen=True)
class Verdict:
    """One case judged. `kind`, `fields` and `products` are None where nothing was expected of them.

    `fields`: name -> right | unread | wrong (a value was called read that is not so). `problems` in words.
    """

    ran: Ran
    kind: bool | None
    fields: dict[str, str]
    products: dict[str, str]  # place -> right | close | missed | wrong (another product was called the one)
    text: bool
    action: str  # right_send | right_review | needless_review | wrong_send
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """All as expected."""
        return not self.problems


class Row(Record):
    """Figures of one kind (or of all). Shares are None where nothing was counted; seconds are per case."""

    kind: str
    cases: int
    kind_right: float | None = None
    text_right: float | None = None
    sent: int = 0
    wrong_send: int = 0
    needless_review: int = 0
    p50_s: float | None = None
    p95_s: float | None = None


class Figures(Record):
    """What a run of cases came to. `fields` and `products`: name -> outcome -> how many."""

    engine: str
    rows: tuple[Row, ...]
    fields: dict[str, dict[str, int]]
    products: dict[str, int]
    risk_coverage: tuple[tuple[float, float], ...]  # (share answered, share wrong among them), most certain first
    seconds: float  # of all stages together
    cost_per_1000: float | None = None  # of a thousand cases, in the money of the price an hour that was given
    failed: tuple[str, ...]  # ids of cases that are not as expected

    def row(self, kind: str) -> Row | None:
        """The figures of one kind, None where there is no such case."""
        return next((row for row in self.rows if row.kind == kind), None)


@dataclass
class _Counted:
    """Outcomes by name."""

    by_name: dict[str, dict[str, int]] = field(default_factory=dict)

    def add(self, name: str, outcome: str) -> None:
        counts = self.by_name.setdefault(name, {})
        counts[outcome] = counts.get(outcome, 0) + 1


def judge(ran: Ran) -> Verdict:
    """Compare one case with what was expected of it."""
    expect, problems = ran.case.expect, []
    if ran.problem is not None:
        problems.append(f"a stage failed: {ran.problem}")
    kind = None if expect.kind is None else (ran.reading is not None and ran.reading.kind is expect.kind)
    if kind is False:
        problems.append(f"kind {ran.reading.kind if ran.reading else 'none'} instead of {expect.kind}")
    fields = _fields(ran)
    problems += [f"field {name} is {outcome}" for name, outcome in fields.items() if outcome != "right"]
    products = _products(ran)
    problems += [f"product at {place} is {outcome}" for place, outcome in products.items() if outcome != "right"]
    text = ran.draft.text if ran.draft is not None else ""
    missing = [part for part in expect.contains if part not in text]
    extra = [part for part in expect.without if part in text]
    problems += [f"the text lacks {part!r}" for part in missing] + [f"the text holds {part!r}" for part in extra]
    action = _action(ran, right=not missing and not extra)
    if action in ("wrong_send", "needless_review"):
        problems.append(action.replace("_", " "))
    return Verdict(ran, kind, fields, products, not missing and not extra, action, tuple(problems))


def _action(ran: Ran, *, right: bool) -> str:
    """Sending what may not be sent, or a text that is not right, is wrong; holding what may be sent is needless."""
    sends = ran.decision is not None and ran.decision.action is Action.SEND
    wanted = ran.case.expect.action
    if sends:
        return "right_send" if right and wanted is not Action.REVIEW else "wrong_send"
    return "needless_review" if wanted is Action.SEND else "right_review"


def _fields(ran: Ran) -> dict[str, str]:
    looks = [] if ran.reading is None else [look for look in ran.reading.looks if look.kind is Kind.ORDER]
    found = {}
    for name, wanted in ran.case.expect.fields.items():
        given = looks[0].fields.get(name) if looks else None
        value = given.value if given is not None and given.state is FieldState.READ else None
        found[name] = "right" if value == wanted else ("unread" if value is None else "wrong")
    return found


def _products(ran: Ran) -> dict[str, str]:
    if ran.case.expect.products is None:
        return {}
    found = {}
    for place, wanted in enumerate(ran.case.expect.products, start=1):
        lookup = ran.facts.products[place - 1] if place <= len(ran.facts.products) else None
        clear = lookup.hits[0].product.product_id if lookup and lookup.outcome is LookupOutcome.CLEAR else ""
        near = {hit.product.product_id for hit in lookup.hits} if lookup else set()
        if lookup is not None and clear == wanted:
            found[str(place)] = "right"
        elif clear:
            found[str(place)] = "wrong"
        else:
            found[str(place)] = "close" if wanted in near else "missed"
    return found


def figures(verdicts: Sequence[Verdict], *, engine: str, price_per_hour: float | None = None) -> Figures:
    """Sum up. Kinds are those expected, else those read. `price_per_hour`: of the machine that works the stages."""
    groups: dict[str, list[Verdict]] = {"all": list(verdicts)}
    for verdict in verdicts:
        groups.setdefault(_kind_of(verdict), []).append(verdict)
    fields, products = _Counted(), _Counted()
    for verdict in verdicts:
        for name, outcome in verdict.fields.items():
            fields.add(name, outcome)
        for outcome in verdict.products.values():
            products.add("products", outcome)
    seconds = sum(sum(v.ran.seconds.values()) for v in verdicts)
    cost = None if price_per_hour is None or not verdicts else 1000 * seconds / len(verdicts) / 3600 * price_per_hour
    return Figures(
        engine=engine,
        rows=tuple(_row(kind, groups[kind]) for kind in ["all", *sorted(set(groups) - {"all"})]),
        fields=fields.by_name,
        products=products.by_name.get("products", {}),
        risk_coverage=risk_coverage(verdicts),
        seconds=round(seconds, 3),
        cost_per_1000=None if cost is None else round(cost, 4),
        failed=tuple(v.ran.case.case_id for v in verdicts if not v.ok),
    )


def _kind_of(verdict: Verdict) -> str:
    reading: Reading | None = verdict.ran.reading
    kind = verdict.ran.case.expect.kind or (reading.kind if reading is not None else None)
    return kind.value if kind is not None else "none"


def _row(kind: str, verdicts: Sequence[Verdict]) -> Row:
    seconds = sorted(sum(v.ran.seconds.values()) for v in verdicts)
    return Row(
        kind=kind,
        cases=len(verdicts),
        kind_right=_share([v.kind for v in verdicts if v.kind is not None]),
        text_right=_share([v.text for v in verdicts]),
        sent=sum(v.action in ("right_send", "wrong_send") for v in verdicts),
        wrong_send=sum(v.action == "wrong_send" for v in verdicts),
        needless_review=sum(v.action == "needless_review" for v in verdicts),
        p50_s=_at(seconds, 0.5),
        p95_s=_at(seconds, 0.95),
    )


def _share(found: Sequence[bool]) -> float | None:
    return round(sum(found) / len(found), 4) if found else None


def _at(ordered: Sequence[float], share: float) -> float | None:
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3) if ordered else None


def risk_coverage(verdicts: Iterable[Verdict]) -> tuple[tuple[float, float], ...]:
    """If the drafts were sent from the most certain one down: how many are answered, how many of those are wrong.

    Only drafts with a score count (El-Yaniv & Wiener, JMLR 2010); empty where there is none.
    """
    scored = [(v.ran.decision.score, v.text) for v in verdicts if v.ran.decision and v.ran.decision.score is not None]
    scored.sort(key=lambda one: -one[0])
    curve, wrong = [], 0
    for answered, (_, right) in enumerate(scored, start=1):
        wrong += not right
        curve.append((round(answered / len(scored), 4), round(wrong / answered, 4)))
    return tuple(curve)


TOLERANCE = 1e-9


def compare(now: Figures, before: Figures) -> list[str]:
    """In words, what got worse than a committed run: a kind's accuracy, wrong replies, needless reviews, products."""
    worse = [line for old in before.rows for line in _worse_row(old, now.row(old.kind))]
    if now.products.get("wrong", 0) > before.products.get("wrong", 0):
        worse.append(f"{now.products['wrong']} products wrongly called the one")
    if now.products.get("right", 0) < before.products.get("right", 0):
        worse.append(f"{now.products.get('right', 0)} products found instead of {before.products['right']}")
    for name, counts in before.fields.items():
        here = now.fields.get(name, {})
        if here.get("wrong", 0) > counts.get("wrong", 0):
            worse.append(f"field {name}: {here['wrong']} wrong while read")
        if here.get("right", 0) < counts.get("right", 0):
            worse.append(f"field {name}: {here.get('right', 0)} right instead of {counts['right']}")
    return worse


def _worse_row(old: Row, new: Row | None) -> Iterator[str]:
    if new is None or new.cases < old.cases:
        yield f"{old.kind}: {new.cases if new else 0} cases instead of {old.cases}"
        return
    for name in ("kind_right", "text_right"):
        was, is_now = getattr(old, name), getattr(new, name)
        if was is not None and (is_now is None or is_now < was - TOLERANCE):
            yield f"{old.kind}: {name} {is_now} instead of {was}"
    for name in ("wrong_send", "needless_review"):
        if getattr(new, name) > getattr(old, name):
            yield f"{old.kind}: {getattr(new, name)} {name} instead of {getattr(old, name)}"
