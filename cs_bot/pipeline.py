"""The flow, top to bottom, on a list of turns. Read this first.

receive ─ webhook: verify, store, ring          (receive.py, in the web process)
fetch   ─ pictures of new messages              (fetch.py)
claim   ─ due turns, leased                     (turns/)
see     ─ pictures -> Looks -> Reading          (see.py)
ground  ─ Reading -> Facts                      (ground.py)
answer  ─ Reading + Facts -> Draft with slots   (answer.py)
gate    ─ may it go out by itself?              (gate.py)
finish  ─ outbox row or review, under the fence (turns/)
deliver ─ send once                             (deliver.py)   or   review ─ a person (review.py)
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cs_bot import answer, deliver, fetch, gate, ground, observe, review, see, turns
from cs_bot.errors import LeaseLost
from cs_bot.records import Decision, Draft, Facts, Look, Policy, Reading, SendState, Turn
from cs_bot.settings import Settings
from cs_bot.store.database import Database
from cs_bot.store.media import MediaStore
from cs_bot.store.queries import conversations, outbound, pictures
from cs_bot.vision.base import Vision

Ring = Callable[[str], None]
log = logging.getLogger("cs_bot.pipeline")


@dataclass
class Worked:
    """One turn on its way through the stages."""

    turn: Turn
    looks: tuple[Look, ...] = ()
    reading: Reading | None = None
    facts: Facts = field(default_factory=Facts)
    draft: Draft | None = None
    decision: Decision | None = None
    problem: Exception | None = None
    stages: list[observe.StageRow] = field(default_factory=list)


def answer_due(
    *,
    database: Database,
    vision: Callable[[], Vision],
    media: MediaStore,
    settings: Settings,
    policy: Policy,
    ring: Ring,
) -> bool:
    """Claim due turns, work them off as one list, finish each; False when nothing was due."""
    claimed = turns.claim(database, settings=settings, policy=policy, limit=settings.turns.batch)
    if not claimed:
        return False
    keep_lease = _Lease(database, claimed, settings.turns.lease_s)
    done = work(
        claimed,
        database=database,
        vision=vision,
        media=media,
        settings=settings,
        policy=policy,
        progress=keep_lease.progress,
    )
    for one in done:
        _finish(one, database=database, settings=settings)
    ring("deliver")
    return True


def work(
    claimed: Sequence[Turn],
    *,
    database: Database,
    vision: Callable[[], Vision],
    media: MediaStore,
    settings: Settings,
    policy: Policy,
    progress: Callable[[], None] | None = None,
) -> list[Worked]:
    """See, ground, answer, gate. Writes nothing; one failed turn never fails its list."""
    all_of_them = [Worked(turn) for turn in claimed]

    def stage(name: str, run: Callable[[Sequence[Worked]], None]) -> None:
        alive = [one for one in all_of_them if one.problem is None]
        if not alive:
            return
        rows: list[observe.StageRow] = []
        with observe.stage(name, [one.turn.turn_id for one in alive], collect=rows.append) as timed:
            run(alive)
            for one in alive:
                if one.problem is not None:
                    timed.failed(one.turn.turn_id, one.problem)
        for one, row in zip(alive, rows, strict=True):
            one.stages.append(row)

    def see_stage(alive: Sequence[Worked]) -> None:
        found = see.see(
            [one.turn for one in alive],
            vision=vision,
            media=media,
            policy=policy,
            settings=settings,
            progress=progress,
        )
        for one, seen in zip(alive, found, strict=True):
            if isinstance(seen, see.Seen):
                one.looks, one.reading = seen.looks, seen.reading
            else:
                one.problem = seen

    def ground_stage(alive: Sequence[Worked]) -> None:
        pairs = [(one.turn, one.reading) for one in alive if one.reading is not None]
        zone = settings.shop.timezone
        for one, facts in zip(
            alive, ground.ground(pairs, database=database, policy=policy, timezone=zone), strict=True
        ):
            one.facts = facts

    def answer_stage(alive: Sequence[Worked]) -> None:
        shop = answer.ShopWords.of(settings.shop)
        for one in alive:
            _one_by_one(one, lambda one: setattr(one, "draft", _draft(one, shop)))

    def gate_stage(alive: Sequence[Worked]) -> None:
        for one in alive:
            _one_by_one(one, lambda one: setattr(one, "decision", _decide(one, policy)))

    stage("see", see_stage)
    stage("ground", ground_stage)
    stage("answer", answer_stage)
    stage("gate", gate_stage)
    return all_of_them


def _one_by_one(one: Worked, run: Callable[[Worked], None]) -> None:
    try:
        run(one)
    except Exception as problem:  # the turn is tried again alone, then a person gets it
        log.exception("a stage failed", extra={"turn_id": one.turn.turn_id})
        one.problem = problem


def _draft(one: Worked, shop: answer.ShopWords) -> Draft | None:
    assert one.reading is not None
    return answer.draft(one.reading, one.facts, shop=shop, now=datetime.now(UTC))


def _decide(one: Worked, policy: Policy) -> Decision:
    assert one.reading is not None
    return gate.decide(one.turn, one.reading, one.facts, one.draft, policy=policy, now=datetime.now(UTC))


def _finish(one: Worked, *, database: Database, settings: Settings) -> None:
    if one.problem is not None or one.reading is None or one.decision is None:
        turns.fail(database, one.turn, one.problem or RuntimeError("no decision"))
        return
    result = turns.Work(
        looks=one.looks,
        reading=one.reading,
        facts=one.facts,
        draft=one.draft,
        decision=one.decision,
        fact_keys=ground.fact_keys(one.facts),
        stages=tuple(one.stages),
    )
    try:
        finished = turns.finish(database, one.turn, result, settings=settings)
    except LeaseLost:
        log.warning("the lease was lost, the draft is thrown away", extra={"turn_id": one.turn.turn_id})
        return
    log.info(
        "turn finished",
        extra={
            "turn_id": one.turn.turn_id,
            "outcome": finished.value,
            "kind": one.decision.kind.value,
            "route": one.decision.route.value,
            "reasons": [reason.value for reason in one.decision.reasons],
        },
    )


@dataclass
class _Lease:
    """Renews the leases of a list, at most every third of their time, and only when the engine calls progress()."""

    database: Database
    claimed: Sequence[Turn]
    lease_s: float
    renewed_at: float = field(default_factory=time.monotonic)

    def progress(self) -> None:
        """The engine has got somewhere."""
        if time.monotonic() - self.renewed_at >= self.lease_s / 3:
            turns.renew(self.database, self.claimed, self.lease_s)
            self.renewed_at = time.monotonic()


def deliver_due(
    *, database: Database, channels: deliver.Channels, settings: Settings, policy: Policy, ring: Ring
) -> bool:
    """Send the next row that may be sent; False when there is none."""
    receipt = deliver.send_next(
        database, channels=channels, settings=settings, policy=policy, refetch=ground.refetch_fingerprint
    )
    if receipt is None:
        return False
    log.info("sent" if receipt.state is SendState.SENT else "not sent", extra={"state": receipt.state.value})
    return True


def upkeep(*, database: Database, channels: deliver.Channels, settings: Settings, ring: Ring) -> None:
    """One round of sweeps: put right what crashes left behind, and ring for what is due. Idempotent."""
    turns.sweep(database, settings=settings)
    fetch.sweep(database, settings=settings)
    deliver.sweep(database, channels=channels, settings=settings)
    review.sweep(database)
    with database.read() as tx:
        due = {
            "fetch": pictures.any_due(tx),
            "answer": conversations.any_due(tx),
            "deliver": outbound.any_due(tx),
        }
    for queue, waits in due.items():
        if waits:
            ring(queue)
