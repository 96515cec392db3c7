"""What customers, people and the platform tell the shop: webhook deliveries, in any order, again and again."""

import json
from datetime import datetime, timedelta
from typing import Any

from cs_bot.channels.base import RawRequest
from cs_bot.receive import receive
from cs_bot.settings import Settings
from cs_bot.store.database import Database
from tests.faults.platform import Platform
from tests.faults.promises import Memory

CHANNEL = "generic"
HERE, THERE = "here", "there"  # accounts: held turns go to our review queue, or to the platform's own desk
CONVERSATIONS = {"c0": HERE, "c1": HERE, "c2": THERE}


class Outside:
    """One half of the World (world.py has the other)."""

    database: Database
    settings: Settings
    memory: Memory
    channels: dict[tuple[str, str], Platform]
    deliveries: list[tuple[str, bytes]]
    numbers: int

    def now(self) -> datetime:
        """The database's clock."""
        raise NotImplementedError

    def done(self) -> None:
        """A step is over: the promises are checked."""
        raise NotImplementedError

    def post(self, kind: str, account: str, data: dict[str, Any], delivery_id: str | None = None) -> None:
        """One webhook delivery."""
        self.numbers += 1
        body = json.dumps({"type": kind, "timestamp": self.now().isoformat(), "data": data}).encode()
        self._deliver(account, delivery_id or f"evt_{self.numbers}", body)

    def _deliver(self, account: str, delivery_id: str, body: bytes) -> None:
        self.deliveries.append((delivery_id, body))
        receive(
            RawRequest(headers={"webhook-id": delivery_id}, body=body, received_at=self.now()),
            channel=CHANNEL,
            account=account,
            channels=self.channels,
            database=self.database,
            ring=lambda queue: None,
            settings=self.settings,
        )

    def customer_writes(
        self, conversation: str = "c0", text: str = "where is it", pictures: tuple[str, ...] = (), age_s: float = 0.0
    ) -> str:
        """A new message; its id."""
        self.numbers += 1
        message_id = f"m{self.numbers}"
        self.memory.accepted[message_id] = conversation
        self._write(message_id, conversation, text, pictures, age_s)
        return message_id

    def _write(self, message_id: str, conversation: str, text: str, pictures: tuple[str, ...], age_s: float) -> None:
        sent_at = self.now() - timedelta(seconds=age_s)
        self.memory.written_at.setdefault(message_id, sent_at)
        self.memory.written_step.setdefault(message_id, self.memory.step)
        self.post(
            "message.created",
            CONVERSATIONS[conversation],
            {
                "conversation_id": conversation,
                "message_id": message_id,
                "customer": {"id": f"of {conversation}"},
                "text": text,
                "attachments": [{"url": url} for url in pictures],
                "sent_at": sent_at.isoformat(),
            },
        )
        self.done()

    def customer_writes_revoked(self, conversation: str = "c0") -> None:
        """A message whose revoke arrives first."""
        self.numbers += 1
        message_id = f"m{self.numbers}"
        data = {"conversation_id": conversation, "message_id": message_id}
        self.post("message.revoked", CONVERSATIONS[conversation], data)
        self.memory.accepted[message_id] = conversation
        self.memory.revoke(message_id)
        self._write(message_id, conversation, "never mind", (), 0.0)

    def message_again(self, message_id: str) -> None:
        """The same message in another delivery (with another body)."""
        self._write(message_id, self.memory.accepted[message_id], "where is it?", (), 0.0)

    def delivery_again(self, index: int) -> None:
        """A delivery is repeated to the byte."""
        delivery_id, body = self.deliveries[index % len(self.deliveries)]
        data = json.loads(body)["data"]
        self._deliver(CONVERSATIONS[data["conversation_id"]], delivery_id, body)
        self.deliveries.pop()
        self.done()

    def agent_writes(self, conversation: str = "c0") -> str:
        """A person of the shop answers outside cs-bot."""
        self.numbers += 1
        message_id = f"m{self.numbers}"
        self.memory.accepted[message_id] = conversation
        sent_at = self.now()
        self.memory.owner_event(conversation, sent_at, "outside")
        self.post(
            "message.created",
            CONVERSATIONS[conversation],
            {
                "conversation_id": conversation,
                "message_id": message_id,
                "customer": {"id": f"of {conversation}"},
                "sender": "agent",
                "text": f"a person here, number {self.numbers}",
                "sent_at": sent_at.isoformat(),
            },
        )
        self.done()
        return message_id

    def take_over(self, conversation: str = "c0", age_s: float = 0.0) -> None:
        """The platform says that a person answers; with `age_s` the event is that old."""
        self._owner(conversation, "conversation.taken_by_human", "outside", age_s)

    def release(self, conversation: str = "c0", age_s: float = 0.0) -> None:
        """The platform gives the conversation back."""
        self._owner(conversation, "conversation.released", "bot", age_s)

    def _owner(self, conversation: str, kind: str, owner: str, age_s: float) -> None:
        at = self.now() - timedelta(seconds=age_s)
        self.memory.owner_event(conversation, at, owner)
        data = {"conversation_id": conversation, "at": at.isoformat()}
        self.post(kind, CONVERSATIONS[conversation], data)
        self.done()

    def revoke(self, message_id: str) -> None:
        """The customer takes a message back."""
        conversation = self.memory.accepted[message_id]
        self.post(
            "message.revoked",
            CONVERSATIONS[conversation],
            {"conversation_id": conversation, "message_id": message_id},
        )
        self.memory.revoke(message_id)
        self.done()
