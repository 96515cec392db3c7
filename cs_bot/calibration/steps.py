"""A roll-out: shadow or assist, a canary of 5 % and of 25 %, all; and back when the promise breaks."""

import logging
import math
from collections.abc import Iterator

from cs_bot.calibration.bounds import alarm, assurance, fewest, minimum_n
from cs_bot.calibration.rollout import SHARES, Key, apply, name_of, take_step
from cs_bot.calibration.thresholds import FIT_PART
from cs_bot.errors import ConfigError, Conflict
from cs_bot.records import Kind, Mode, Policy, Route
from cs_bot.store.database import Database, Transaction
from cs_bot.store.queries import audits, calibrations, policies

STARTS = (Mode.SHADOW, Mode.ASSIST)  # what a roll-out may begin with
WATCHED = 2000  # audits since a step began that are looked at
ROLLED_BACK = "rolled back"
log = logging.getLogger("cs_bot.calibration")


def start(database: Database, policy: Policy, key: Key, mode: Mode, *, by: str) -> Policy:
    """Begin a roll-out: from `shadow`, where only what is judged from now on counts (people who saw the drafts leaned
    on them), or from `assist`. A roll-back comes back here. Raises Conflict."""
    if mode not in STARTS:
        raise ConfigError(f"a roll-out starts from {' or '.join(STARTS)}, not {mode.value}")
    name = name_of(key)
    anew = {name: policy.version + 1} if mode is Mode.SHADOW and policy.mode_for(*key) is not Mode.SHADOW else {}
    begun = {"starts": {**policy.starts, name: mode}, "evidence": {**policy.evidence, **anew}}
    with database.write() as tx:
        newer = policy.model_copy(update=begun)
        return take_step(tx, newer, key, mode, by=by, why="roll-out started", share=1.0, fit=None)


def step_up(database: Database, policy: Policy, key: Key, *, by: str) -> Policy:
    """The next step up, where the judgements and audits allow it; raises Conflict, which says what is missing."""
    mode, name = policy.mode_for(*key), name_of(key)
    if mode is Mode.OFF:
        raise ConfigError(f"{name} is off: cs-bot gate start {name}")
    if mode is Mode.AUTO and (key[1] is Route.PROOF or policy.fit_for(name) is not None):
        return _larger_share(database, policy, key, by=by)
    if key[1] is Route.PROOF:
        with database.write() as tx:
            why, fit = "a proof needs no threshold", policy.fits.get(name)
            return take_step(tx, policy, key, Mode.AUTO, by=by, why=why, share=SHARES[0], fit=fit)
    found, newer = apply(database, policy, key, by=by)
    if found.fit is None:
        raise Conflict(f"{name} stays {mode.value}: {found.why}")
    return newer


def _larger_share(database: Database, policy: Policy, key: Key, *, by: str) -> Policy:
    name = name_of(key)
    share = policy.shares.get(name, 1.0)
    if share == 1.0:
        raise Conflict(f"{name} is sent alone already: there is no further step")
    with database.write() as tx:
        verdicts = audits.verdicts(tx, *key, since_version=policy.steps.get(name, 0), limit=WATCHED)
        sure, said = assurance(policy.wrong_target, verdicts), _said(verdicts)
        if alarm(policy.wrong_target, verdicts).off:
            raise Conflict(f"{name} breaks its promise and goes back with the next upkeep: {said}")
        if not sure.given:
            least = fewest(policy.wrong_target)
            raise Conflict(f"{name} stays {share:.0%}: {least} audits or more since that step are needed; {said}")
        larger = next(one for one in SHARES if one > share)
        return take_step(tx, policy, key, Mode.AUTO, by=by, why=said, share=larger, fit=policy.fits.get(name))


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
        elif policy.autopilot and mode in STARTS and key[1] is not Route.PROOF:
            since = policy.evidence.get(name, 0)
            last = calibrations.last_look(tx, *key, since_version=since)
            wanted = next_look(None if last is None else last["judged"], policy.wrong_target)
            if calibrations.how_many(tx, *key, since_version=since, at_most=wanted) >= wanted:
                yield key, "calibrate", ""


def _watched(tx: Transaction, policy: Policy, key: Key) -> Iterator[tuple[Key, str, str]]:
    name = name_of(key)
    since = policy.steps.get(name, 0)
    verdicts = audits.verdicts(tx, *key, since_version=since, limit=WATCHED)
    said = _said(verdicts)
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
        return take_step(
            tx, policy, key, Mode.AUTO, by="upkeep", why=why, share=share, fit=policy.fits.get(name_of(key))
        )


def _roll_back(tx: Transaction, policy: Policy, key: Key, why: str) -> Policy:
    """To where its roll-out began, without the fit; what was judged so far no longer counts: it is what led here."""
    name = name_of(key)
    policy = policy.model_copy(update={"evidence": {**policy.evidence, name: policy.version + 1}})
    mode = policy.starts.get(name, Mode.ASSIST)
    done = take_step(tx, policy, key, mode, by="upkeep", why=f"{ROLLED_BACK}: {why}", share=1.0, fit=None)
    log.warning(
        "rolled back to %s",
        mode.value,
        extra={"kind": key[0].value, "route": key[1].value, "problem": why, "policy_version": done.version},
    )
    return done


def _said(verdicts: list[bool]) -> str:
    return f"{sum(verdicts)} of {len(verdicts)} audited replies wrong"
