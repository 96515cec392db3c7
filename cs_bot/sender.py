"""7a' The worker that has finished a reply sends it itself: one thread, one reply at a time, never waited for."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from cs_bot import deliver
from cs_bot.errors import StoreUnavailable
from cs_bot.knowledge.facts import refetch_fingerprint
from cs_bot.records import Policy, SendState
from cs_bot.settings import Settings
from cs_bot.store.database import Database, Row, Transaction

log = logging.getLogger("cs_bot.sender")


@dataclass
class Take:
    """Claims the row that its conversation has to send next, inside the transaction of a finish."""

    turn_id: int
    settings: Settings
    policy: Policy
    began: float = field(default_factory=time.monotonic)
    claimed: deliver.Claimed | None = None

    def __call__(self, tx: Transaction, conversation: Row) -> None:
        """As a deliver worker would."""
        self.claimed = deliver.claim_head(
            tx, conversation, settings=self.settings, policy=self.policy, refetch=refetch_fingerprint
        )


class Sender:
    """Takes a reply in the transaction that queues it, with all checks of a send claim, and sends it after the commit.

    While one is on its way the next is left to the deliver workers: a slow platform holds up no answer.
    """

    def __init__(
        self, database: Database, *, channels: deliver.Channels, settings: Settings, ring: Callable[[str], None]
    ) -> None:
        self._database, self._channels, self._settings, self._ring = database, channels, settings, ring
        self._free = threading.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sender")

    @contextmanager
    def taking(self, turn_id: int, policy: Policy) -> Iterator["Take | None"]:
        """For the finish of a turn: what it calls when a reply is queued; None while another reply is on its way.

        An earlier row of the conversation goes first; then the bell is rung for the turn's own. Left with an error (the
        finish was not committed) nothing is sent.
        """
        if not self._free.acquire(blocking=False):
            yield None
            return
        take = Take(turn_id, self._settings, policy)
        try:
            yield take
        except BaseException:
            self._free.release()
            raise
        if take.claimed is None:
            self._free.release()
        else:
            self._thread.submit(self._send, take.claimed, take)

    def _send(self, claimed: deliver.Claimed, take: Take) -> None:
        try:
            receipt = deliver.send(
                self._database, claimed, take.began, channels=self._channels, settings=self._settings
            )
            sent = receipt.state is SendState.SENT
            log.info("sent" if sent else "not sent", extra={"state": receipt.state.value})
            if not sent or claimed.turn_id != take.turn_id:  # it is tried again, or the turn's own reply comes next
                self._ring("deliver")
        except StoreUnavailable as problem:  # the row stays in `sending`, which upkeep settles
            log.warning("store unavailable", extra={"error": type(problem).__name__})
        except Exception:  # as above; a thread has nobody to raise it to
            log.exception("a send failed")
        finally:
            self._free.release()

    def close(self) -> None:
        """Wait for what is on its way."""
        self._thread.shutdown()
