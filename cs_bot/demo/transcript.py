"""What a platform has seen and shown: conversations line by line, and every reply that it took, once."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

MAX_LINES = 200_000  # of all conversations together; a demo never comes near


@dataclass(frozen=True)
class Line:
    """One line of a conversation as the customer's screen shows it. `sender` customer | bot | agent | system."""

    at: datetime
    conversation_id: str
    sender: str
    text: str
    message_id: str
    pictures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reply:
    """A reply or hand-off that the platform took. `attempts` counts the posts of it so far."""

    outbound_id: str
    type: str
    conversation_id: str
    text: str
    sender: str
    in_reply_to: tuple[str, ...]
    at: datetime
    attempts: int
    data: Mapping[str, Any] = field(default_factory=dict)


class Transcript:
    """Thread-safe; `on_line` is called outside the lock with every new line."""

    def __init__(self, on_line: Callable[[Line], None] | None = None) -> None:
        self._on_line = on_line
        self._lock = threading.Lock()
        self._lines: list[Line] = []
        self._replies: dict[str, Reply] = {}
        self._attempts: Counter[str] = Counter()

    def lines(self, conversation_id: str) -> list[Line]:
        """The conversation's lines as they came in."""
        with self._lock:
            return [line for line in self._lines if line.conversation_id == conversation_id]

    def replies(self, conversation_id: str | None = None) -> list[Reply]:
        """Every reply that was taken, once each, in the order of arrival."""
        with self._lock:
            return [
                replace(reply, attempts=self._attempts[reply.outbound_id])
                for reply in self._replies.values()
                if conversation_id in (None, reply.conversation_id)
            ]

    def has(self, outbound_id: str) -> bool:
        """Whether the reply of that id was taken."""
        with self._lock:
            return outbound_id in self._replies

    def attempts(self, outbound_id: str) -> int:
        """How often that reply was posted, taken or not."""
        with self._lock:
            return self._attempts[outbound_id]

    def begin(self, outbound_id: str) -> int:
        """Count one attempt; its number from 1."""
        with self._lock:
            self._attempts[outbound_id] += 1
            return self._attempts[outbound_id]

    def take(self, outbound_id: str, envelope: Mapping[str, Any]) -> bool:
        """Show a reply to the customer; False when that id was taken before. Raises KeyError on a wrong shape."""
        data = envelope["data"]
        reply = Reply(
            outbound_id=outbound_id,
            type=str(envelope["type"]),
            conversation_id=str(data["conversation_id"]),
            text=str(data["text"]),
            sender=str(data["sender"]),
            in_reply_to=tuple(data["in_reply_to"]),
            at=datetime.now(UTC),
            attempts=1,
            data=data,
        )
        with self._lock:
            if outbound_id in self._replies:
                return False
            self._replies[outbound_id] = reply
        sender = "system" if reply.type == "conversation.handoff" else reply.sender
        self._add(Line(reply.at, reply.conversation_id, sender, reply.text, outbound_id))
        return True

    def say(self, data: Mapping[str, Any], at: datetime) -> None:
        """What the customer (or an agent outside) wrote: the data of a message.created."""
        names = tuple(str(a["url"])[-80:].rpartition("/")[2] for a in data.get("attachments", ()))
        sender, text = str(data.get("sender", "customer")), str(data.get("text", ""))
        self._add(Line(at, str(data["conversation_id"]), sender, text, str(data["message_id"]), names))

    def _add(self, line: Line) -> None:
        with self._lock:
            if len(self._lines) < MAX_LINES:
                self._lines.append(line)
        if self._on_line is not None:
            self._on_line(line)
