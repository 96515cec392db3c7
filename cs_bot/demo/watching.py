"""The Observer over the store: what became of a message; and whether the web process answers yet."""

from collections.abc import Mapping
from typing import Any

import httpx

from cs_bot.demo.observer import TurnView
from cs_bot.records import Action, End, FieldState, Kind, Reason
from cs_bot.store.database import Database
from cs_bot.store.queries import messages, reviews, turns

SHOWN = ("colour", "category")  # of a thing


class StoreObserver:
    """Reads the database that the workers write."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find_turn(self, channel: str, account: str, message_external_id: str) -> TurnView | None:
        """The message's state now, None while it is not known."""
        with self._database.read() as tx:
            row = messages.find(tx, channel, account, message_external_id)
            if row is None:
                return None
            review = reviews.get(tx, row["review_id"]) if row["review_id"] is not None else None
            about = {
                "end": End(row["end"]) if row["end"] else None,
                "end_reason": Reason(row["end_reason"]) if row["end_reason"] else None,
                "review_id": row["review_id"],
                "review_open": review is not None and review["state"] == "open" and row["end"] is None,
                "conflicts": row["conflicts"] + messages.event_conflicts(tx, row["event_id"]),
            }
            if row["turn_id"] is None:
                return TurnView(**about)
            decision = turns.latest_decision(tx, row["turn_id"])
            draft = turns.latest_draft(tx, row["turn_id"])
            said = draft["draft"] if draft is not None else None
            text = said["text"] if said else None
            return TurnView(
                claimed=True,
                kind=Kind(decision["kind"]) if decision is not None else None,
                action=Action(decision["action"]) if decision is not None else None,
                reasons=tuple(Reason(r) for r in decision["body"]["reasons"]) if decision is not None else (),
                draft=text,
                reply=text if about["end"] is End.BOT else None,
                seen=tuple(_seen(look["body"]) for look in turns.looks_of(tx, row["turn_id"])),
                words_by=said["engine"] if said else None,
                stages=tuple((s["stage"], s["seconds"]) for s in turns.stages_of(tx, row["turn_id"])),
                **about,
            )


def _seen(body: Mapping[str, Any]) -> str:
    """The engine, the likeliest kind, and what it read: of an order page number and sum, of things how they look."""
    kinds = body["kinds"]
    kind = max(kinds, key=lambda name: kinds[name])
    fields = [body["fields"].get(name) or {} for name in ("order_id", "amount")]
    read = [str(one["value"]) + ("" if one["state"] == FieldState.READ else "?") for one in fields if one.get("value")]
    things = [" ".join(item["attributes"].get(name, "") for name in SHOWN).strip() for item in body["items"]]
    what = ", ".join([*read, *(thing for thing in things if thing)])
    return f"{body['engine']}: {kind} {kinds[kind]:.2f}" + (f" ({what})" if what else "")


def answers(address: str) -> bool:
    """Whether a GET is answered 200."""
    try:
        return httpx.get(address, timeout=1, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
