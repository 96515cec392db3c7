"""A day of stored traffic against a changed policy, engine or prompt: what would have been done differently."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from cs_bot import answer, gate, pipeline, turns
from cs_bot.errors import BotError
from cs_bot.evaluate.cases import lost
from cs_bot.records import Action, Decision, Draft, Facts, Owner, Policy, Reading, Reason, Turn
from cs_bot.store.queries import turns as turn_queries

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Change:
    """One turn, then and now. `problem` is set where it could not be worked again."""

    turn_id: int
    text: str
    then: Decision
    then_text: str
    now: Decision | None
    now_text: str
    problem: str | None = None

    @property
    def what(self) -> str:
        """same | other_text | would_send | would_hold | failed."""
        if self.now is None:
            return "failed"
        if self.now.action is not self.then.action:
            return "would_send" if self.now.action is Action.SEND else "would_hold"
        return "same" if self.now_text == self.then_text else "other_text"


def simulate(
    parts: pipeline.Parts, since: datetime, until: datetime, *, looks_again: bool, progress: Progress | None = None
) -> list[Change]:
    """Every turn of customers that was finished between two times (UTC), worked again; nothing is stored or sent.

    Without `looks_again` what was seen and fetched then is taken as stored, so that only policy, templates and gate
    differ. With it the engine of `parts` looks again and records are fetched as they are now. Either way the clock
    stands where it stood then.
    """
    with parts.database.read() as tx:
        ids = turn_queries.finished_between(tx, since, until)
    found = []
    for done, turn_id in enumerate(ids, start=1):
        change = _again(turn_id, parts, looks_again=looks_again)
        if change is not None:
            found.append(change)
        if progress is not None:
            progress(done, len(ids))
    return found


def _again(turn_id: int, parts: pipeline.Parts, *, looks_again: bool) -> Change | None:
    with parts.database.read() as tx:
        draft = turn_queries.latest_draft(tx, turn_id)
        decision = turn_queries.latest_decision(tx, turn_id)
    if draft is None or decision is None:
        return None  # never came so far: revoked, or given up
    turn = turns.stored(parts.database, turn_id, settings=parts.settings, policy=parts.policy)
    then = Decision.model_validate(_plain(decision["body"]))
    turn = _as_it_stood(turn, then, parts.policy)
    then_text = draft["draft"]["text"] if draft["draft"] else ""
    if draft["forgotten_at"] is not None or (looks_again and any(map(lost, turn.pictures))):
        return Change(turn_id, turn.text, then, then_text, None, "", "forgotten: older than its retention")
    at = replace(parts, now=lambda: decision["at"])
    try:
        now = _worked(turn, at) if looks_again else _decided(turn, draft, at)
    except BotError as problem:
        return Change(turn_id, turn.text, then, then_text, None, "", type(problem).__name__)
    return Change(turn_id, turn.text, then, then_text, now[0], now[1].text if now[1] is not None else "")


def _as_it_stood(turn: Turn, then: Decision, policy: Policy) -> Turn:
    """The turn with its conversation as it was then: whoever has taken over since took over nothing of that day."""
    owner = Owner.DESK if Reason.TAKEN_OVER in then.reasons else Owner.BOT
    replies = policy.loop_max if Reason.LOOP_GUARD in then.reasons else 0
    return turn.model_copy(update={"owner": owner, "recent_bot_replies": replies})


def _worked(turn: Turn, parts: pipeline.Parts) -> tuple[Decision, Draft | None]:
    done = pipeline.work([turn], parts)[0]
    if done.problem is not None or done.decision is None:
        raise BotError(f"a stage failed: {type(done.problem).__name__}")
    return done.decision, done.draft


def _decided(turn: Turn, stored: Any, parts: pipeline.Parts) -> tuple[Decision, Draft | None]:
    """From the reading and the facts as they were: drafted and judged anew. An engine's words are kept."""
    reading = Reading.model_validate(_plain(stored["reading"]))
    facts = Facts.model_validate(_plain(stored["facts"]))
    before = None if stored["draft"] is None else Draft.model_validate(_plain(stored["draft"]))
    draft = answer.draft(reading, facts, shop=parts.shop, now=parts.now())
    if before is not None and before.template_id == "written":
        draft = before
    return gate.decide(turn, reading, facts, draft, policy=parts.policy, now=parts.now()), draft


def summary(changes: Sequence[Change]) -> dict[str, int]:
    """How many turns came to what."""
    counts = dict.fromkeys(("same", "other_text", "would_send", "would_hold", "failed"), 0)
    for change in changes:
        counts[change.what] += 1
    return counts


def _plain(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != "schema"}
