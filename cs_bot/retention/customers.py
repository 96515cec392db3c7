"""What is stored of one customer, and deleting it, with a proof row that holds nothing personal."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cs_bot import turns
from cs_bot.errors import Conflict, NotFound
from cs_bot.records import Customer
from cs_bot.retention.files import remove_picture
from cs_bot.store.database import Database, Row, Transaction
from cs_bot.store.media import MediaStore
from cs_bot.store.queries import conversations, customers, deletions, forgetting, outbound, retention
from cs_bot.store.queries.contacts import folded_email, folded_phone

BATCH = 100
RULES = tuple(rule for rule in retention.RULES if rule.marked and rule.name != "pictures")
Progress = Callable[[int, int], None]
Uncache = Callable[[Customer, Sequence[str]], None]  # the customer, and both SHA-256s of pictures that are gone


@dataclass(frozen=True)
class Deletion:
    """The proof row; `already`: it was done before."""

    customer_id: int
    channel: str
    account: str
    external_id_sha256: str
    at: datetime
    actor: str
    counts: dict[str, int]
    already: bool = False


@dataclass(frozen=True)
class Shown:
    """What is stored of a customer; `live` is what stands in the way of deleting it."""

    customer_id: int
    channel: str
    account: str
    external_id: str
    name: str | None
    emails: tuple[str, ...]
    phones: tuple[str, ...]
    created_at: datetime
    counts: dict[str, int]
    live: dict[str, int]
    deletion: Deletion | None


def find(database: Database, channel: str, account: str, external_id: str) -> int:
    """Our id of a customer by the platform's, also of one who was deleted; raises NotFound."""
    with database.read() as tx:
        found = deletions.id_of(tx, channel, account, external_id)
    if found is None:
        raise NotFound(f"there is no such customer on {channel}/{account}")
    return found


def show(database: Database, customer_id: int) -> Shown:
    """Everything that an access request asks for first; raises NotFound."""
    with database.read() as tx:
        row = _row(tx, customer_id)
        return Shown(
            customer_id=customer_id,
            channel=row["channel"],
            account=row["account"],
            external_id=row["external_id"],
            name=row["name"],
            emails=tuple(row["emails"]),
            phones=tuple(row["phones"]),
            created_at=row["created_at"],
            counts=deletions.counted(tx, customer_id),
            live=deletions.live(tx, customer_id),
            deletion=_proof(tx, customer_id),
        )


def delete(
    database: Database,
    customer_id: int,
    *,
    media: MediaStore,
    actor: str,
    force: bool = False,
    events: bool = True,
    uncache: Uncache | None = None,
    progress: Progress | None = None,
) -> Deletion:
    """Delete everything personal of a customer, in small transactions; a run that broke off is finished by the next.

    `force` first takes back, as if the customer had revoked them, the messages that nobody has answered, and cancels
    what is not yet sent. `events=False` leaves out the search through the raw bodies of other deliveries (for somebody
    silent for longer than bodies are kept). `uncache` takes them out of the cache, too. Raises NotFound, and Conflict
    while something of theirs is not over.
    """
    with database.read() as tx:
        row, done = _row(tx, customer_id), _proof(tx, customer_id)
    if done is not None:
        return done
    if force:
        _take_back(database, customer_id)
    _must_be_over(database, customer_id)
    counts = Counter[str]()
    removed = _pictures(database, media, customer_id)
    counts["pictures removed"] = len(removed)
    with database.write() as tx:
        known = [external_id for _, external_id in deletions.conversations_of(tx, customer_id, alone=True)]
        deletions.drop_revocations(tx, customer_id)
        deletions.drop_cache_checks(tx, customer_id)
    for rule in RULES:
        counts[rule.name] = _forget_all(database, rule, customer_id)
    if events:
        counts["events"] += _mentions(database, row, known, progress)
    if uncache is not None:
        with database.read() as tx:
            customer = customers.get(tx, customer_id)
        assert customer is not None
        uncache(customer, [name for names in removed for name in names])
    return _close(database, row, actor=actor, counts=counts)


def _row(tx: Transaction, customer_id: int) -> Row:
    row = deletions.row_of(tx, customer_id)
    if row is None:
        raise NotFound(f"there is no customer {customer_id}")
    return row


def _proof(tx: Transaction, customer_id: int) -> Deletion | None:
    found = deletions.proof(tx, customer_id)
    if found is None:
        return None
    kept = {name: found[name] for name in Deletion.__dataclass_fields__ if name != "already"}
    return Deletion(**kept, already=True)


def _must_be_over(database: Database, customer_id: int) -> None:
    with database.read() as tx:
        live = deletions.live(tx, customer_id)
    if live:
        what = ", ".join(f"{n} {name}" for name, n in live.items())
        raise Conflict(
            f"customer {customer_id} still has {what}: answer or dismiss first, or take back what is open with --force"
            " (what a worker holds or sends right now takes some seconds: run it again)"
        )


def _take_back(database: Database, customer_id: int) -> None:
    with database.write() as tx:
        for conversation_id, _ in deletions.conversations_of(tx, customer_id, alone=False):
            conversations.lock(tx, conversation_id)
        for message in deletions.open_messages(tx, customer_id):
            turns.revoke(tx, message["channel"], message["account"], message["conversation"], message["external_id"])
        for row in deletions.pending_rows(tx, customer_id):
            outbound.cancel(tx, row["id"], "cancelled", "customer deleted")


def _pictures(database: Database, media: MediaStore, customer_id: int) -> list[tuple[str, str]]:
    with database.write() as tx:
        found = forgetting.let_go_of_pictures(tx, deletions.uses_of(customer_id))
    removed = (remove_picture(database, media, picture_id) for picture_id in sorted(found))
    return [names for names in removed if names is not None]


def _forget_all(database: Database, rule: retention.Rule, customer_id: int) -> int:
    total = 0
    while True:
        with database.write() as tx:
            ids = deletions.ids_to_forget(tx, rule, customer_id, BATCH)
            done, waiting = retention.forget(tx, rule, ids) if ids else (0, set())
        total += done
        if waiting:
            _must_be_over(database, customer_id)
            raise Conflict(f"customer {customer_id} is being worked on: run it again in some seconds")
        if not ids:
            return total


def _mentions(database: Database, row: Row, conversation_ids: list[str], progress: Progress | None) -> int:
    """Raw bodies of other deliveries (orders, take-overs, revokes) that name the customer; how many were emptied."""
    count, after_id, seen = 0, 0, 0
    while True:
        with database.read() as tx:
            page = deletions.bodies(tx, after_id, BATCH)
        if not page:
            return count
        found = [one["id"] for one in page if _names(one, row, conversation_ids)]
        if found:
            with database.write() as tx:
                count += forgetting.forget_events(tx, deletions.events_by_id(found))
        after_id, seen = page[-1]["id"], seen + len(page)
        if progress is not None:
            progress(seen, seen + BATCH)


def _names(event: Row, row: Row, conversation_ids: list[str]) -> bool:
    """Whether a delivery's body holds the customer's id or conversation (same account), e-mail or phone (any)."""
    here = (event["channel"], event["account"]) == (row["channel"], row["account"])
    ids = {row["external_id"], *conversation_ids} if here else set()
    emails, phones = set(row["emails"]), set(row["phones"])
    try:
        words = list(_strings(json.loads(event["body"])))
    except (ValueError, RecursionError):  # signed, but no JSON: searched as it is
        text = bytes(event["body"]).decode(errors="replace")
        return any(word in text for word in {*ids, *emails, *phones} if len(word) > 3)
    return any(word in ids or folded_email(word) in emails or folded_phone(word) in phones for word in words)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
    elif isinstance(value, str | int | float):
        yield str(value)


def _close(database: Database, row: Row, *, actor: str, counts: Counter[str]) -> Deletion:
    customer_id = int(row["id"])
    with database.write() as tx:
        theirs = deletions.conversations_of(tx, customer_id, alone=True)
        for conversation_id, _ in theirs:
            conversations.lock(tx, conversation_id)
        deletions.lock(tx, customer_id)  # a first message in a new conversation that is being stored is waited for
        if any(deletions.ids_to_forget(tx, rule, customer_id, 1) for rule in RULES):
            raise Conflict(f"customer {customer_id} wrote again meanwhile: run it again when that is answered")
        counts["orders"] = deletions.unlink_orders(tx, row)
        counts["conversations"] = len(theirs)
        counts["messages"] = deletions.counted(tx, customer_id)["messages"]
        deletions.rename_conversations(tx, row, theirs)
        deletions.close(tx, row, actor=actor, counts=dict(counts))
        done = _proof(tx, customer_id)
    assert done is not None
    return Deletion(**{**vars(done), "already": False})
