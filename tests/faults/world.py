"""One shop in one process on a real database: every step is one transaction of the core, in any order, at any time.

Workers are what a test holds in its hands: a claimed turn or a claimed send may be finished, forgotten (a crash) or
finished much too late (a zombie). After every step the promises are checked (promises.py).
"""

import base64
import io
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from PIL import Image
from sqlalchemy import Connection, select

from cs_bot import deliver, fetch, review, turns
from cs_bot.deliver import Claimed
from cs_bot.errors import LeaseLost
from cs_bot.records import (
    Action,
    Decision,
    Draft,
    Facts,
    Kind,
    Mode,
    Outbound,
    Policy,
    Reading,
    Reason,
    Receipt,
    Route,
    SendState,
    Turn,
)
from cs_bot.settings import AccountSettings, Settings
from cs_bot.store.database import Clock, Database, Row, Transaction
from cs_bot.store.media import MediaStore
from cs_bot.store.queries import pictures
from cs_bot.store.tables import metadata, outbound, picture_uses
from tests.faults import promises
from tests.faults.outside import CHANNEL, HERE, THERE, Outside
from tests.faults.platform import Platform
from tests.faults.promises import Memory

SETTINGS = Settings(
    accounts=(
        AccountSettings(channel=CHANNEL, name=HERE, secrets=("unused",)),
        AccountSettings(channel=CHANNEL, name=THERE, secrets=("unused",), desk="platform"),
    )
)


class StandingClock(Clock):
    """Only tick() moves it: the same steps always come out the same."""

    def now(self, connection: Connection) -> datetime:
        """A day in May, and what has been ticked."""
        return datetime(2026, 5, 1, tzinfo=UTC) + self.shift


def _png() -> str:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "white").save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


PICTURE = _png()
REFUSED_PICTURE = "http://pictures.example/1.png"  # plain http is not allowed: refused without a connection


def empty(database: Database) -> None:
    """Take every row out of every table."""
    with database.write() as tx:
        if tx.dialect == "postgresql":
            names = ", ".join(f'"{table.name}"' for table in metadata.sorted_tables)
            tx.connection.exec_driver_sql(f"truncate {names} restart identity cascade")
            return
        for table in reversed(metadata.sorted_tables):
            tx.execute(table.delete())


@dataclass(frozen=True)
class Flight:
    """A claimed send whose request has not been made yet."""

    claimed: Claimed
    began_at: datetime


@dataclass
class World(Outside):
    """The shop. `memory` is what the outside knows by itself, without asking the database."""

    database: Database
    mode: str = "key"
    settings: Settings = SETTINGS
    policy: Policy = field(default_factory=Policy)
    memory: Memory = field(default_factory=Memory)
    jobs: list[Turn] = field(default_factory=list)
    flights: list[Flight] = field(default_factory=list)
    late: list[Flight] = field(default_factory=list)  # requests that arrive after their sender gave up
    deliveries: list[tuple[str, bytes]] = field(default_factory=list)
    facts: dict[int, int] = field(default_factory=dict)  # conversation id -> version of what its facts say
    numbers: int = 0
    whole: bool = True  # False: a promise was broken, there is no use in going on

    def __post_init__(self) -> None:
        empty(self.database)
        self.database._clock = StandingClock()
        self.platforms = {name: Platform(self.mode) for name in (HERE, THERE)}
        self.channels = {(CHANNEL, name): platform for name, platform in self.platforms.items()}
        self.media = MediaStore("memory://faults")

    # --- the clock

    def now(self) -> datetime:
        """The database's clock."""
        with self.database.read() as tx:
            return tx.now()

    def tick(self, seconds: float) -> None:
        """Time passes; requests on their way arrive first."""
        for flight in self.late:
            self._show(flight)
        self.late.clear()
        self.database.shift(seconds)
        self.done()

    # --- pictures

    def fetch_next(self) -> bool:
        """A fetch worker takes the next picture."""
        done = fetch.fetch_next(self.database, media=self.media, settings=self.settings, ring=lambda queue: None)
        self.done()
        return done

    def fetch_crashes(self) -> None:
        """A fetch worker claims a picture and dies."""
        rules = self.settings.fetch
        with self.database.write() as tx:
            row = pictures.claim(tx, lease_s=rules.timeout_s * fetch.LEASE_FACTOR, max_attempts=rules.max_attempts)
        promises.must(
            row is None or row["attempts"] <= rules.max_attempts, "a picture is tried a bounded number of times"
        )
        self.done()

    # --- turns

    def claim(self, limit: int = 4) -> list[Turn]:
        """A worker claims turns."""
        claimed = turns.claim(self.database, settings=self.settings, policy=self.policy, limit=limit)
        promises.claimed_turns_are_new(self.memory, claimed, self.settings.turns.max_attempts)
        self.jobs += claimed
        self.done()
        return claimed

    def renew(self, turn: Turn) -> None:
        """The engine makes progress."""
        turns.renew(self.database, turn, self.settings.turns.lease_s)
        self.done()

    def finish(
        self, turn: Turn, action: Action = Action.SEND, reasons: tuple[Reason, ...] = (), at_once: bool = False
    ) -> str:
        """A worker (or its zombie) brings a result; `lost` when its lease was. `at_once`: it sends the reply itself."""
        self.jobs = [job for job in self.jobs if job is not turn]
        before = promises.before_finish(self.database, turn)
        version = self.facts.get(turn.conversation_id, 0)
        stored, began_at = promises.before_send(self.database), self.now()
        taken: list[Claimed | None] = []

        def take(tx: Transaction, conversation: Row) -> None:
            rules = {"settings": self.settings, "policy": self.policy, "refetch": self.refetch}
            taken.append(deliver.claim_head(tx, conversation, **rules) if at_once else None)

        self.memory.composing = promises.Composed(
            frozenset(m.external_id for m in turn.messages), version, self.memory.step
        )
        try:
            result = self.work(turn, action, reasons)
            finished = str(turns.finish(self.database, turn, result, settings=self.settings, queued=take))
        except LeaseLost:
            finished = "lost"
        promises.finish_was_right(self.settings, turn, before, finished)
        self.done()
        for claimed in filter(None, taken):
            rows = (*stored.undelivered, (turn.conversation_id, claimed.row_id))
            self._claimed(claimed, replace(stored, undelivered=rows), began_at)
        return finished

    def work(self, turn: Turn, action: Action, reasons: tuple[Reason, ...]) -> turns.Work:
        """A result as the stages would bring it: the facts' version now, and their keys."""
        fingerprint = str(self.facts.get(turn.conversation_id, 0))
        draft = Draft(
            template_id="t",
            template="answer",
            slots={},
            text=f"answer {turn.turn_id}.{turn.round}",
            language="en",
            kind=Kind.ORDER,
            route=Route.PROOF,
            fingerprint=fingerprint,
            engine="scripted",
            engine_version="1",
            prompt_version="-",
        )
        decision = Decision(
            action=action,
            mode=Mode.AUTO,
            kind=Kind.ORDER,
            route=Route.PROOF,
            reasons=reasons or ((Reason.PROVEN,) if action is Action.SEND else (Reason.NO_ANSWER,)),
            suggestion="probably an order question",
            policy_version=1,
        )
        return turns.Work(
            looks=(),
            reading=Reading(kind=Kind.ORDER, kinds={Kind.ORDER: 1.0}),
            facts=Facts(fingerprint=fingerprint),
            draft=draft,
            decision=decision,
            fact_keys={"conversation": turn.conversation_id},
        )

    def fail(self, turn: Turn) -> None:
        """The engine fails on a turn."""
        self.jobs = [job for job in self.jobs if job is not turn]
        turns.fail(self.database, turn, RuntimeError("engine"), settings=self.settings)
        self.done()

    def crash(self, turn: Turn) -> None:
        """The worker dies."""
        self.jobs = [job for job in self.jobs if job is not turn]
        self.done()

    def change_facts(self, conversation_id: int) -> None:
        """An order's record changes."""
        self.facts[conversation_id] = self.facts.get(conversation_id, 0) + 1
        self.done()

    def refetch(self, tx: Transaction, keys: dict[str, Any]) -> str:
        """What deliver fetches again."""
        return str(self.facts.get(keys["conversation"], 0))

    # --- sends

    def claim_send(self) -> Flight | None:
        """A deliver worker claims the next row."""
        before = promises.before_send(self.database)
        began_at = self.now()
        claimed = deliver.claim(self.database, settings=self.settings, policy=self.policy, refetch=self.refetch)
        flight = None if claimed is None else self._claimed(claimed, before, began_at)
        self.done()
        return flight

    def _claimed(self, claimed: Claimed, before: promises.BeforeSend, began_at: datetime) -> "Flight":
        platform = self.platforms[claimed.outbound.account]
        promises.send_is_allowed(self.memory, platform, claimed, before, self.facts, self.policy.stale_after_s)
        self.flights.append(Flight(claimed, began_at))
        return self.flights[-1]

    def _show(self, flight: Flight) -> None:
        sent = flight.claimed.outbound
        self.platforms[sent.account].show(flight.claimed.row_id, sent)

    def send(self, flight: Flight, how: str = "ok") -> None:
        """The request goes out and comes back, or not; a sender that slept too long does not send any more."""
        self.flights = [f for f in self.flights if f is not flight]
        awake = (self.now() - flight.began_at).total_seconds() < self.settings.deliver.timeout_s
        arrives, receipt = OUTCOMES[how] if awake else (False, Receipt(state=SendState.NOT_SENT))
        if arrives == "late":
            self.late.append(flight)
        elif arrives:
            self._show(flight)
        if receipt is not None:
            self._record(flight.claimed, receipt)
        self.done()

    def _record(self, claimed: Claimed, receipt: Receipt) -> None:
        sent: Outbound = claimed.outbound
        if receipt.state in (SendState.NOT_SENT, SendState.FAILED):
            self.memory.surely_not_sent(sent.outbound_id, sent.send_token)
        deliver.record(self.database, claimed.row_id, sent.send_token, receipt, settings=self.settings)

    # --- upkeep

    def sweep(self, mute: bool = False) -> None:
        """One round of upkeep; `mute`: the platform's look-up gives no answer."""
        for platform in self.platforms.values():
            platform.mute = mute
        turns.sweep(self.database, settings=self.settings, policy=self.policy)
        fetch.sweep(self.database, settings=self.settings)
        deliver.sweep(self.database, channels=self.channels, settings=self.settings)
        review.sweep(self.database)
        self.done()

    # --- the end of every step

    def done(self) -> None:
        """A step is over: the promises are checked."""
        self.memory.step += 1
        self.memory.silenced_by_us(self.database)
        self.whole = False
        promises.check(self)
        self.whole = True

    def drain(self, rounds: int = 80) -> None:
        """Faults stop: every worker and platform works; all must end."""
        self.jobs.clear()
        self.flights.clear()
        for _ in range(rounds):
            while self.fetch_next():
                pass
            for turn in self.claim(9):
                self.finish(turn)
            while (flight := self.claim_send()) is not None:
                self.send(flight)
            self.sweep()
            if not promises.stuck(self.database):
                return
            self.tick(16.0)
        raise promises.Broken(f"did not drain: {promises.stuck(self.database)}")

    # --- questions of the steps

    def conversation_ids(self) -> list[int]:
        """Ids of the conversations that exist."""
        return promises.conversation_ids(self.database)

    def silenced(self) -> list[str]:
        """Conversations where a person answers."""
        return [name for name, owner in self.memory.owner.items() if owner != "bot"]

    def pictures_waiting(self) -> bool:
        """Whether a picture is still to be fetched."""
        with self.database.read() as tx:
            return tx.value(select(picture_uses.c.id).where(picture_uses.c.due_at.is_not(None)).limit(1)) is not None

    def something_to_send(self) -> bool:
        """Whether a row of the outbox waits."""
        with self.database.read() as tx:
            return tx.value(select(outbound.c.id).where(outbound.c.state == "pending").limit(1)) is not None

    def rows(self) -> list[dict[str, Any]]:
        """The outbox, oldest first."""
        with self.database.read() as tx:
            return [dict(row) for row in tx.rows(select(outbound).order_by(outbound.c.id))]


OUTCOMES: dict[str, tuple[bool | str, Receipt | None]] = {
    # how: (does it arrive, what the sender writes down; None: it died)
    "ok": (True, Receipt(state=SendState.SENT)),
    "answer lost": (True, Receipt(state=SendState.UNKNOWN, detail="500")),
    "arrives late": ("late", Receipt(state=SendState.UNKNOWN, detail="timeout")),
    "never arrives": (False, Receipt(state=SendState.UNKNOWN, detail="reset")),
    "refused": (False, Receipt(state=SendState.NOT_SENT, detail="429", retry_after_s=7.0)),
    "forbidden": (False, Receipt(state=SendState.FAILED, detail="403")),
    "dies before": (False, None),
    "dies after": (True, None),
}
