"""Signals: what the stages say of their own certainty, and that what nobody said is absent."""

import math
from typing import Any

import pytest

from cs_bot.records import Facts, FieldState, Kind, LookupOutcome, ProductHit, ProductLookup, ReadField, Reading
from cs_bot.signals import engines, signals
from cs_bot.testing import a_look
from tests.unit.answer_cases import hit, made, order, owned, reading, shop


def looked(*kinds: dict[Kind, float], **values: Any) -> Reading:
    looks = tuple(a_look(f"{i}" * 64, **values).model_copy(update={"kinds": k}) for i, k in enumerate(kinds))
    return Reading(kind=looks[0].kind, kinds=looks[0].kinds, looks=looks)


def a_lookup(*hits: tuple[float, float]) -> ProductLookup:
    found = tuple(
        ProductHit.model_construct(product=None, likeness="words", score=score, margin=margin) for score, margin in hits
    )
    return ProductLookup.model_construct(outcome=LookupOutcome.CLEAR, hits=found)


def with_products(*lookups: ProductLookup) -> Facts:
    return Facts.model_construct(products=lookups, faq=(), order=None)


def test_words_alone_give_no_signal_of_their_kind() -> None:
    assert signals(reading("zh", "faq", Kind.TEXT), Facts(), None) == {}


def test_the_weakest_picture_speaks_for_all() -> None:
    found = signals(looked({Kind.PRODUCT: 0.7, Kind.SCENE: 0.3}, {Kind.PRODUCT: 0.9, Kind.SCENE: 0.1}), Facts(), None)
    assert found == pytest.approx({"kind.mass": 0.7, "kind.margin": 0.4})


def test_fields_read_and_their_agreement_with_the_record() -> None:
    fields = {"order_id": ReadField(value="1", state=FieldState.READ), "amount": ReadField()}
    read = looked({Kind.ORDER: 1.0}, fields=fields)
    assert signals(read, Facts(), None)["field.read"] == 0.5
    assert "field.agreement" not in signals(read, Facts(), None)
    assert signals(read, owned(order(), second_field="amount"), None)["field.agreement"] == 1.0
    assert signals(read, owned(order(), second_field=None), None)["field.agreement"] == 0.0


def test_the_catalog_speaks_only_when_everything_was_found() -> None:
    read = looked({Kind.PRODUCT: 1.0})
    found = signals(read, with_products(a_lookup((0.9, 0.2), (0.7, 0.1)), a_lookup((0.8, 0.5))), None)
    assert (found["catalog.score"], found["catalog.margin"]) == (0.8, 0.2)
    assert "catalog.score" not in signals(read, with_products(a_lookup((0.9, 0.2)), a_lookup()), None)


def test_the_best_faq_entry_and_the_words_of_the_engine_are_signals() -> None:
    facts = Facts(faq=(hit(),), fingerprint="f1")
    one = made(reading("zh", "faq", Kind.TEXT, question="包邮吗"), facts, shop())
    said = one.model_copy(update={"signals": {"likelihood": 0.4, "broken": math.nan, "loud": 3.0}})
    found = signals(reading("zh", "faq", Kind.TEXT), facts, said)
    assert found == {"faq.score": hit().score, "faq.margin": hit().margin, "words.likelihood": 0.4}


def test_what_one_of_two_looks_did_not_say_is_no_signal() -> None:
    both = looked({Kind.SCENE: 1.0}, {Kind.SCENE: 1.0})
    first = both.looks[0].model_copy(update={"signals": {"agreement": 0.9, "likelihood": 0.8}})
    second = both.looks[1].model_copy(update={"signals": {"agreement": 0.6}})
    found = signals(both.model_copy(update={"looks": (first, second)}), Facts(), None)
    assert found["look.agreement"] == 0.6
    assert "look.likelihood" not in found


def test_who_looked_and_who_wrote_is_named() -> None:
    one = made(reading("zh", "faq", Kind.TEXT, question="包邮吗"), Facts(faq=(hit(),), fingerprint="f1"), shop())
    assert engines(reading("zh", "faq", Kind.TEXT), one) == ("templates",)
    assert engines(looked({Kind.SCENE: 1.0}), None) == (a_look("0" * 64).engine,)
