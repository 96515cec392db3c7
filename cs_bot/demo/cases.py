"""The demo's stories of one message as labelled cases for `cs-bot evaluate`."""

import json
from collections.abc import Iterator
from pathlib import Path

from cs_bot.demo.scenario import INSIDE, MISSING, Expect, Outcome, Say, Scenario
from cs_bot.demo.shop import PICTURES, DemoShop
from cs_bot.demo.stories import build_scenarios
from cs_bot.evaluate import Case, Expected
from cs_bot.records import Action, Kind, Reason

CASES = "cases.jsonl"
ACTIONS = {Outcome.BOT: Action.SEND, Outcome.REVIEW: Action.REVIEW}


def demo_cases(shop: DemoShop) -> tuple[Case, ...]:
    """One case for each story that one message tells; what takes time, people or a platform is left out."""
    return tuple(case for scenario in build_scenarios(shop) for case in _case(shop, scenario))


def write_cases(shop: DemoShop) -> Path:
    """Write them beside the shop's records."""
    path = shop.folder / CASES
    rows = [case.model_dump(mode="json", exclude_defaults=True) for case in demo_cases(shop)]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8", newline="\n")
    return path


def _case(shop: DemoShop, scenario: Scenario) -> Iterator[Case]:
    if len(scenario.steps) != 1 or len(scenario.expects) != 1:
        return
    [say], [expect] = scenario.steps, scenario.expects
    plain = isinstance(say, Say) and say.sender == "customer" and not (say.forged or say.again or say.sent_ago_s)
    if not isinstance(say, Say) or not plain or expect.outcome not in ACTIONS or {MISSING, INSIDE} & set(say.pictures):
        return
    order = next((order for order in shop.orders if order.key == scenario.key), None)
    proven = order is not None and expect.outcome is Outcome.BOT
    yield Case(
        case_id=scenario.key,
        text=say.text,
        pictures=tuple(f"{PICTURES}/{name}" for name in say.pictures),
        customer=scenario.customer,
        tags=("goods",) if scenario.key.startswith("goods-") else (),
        expect=Expected(
            kind=expect.kind,
            action=ACTIONS[expect.outcome],
            contains=expect.contains,
            without=expect.without,
            products=_products(shop, expect) if scenario.key.startswith("goods-") else None,
            fields={"order_id": order.order_id} if proven and order is not None else {},
        ),
    )


def _products(shop: DemoShop, expect: Expect) -> tuple[str, ...] | None:
    """The ids that must clearly be found: those whose titles the draft states, then "" for what the shop lacks."""
    stated = [part for part in expect.contains if any(part == product.title for product in shop.products)]
    found = [next(product.product_id for product in shop.products if product.title == title) for title in stated]
    lacking = expect.kind in (Kind.PRODUCT, Kind.COMPARISON) and Reason.PRODUCT_UNKNOWN in (
        *expect.reasons,
        *expect.any_reason,
    )
    return tuple([*found, *([""] if lacking else [])]) or None
