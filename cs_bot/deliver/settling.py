"""Sends of which nobody knows what came of them are settled (upkeep)."""

import logging
import random
import time
from datetime import timedelta

from cs_bot.channels.base import Channel
from cs_bot.deliver.claiming import ask_a_person, backoff
from cs_bot.deliver.sending import Channels, record
from cs_bot.errors import StoreUnavailable
from cs_bot.records import Reason, SendState
from cs_bot.settings import DeliverSettings, Settings
from cs_bot.store.database import Database, Row
from cs_bot.store.queries import conversations, outbound
from cs_bot.store.queries.sql import changed

ROUND_S = 5.0  # a round settles for so long at most, a call more or less,
ACCOUNT_S = 2.0  # and so long of one account
LOOK_UP_FOR = 10  # a platform that can't say where a message is gets this many settle times
log = logging.getLogger("cs_bot.deliver")


def sweep(database: Database, *, channels: Channels, settings: Settings) -> int:
    """Settle the unknown (upkeep): same key again, a look at the platform, or a person; how many were touched.

    A platform that hangs costs a round ROUND_S and a call at most: what is left comes with the next one, and the
    accounts take turns.
    """
    rules = settings.deliver
    with database.write() as tx:
        outbound.give_up_sending(tx, older_than_s=2 * rules.timeout_s)
        rows = outbound.unknown(tx, older_than_s=rules.settle_s)
        now = tx.now()
    by_account: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        by_account.setdefault((row["channel"], row["account"]), []).append(row)
    end, touched = time.monotonic() + ROUND_S, 0
    for account in random.sample(list(by_account), len(by_account)):
        end_here = min(end, time.monotonic() + ACCOUNT_S)
        for row in by_account[account]:
            if time.monotonic() >= end_here:
                break
            too_old = (now - row["sending_since"]).total_seconds() > rules.settle_s * LOOK_UP_FOR
            _settle_alone(database, row, channels.get(account), too_old, settings)
            touched += 1
    return touched


def _settle_alone(database: Database, row: Row, channel: Channel | None, too_old: bool, settings: Settings) -> None:
    """What goes wrong with one row holds up no other."""
    try:
        _settle(database, row, channel, too_old, settings)
    except StoreUnavailable:
        raise
    except Exception:
        log.exception("an unknown send can't be settled", extra={"row_id": row["id"]})


def _settle(database: Database, row: Row, channel: Channel | None, too_old: bool, settings: Settings) -> None:
    rules = settings.deliver
    exhausted = row["attempts"] >= rules.max_attempts
    if channel is not None and channel.caps.can_look_up:
        seen = channel.look_up(row["outbound_id"])
        if seen is not None and seen.state is SendState.SENT:
            record(database, row["id"], row["send_token"], seen, settings=settings)
            return
        if seen is not None and seen.state is SendState.NOT_SENT and not exhausted:
            _again(database, row, rules, maybe_sent=False)
            return
        if seen is None and not too_old:
            return
    if channel is not None and channel.caps.idempotent_send and not exhausted:
        _again(database, row, rules, maybe_sent=True)
        return
    with database.write() as tx:
        conversation = conversations.lock(tx, row["conversation_id"])
        if outbound.settle(tx, row["id"], row["send_token"], state="undetermined"):
            ask_a_person(tx, conversation, row, Reason.DELIVERY_UNKNOWN, settings)
            changed(tx, "conversation", conversation["id"])


def _again(database: Database, row: Row, rules: DeliverSettings, *, maybe_sent: bool) -> None:
    with database.write() as tx:
        due_at = tx.now() + timedelta(seconds=backoff(row["attempts"], rules))
        outbound.settle(tx, row["id"], row["send_token"], state="pending", due_at=due_at, maybe_sent=maybe_sent)
