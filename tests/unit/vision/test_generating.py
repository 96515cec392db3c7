"""Certainty from token likelihoods: never more than there is evidence for."""

import math

import pytest

from cs_bot.records import Kind
from cs_bot.vision.generating import BARE_LABEL, LABELS, Generation, Token, kind_shares, label_logprobs, weakest


def top(**shares: float) -> list[tuple[str, float]]:
    return [(text, math.log(share)) for text, share in shares.items()]


def shares_of(text: str, likely: list[tuple[str, float]]) -> tuple[dict[Kind, float], dict[str, float]]:
    found = kind_shares(Generation(text, label_logprobs=label_logprobs(likely, LABELS)))
    assert found is not None
    return found


def test_a_kind_that_is_only_named_is_no_certainty() -> None:
    found = kind_shares(Generation("order"))
    assert found is not None
    kinds, signals = found
    assert kinds[Kind.ORDER] == BARE_LABEL
    assert sum(kinds.values()) == pytest.approx(1.0)
    assert signals == {}, "a missing signal is absent"


@pytest.mark.parametrize("text", ["Order.", ' "order"', "**order**", "order\nbecause it has a number", "ORDER"])
def test_a_kind_is_named_by_the_first_word(text: str) -> None:
    found = kind_shares(Generation(text))
    assert found is not None
    assert max(found[0], key=lambda kind: found[0][kind]) is Kind.ORDER


@pytest.mark.parametrize("text", ["", "I see an order", "text", "ord", "{}", "订单", "product/order"])
def test_anything_else_names_no_kind(text: str) -> None:
    assert kind_shares(Generation(text)) is None


def test_likelihoods_give_the_shares_however_a_tokenizer_cuts_the_labels() -> None:
    kinds, signals = shares_of("comparison", top(com=0.7, product=0.2, sc=0.05, **{" comp": 0.04}))
    assert max(kinds, key=lambda kind: kinds[kind]) is Kind.COMPARISON
    assert kinds[Kind.COMPARISON] == pytest.approx(0.74, abs=0.02)
    assert signals["kind_mass"] == pytest.approx(1.0, abs=0.05)
    assert signals["kind_margin"] == pytest.approx(0.54, abs=0.03)
    assert sum(kinds.values()) == pytest.approx(1.0)


def test_a_token_that_begins_two_labels_counts_for_none() -> None:
    found = label_logprobs(top(o=0.9, product=0.1), LABELS)
    assert found is not None
    assert found["product"] > max(found["order"], found["other"]) - 1e-9


def test_mass_that_went_elsewhere_is_spread_and_said() -> None:
    kinds, signals = shares_of("product", top(The=0.9, product=0.08, order=0.01, other=0.01))
    assert signals["kind_mass"] < 0.2
    assert kinds[Kind.PRODUCT] < 0.4


def test_without_a_named_kind_and_without_mass_there_is_no_kind() -> None:
    likely = label_logprobs(top(The=0.97, product=0.01), LABELS)
    assert kind_shares(Generation("The picture", label_logprobs=likely)) is None


def test_a_label_that_is_not_listed_is_at_most_as_likely_as_the_last_one() -> None:
    found = label_logprobs(top(product=0.5, order=0.3, scene=0.1), LABELS)
    assert found is not None
    assert found["other"] == pytest.approx(math.log(0.1))
    assert label_logprobs([], LABELS) is None


def test_no_share_is_ever_one() -> None:
    kinds, _ = shares_of("product", [("product", 0.0)])
    assert kinds[Kind.PRODUCT] < 1.0


def test_the_weakest_token_of_a_value_is_found_where_the_value_stands() -> None:
    texts = ['{"order', '_id": "1', "12-", "345", '6", "amount": "', "9.", '50"}']
    tokens = tuple(Token(text, math.log(0.5 + at / 20)) for at, text in enumerate(texts))
    made = Generation("".join(texts), tokens=tokens)
    assert weakest(made, "112-3456") == pytest.approx(0.55)
    assert weakest(made, "9.50") == pytest.approx(0.75)
    assert weakest(made, "112") is None
    assert weakest(Generation("x"), "x") is None


def test_of_a_value_that_stands_twice_the_weaker_place_counts() -> None:
    tokens = (Token('"8', -0.1), Token('1"', -0.2), Token(', "', 0.0), Token("8", -0.1), Token('1"', -5.0))
    twice = Generation('"81", "81"', tokens=tokens)
    assert weakest(twice, "81") == pytest.approx(math.exp(-5.0))


def test_the_likelihood_is_the_geometric_mean_and_absent_without_tokens() -> None:
    assert Generation("ab", tokens=(Token("a", math.log(0.5)), Token("b", math.log(0.5)))).likelihood == pytest.approx(
        0.5
    )
    assert Generation("ab").likelihood is None
    assert Generation("", tokens=()).likelihood is None
