"""Engine and transactions: read(), write() and the one clock."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count, groupby
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

from sqlalchemy import Connection, CursorResult, Engine, Executable, create_engine, event, text
from sqlalchemy.engine import RowMapping
from sqlalchemy.engine.url import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

from cs_bot.errors import ConfigError, StoreUnavailable

BUSY_S = 5.0
ASK_CLOCK_S = 5.0
GROUP = 32  # pieces of work that share a commit at most
LANES = 2
HELD_UP_S = 0.05  # a lane whose commit takes longer waits for something: others take the next one
Item = TypeVar("Item")
T = TypeVar("T")
Row = RowMapping  # one row, by column name; modules outside store/ use this name


class Filled(NamedTuple):
    """A statement that was built once (queries.sql.built) and the values of its parameters."""

    statement: Executable
    values: dict[str, Any]


class Transaction:
    """One open transaction. Statements live in store/queries; this adds the clock and small conveniences."""

    def __init__(self, connection: Connection, clock: "Clock") -> None:
        self.connection = connection
        self.dialect = connection.dialect.name
        self._clock = clock
        self._now: datetime | None = None

    def now(self) -> datetime:
        """The database's clock (UTC), one value per transaction; tests shift it with Database.shift()."""
        if self._now is None:
            self._now = self._clock.now(self.connection)
        return self._now

    def execute(self, statement: Executable | Filled, values: Any = None) -> CursorResult[Any]:
        """Run one statement."""
        if isinstance(statement, Filled):
            statement, values = statement
        return self.connection.execute(statement, values)

    def row(self, statement: Executable | Filled, values: Any = None) -> RowMapping | None:
        """The first row or None."""
        return self.execute(statement, values).mappings().first()

    def rows(self, statement: Executable | Filled) -> Sequence[RowMapping]:
        """All rows."""
        return self.execute(statement).mappings().all()

    def value(self, statement: Executable | Filled, values: Any = None) -> Any:
        """The first column of the first row, or None."""
        return self.execute(statement, values).scalar()

    def isolated(self, work: Callable[[], T]) -> T | Exception:
        """What `work` returns, or what it raised: then what it wrote is undone, and the transaction goes on.

        Raises what is no fault of `work`: the database is away, locked or full.
        """
        try:
            with self.connection.begin_nested():
                return work()
        except DBAPIError as problem:
            if _is_away(problem):
                raise
            return problem
        except StoreUnavailable:
            raise
        except Exception as problem:
            return problem

    def changed(self, statement: Executable | Filled) -> bool:
        """Run a guarded UPDATE or DELETE; True when exactly one row was touched."""
        return self.execute(statement).rowcount == 1


class Clock:
    """The database's clock, asked every few seconds and carried on by this machine's steady one in between.

    So a wrong or jumping wall clock of this machine changes nothing, and a transaction does not pay a round trip.
    SQLite is embedded: its clock is this machine's.
    """

    def __init__(self) -> None:
        self.shift = timedelta()
        self._asked: tuple[float, datetime] | None = None

    def now(self, connection: Connection) -> datetime:
        """UTC."""
        if connection.dialect.name == "sqlite":
            return datetime.now(UTC) + self.shift
        asked, steady = self._asked, time.clock_gettime(time.CLOCK_BOOTTIME)
        if asked is None or steady - asked[0] > ASK_CLOCK_S:
            moment: datetime = connection.execute(text("select clock_timestamp()")).scalar_one()
            asked = self._asked = (steady, moment.astimezone(UTC))
        return asked[1] + timedelta(seconds=steady - asked[0]) + self.shift


class Database:
    """A pool of connections to SQLite (WAL, synchronous FULL) or PostgreSQL 15+."""

    def __init__(self, url: str, *, pool_size: int = 5) -> None:
        try:
            address = make_url(url)
        except (ArgumentError, ValueError):  # not `from`: it quotes the address
            raise ConfigError("the database's address is none: sqlite:///… or postgresql+psycopg://…") from None
        self.dialect = address.get_backend_name()
        self._clock = Clock()
        self._lanes = [_Lane() for _ in range(1 if self.dialect == "sqlite" else LANES)]
        self._turn = count()
        if self.dialect == "sqlite":
            if not address.database or address.database == ":memory:":
                raise ConfigError("SQLite needs a file: workers are processes of their own")
            Path(address.database).parent.mkdir(parents=True, exist_ok=True)
            self.engine = create_engine(
                address,
                connect_args={"timeout": BUSY_S},
                pool_size=pool_size,
                max_overflow=20,
                hide_parameters=True,  # an error's text never says what a customer wrote
            )
            _configure_sqlite(self.engine)
        elif self.dialect == "postgresql":
            options = "-c statement_timeout=5000 -c lock_timeout=3000 -c idle_in_transaction_session_timeout=10000"
            options += " -c timezone=UTC"  # in another one the first and the last day that there is can't be read
            self.engine = create_engine(
                address.set(drivername="postgresql+psycopg"),
                pool_size=pool_size,
                max_overflow=20,
                hide_parameters=True,
                connect_args={"options": options, "connect_timeout": 3},
            )
        else:
            raise ConfigError(f"unknown database {self.dialect!r}; known: postgresql, sqlite")
        self._engines = _for_reads_and_writes(self.engine)

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """A transaction that may write (SQLite: BEGIN IMMEDIATE). Commits at the end, rolls back on an error.

        Raises StoreUnavailable when the database can't be reached, is locked or full.
        """
        with self._begin(write=True) as transaction:
            yield transaction

    def write_together(self, work: Callable[[Transaction, Sequence[Item]], Sequence[T]], item: Item) -> T:
        """Have `item` written in a transaction that it may share with other threads' (group commit); its result.

        `work` gets all items that share a commit, in the order in which they came, and returns a result for each.
        Whoever gets the lock commits what has queued up meanwhile: many durable writes cost one. When `work` raises,
        all is undone and each item is written again alone, so `work` must touch nothing but the database. When no
        transaction can be opened nobody is at fault: all are told at once.
        Returns after the commit; raises what `work` raised, or StoreUnavailable.
        """
        job = _Job(work, item)
        lane = next(
            (lane for lane in self._lanes if not lane.held_up), self._lanes[next(self._turn) % len(self._lanes)]
        )
        lane.queued.append(job)
        with lane.lock:
            while not job.done:  # it may stand behind more than one batch
                lane.began = time.monotonic()
                self._run_together([lane.queued.popleft() for _ in range(min(len(lane.queued), GROUP))])
            lane.began = None
        if job.problem is not None:
            raise job.problem
        return cast(T, job.result)

    def _run_together(self, batch: Sequence["_Job"]) -> None:
        begun = False
        try:
            with self.write() as tx:
                begun = True
                for work, jobs in _by_work(batch):
                    for job, result in zip(jobs, work(tx, [job.item for job in jobs]), strict=True):
                        job.result = result
        except Exception as problem:
            if begun and len(batch) > 1 and not (isinstance(problem, StoreUnavailable) and problem.lost):
                for job in batch:
                    self._run_together([job])
                return
            for job in batch:
                job.problem = problem
        for job in batch:
            job.done = True

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """A transaction that only reads (SQLite: deferred, never waits for a writer).

        PostgreSQL shows each statement what is committed by then (READ COMMITTED) with or without BEGIN and COMMIT:
        reading does without, which saves two round trips.
        """
        with self._begin(write=False) as transaction:
            yield transaction

    @contextmanager
    def _begin(self, *, write: bool) -> Iterator[Transaction]:
        try:
            with self._engines[write].connect() as connection, connection.begin():
                yield Transaction(connection, self._clock)
        except DBAPIError as problem:
            if problem.connection_invalidated:
                self.engine.dispose()  # after a server restart every pooled connection is dead
            if _is_away(problem):
                raise StoreUnavailable(
                    f"the database can't take this now ({type(problem.orig).__name__})",
                    lost=problem.connection_invalidated,
                ) from problem
            raise

    def shift(self, seconds: float) -> None:
        """Move this process's view of the clock (tests only)."""
        self._clock.shift += timedelta(seconds=seconds)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _is_away(problem: DBAPIError) -> bool:
    return problem.connection_invalidated or isinstance(problem, OperationalError)


@dataclass
class _Job:
    """One item of write_together()."""

    work: Callable[[Transaction, Sequence[Any]], Sequence[Any]]
    item: Any
    result: Any = None
    problem: Exception | None = None
    done: bool = False


def _by_work(batch: Sequence[_Job]) -> list[tuple[Callable[[Transaction, Sequence[Any]], Sequence[Any]], list[_Job]]]:
    return [(work, list(jobs)) for work, jobs in groupby(batch, key=attrgetter("work"))]


@dataclass
class _Lane:
    """Threads whose work shares commits. PostgreSQL commits several lanes at once, SQLite has one writer.

    The more that share a commit the less each costs, so there is a second one only for when a commit waits: for a lock
    that somebody holds, or for a slow disk.
    """

    queued: deque[_Job] = field(default_factory=deque)
    lock: threading.Lock = field(default_factory=threading.Lock)
    began: float | None = None

    @property
    def held_up(self) -> bool:
        """Whether its commit takes unusually long."""
        began = self.began
        return began is not None and time.monotonic() - began > HELD_UP_S


def _for_reads_and_writes(engine: Engine) -> dict[bool, Engine]:
    """The engine as read (False) and write (True) use it, over the same pool."""
    reads = {"isolation_level": "AUTOCOMMIT"} if engine.dialect.name == "postgresql" else {}
    return {
        False: engine.execution_options(csbot_write=False, **reads),
        True: engine.execution_options(csbot_write=True),
    }


def _configure_sqlite(engine: Any) -> None:
    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={int(BUSY_S * 1000)}"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        write = connection.get_execution_options().get("csbot_write", True)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
