"""Turns that were decided and judged, written straight into the tables, for tests of calibration and roll-out."""

import random
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert, select

from cs_bot.calibration import name_of
from cs_bot.records import Action, Decision, Fit, Kind, Mode, Policy, Reason, Route
from cs_bot.store.database import Database, Transaction
from cs_bot.store.queries import agents, audits, policies, turns
from cs_bot.store.tables import audit, conversations, judgements, reviews
from cs_bot.store.tables import audits as audits_table
from cs_bot.store.tables import turns as turns_table

Key = tuple[Kind, Route]
FAQ = (Kind.TEXT, Route.FAQ)
PROOF = (Kind.ORDER, Route.PROOF)


class Shop:
    """Turns of one conversation that were decided, and what people said of them."""

    def __init__(self, database: Database, **policy: Any) -> None:
        self.database, self._rng = database, random.Random(3)
        with database.write() as tx:
            now = tx.now()
            self.agent_id = agents.add(tx, name="mei", role="agent", token_sha256="0" * 64)
            values = {"channel": "generic", "account": "shop", "external_id": "c", "owner": "bot"}
            times = {"created_at": now, "updated_at": now}
            self.conversation_id = tx.value(
                insert(conversations).values({**values, **times}).returning(conversations.c.id)
            )
            self.review_id = tx.value(
                insert(reviews)
                .values(
                    conversation_id=self.conversation_id,
                    state="closed",
                    reasons=[],
                    suggestion="",
                    opened_at=now,
                    due_at=now,
                )
                .returning(reviews.c.id)
            )
            policies.seed(tx, Policy(**policy))

    @property
    def policy(self) -> Policy:
        """The newest."""
        with self.database.read() as tx:
            found = policies.current(tx)
        assert found is not None
        return found

    def decide(self, count: int, key: Key = FAQ, **values: Any) -> list[tuple[int, int, Decision]]:
        """So many turns, decided under the present policy: (turn, decision row, decision)."""
        made = []
        policy = self.policy
        with self.database.write() as tx:
            for _ in range(count):
                now = tx.now()
                turn = {"conversation_id": self.conversation_id, "origin": "customer", "state": "finished"}
                times = {"started_at": now, "deadline_at": now, "first_seq": 1, "last_seq": 1}
                turn_id = tx.value(insert(turns_table).values({**turn, **times}).returning(turns_table.c.id))
                base: dict[str, Any] = {
                    "action": Action.REVIEW,
                    "mode": Mode.ASSIST,
                    "reasons": (Reason.MODE_ASSIST,),
                    "eligible": True,
                }
                score = self._rng.random()
                decision = Decision(
                    **{
                        **base,
                        "kind": key[0],
                        "route": key[1],
                        "suggestion": "",
                        "policy_version": policy.version,
                        "signals": {"faq.score": score, "faq.margin": self._rng.random()},
                        "engines": ("templates",),
                        **values,
                    }
                )
                made.append((turn_id, turns.add_decision(tx, turn_id, decision), decision))
        return made

    def judge(self, count: int, *, wrong: int = 0, counts: bool = True, **values: Any) -> None:
        """So many held drafts that people judged, the first `wrong` of them wrong."""
        rows = self.decide(count, **values)
        with self.database.write() as tx:
            for place, row in enumerate(rows):
                right = place >= wrong
                self._judged(
                    tx, row, verdict="approve" if right else "reject", right=right, distance=0.0, counts=counts
                )

    def shadow(self, verdicts: list[bool | None], key: Key = FAQ) -> list[int]:
        """Drafts beside which people answered without seeing them: right, wrong or not judged; the turns."""
        hidden = {"mode": Mode.SHADOW, "reasons": (Reason.MODE_SHADOW,)}
        rows = self.decide(len(verdicts), key, **hidden)
        with self.database.write() as tx:
            for row, right in zip(rows, verdicts, strict=True):
                self._judged(tx, row, verdict="shadow", right=right, distance=0.7, counts=True)
        return [turn_id for turn_id, _, _ in rows]

    def _judged(self, tx: Transaction, row: tuple[int, int, Decision], **values: Any) -> None:
        turn_id, decision_id, decision = row
        tx.execute(
            insert(judgements).values(
                review_id=self.review_id,
                turn_id=turn_id,
                decision_id=decision_id,
                agent_id=self.agent_id,
                kind=decision.kind,
                route=decision.route,
                flags=[],
                policy_version=decision.policy_version,
                at=tx.now(),
                **values,
            )
        )

    def audit(self, verdicts: list[bool], key: Key = FAQ) -> None:
        """Replies that were sent alone under the present policy, drawn and judged in this order (True = wrong)."""
        share = self.policy.shares.get(name_of(key), 1.0)
        sent = {"action": Action.SEND, "mode": Mode.AUTO, "reasons": (Reason.CALIBRATED,), "share": share}
        rows = self.decide(len(verdicts), key, **sent, audit_rate=1.0)
        with self.database.write() as tx:
            for (turn_id, decision_id, decision), wrong in zip(rows, verdicts, strict=True):
                audits.put_aside(tx, turn_id, decision_id, decision)
                audits.put_aside(tx, turn_id, decision_id, decision)  # a second time changes nothing
                audit_id = tx.value(select(audits_table.c.id).where(audits_table.c.turn_id == turn_id))
                assert audits.judge(tx, audit_id, agent_id=self.agent_id, right=not wrong, note="")
                assert not audits.judge(tx, audit_id, agent_id=self.agent_id, right=wrong, note="")

    def steps(self) -> list[dict[str, Any]]:
        """What the audit table says of the gate's steps."""
        with self.database.read() as tx:
            rows = tx.rows(select(audit).where(audit.c.action == "gate.step").order_by(audit.c.id))
        return [{"actor": row["actor"], **row["detail"]} for row in rows]


def a_fit(**values: Any) -> Fit:
    moment = datetime(2026, 6, 1, tzinfo=UTC)
    base: dict[str, Any] = {"version": 1, "weights": {"faq.score": 5.0}, "bias": -2.5, "engines": ("templates",)}
    tested = {"threshold": 0.5, "target": 0.02, "n": 200, "wrong": 0, "bound": 0.0149}
    return Fit(**{**base, **tested, "data_from": moment, "data_to": moment, "created_at": moment, **values})
