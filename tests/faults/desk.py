"""The people of the review queue: they claim, wait, and decide on what their screen shows."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from cs_bot import review
from cs_bot.errors import Conflict, NotFound
from cs_bot.store.queries import agents
from cs_bot.store.tables import reviews
from tests.faults import promises
from tests.faults.world import World

ACTIONS = ("approve", "edit", "reject", "reject with text", "dismiss", "hand over", "release")


@dataclass(frozen=True)
class Card:
    """What an agent's screen shows."""

    agent_id: int
    review_id: int
    version: int


@dataclass
class Desk:
    """Two agents. Cards stay on their screens however old they get."""

    world: World
    cards: list[Card] = field(default_factory=list)

    def __post_init__(self) -> None:
        with self.world.database.write() as tx:
            self.agents = [agents.add(tx, name=f"agent {n}", role="agent", token_sha256=f"{n}" * 64) for n in (1, 2)]

    def open_reviews(self) -> list[tuple[int, int]]:
        """(id, version) of the open reviews, oldest first."""
        with self.world.database.read() as tx:
            found = tx.rows(select(reviews.c.id, reviews.c.version).where(reviews.c.state == "open"))
            return sorted((row["id"], row["version"]) for row in found)

    def take(self, index: int = 0, agent: int = 0) -> Card | None:
        """An agent claims an open review; None when there is none or somebody else has it."""
        found = self.open_reviews()
        if not found:
            return None
        review_id, version = found[index % len(found)]
        agent_id, rules = self.agents[agent], self.world.settings.review
        card = self._try(
            lambda: review.claim(self.world.database, review_id, agent_id=agent_id, version=version, rules=rules),
            agent_id,
        )
        if card is not None:
            self.cards.append(card)
        self.world.done()
        return card

    def act(self, card: Card, action: str) -> bool:
        """An agent decides on what the screen shows; False when it was refused."""
        self.cards = [c for c in self.cards if c is not card]
        before = promises.before_act(self.world.database, card.review_id)
        done = self._try(self._calls(card)[action], card.agent_id)
        promises.act_was_right(self.world.database, card.version, before, done is not None)
        if done is not None and action == "reject":
            self.cards.append(done)
        self.world.done()
        return done is not None

    def _calls(self, card: Card) -> dict[str, Callable[[], Any]]:
        database, review_id = self.world.database, card.review_id
        seen: dict[str, Any] = {"agent_id": card.agent_id, "version": card.version}
        ruled = {**seen, "rules": self.world.settings.review}
        return {
            "approve": lambda: review.approve(database, review_id, **ruled),
            "edit": lambda: review.edit(database, review_id, **ruled, text="another answer"),
            "reject": lambda: review.reject(database, review_id, **ruled, reason="wrong"),
            "reject with text": lambda: review.reject(
                database, review_id, **ruled, reason="wrong", text="a better one"
            ),
            "dismiss": lambda: review.dismiss(database, review_id, **seen, reason="spam"),
            "hand over": lambda: review.hand_over(database, review_id, **seen),
            "release": lambda: review.release(database, review_id, **seen),
        }

    def give_back(self, conversation_id: int) -> None:
        """An agent gives a conversation back to the bot."""
        review.give_back(self.world.database, conversation_id, agent_id=self.agents[0])
        self.world.memory.given_back(self.world.database, conversation_id)
        self.world.done()

    def _try(self, call: Callable[[], Any], agent_id: int) -> Card | None:
        try:
            shown = call()
        except (Conflict, NotFound):
            return None
        return Card(agent_id, shown.review_id, shown.version)
