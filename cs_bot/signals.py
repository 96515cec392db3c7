"""How sure each stage of a turn was, by name, and what calibration may learn from a decision."""

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping

from cs_bot.records import Decision, Draft, Facts, FieldState, Reading, Reason


def signals(reading: Reading, facts: Facts, draft: Draft | None) -> dict[str, float]:
    """Every signal there is, each in 0..1 and the higher the surer; a missing one is absent, never 1.0.

    kind.mass, kind.margin (pictures only) · field.read, field.agreement (order screens) · catalog.score,
    catalog.margin · faq.score, faq.margin · look.NAME and words.NAME: what the engine said of what it saw and wrote,
    such as the agreement of two readers or the likelihood of its words. Of several pictures or things the weakest.
    """
    found = {**_kind(reading), **_fields(reading, facts), **_catalog(facts), **_faq(facts)}
    for name, value in _weakest([look.signals for look in reading.looks]):
        found[f"look.{name}"] = value
    if draft is not None:
        found |= {f"words.{name}": value for name, value in draft.signals.items()}
    return {name: float(value) for name, value in sorted(found.items()) if math.isfinite(value) and 0 <= value <= 1}


def engines(reading: Reading, draft: Draft | None) -> tuple[str, ...]:
    """Who looked and who wrote: a score that was fitted on others' work says nothing of theirs."""
    return tuple(sorted({look.engine for look in reading.looks} | ({draft.engine} if draft is not None else set())))


def inclusion(decision: Decision) -> float:
    """The probability that such a turn is judged at all: by the person it is held for, or by the audit that draws it
    from those that are sent. 1 where none of them is sent."""
    if decision.share is None or decision.audit_rate is None or Reason.BELOW_THRESHOLD in decision.reasons:
        return 1.0
    return 1.0 - decision.share + decision.share * decision.audit_rate


def drawn(turn_id: int, rate: float) -> bool:
    """Whether the audit draws a turn; a larger rate keeps those of a smaller one, and the share's draw is another."""
    return int.from_bytes(hashlib.sha256(f"audit:{turn_id}".encode()).digest()[:8], "big") < rate * 2**64


def _kind(reading: Reading) -> dict[str, float]:
    """A turn in words alone is of its kind by definition: that is no evidence."""
    mass, margin = [], []
    for look in reading.looks:
        first, *rest = sorted(look.kinds.values(), reverse=True)
        mass.append(first)
        margin.append(first - (rest[0] if rest else 0.0))
    return {"kind.mass": min(mass), "kind.margin": min(margin)} if mass else {}


def _fields(reading: Reading, facts: Facts) -> dict[str, float]:
    fields = [field for look in reading.looks for field in look.fields.values()]
    found = {}
    if fields:
        found["field.read"] = sum(field.state is FieldState.READ for field in fields) / len(fields)
    if fields and facts.order is not None:
        found["field.agreement"] = float(facts.second_field is not None)
    return found


def _catalog(facts: Facts) -> dict[str, float]:
    best = [lookup.hits[0] for lookup in facts.products if lookup.hits]
    if not best or len(best) < len(facts.products):
        return {}
    return {"catalog.score": min(hit.score for hit in best), "catalog.margin": min(hit.margin for hit in best)}


def _faq(facts: Facts) -> dict[str, float]:
    return {"faq.score": facts.faq[0].score, "faq.margin": facts.faq[0].margin} if facts.faq else {}


def _weakest(said: Iterable[Mapping[str, float]]) -> Iterator[tuple[str, float]]:
    """What every one of them has, at its lowest."""
    each = list(said)
    for name in sorted(set.intersection(*(set(one) for one in each))) if each else ():
        yield name, min(one[name] for one in each)
