"""From judgements to replies sent alone, step by step: calibrate, canary, all; and back when the promise breaks."""

import logging
import math
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from cs_bot.calibration.bounds import alarm, assurance, minimum_n
from cs_bot.calibration.scores import Judged
from cs_bot.calibration.thresholds import FIT_PART, Calibrated, calibrate
from cs_bot.errors import ConfigError, Conflict
from cs_bot.records import Fit, Kind, Mode, Policy, Route
from cs_bot.signals import inclusion
from cs_bot.store.database import Database, Transaction
from cs_bot.store.queries import audits, calibrations, policies, turns
from cs_bot.store.queries.sql import audit

SHARES = (0.05, 0.25, 1.0)  # of a kind's turns that are sent: the two canaries, then all
NEWEST = 5000  # judged turns a calibration learns from at most
WATCHED = 2000  # audits since a step began that are looked at
ROLLED_BACK = "rolled back"
log = logging.getLogger("cs_bot.calibration")
Key = tuple[Kind, Route]


def name_of(key: Key) -> str:
    """ "kind/route", as the policy writes it."""
    return f"{key[0].value}/{key[1].value}"


def key_of(name: str) -> Key:
    """The reverse; raises ConfigError."""
    kind, _, route = name.partition("/")
    try:
        return Kind(kind), Route(route)
    except ValueError:
        kinds, routes = ", ".join(Kind), ", ".join(Route)
        raise ConfigError(f"{name!r} is not KIND/ROUTE; kinds: {kinds}; routes: {routes}") from None


def judged(tx: Transaction, policy: Policy, key: Key) -> list[Judged]:
    """What people have said of a kind's turns, since its last roll-back."""
    since = policy.evidence.get(name_of(key), 0)
    found = []
    for row in calibrations.judged(tx, *key, since_version=since, limit=NEWEST):
        decision = turns.as_decision(row)
        found.append(
            Judged(
                turn_id=row["turn_id"],
                right=row["right"],
                signals=decision.signals,
                engines=decision.engines,
                at=row["at"],
                inclusion=inclusion(decision),
            )
        )
    return found


def judged_keys(database: Database) -> list[str]:
    """Every "kind/route" that was ever judged."""
    with database.read() as tx:
        return [f"{kind}/{route}" for kind, route in calibrations.keys(tx)]


def look(database: Database, policy: Policy, key: Key) -> Calibrated:
    """What a calibration would find now; keeps nothing."""
    with database.read() as tx:
        data, now = judged(tx, policy, key), tx.now()
    return calibrate(data, target=policy.wrong_target, now=now)


def apply(database: Database, policy: Policy, key: Key, *, by: str) -> tuple[Calibrated, Policy]:
    """Calibrate, keep the look, and begin the first canary where a threshold was found; the policy that then holds.

    Raises Conflict when somebody changed the policy meanwhile.
    """
    found = look(database, policy, key)
    with database.write() as tx:
        version = calibrations.add(
            tx,
            kind=key[0],
            route=key[1],
            created_by=by,
            policy_version=policy.version,
            judged=calibrations.how_many(tx, *key, since_version=policy.evidence.get(name_of(key), 0)),
            data=None if found.trial is None else (found.trial.data_from, found.trial.data_to),
            why=found.why,
        )
        fit = None if found.fit is None else found.fit.model_copy(update={"version": version})
        kept = None if fit is None else fit.model_dump(mode="json")
        calibrations.set_result(tx, version, fit=kept, tests=[asdict(test) for test in found.tests])
        if fit is None:
            return found, policy
        why = f"at most {fit.bound:.2%} wrong ({fit.wrong} of {fit.n} judged) at {fit.threshold:.4f} and above"
        return found, _step(tx, policy, key, Mode.AUTO, by=by, why=why, share=SHARES[0], fit=fit)


def set_mode(database: Database, policy: Policy, key: Key, mode: Mode, *, share: float, by: str) -> Policy:
    """What a person decides; raises ConfigError for `auto` without a calibration, Conflict."""
    if mode is Mode.AUTO and key[1] is not Route.PROOF and policy.fit_for(name_of(key)) is None:
        raise ConfigError(
            f"{name_of(key)} has no calibration for this target yet: cs-bot gate calibrate {name_of(key)} --apply"
        )
    with database.write() as tx:
        fit = policy.fits.get(name_of(key))
        return _step(tx, policy, key, mode, by=by, why="set by hand", share=share, fit=fit)


def change(database: Database, policy: Policy, values: dict[str, Any], *, by: str) -> Policy:
    """Set plain fields of the policy."""
    said = ", ".join(f"{name} = {value}" for name, value in values.items())
    with database.write() as tx:
        newer = policies.add(tx, policy.model_copy(update=values), created_by=by, note=said)
        audit(tx, by, "gate.set", "policy", newer.version, {name: str(value) for name, value in values.items()})
        return newer


def sweep(database: Database) -> int:
    """Upkeep: roll back what breaks its promise; on autopilot calibrate and take steps up; how many steps."""
    with database.read() as tx:
        policy = policies.current(tx)
        due = [] if policy is None else list(_due(tx, policy))
    taken = 0
    for key, what, why in due:
        assert policy is not None
        before = policy.version
        try:
            policy = _take(database, policy, key, what, why)
        except Conflict:  # another process took a step: what is still due is seen again next time
            break
        taken += policy.version != before
    return taken


def next_look(last: int | None, target: float) -> int:
    """With how many judgements autopilot calibrates: when a test can pass at all, then each time they have doubled.
    Each look has its own 5 % chance of being lucky, so there must be few."""
    return math.ceil(minimum_n(target) / (1 - FIT_PART)) if last is None else 2 * last


def _due(tx: Transaction, policy: Policy) -> Iterator[tuple[Key, str, str]]:
    for key in ((kind, route) for kind in Kind for route in Route):
        mode, name = policy.mode_for(*key), name_of(key)
        if mode is Mode.AUTO and (key[1] is Route.PROOF or policy.fit_for(name) is not None):
            yield from _watched(tx, policy, key)
        elif policy.autopilot and mode is Mode.ASSIST and key[1] is not Route.PROOF:
            since = policy.evidence.get(name, 0)
            last = calibrations.last_look(tx, *key, since_version=since)
            wanted = next_look(None if last is None else last["judged"], policy.wrong_target)
            if calibrations.how_many(tx, *key, since_version=since, at_most=wanted) >= wanted:
                yield key, "calibrate", ""


def _watched(tx: Transaction, policy: Policy, key: Key) -> Iterator[tuple[Key, str, str]]:
    name = name_of(key)
    since = policy.steps.get(name, 0)
    verdicts = audits.verdicts(tx, *key, since_version=since, limit=WATCHED)
    said = f"{sum(verdicts)} of {len(verdicts)} audited replies wrong"
    if alarm(policy.wrong_target, verdicts).off:
        yield key, "back", said
    elif policy.autopilot and policy.shares.get(name, 1.0) < 1.0 and assurance(policy.wrong_target, verdicts).given:
        yield key, "up", said


def _take(database: Database, policy: Policy, key: Key, what: str, why: str) -> Policy:
    """One step of upkeep's; the policy that then holds. Raises Conflict."""
    if what == "calibrate":
        return apply(database, policy, key, by="upkeep")[1]
    with database.write() as tx:
        if what == "back":
            return _roll_back(tx, policy, key, why)
        share = next(share for share in SHARES if share > policy.shares[name_of(key)])
        return _step(tx, policy, key, Mode.AUTO, by="upkeep", why=why, share=share, fit=policy.fits.get(name_of(key)))


def _roll_back(tx: Transaction, policy: Policy, key: Key, why: str) -> Policy:
    """To `assist`, without the fit; what was judged so far no longer counts: it is what led here."""
    name = name_of(key)
    policy = policy.model_copy(update={"evidence": {**policy.evidence, name: policy.version + 1}})
    done = _step(tx, policy, key, Mode.ASSIST, by="upkeep", why=f"{ROLLED_BACK}: {why}", share=1.0, fit=None)
    log.warning(
        "rolled back to assist",
        extra={"kind": key[0].value, "route": key[1].value, "problem": why, "policy_version": done.version},
    )
    return done


def _step(
    tx: Transaction, policy: Policy, key: Key, mode: Mode, *, by: str, why: str, share: float, fit: Fit | None
) -> Policy:
    """A new policy version in which one kind has another mode, share or fit, with its audit row."""
    name = name_of(key)
    shares = {**_without(policy.shares, name), **({name: share} if mode is Mode.AUTO and share < 1.0 else {})}
    newer = policy.model_copy(
        update={
            "modes": {**policy.modes, name: mode},
            "shares": shares,
            "fits": {**_without(policy.fits, name), **({} if fit is None else {name: fit})},
            "steps": {**policy.steps, name: policy.version + 1},
        }
    )
    before, after = (_said(one, key) for one in (policy, newer))
    done = policies.add(tx, newer, created_by=by, note=f"{name}: {before} -> {after}: {why}")
    detail = {"kind_route": name, "from": before, "to": after, "why": why}
    audit(tx, by, "gate.step", "policy", done.version, {**detail, "fit": None if fit is None else fit.version})
    return done


def _without(given: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in given.items() if key != name}


def _said(policy: Policy, key: Key) -> str:
    mode, share = policy.mode_for(*key), policy.shares.get(name_of(key), 1.0)
    return mode.value if mode is not Mode.AUTO or share == 1.0 else f"{mode.value} {share:.0%}"
