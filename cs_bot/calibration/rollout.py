"""What a kind and route is judged by, and its steps: a mode, a share, a threshold; each a new policy, audited."""

from dataclasses import asdict
from typing import Any

from cs_bot.calibration.scores import Judged
from cs_bot.calibration.thresholds import Calibrated, calibrate
from cs_bot.errors import ConfigError
from cs_bot.records import Fit, Kind, Mode, Policy, Route
from cs_bot.signals import inclusion
from cs_bot.store.database import Database, Transaction
from cs_bot.store.queries import calibrations, policies, turns
from cs_bot.store.queries.sql import audit

SHARES = (0.05, 0.25, 1.0)  # of a kind's turns that are sent: the two canaries, then all
NEWEST = 5000  # judged turns a calibration learns from at most
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
        return found, take_step(tx, policy, key, Mode.AUTO, by=by, why=why, share=SHARES[0], fit=fit)


def set_mode(database: Database, policy: Policy, key: Key, mode: Mode, *, share: float, by: str) -> Policy:
    """What a person decides; raises ConfigError for `auto` without a calibration, Conflict."""
    if mode is Mode.AUTO and key[1] is not Route.PROOF and policy.fit_for(name_of(key)) is None:
        raise ConfigError(
            f"{name_of(key)} has no calibration for this target yet: cs-bot gate calibrate {name_of(key)} --apply"
        )
    with database.write() as tx:
        fit = policy.fits.get(name_of(key))
        return take_step(tx, policy, key, mode, by=by, why="set by hand", share=share, fit=fit)


def change(database: Database, policy: Policy, values: dict[str, Any], *, by: str) -> Policy:
    """Set plain fields of the policy."""
    said = ", ".join(f"{name} = {value}" for name, value in values.items())
    with database.write() as tx:
        newer = policies.add(tx, policy.model_copy(update=values), created_by=by, note=said)
        audit(tx, by, "gate.set", "policy", newer.version, {name: str(value) for name, value in values.items()})
        return newer


def take_step(
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
