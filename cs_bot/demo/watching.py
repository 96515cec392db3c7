"""The Observer over the store: what became of a message; and whether the web process answers yet."""

import httpx

from cs_bot.demo.observer import TurnView
from cs_bot.records import Action, End, Kind, Reason
from cs_bot.store.database import Database
from cs_bot.store.queries import messages, reviews, turns


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
            text = draft["draft"]["text"] if draft is not None and draft["draft"] else None
            return TurnView(
                claimed=True,
                kind=Kind(decision["kind"]) if decision is not None else None,
                action=Action(decision["action"]) if decision is not None else None,
                reasons=tuple(Reason(r) for r in decision["body"]["reasons"]) if decision is not None else (),
                draft=text,
                reply=text if about["end"] is End.BOT else None,
                stages=tuple((s["stage"], s["seconds"]) for s in turns.stages_of(tx, row["turn_id"])),
                **about,
            )


def answers(address: str) -> bool:
    """Whether a GET is answered 200."""
    try:
        return httpx.get(address, timeout=1, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
