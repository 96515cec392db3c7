"""One page's variables for its template, and its ground truth."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from cs_bot.records import OrderStatus
from tests.screens import labels, words
from tests.screens.catalog import PageSpec
from tests.screens.orders import Item, OrderContent, goods, make_order, money, plain
from tests.screens.statuses import STATUS_WORDS

HTML_LANG = {"zh": "zh-CN", "zh-Hant": "zh-TW"}
CJK = {"zh": "SC", "zh-Hant": "TC", "ja": "JP", "ko": "KR"}
UNPAID = (OrderStatus.PENDING_PAYMENT, OrderStatus.CANCELLED)
ON_THE_WAY = (OrderStatus.SHIPPED, OrderStatus.DELIVERED, OrderStatus.COMPLETED)
ALL_FIELDS = ("order_id", "amount", "currency", "status", "status_text", "order_time")


@dataclass(frozen=True)
class Page:
    """A page ready to be rendered: template variables and what a reader should find."""

    variables: dict[str, Any]
    fields: dict[str, str | None]


def _english(at: datetime) -> str:
    return f"{words.MONTHS[at.month - 1]} {at.day}, {at.year}"


def _clock(at: datetime) -> str:
    return f"{at.hour % 12 or 12}:{at.minute:02d} {'am' if at.hour < 12 else 'pm'}"


def _japanese(at: datetime) -> str:
    return f"{at.year}年{at.month}月{at.day}日"


Form = tuple[Callable[[datetime], str], str]  # how it is printed, and the ISO form of what that tells
SECONDS, MINUTES, DAY = "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"


def time_form(spec: PageSpec) -> Form:
    """How this page prints the order's time, with the strftime form of what can be read from it."""
    alt, british = spec.opts["alt_layout"], spec.currency == "GBP"
    day = (lambda at: f"{at.day} {words.MONTHS[at.month - 1]} {at.year}") if british else _english
    forms: dict[str, Form] = {
        "wechat": (lambda at: f"{_japanese(at)} {at:%H:%M}", MINUTES)
        if alt
        else (lambda at: f"{at:%Y-%m-%d %H:%M:%S}", SECONDS),
        "shopify": (lambda at: f"{day(at)} at {_clock(at)}", MINUTES)
        if alt
        else (lambda at: f"{at:%b} {at.day}, {at.year}", DAY),
        "amazon": (day, DAY),
        "amazon_ja": (_japanese, DAY),
        "rakuten": (_japanese, DAY)
        if alt
        else (lambda at: f"{at:%Y/%m/%d}({words.WEEKDAYS_JA[at.weekday()]}) {at:%H:%M:%S}", SECONDS),
        "shopee_tw": (lambda at: f"{at:%Y-%m-%d %H:%M}", MINUTES),
        "shopee_en": (lambda at: f"{at:%d-%m-%Y %H:%M}", MINUTES),
        "foreign_ko": (lambda at: f"{at:%Y.%m.%d %H:%M}", MINUTES),
        "foreign_ru": (lambda at: f"{at:%d.%m.%Y %H:%M}", MINUTES),
    }
    return forms.get(spec.look, (lambda at: f"{at:%Y-%m-%d %H:%M:%S}", SECONDS))


def _short_day(language: str) -> Callable[[datetime], str]:
    if language == "ja":
        return lambda at: f"{at.month}月{at.day}日"
    return lambda at: f"{words.MONTHS[at.month - 1]} {at.day}"


def item_view(item: Item, currency: str) -> dict[str, Any]:
    """One line of goods as the templates want it."""
    whole = money(item.price, currency)
    return {
        "name": item.name,
        "spec": item.spec,
        "quantity": item.quantity,
        "art": item.art,
        "money": whole,
        "line": money(item.price * item.quantity, currency),
        "yen": ("", whole[1], "", "円"),
    }


def recommendations(spec: PageSpec, count: int, rng: random.Random) -> list[dict[str, Any]]:
    """`count` cards of other goods with prices."""
    note = labels.LABELS.get(spec.language, {}).get("note", "%d")
    return [
        item_view(item, spec.currency) | {"note": note % rng.choice((23, 108, 400, 1200, 3000))}
        for item in goods(spec.language, spec.currency, count, rng)
    ]


def _sums(order: OrderContent, *, yen: bool = False) -> dict[str, tuple[str, str, str, str]]:
    shown = {
        name: money(getattr(order, name), order.currency) for name in ("subtotal", "shipping", "discount", "total")
    }
    return {name: ("", m[1], "", "円") for name, m in shown.items()} if yen else shown


def _font_stack(spec: PageSpec) -> str:
    latin = f'"{spec.opts["font"]}", ' if spec.opts["font"] else ""
    return f'{latin}"Noto Sans CJK {CJK.get(spec.language, "SC")}", "DejaVu Sans", sans-serif'


def _order_variables(spec: PageSpec, order: OrderContent, form: Form) -> dict[str, Any]:
    status = order.status
    stamp = (
        (lambda at: f"{at:%Y-%m-%d %H:%M}")
        if spec.language in ("ja", "zh-Hant", "en")
        else (lambda at: f"{at:%Y-%m-%d %H:%M:%S}")
    )
    if spec.look == "shopify":
        stamp = _english
    elif spec.look == "shopee_en":
        stamp = form[0]
    return {
        "S": str(status),
        "M": _sums(order),
        "Y": _sums(order, yen=True),
        "t": stamp,
        "dshort": _short_day(spec.language),
        "time_text": form[0](order.created),
        "date_only": form[1] == DAY,
        "after_pay": status not in UNPAID,
        "after_ship": status in ON_THE_WAY,
        "stated": status in ON_THE_WAY,
        "refund": status in (OrderStatus.REFUNDING, OrderStatus.REFUNDED),
        "done": status is OrderStatus.COMPLETED,
        "alt_sub": "amount" if order.subtotal == order.total else "",
        "no_id": spec.opts["missing"] == "id",
        "no_time": spec.opts["missing"] == "time",
        "lead": "lead" if spec.opts["alt_layout"] else "",
        "colon": ":" if spec.opts["steps"] else "",
        "buttons": labels.BUTTONS.get(spec.language, {}).get(str(status), ()),
    }


def _truth(spec: PageSpec, order: OrderContent, status_text: str, form: Form) -> dict[str, str | None]:
    if spec.kind not in ("order", "foreign"):
        return dict.fromkeys(ALL_FIELDS)
    missing = spec.opts["missing"]
    return {
        "order_id": None if missing == "id" else order.order_id,
        "amount": plain(order.total, order.currency),
        "currency": order.currency,
        "status": str(order.status),
        "status_text": status_text,
        "order_time": None if missing == "time" else order.created.strftime(form[1]),
    }


def _several(spec: PageSpec, rng: random.Random) -> list[dict[str, Any]]:
    """Three or four orders of one list, or shops of one cart."""
    found = []
    for number in range(rng.choice((3, 4))):
        status = (OrderStatus.SHIPPED, OrderStatus.COMPLETED, OrderStatus.PAID, OrderStatus.CANCELLED)[number]
        order = make_order(spec.numbers, spec.language, spec.currency, status, rng, lines=rng.choice((1, 1, 2)))
        choices = STATUS_WORDS[spec.words]
        found.append(
            {
                "o": order,
                "items": [item_view(i, spec.currency) for i in order.items],
                "total": money(order.total, spec.currency),
                "status": choices.get(status, choices[OrderStatus.DELIVERED])[0],
                "pieces": sum(i.quantity for i in order.items),
                "date": time_form(spec)[0](order.created),
                "buttons": labels.BUTTONS[spec.language][str(status)],
            }
        )
    return found


def _chat(spec: PageSpec, order: OrderContent) -> list[dict[str, Any]]:
    talks = labels.CHATS[spec.language]
    talk = talks[spec.opts["number"] % len(talks)]
    price = "".join(money(order.total, order.currency))
    lines: list[dict[str, Any]] = []
    time = ""
    for line in talk:
        if line.startswith("@"):
            time = line[1:]
            continue
        text = line.lstrip("*").format(order_id=order.order_id, price=price, tracking=order.tracking)
        lines.append({"time": time, "me": line[0] in "*+", "card": line == "+", "text": text})
        time = ""
    return lines


def _surroundings(spec: PageSpec, order: OrderContent, rng: random.Random) -> dict[str, Any]:
    """What the pages that are no order page need on top."""
    names = labels.LABELS[spec.language]
    more: dict[str, Any] = {"L": names, "several": _several(spec, rng), "many": recommendations(spec, 8, rng)}
    more["recs0"] = more["many"][0]
    if spec.look == "chat":
        more["chat"] = _chat(spec, order)
    if spec.look == "logistics":
        more["events"] = [
            {"head": head, "text": text, "at": f"{order.received - timedelta(hours=7 * n):%m-%d %H:%M}"}
            for n, (head, text) in enumerate(zip(names["heads"], names["events"], strict=True))
        ]
    if spec.look == "coupons":
        offs = [Decimal(rng.choice((5, 10, 20, 30, 50))) for _ in range(6)]
        more["coupons"] = [
            {
                "off": ("" if spec.currency == "CNY" else "$", f"{off}", "", ""),
                "rule": names["rule"] % (off * 9),
                "name": f"{rng.choice(words.SHOPS[spec.language])} {names['cname']}",
                "until": names["until"] % f"{order.received + timedelta(days=9 * n):%Y.%m.%d}",
            }
            for n, off in enumerate(offs)
        ]
    return more


def build(spec: PageSpec, *, tall: bool = False) -> Page:
    """Template variables and truth of one page; `tall` adds goods enough to fill a page of 8,000 pixels and more."""
    rng = random.Random(spec.seed)
    status = spec.status or OrderStatus.SHIPPED
    order = make_order(spec.numbers, spec.language, spec.currency, status, rng, lines=spec.opts["lines"])
    choices = STATUS_WORDS[spec.words][status]
    status_text = rng.choice(choices)
    form = time_form(spec)
    variables: dict[str, Any] = {
        "p": spec,
        "o": order,
        "status_text": status_text,
        "html_lang": HTML_LANG.get(spec.language, spec.language),
        "font_stack": _font_stack(spec),
        "items": [item_view(i, spec.currency) for i in order.items],
        "recs": recommendations(spec, 40 if tall else spec.opts["recs"], rng),
    }
    variables |= _order_variables(spec, order, form)
    if spec.kind in ("list", "other"):
        variables |= _surroundings(spec, order, rng)
    return Page(variables, _truth(spec, order, status_text, form))
