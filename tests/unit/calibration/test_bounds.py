"""Bounds of a wrong share: exact where they say so, and true to their promise whenever one looks."""

import random
from fractions import Fraction
from math import comb

import pytest

from cs_bot.calibration.bounds import (
    ALPHA,
    PATIENCE,
    Alarm,
    Assurance,
    alarm,
    assurance,
    clopper_pearson_upper,
    fewest,
    minimum_n,
    wilson,
)

TARGET = 0.02


def tail(wrong: int, n: int, p: Fraction) -> Fraction:
    """P(X <= wrong) of a binomial, exactly."""
    return sum((comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(wrong + 1)), Fraction(0))


@pytest.mark.parametrize(
    ("wrong", "n"), [(0, 1), (0, 149), (1, 10), (3, 20), (5, 100), (19, 20), (2, 313), (40, 900), (7, 1200)]
)
@pytest.mark.parametrize("alpha", [0.05, 0.025, 0.001])
def test_the_bound_is_where_exact_arithmetic_puts_it(wrong: int, n: int, alpha: float) -> None:
    bound, goal, little = Fraction(clopper_pearson_upper(wrong, n, alpha)), Fraction(alpha), Fraction(1, 10**9)
    assert tail(wrong, n, bound + little) < goal < tail(wrong, n, bound - little)


@pytest.mark.parametrize(
    ("wrong", "n", "alpha", "bound"),
    [
        (0, 10, 0.025, 0.308497),  # tables of 95 % intervals of a binomial share
        (1, 10, 0.025, 0.445016),
        (5, 10, 0.025, 0.812914),
        (3, 20, 0.025, 0.378927),
        (0, 149, 0.05, 0.019905),
        (0, 148, 0.05, 0.020038),
        (1, 236, 0.05, 0.019942),
    ],
)
def test_the_bound_agrees_with_printed_tables(wrong: int, n: int, alpha: float, bound: float) -> None:
    assert clopper_pearson_upper(wrong, n, alpha) == pytest.approx(bound, abs=5e-6)


def test_the_bound_has_closed_forms_at_its_ends() -> None:
    for n in (1, 50, 149, 3000, 200_000):
        assert clopper_pearson_upper(0, n) == pytest.approx(1 - ALPHA ** (1 / n), abs=1e-9)
        assert clopper_pearson_upper(n, n) == 1.0
    assert clopper_pearson_upper(999, 1000) == pytest.approx((1 - ALPHA) ** (1 / 1000), abs=1e-9)
    assert clopper_pearson_upper(0, 0) == 1.0
    with pytest.raises(ValueError, match="3 wrong of 2"):
        clopper_pearson_upper(3, 2)


def test_149_judgements_without_a_wrong_one_are_the_least_for_two_percent() -> None:
    assert [minimum_n(target) for target in (0.01, 0.02, 0.05)] == [299, 149, 59]
    for target in (0.01, 0.02, 0.05):
        assert clopper_pearson_upper(0, minimum_n(target)) <= target < clopper_pearson_upper(0, minimum_n(target) - 1)


def test_wilsons_interval_agrees_with_printed_values() -> None:
    assert wilson(0.0, 20) == pytest.approx((0.0, 0.161125), abs=1e-5)
    assert wilson(0.5, 10) == pytest.approx((0.236593, 0.763407), abs=1e-5)
    assert wilson(0.3, 0) == (0.0, 1.0)


def test_assurance_needs_178_audits_without_a_wrong_one_and_more_with_each() -> None:
    assert [fewest(target) for target in (0.01, 0.02, 0.05)] == [357, 178, 70]
    assert not assurance(TARGET, [False] * 177).given
    assert assurance(TARGET, [False] * 178).given
    assert not assurance(TARGET, [True] + [False] * 300).given
    assert assurance(TARGET, [True] + [False] * 330).given


def test_assurance_that_is_looked_at_after_every_audit_is_wrong_in_at_most_five_percent() -> None:
    """At the target itself; a bound for a fixed number, looked at as often, would be wrong far more often."""
    rng, lucky, peeked = random.Random(5), 0, 0
    for _ in range(300):
        one, passed = Assurance(TARGET), False
        for _ in range(1500):
            one.add(rng.random() < TARGET)
            passed |= one.n in range(149, 1500, 50) and clopper_pearson_upper(one.wrong, one.n) <= TARGET
            if one.given:
                lucky += 1
                break
        peeked += passed
    assert lucky <= 15
    assert peeked > 2 * lucky


def test_assurance_comes_when_the_bot_is_good() -> None:
    rng, needed = random.Random(6), []
    for _ in range(100):
        one = Assurance(TARGET)
        while not one.given and one.n < 3000:
            one.add(rng.random() < 0.004)
        needed.append(one.n)
    assert sorted(needed)[50] < 350
    assert sorted(needed)[95] < 1200


def until_off(rng: random.Random, before: float, after: float, *, clean: int) -> int | None:
    """How many audits after the change the alarm went off; None when it did before."""
    one = Alarm(TARGET)
    for _ in range(clean):
        one.add(rng.random() < before)
        if one.off:
            return None
    count = 0
    while not one.off:
        count += 1
        one.add(rng.random() < after)
    return count


@pytest.mark.parametrize(("after", "within"), [(0.06, 260), (0.1, 100), (0.2, 45), (0.5, 15)])
def test_a_drift_sets_the_alarm_off_within_so_many_audits(after: float, within: int) -> None:
    """95 of 100 times, also after 500 clean audits."""
    rng = random.Random(7)
    found = [until_off(rng, 0.002, after, clean=500) for _ in range(200)]
    late = [count for count in found if count is not None and count > within]
    assert found.count(None) <= 4
    assert len(late) <= 10


def test_at_the_target_the_alarm_is_patient() -> None:
    """On average at least PATIENCE audits between two false alarms, however bad the luck before."""
    rng = random.Random(8)
    waits = [until_off(rng, 0.0, TARGET, clean=0) or 0 for _ in range(150)]
    assert sum(waits) / len(waits) >= PATIENCE


def test_long_streams_stay_numbers() -> None:
    clean = assurance(TARGET, [False] * 50_000)
    clean.add(True)
    assert clean.value == clean.value  # not a NaN
    assert clean.given
    assert not alarm(TARGET, [False] * 50_000).off
    assert alarm(TARGET, [True] * 2_000).off
