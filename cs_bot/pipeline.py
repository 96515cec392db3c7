"""The flow, top to bottom, on a list of turns. Read this first.

receive ─ webhook: verify, store, ring          (receive.py, in the web process)
fetch   ─ pictures of new messages              (fetch.py)
claim   ─ due turns, leased                     (turns/)
see     ─ pictures -> Looks -> Reading          (see.py)
ground  ─ Reading -> Facts                      (ground.py)
answer  ─ Reading + Facts -> Draft with slots   (answer/)
gate    ─ may it go out by itself?              (gate/)
finish  ─ outbox row or review, under the fence (turns/)
deliver ─ send once          (sender.py at once, deliver/)    or   review ─ a person (review/)
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from cs_bot import answer, deliver, gate, ground, observe, recheck, see, turns
from cs_bot.cache import DraftCache, LookCache
from cs_bot.errors import LeaseLost, StoreUnavailable
from cs_bot.records import Decision, Draft, Facts, Look, Policy, Reading, SendState, Turn
from cs_bot.sender import Sender
from cs_bot.settings import Settings
from cs_bot.store.database import Database
from cs_bot.store.media import MediaStore
from cs_bot.vision.base import Vision, Words

Ring = Callable[[str], None]
log = logging.getLogger("cs_bot.pipeline")


@dataclass(frozen=True)
class Parts:
    """What the stages work with. `vision` opens the engine on first use; `progress` is told when it gets somewhere.

    `looks` and `words` are the caches; without them everything is computed. `batch` turns are claimed at once.
    """

    database: Database
    vision: Callable[[], Vision]
    media: MediaStore
    settings: Settings
    policy: Policy
    shop: answer.ShopWords
    catalog: ground.Finder | None = None
    writes: bool = False  # whether the engine puts answers into words
    looks: LookCache | None = None
    words: DraftCache[Words] | None = None
    batch: int = 1
    progress: Callable[[], None] | None = None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


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

    def read(self) -> Reading:
        """The reading, which every stage after the first one has."""
        assert self.reading is not None
        return self.reading


Stage = Callable[[Sequence[Worked], Parts], None]


def answer_due(parts: Parts, *, ring: Ring, sender: Sender | None = None) -> bool:
    """Claim due turns, work them off as one list, finish each; False when nothing was due.

    A reply goes out by the `sender` when that is free; for whatever else there is to send the bell is rung.
    """
    settings = parts.settings
    claimed = turns.claim(parts.database, settings=settings, policy=parts.policy, limit=parts.batch)
    if not claimed:
        return False
    leases = turns.Leases(parts.database, claimed, settings.turns.lease_s, told=parts.progress)
    on_their_way, away = _finish_all(work(claimed, replace(parts, progress=leases.progress)), parts, sender)
    if not on_their_way:
        ring("deliver")
    if away is not None:
        raise away
    if parts.looks is not None:
        recheck.keep(parts.database, parts.looks.take_samples(), after_s=settings.cache.recheck_after_s)
    return True


def check_due(parts: Parts) -> bool:
    """Compute one sampled hit of the cache again; False when none is due. For answer workers without other work."""
    return recheck.check_next(
        parts.database, vision=parts.vision, media=parts.media, looks=parts.looks, progress=parts.progress
    )


def work(claimed: Sequence[Turn], parts: Parts) -> list[Worked]:
    """See, ground, answer, gate. Writes nothing; one failed turn never fails its list."""
    all_of_them = [Worked(turn) for turn in claimed]
    for name, run in STAGES.items():
        alive = [one for one in all_of_them if one.problem is None]
        if not alive:
            break
        rows: list[observe.StageRow] = []
        with observe.stage(name, [one.turn.turn_id for one in alive], collect=rows.append) as timed:
            _isolated(run, alive, parts)
            for one in alive:
                if one.problem is not None:
                    timed.failed(one.turn.turn_id, one.problem)
        for one, row in zip(alive, rows, strict=True):
            one.stages.append(row)
    return all_of_them


def _isolated(run: Stage, alive: Sequence[Worked], parts: Parts) -> None:
    """Run a stage on the list; when that fails, on each turn alone, so that only the guilty one fails."""
    try:
        run(alive, parts)
    except Exception as problem:
        if isinstance(problem, StoreUnavailable) and problem.lost:
            raise  # nobody's fault: the leases bring all of them back
        if len(alive) == 1:
            log.exception("a stage failed", extra={"turn_id": alive[0].turn.turn_id})
            alive[0].problem = problem
            return
        for one in alive:
            _isolated(run, [one], parts)


def _see(alive: Sequence[Worked], parts: Parts) -> None:
    found = see.see(
        [one.turn for one in alive],
        vision=parts.vision,
        media=parts.media,
        policy=parts.policy,
        settings=parts.settings,
        cache=parts.looks,
        progress=parts.progress,
    )
    for one, seen in zip(alive, found, strict=True):
        if isinstance(seen, see.Seen):
            one.looks, one.reading = seen.looks, seen.reading
        else:
            one.problem = seen


def _ground(alive: Sequence[Worked], parts: Parts) -> None:
    pairs = [(one.turn, one.read()) for one in alive]
    shop = parts.settings.shop
    found = ground.ground(
        pairs,
        database=parts.database,
        policy=parts.policy,
        timezone=shop.timezone,
        language=shop.language,
        catalog=parts.catalog,
        media=parts.media,
        progress=parts.progress,
    )
    for one, facts in zip(alive, found, strict=True):
        one.facts = facts


def _answer(alive: Sequence[Worked], parts: Parts) -> None:
    for one in alive:
        one.draft = answer.draft(one.read(), one.facts, shop=parts.shop, now=parts.now())
    if parts.writes:
        _put_into_words(alive, parts)


def _put_into_words(alive: Sequence[Worked], parts: Parts) -> None:
    """The engine's words in the place of the templates' where they are wanted and may stand."""
    wanted: list[tuple[Worked, answer.Wanted]] = []
    for one in alive:
        pictures = parts.media.read_all(look.picture_sha256 for look in one.looks)
        found = answer.wanted(one.turn, one.read(), one.facts, one.draft, shop=parts.shop, pictures=pictures)
        if found is not None:
            wanted.append((one, found))
    if not wanted:
        return
    drafts = answer.put_into_words(
        [found for _, found in wanted],
        vision=parts.vision(),
        cache=parts.words,
        policy_version=parts.policy.version,
        progress=parts.progress,
    )
    for (one, _), draft in zip(wanted, drafts, strict=True):
        if isinstance(draft, Draft):
            one.draft = draft
            continue
        about = {"turn_id": one.turn.turn_id, "error": type(draft).__name__, "problem": str(draft)}
        log.warning("an engine's words are not used, the template's stand", extra=about)


def _gate(alive: Sequence[Worked], parts: Parts) -> None:
    for one in alive:
        one.decision = gate.decide(one.turn, one.read(), one.facts, one.draft, policy=parts.policy, now=parts.now())


STAGES: dict[str, Stage] = {"see": _see, "ground": _ground, "answer": _answer, "gate": _gate}


def _finish_all(done: Sequence[Worked], parts: Parts, sender: Sender | None) -> tuple[bool, StoreUnavailable | None]:
    """Finish each, whatever happens to another; whether the sender has taken all, and the last StoreUnavailable."""
    all_taken, away = True, None
    for one in done:
        try:
            all_taken &= _finish(one, parts, sender)
        except StoreUnavailable as problem:
            all_taken, away = False, problem
            if problem.lost:
                break
        except Exception:
            all_taken = False
            log.exception("a turn can't be given back, its lease ends", extra={"turn_id": one.turn.turn_id})
    return all_taken, away


def _finish(one: Worked, parts: Parts, sender: Sender | None) -> bool:
    """Whether the sender has taken all that came of it. What failed is given back, unless it was the store."""
    try:
        if one.problem is not None:
            raise one.problem
        return _write(one, parts, sender)
    except LeaseLost:
        log.warning("the lease was lost, the draft is thrown away", extra={"turn_id": one.turn.turn_id})
    except StoreUnavailable:
        raise
    except Exception as problem:
        if one.problem is None:
            log.exception("a finish failed", extra={"turn_id": one.turn.turn_id})
        turns.fail(parts.database, one.turn, problem, settings=parts.settings)
    return False


def _write(one: Worked, parts: Parts, sender: Sender | None) -> bool:
    """Write the result; whether the sender has taken it. Raises LeaseLost."""
    assert one.decision is not None
    result = turns.Work(
        looks=one.looks,
        reading=one.read(),
        facts=one.facts,
        draft=one.draft,
        decision=one.decision,
        fact_keys=ground.fact_keys(one.facts),
        stages=tuple(one.stages),
    )
    with nullcontext() if sender is None else sender.taking(one.turn.turn_id, parts.policy) as take:
        finished = turns.finish(parts.database, one.turn, result, settings=parts.settings, queued=take)
    words = {"outcome": finished.value, "kind": one.decision.kind.value, "route": one.decision.route.value}
    reasons = [reason.value for reason in one.decision.reasons]
    log.info("turn finished", extra={"turn_id": one.turn.turn_id, **words, "reasons": reasons})
    return take is not None and take.claimed is not None


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
