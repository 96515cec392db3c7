"""Judgements, audits, calibrations and the steps of a roll-out, on each kind of database."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from cs_bot import calibration
from cs_bot.calibration import rollout, steps
from cs_bot.errors import ConfigError, Conflict
from cs_bot.records import Decision, Fit, Kind, Mode, Reason, Route
from cs_bot.signals import drawn, inclusion
from cs_bot.store.database import Database, Transaction
from cs_bot.store.queries import audits, calibrations, policies, shadows
from cs_bot.store.tables import calibrations as looks_table
from cs_bot.store.tables import changes, judgements
from cs_bot.web.metrics import exposition
from tests.judged import FAQ, PROOF, Shop, a_fit
from tests.plans import plans


@pytest.fixture
def shop(database: Database) -> Shop:
    return Shop(database)


def test_a_policy_that_somebody_changed_meanwhile_is_not_overwritten(shop: Shop) -> None:
    first = shop.policy
    with shop.database.write() as tx:
        second = policies.add(tx, first.model_copy(update={"autopilot": True}), created_by="mei", note="why")
    assert (second.version, shop.policy) == (2, second)
    with pytest.raises(Conflict), shop.database.write() as tx:
        policies.add(tx, first, created_by="li", note="too late")
    with shop.database.read() as tx:
        assert [row["note"] for row in policies.history(tx, 9)] == ["why", "first version"]
        assert tx.rows(select(changes).where(changes.c.noun == "policy"))


def test_only_drafts_that_nothing_but_the_policy_held_are_learnt_from(shop: Shop) -> None:
    shop.judge(5)
    shop.judge(4, counts=False)
    shop.judge(3, key=(Kind.PRODUCT, Route.CATALOG))
    shop.audit([False, True])
    with shop.database.read() as tx:
        assert calibrations.keys(tx) == [("product", "catalog"), ("text", "faq")]
        assert calibrations.how_many(tx, *FAQ, since_version=0) == 7
        assert len(rollout.judged(tx, shop.policy, FAQ)) == 7
        assert calibrations.how_many(tx, *FAQ, since_version=2) == 0


def test_a_turn_counts_once_with_its_last_verdict(shop: Shop) -> None:
    [(turn_id, decision_id, decision)] = shop.decide(1)
    with shop.database.write() as tx:
        for right in (True, False):
            values = {"review_id": shop.review_id, "turn_id": turn_id, "decision_id": decision_id, "agent_id": 1}
            said = {"verdict": "edit", "distance": 0.1, "right": right, "counts": True, "flags": [], "at": tx.now()}
            key = {"kind": decision.kind, "route": decision.route, "policy_version": 1}
            tx.execute(insert(judgements).values({**values, **said, **key}))
    with shop.database.read() as tx:
        [one] = rollout.judged(tx, shop.policy, FAQ)
    assert one.right is False


def test_how_likely_a_turn_is_judged_follows_from_its_decision(shop: Shop) -> None:
    shop.judge(1)
    shop.judge(1, share=0.25, audit_rate=0.5, reasons=(Reason.NOT_IN_SHARE,), mode=Mode.AUTO)
    shop.judge(1, share=0.25, audit_rate=0.5, reasons=(Reason.BELOW_THRESHOLD,), mode=Mode.AUTO)
    with shop.database.read() as tx:
        found = rollout.judged(tx, shop.policy, FAQ)
    assert sorted(one.inclusion for one in found) == [0.875, 1.0, 1.0]


def test_the_audits_draw_is_one_of_its_own_and_grows_with_its_rate() -> None:
    chosen = {rate: {turn for turn in range(4000) if drawn(turn, rate)} for rate in (0.02, 0.5, 1.0)}
    assert len(chosen[1.0]) == 4000
    assert chosen[0.02] < chosen[0.5] < chosen[1.0]
    assert 40 < len(chosen[0.02]) < 130


def test_without_enough_judgements_nothing_changes_but_the_look_is_kept(shop: Shop) -> None:
    shop.judge(100)
    found, policy = calibration.apply(shop.database, shop.policy, FAQ, by="owner")
    assert (found.fit, policy.version) == (None, 1)
    with shop.database.read() as tx:
        [row] = tx.rows(select(looks_table))
    assert (row["judged"], row["fit"], row["why"]) == (100, None, "100 judged, at least 149 are needed")


def test_a_threshold_begins_a_canary_and_says_why(shop: Shop) -> None:
    shop.judge(400)
    found, policy = calibration.apply(shop.database, shop.policy, FAQ, by="owner")
    fit = policy.fits["text/faq"]
    assert found.fit is not None
    assert (fit.threshold, fit.n, fit.bound) == (found.fit.threshold, found.fit.n, found.fit.bound)
    assert (policy.mode_for(*FAQ), policy.shares, policy.steps) == (Mode.AUTO, {"text/faq": 0.05}, {"text/faq": 2})
    assert shop.policy == policy
    with shop.database.read() as tx:
        [row] = tx.rows(select(looks_table))
    assert Fit.model_validate(row["fit"]) == fit
    assert fit.version == row["id"]
    assert row["tests"][-1]["n"] == fit.n
    [step] = shop.steps()
    assert (step["actor"], step["from"], step["to"], step["fit"]) == ("owner", "assist", "auto 5%", fit.version)


def test_the_scrape_shows_what_is_sent_alone_and_on_what_evidence(shop: Shop) -> None:
    shop.judge(400)
    _, policy = calibration.apply(shop.database, shop.policy, FAQ, by="owner")
    shop.audit([False, True], PROOF)
    shown = exposition(shop.database).decode().splitlines()
    fit = policy.fits["text/faq"]
    for line in (
        'csbot_gate_mode{kind="text",mode="auto",route="faq"} 1.0',
        'csbot_gate_mode{kind="product",mode="assist",route="catalog"} 1.0',
        'csbot_gate_share{kind="text",route="faq"} 0.05',
        'csbot_gate_share{kind="order",route="proof"} 1.0',
        f'csbot_gate_threshold{{kind="text",route="faq"}} {fit.threshold}',
        f'csbot_gate_bound{{kind="text",route="faq"}} {fit.bound}',
        'csbot_audits{state="waiting"} 0.0',
        'csbot_audits{state="wrong"} 1.0',
        "csbot_gate_roll_backs 0.0",
    ):
        assert line in shown
    assert not [line for line in shown if line.startswith("csbot_gate_share") and "catalog" in line]


def test_a_stricter_target_takes_the_threshold_of_a_laxer_one_away(shop: Shop) -> None:
    shop.judge(400)
    _, policy = calibration.apply(shop.database, shop.policy, FAQ, by="owner")
    assert policy.fit_for("text/faq") is not None
    policy = calibration.change(shop.database, policy, {"wrong_target": 0.001}, by="owner")
    assert policy.fit_for("text/faq") is None
    with pytest.raises(ConfigError, match="for this target"):
        calibration.set_mode(shop.database, policy, FAQ, Mode.AUTO, share=1.0, by="owner")
    [line] = [line for line in calibration.lines(shop.database, policy) if line.key == "text/faq"]
    assert line.next.startswith("nothing is sent: 400 judged, at least ")


def test_auto_by_hand_needs_a_calibration_unless_it_is_proof(shop: Shop) -> None:
    with pytest.raises(ConfigError, match="cs-bot gate calibrate text/faq --apply"):
        calibration.set_mode(shop.database, shop.policy, FAQ, Mode.AUTO, share=1.0, by="owner")
    policy = calibration.set_mode(shop.database, shop.policy, PROOF, Mode.AUTO, share=0.25, by="owner")
    assert (policy.mode_for(*PROOF), policy.shares) == (Mode.AUTO, {"order/proof": 0.25})
    policy = calibration.set_mode(shop.database, policy, PROOF, Mode.SHADOW, share=1.0, by="owner")
    assert (policy.mode_for(*PROOF), policy.shares) == (Mode.SHADOW, {})
    assert [step["to"] for step in shop.steps()] == ["auto 25%", "shadow"]


def test_upkeep_without_autopilot_takes_no_step_up(shop: Shop) -> None:
    shop.judge(600)
    assert calibration.sweep(shop.database) == 0
    _, policy = calibration.apply(shop.database, shop.policy, FAQ, by="owner")
    shop.audit([False] * 200)
    assert calibration.sweep(shop.database) == 0
    assert shop.policy == policy


def test_on_autopilot_a_good_kind_goes_from_assist_to_all_in_audited_steps(database: Database) -> None:
    shop = Shop(database, autopilot=True)
    shop.judge(212)
    assert calibration.sweep(shop.database) == 0
    shop.judge(88)
    assert calibration.sweep(shop.database) == 1
    assert shop.policy.shares == {"text/faq": 0.05}
    shop.audit([False] * 177)
    assert calibration.sweep(shop.database) == 0
    shop.audit([False])
    assert calibration.sweep(shop.database) == 1
    assert shop.policy.shares == {"text/faq": 0.25}
    assert calibration.sweep(shop.database) == 0  # those of the first canary don't count for the second
    shop.audit([False] * 50 + [True] + [False] * 280)
    assert calibration.sweep(shop.database) == 1
    assert (shop.policy.shares, shop.policy.mode_for(*FAQ)) == ({}, Mode.AUTO)
    assert calibration.sweep(shop.database) == 0
    assert [(step["actor"], step["to"]) for step in shop.steps()] == [
        ("upkeep", "auto 5%"),
        ("upkeep", "auto 25%"),
        ("upkeep", "auto"),
    ]


def test_a_roll_out_from_shadow_goes_by_5_and_25_percent_to_all_each_step_audited(shop: Shop) -> None:
    database = shop.database
    policy = calibration.start(database, shop.policy, FAQ, Mode.SHADOW, by="owner")
    assert (policy.mode_for(*FAQ), policy.starts, policy.fits) == (Mode.SHADOW, {"text/faq": Mode.SHADOW}, {})
    with pytest.raises(Conflict, match="stays shadow: 0 judged, at least 149 are needed"):
        calibration.step_up(database, policy, FAQ, by="owner")
    shop.shadow([True] * 400)
    policy = calibration.step_up(database, policy, FAQ, by="owner")
    assert (policy.mode_for(*FAQ), policy.shares) == (Mode.AUTO, {"text/faq": 0.05})
    shop.audit([False] * 177)
    with pytest.raises(Conflict, match="stays 5%: 178 audits or more since that step are needed; 0 of 177"):
        calibration.step_up(database, policy, FAQ, by="owner")
    shop.audit([False])
    policy = calibration.step_up(database, policy, FAQ, by="owner")
    assert policy.shares == {"text/faq": 0.25}
    with pytest.raises(Conflict, match="stays 25%"):  # a new step needs new audits
        calibration.step_up(database, policy, FAQ, by="owner")
    shop.audit([False] * 178)
    policy = calibration.step_up(database, policy, FAQ, by="owner")
    assert (policy.shares, policy.mode_for(*FAQ)) == ({}, Mode.AUTO)
    with pytest.raises(Conflict, match="no further step"):
        calibration.step_up(database, policy, FAQ, by="owner")
    shop.audit([True] * 20)
    with pytest.raises(Conflict, match="no further step"):
        calibration.step_up(database, policy, FAQ, by="owner")
    assert calibration.sweep(database) == 1
    assert shop.policy.mode_for(*FAQ) is Mode.SHADOW  # back to where it began
    assert [(step["actor"], step["from"], step["to"]) for step in shop.steps()] == [
        ("owner", "assist", "shadow"),
        ("owner", "shadow", "auto 5%"),
        ("owner", "auto 5%", "auto 25%"),
        ("owner", "auto 25%", "auto"),
        ("upkeep", "auto", "shadow"),
    ]
    with database.read() as tx:
        assert rollout.judged(tx, shop.policy, FAQ) == []


def test_a_canary_that_breaks_its_promise_takes_no_step_up(shop: Shop) -> None:
    shop.judge(400)
    _, policy = calibration.apply(shop.database, shop.policy, FAQ, by="owner")
    shop.audit([False] * 400 + [True] * 8)
    with pytest.raises(Conflict, match="goes back with the next upkeep: 8 of 408"):
        calibration.step_up(shop.database, policy, FAQ, by="owner")
    assert calibration.sweep(shop.database) == 1
    assert shop.policy.mode_for(*FAQ) is Mode.ASSIST


def test_in_shadow_only_what_nobody_could_lean_on_counts(shop: Shop) -> None:
    shop.judge(400)
    policy = calibration.start(shop.database, shop.policy, FAQ, Mode.SHADOW, by="owner")
    with shop.database.read() as tx:
        assert rollout.judged(tx, policy, FAQ) == []
    shop.shadow([True] * 30)
    again = calibration.start(shop.database, policy, FAQ, Mode.SHADOW, by="owner")  # it goes on
    assist = calibration.start(shop.database, again, FAQ, Mode.ASSIST, by="owner")
    with shop.database.read() as tx:
        assert len(rollout.judged(tx, again, FAQ)) == len(rollout.judged(tx, assist, FAQ)) == 30


def test_a_roll_out_starts_from_shadow_or_assist_only(shop: Shop) -> None:
    for mode in (Mode.OFF, Mode.AUTO):
        with pytest.raises(ConfigError, match="starts from shadow or assist"):
            calibration.start(shop.database, shop.policy, FAQ, mode, by="owner")
    policy = calibration.set_mode(shop.database, shop.policy, FAQ, Mode.OFF, share=1.0, by="owner")
    with pytest.raises(ConfigError, match="cs-bot gate start text/faq"):
        calibration.step_up(shop.database, policy, FAQ, by="owner")


def test_a_proof_that_was_watched_first_is_canaried_without_a_threshold(shop: Shop) -> None:
    policy = calibration.start(shop.database, shop.policy, PROOF, Mode.SHADOW, by="owner")
    assert calibration.sweep(shop.database) == 0
    policy = calibration.step_up(shop.database, policy, PROOF, by="owner")
    assert (policy.mode_for(*PROOF), policy.shares, policy.fits) == (Mode.AUTO, {"order/proof": 0.05}, {})


def test_a_shadow_that_nobody_judged_counts_as_wrong_until_somebody_has(shop: Shop) -> None:
    policy = calibration.start(shop.database, shop.policy, FAQ, Mode.SHADOW, by="owner")
    turns = shop.shadow([True] * 300 + [False] + [None] * 20)
    with shop.database.read() as tx:
        found = rollout.judged(tx, policy, FAQ)
        assert calibrations.how_many(tx, *FAQ, since_version=policy.evidence["text/faq"]) == 321
        assert calibrations.keys(tx) == [("text", "faq")]
    assert [one.right for one in found] == [True] * 300 + [False] * 21
    [line] = [line for line in calibration.lines(shop.database, policy) if line.key == "text/faq"]
    assert line.shadow == {"right": 300, "wrong": 1, "waiting": 20}
    assert line.next.startswith("stays shadow: up to ")
    assert line.next.endswith("; 20 hidden drafts wait for a verdict and count as wrong")
    with shop.database.write() as tx:
        tx.execute(update(judgements).where(judgements.c.turn_id.in_(turns[-20:])).values(right=True))
    [line] = [line for line in calibration.lines(shop.database, policy) if line.key == "text/faq"]
    assert line.next.startswith("may go to 5%")


def test_on_autopilot_a_kind_in_shadow_begins_its_canary(database: Database) -> None:
    shop = Shop(database, autopilot=True, modes={"text/faq": Mode.SHADOW})
    shop.shadow([True] * 300)
    assert calibration.sweep(database) == 1
    assert [(step["actor"], step["from"], step["to"]) for step in shop.steps()] == [("upkeep", "shadow", "auto 5%")]


def test_on_autopilot_a_kind_that_fails_is_looked_at_again_only_with_twice_as_many(database: Database) -> None:
    shop = Shop(database, autopilot=True)
    shop.judge(300, wrong=60)
    for _ in range(3):
        assert calibration.sweep(shop.database) == 0
    shop.judge(299)
    calibration.sweep(shop.database)
    with shop.database.read() as tx:
        assert [row["judged"] for row in tx.rows(select(looks_table))] == [300]
    shop.judge(1)
    calibration.sweep(shop.database)
    with shop.database.read() as tx:
        assert [row["judged"] for row in tx.rows(select(looks_table).order_by(looks_table.c.id))] == [300, 600]


@pytest.mark.parametrize("key", [FAQ, PROOF], ids=rollout.name_of)
def test_a_drift_is_rolled_back_within_100_audits_and_what_led_there_no_longer_counts(
    database: Database, key: rollout.Key
) -> None:
    """From no wrong reply to one in ten; autopilot is off: down it always goes."""
    name = rollout.name_of(key)
    given = {} if key == PROOF else {"fits": {name: a_fit()}, "modes": {name: Mode.AUTO, "*/*": Mode.ASSIST}}
    shop = Shop(database, **given)
    shop.judge(300, key=key)
    shop.audit([False] * 300, key)
    assert calibration.sweep(shop.database) == 0
    rng, after = random.Random(4), 0
    while shop.policy.mode_for(*key) is Mode.AUTO:
        shop.audit([rng.random() < 0.1 for _ in range(5)], key)
        after += 5
        calibration.sweep(shop.database)
    assert after <= 100
    policy = shop.policy
    assert (policy.mode_for(*key), policy.fits, policy.evidence) == (Mode.ASSIST, {}, {name: policy.version})
    [step] = shop.steps()
    assert (step["actor"], step["from"], step["to"]) == ("upkeep", "auto", "assist")
    assert "audited replies wrong" in step["why"]
    with shop.database.read() as tx:
        assert policies.noted(tx, calibration.ROLLED_BACK) == 1
        assert rollout.judged(tx, policy, key) == []
    assert calibration.sweep(shop.database) == 0
    back = calibration.set_mode(shop.database, policy, PROOF, Mode.AUTO, share=1.0, by="owner")
    assert calibration.sweep(shop.database) == 0  # the audits of before the roll-back are history
    assert shop.policy == back


def test_two_upkeeps_at_once_take_one_step(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop(database, fits={"text/faq": a_fit()}, modes={"text/faq": Mode.AUTO})
    shop.audit([True] * 20)
    due, calls = steps._due, []

    def other_first(*args: Any) -> Any:
        found = list(due(*args))
        if not calls:
            calls.append(1)
            assert calibration.sweep(database) == 1
        return iter(found)

    monkeypatch.setattr(steps, "_due", other_first)  # the other process between this one's look and its step
    assert calibration.sweep(database) == 0
    assert [step["to"] for step in shop.steps()] == ["assist"]
    assert shop.policy.version == 2


def test_a_report_says_where_each_kind_stands(shop: Shop) -> None:
    shop.judge(100)
    shop.judge(400, key=(Kind.PRODUCT, Route.CATALOG))
    shop.audit([False, False, True], PROOF)
    found = {line.key: line for line in calibration.lines(shop.database, shop.policy)}
    assert found["text/faq"].next == "stays assist: 100 judged, at least 149 are needed"
    assert found["product/catalog"].next.startswith("may go to 5%: ")
    assert (found["order/proof"].audited, found["order/proof"].audited_wrong) == (3, 1)
    assert found["order/proof"].next.startswith("alarm ")


def test_a_decision_of_before_these_fields_still_reads() -> None:
    old = {"action": "review", "mode": "assist", "kind": "text", "route": "faq", "reasons": ["mode_assist"]}
    decision = Decision.model_validate({**old, "suggestion": "", "policy_version": 1, "signals": {}, "score": None})
    assert (decision.eligible, inclusion(decision)) == (False, 1.0)


def test_what_upkeep_asks_every_few_seconds_is_answered_by_indexes(sqlite_database: Database) -> None:
    shop = Shop(sqlite_database)
    shop.judge(300)
    shop.audit([False] * 100)
    asked: dict[str, Callable[[Transaction], object]] = {
        "ix_judgements_counting": lambda tx: calibrations.how_many(tx, *FAQ, since_version=0, at_most=213),
        "ix_audits_kind_route_judged_at": lambda tx: audits.verdicts(tx, *FAQ, since_version=0, limit=100),
        "ix_calibrations_kind_route_id": lambda tx: calibrations.last_look(tx, *FAQ, since_version=0),
        "ix_judgements_unjudged": lambda tx: shadows.waiting(tx, shop.agent_id, 20),
    }
    for index, ask in asked.items():
        with plans(shop.database) as found, shop.database.read() as tx:
            ask(tx)
        assert index in found[0]
        assert all("SCAN judgements" not in plan and "SCAN audits" not in plan for plan in found)
