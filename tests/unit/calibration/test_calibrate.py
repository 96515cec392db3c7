"""Thresholds on judgements whose truth is known: the promise holds, and what has no evidence stays with people."""

import dataclasses
from datetime import timedelta

import pytest

from cs_bot.calibration import bounds, thresholds
from cs_bot.calibration.report import report
from cs_bot.calibration.scores import Judged, logistic, usable_signals, with_scores
from cs_bot.calibration.thresholds import Calibrated, calibrate, reaching
from tests.unit.calibration.simulated import NOW, TRUTHS, Canary, judgements, mild, on_the_edge, steep, true_risk

TARGET = 0.02
MIXED = Canary(lets_through=0.5, share=0.25, audited=0.5)
RARE = Canary(lets_through=0.6, share=1.0, audited=0.1)


def found(judged: list[Judged], target: float = TARGET) -> Calibrated:
    return calibrate(judged, target=target, now=NOW)


@dataclasses.dataclass(frozen=True)
class Kept:
    """Of so many runs: where a threshold was found, and where more than the target is wrong above it."""

    runs: int
    found: int
    broken: int


def kept(runs: int, n: int, truth: str, canary: Canary | None = None) -> Kept:
    fits = [found(judgements(seed, n, TRUTHS[truth], canary)).fit for seed in range(runs)]
    broken = sum(fit is not None and true_risk(fit, TRUTHS[truth])[0] > TARGET for fit in fits)
    return Kept(runs, sum(fit is not None for fit in fits), broken)


@pytest.mark.parametrize(
    ("truth", "n", "at_least"),
    [("steep", 600, 20), ("steep", 1500, 80), ("mild", 1500, 50), ("crooked", 1500, 15), ("on the edge", 700, 0)],
)
def test_the_bound_holds_in_95_of_100_runs(truth: str, n: int, at_least: int) -> None:
    result = kept(100, n, truth)
    assert result.broken <= 5
    assert result.found >= at_least


@pytest.mark.parametrize(("canary", "n"), [(MIXED, 2000), (RARE, 6000)])
@pytest.mark.parametrize("truth", ["steep", "on the edge"])
def test_the_bound_holds_when_some_turns_are_only_judged_by_audits(truth: str, canary: Canary, n: int) -> None:
    result = kept(50, n, truth, canary)
    assert result.broken <= 5
    assert result.found >= 10 or truth == "on the edge"


@pytest.mark.full
@pytest.mark.parametrize("canary", [None, MIXED], ids=["judged", "canary"])
@pytest.mark.parametrize("truth", sorted(TRUTHS))
@pytest.mark.parametrize("n", [400, 1500])
def test_the_bound_holds_in_950_of_1000_runs(truth: str, n: int, canary: Canary | None) -> None:
    assert kept(1000, n, truth, canary).broken <= 50


def test_taking_the_best_of_many_thresholds_would_break_the_promise() -> None:
    """The same bound at 5 %, but every threshold tried and the lowest lucky one taken: on the edge each has its own
    chance. In sequence the first failure ends it."""
    lucky = in_sequence = 0
    for seed in range(100):
        result = found(judgements(seed, 1500, on_the_edge))
        in_sequence += result.fit is not None
        scores = sorted({one.score for one in result.held_out if one.score is not None}, reverse=True)
        lucky += any(thresholds.tested(score, result.held_out, TARGET).passed for score in scores[::10])
    assert in_sequence <= 5
    assert lucky >= 12


def test_fewer_than_149_judgements_stay_with_people() -> None:
    result = found(judgements(1, 148, steep))
    assert (result.fit, result.why) == (None, "148 judged, at least 149 are needed")
    assert found([]).why == "0 judged, at least 149 are needed"


def test_a_flawless_record_is_enough_from_about_213_judgements_on() -> None:
    """149 of them have to be left for the test after the score has had its part."""

    def flawless(n: int) -> Calibrated:
        return found([dataclasses.replace(one, right=True) for one in judgements(1, n, steep)])

    assert flawless(190).fit is None
    assert "can be tested, at least 149 are needed" in flawless(190).why
    fit = flawless(240).fit
    assert fit is not None
    assert (fit.wrong, fit.bound < TARGET) == (0, True)
    assert all(weight >= 0 for weight in fit.weights.values())


def test_a_bad_record_says_how_bad_it_is() -> None:
    result = found([dataclasses.replace(one, right=i % 9 > 0) for i, one in enumerate(judgements(1, 900, mild))])
    assert result.fit is None
    assert result.why.startswith("up to 1")
    assert result.why.endswith("more than 2.0%")


def test_turns_without_signals_stay_with_people() -> None:
    bare = [dataclasses.replace(one, signals={}) for one in judgements(1, 900, steep)]
    assert (found(bare).fit, found(bare).why) == (None, "no signal that nearly all of these turns have")


def test_a_signal_that_few_turns_have_is_not_used_and_turns_without_the_others_are_never_let_through() -> None:
    judged = judgements(3, 1500, steep)
    some = [dataclasses.replace(one, signals=dict(one.signals)) for one in judged]
    for i, one in enumerate(some):
        if i % 3:
            one.signals["look.agreement"] = 0.5  # type: ignore[index]
        if i % 40 == 0:
            del one.signals["catalog.score"]  # type: ignore[attr-defined]
    assert "look.agreement" not in usable_signals(some)
    fit = found(some).fit
    assert fit is not None
    assert set(fit.weights) == {"catalog.margin", "catalog.score", "kind.margin"}
    without = with_scores([one for i, one in enumerate(some) if i % 40 == 0], fit)
    assert reaching(without, 0.0) == []


def test_more_of_a_signal_never_lowers_the_score() -> None:
    upside_down = [dataclasses.replace(one, right=one.signals["kind.margin"] < 0.9) for one in judgements(4, 800, mild)]
    weights, _ = logistic(upside_down)
    assert weights["kind.margin"] == 0.0
    assert min(weights.values()) >= 0


def test_the_score_finds_the_signals_that_matter() -> None:
    weights, bias = logistic(judgements(5, 20_000, steep))
    assert weights["catalog.margin"] == pytest.approx(7.0, rel=0.15)
    assert weights["catalog.score"] == pytest.approx(1.5, rel=0.3)
    assert weights["kind.margin"] < 0.3
    assert bias == pytest.approx(1.0, abs=0.3)


def test_what_another_engine_did_is_no_evidence_for_the_present_one() -> None:
    old = [dataclasses.replace(one, engines=("lite", "templates")) for one in judgements(6, 1500, steep)]
    new = [
        dataclasses.replace(one, engines=("openai", "templates"), at=NOW + timedelta(days=1))
        for one in judgements(7, 100, steep)
    ]
    assert found([*old, *new]).why == "100 judged, at least 149 are needed"
    fit = found(old).fit
    assert fit is not None
    assert fit.engines == ("lite", "templates")
    assert all(one.score is None for one in with_scores(new, fit))


def test_the_same_judgements_give_the_same_fit_in_any_order() -> None:
    judged = judgements(8, 1500, steep)
    assert found(judged) == found(list(judged))
    assert found(judged).fit == found(sorted(judged, key=lambda one: one.at)).fit


def test_the_score_of_a_fit_is_what_the_gate_computes() -> None:
    result = found(judgements(9, 1500, steep))
    assert result.fit is not None
    for one in result.held_out[:50]:
        assert one.score == result.fit.score(one.signals)
    assert result.fit.score({"catalog.margin": 1.0}) is None
    again = type(result.fit).model_validate_json(result.fit.model_dump_json())
    assert again == result.fit


def test_thinning_keeps_each_turn_with_the_same_probability() -> None:
    """Those above 0.5 were judged with 0.875: as many of the others stay, in proportion."""
    judged = [
        dataclasses.replace(one, score=one.signals["catalog.margin"]) for one in judgements(10, 8000, mild, MIXED)
    ]
    low = sum(one.inclusion == 1.0 for one in judged)
    kept_low = sum(one.inclusion == 1.0 for one in reaching(judged, 0.0))
    assert kept_low / low == pytest.approx(0.875, abs=0.02)
    assert len(reaching(judged, 0.5)) == sum(one.score >= 0.5 for one in judged if one.score is not None)


def test_the_sequence_of_thresholds_never_sees_the_part_that_tests_it() -> None:
    judged = judgements(11, 1500, steep)
    testing = [one for one in judged if thresholds._uniform("fit", one.turn_id) >= thresholds.FIT_PART]
    flipped = [dataclasses.replace(one, right=not one.right) if one in testing else one for one in judged]
    assert found(flipped).tests[0].threshold == found(judged).tests[0].threshold
    assert found(flipped).trial is not None
    assert found(flipped).trial.weights == found(judged).trial.weights  # type: ignore[union-attr]


def test_a_report_on_scores_that_are_true_says_so() -> None:
    result = found(judgements(12, 6000, mild))
    shown = report(result, TARGET)
    assert shown is not None
    assert shown.n == len(result.held_out)
    assert shown.ece < 0.02
    assert len(shown.bins) == 10
    assert sum(part.low <= part.score <= part.high for part in shown.bins) >= 8
    assert [part.score for part in shown.bins] == sorted(part.score for part in shown.bins)
    cuts = {round(cut.coverage, 2): cut for cut in shown.cuts}
    assert cuts[0.1].risk < cuts[1.0].risk
    assert cuts[1.0].n == shown.n
    for cut in shown.cuts:
        assert cut.risk <= cut.bound == bounds.clopper_pearson_upper(round(cut.risk * cut.n), cut.n)
    assert report(found([]), TARGET) is None


def test_a_report_counts_an_audit_for_all_the_replies_it_stands_for() -> None:
    every = report(found(judgements(13, 12_000, steep)), TARGET)
    audited = report(found(judgements(13, 12_000, steep, RARE)), TARGET)
    assert every is not None
    assert audited is not None
    assert audited.n < 0.75 * every.n
    assert audited.cuts[-1].risk == pytest.approx(every.cuts[-1].risk, abs=0.012)
    assert audited.brier == pytest.approx(every.brier, abs=0.012)
