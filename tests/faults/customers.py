"""What customers and the platform do in a chaos run: messages, takeovers, revokes; late, twice, out of order."""

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from cs_bot import testing
from cs_bot.schemas import OrderIn
from tests.faults import engine, network
from tests.faults.verdict import Outside
from tests.makers import order_in

CONVERSATIONS = 40
IN_A_NETWORK = {4: engine.POISON, 15: engine.SLOW, 22: engine.STICKY, 40: network.HANGS}
EVERY = 60  # messages the same trouble comes again


def order_of(number: int, **values: Any) -> OrderIn:
    """The order of a conversation."""
    return order_in(f"70000000{number:02d}", customer_id=f"u{number}", amount=engine.AMOUNT, **values)


@dataclass
class Customers:
    """Post to the web process at `port` until `over`. With `network` some pictures bring trouble into the network."""

    messages: int
    seed: int
    rate: float
    port: int
    network: bool
    outside: Outside
    counts: Counter[str]
    over: bool = False
    todo: list[tuple[float, str, dict[str, Any], str]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def traffic(self) -> None:
        """What customers and people do; each delivery may come twice, late, and in another order."""
        dice = random.Random(self.seed)
        for n in range(self.messages):
            number = dice.randrange(CONVERSATIONS)
            self._customer(dice, n, number)
            if dice.random() < 0.04:
                self._person(dice, number)
            if dice.random() < 0.04 and n:
                self._revoke(dice, number)
            time.sleep(dice.expovariate(self.rate))

    def _customer(self, dice: random.Random, n: int, number: int) -> None:
        message_id, draw = f"m{n}", dice.random()
        with_picture = draw < 0.85 or self._trouble(draw, n) != ""
        trouble = self._trouble(draw, n)
        order_id = f"{trouble}{n:07d}" if trouble else f"70000000{number:02d}"
        data = {
            "conversation_id": f"c{number}",
            "message_id": message_id,
            "customer": {"id": f"u{number}"},
            "text": "where is my order" if with_picture else "what do you recommend for my aunt",
            "attachments": [{"url": engine.picture_of(order_id, n)}] if with_picture else [],
        }
        self._post("message.created", data, f"evt_{n}", dice.uniform(0, 0.2) if dice.random() < 0.2 else 0.0)
        if dice.random() < 0.15:
            self.counts["webhook doubled"] += 1
            self._post("message.created", data, f"evt_{n}", dice.uniform(0, 1))
        if dice.random() < 0.05:
            self.counts["message in two deliveries"] += 1
            self._post("message.created", data, f"evt_{n}_again", dice.uniform(0, 1))
        if dice.random() < 0.03:
            self.counts["order changed"] += 1
            order = order_of(number, updated_at=datetime.now(UTC)).model_dump(mode="json")
            self._post("order.upserted", order, f"evt_o{n}", 0.0)

    def _trouble(self, draw: float, n: int) -> str:
        """What a picture does to the engine; empty: nothing."""
        if self.network:
            return IN_A_NETWORK.get(n % EVERY, "")
        return engine.POISON if draw < 0.01 else engine.STICKY if draw < 0.04 else ""

    def _person(self, dice: random.Random, number: int) -> None:
        self.counts["takeover"] += 1
        now, later = datetime.now(UTC), dice.uniform(1.5, 4)
        taken = {"conversation_id": f"c{number}", "at": now.isoformat()}
        given = {"conversation_id": f"c{number}", "at": (now + timedelta(seconds=later)).isoformat()}
        self._post("conversation.taken_by_human", taken, f"evt_t{time.monotonic_ns()}", 0.0)
        self._post("conversation.released", given, f"evt_r{time.monotonic_ns()}", later)

    def _revoke(self, dice: random.Random, number: int) -> None:
        mine = [message for message, name in list(self.outside.accepted.items())[-40:] if name == f"c{number}"]
        if mine:
            self.counts["revoke"] += 1
            data = {"conversation_id": f"c{number}", "message_id": dice.choice(mine)}
            self._post("message.revoked", data, f"evt_v{time.monotonic_ns()}", 0.0)

    def _post(self, kind: str, data: dict[str, Any], delivery_id: str, delay_s: float) -> None:
        with self._lock:
            self.todo.append((time.monotonic() + delay_s, kind, data, delivery_id))

    def _next(self) -> tuple[float, str, dict[str, Any], str] | None:
        with self._lock:
            due = [i for i, item in enumerate(self.todo) if item[0] <= time.monotonic()]
            return self.todo.pop(due[0]) if due else None

    def poster(self) -> None:
        """Posts what is due; what is not acknowledged comes again later, as platforms do."""
        with httpx.Client(timeout=8, trust_env=False) as client:
            while not self.over:
                item = self._next()
                if item is None:
                    time.sleep(0.01)
                    continue
                _, kind, data, delivery_id = item
                if kind == "conversation.released":  # it may be stored although its answer gets lost
                    self.outside.released.append((data["conversation_id"], data["at"], time.monotonic()))
                headers, body = testing.sign_webhook(testing.shop_event(kind, data), delivery_id=delivery_id)
                try:
                    status = client.post(
                        f"http://127.0.0.1:{self.port}/webhooks/generic/shop", content=body, headers=headers
                    ).status_code
                except httpx.TransportError:
                    status = 0
                if status == 200:
                    self._acknowledged(kind, data)
                else:
                    self.counts[f"webhook answered {status}"] += 1
                    self._post(kind, data, delivery_id, 0.5)

    def _acknowledged(self, kind: str, data: dict[str, Any]) -> None:
        now = time.monotonic()
        if kind == "message.created":
            self.outside.accepted.setdefault(data["message_id"], data["conversation_id"])
        elif kind == "message.revoked":
            self.outside.revoked.setdefault(data["message_id"], now)
        elif kind == "conversation.taken_by_human":
            self.outside.taken.append((data["conversation_id"], data["at"], now))
