"""Conversations that a person has to look at, made the way the product makes them."""

import base64
import io
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from PIL import Image

from cs_bot import bootstrap, fetch, receive, turns
from cs_bot.records import (
    Action,
    Decision,
    Draft,
    Facts,
    FaqHit,
    FieldState,
    Kind,
    Mode,
    Order,
    OrderStatus,
    ReadField,
    Reading,
    Reason,
    Route,
)
from cs_bot.review import list_open
from cs_bot.testing import a_look, shop_event, shop_message, shop_request

DRAFT = "您的订单 20268633688652 已发货。"
CONTEXT = {"fingerprint": "f", "engine": "e", "engine_version": "1", "prompt_version": "-"}


def say(services: bootstrap.Services, text: str = "我的订单到哪了?", **data: Any) -> None:
    """One message of a customer through the webhook's door."""
    request = shop_request(shop_event("message.created", shop_message(text, **data)))
    receive.receive(
        request,
        channel="generic",
        account="shop",
        channels=services.channels,
        database=services.database,
        ring=services.ring,
        settings=services.settings,
    )
    while fetch.fetch_next(services.database, media=services.media, settings=services.settings, ring=services.ring):
        pass


def a_picture(colour: str = "teal") -> str:
    """A small picture as a data address."""
    out = io.BytesIO()
    Image.new("RGB", (64, 48), colour).save(out, "PNG")
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


def an_order(order_id: str = "20268633688652") -> Order:
    """A shipped order of 89.00 CNY."""
    moment = datetime(2026, 2, 27, 2, 0, tzinfo=UTC)
    given = {"channel": "generic", "account": "shop", "customer_external_id": "u1", "status": OrderStatus.SHIPPED}
    times = {"ordered_at": moment, "shipped_at": moment, "updated_at": moment, "synced_at": moment}
    return Order(
        order_id=order_id, amount=Decimal("89.00"), currency="CNY", carrier="顺丰", tracking_no="SF1", **given, **times
    )


def hold(
    services: bootstrap.Services,
    *,
    draft: str | None = DRAFT,
    reasons: tuple[Reason, ...] = (Reason.MODE_ASSIST,),
    mode: Mode = Mode.ASSIST,
    eligible: bool = False,
    faq: tuple[FaqHit, ...] = (),
) -> int:
    """Claim what waits (the settings must make it due at once), decide for a person; the review's id."""
    [turn] = turns.claim(services.database, settings=services.settings, policy=services.policy(), limit=1)
    fields = {"order_id": ReadField(value="20268633688652", state=FieldState.CONFIRM, guards=("EDGE",))}
    looks = tuple(a_look(p.sha256, Kind.ORDER, fields=fields) for p in turn.pictures if p.sha256 is not None)
    said = {"template_id": "t", "slots": {}, "language": "zh", "kind": Kind.ORDER, "route": Route.PROOF, **CONTEXT}
    words = None if draft is None else Draft(template=draft, text=draft, **said)
    work = turns.Work(
        looks=looks,
        reading=Reading(kind=Kind.ORDER, kinds={Kind.ORDER: 1.0}, looks=looks, question=turn.text),
        facts=Facts(order=an_order(), owned_by="customer_id", second_field="amount", fingerprint="f", faq=faq),
        draft=words,
        decision=Decision(
            action=Action.REVIEW,
            mode=mode,
            eligible=eligible,
            kind=Kind.ORDER,
            route=Route.PROOF,
            reasons=reasons,
            suggestion="probably an order question",
            policy_version=1,
        ),
        fact_keys={},
    )
    assert turns.finish(services.database, turn, work, settings=services.settings) is turns.Finished.REVIEW
    return max(summary.review_id for summary in list_open(services.database))
