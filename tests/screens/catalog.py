"""Which pages there are: look, template, language, device, status and seed of each."""

import random
from dataclasses import dataclass, field
from typing import Any

from cs_bot.records import OrderStatus


@dataclass(frozen=True)
class Device:
    """A screen in CSS pixels and its device scale."""

    width: int
    height: int
    scale: float

    @property
    def desktop(self) -> bool:
        """Wider than any phone."""
        return self.width > 600


@dataclass(frozen=True)
class PageSpec:
    """One page. `kind` is order, list, other or foreign; `words` picks the status words; `opts` steers the template."""

    page_id: str
    kind: str
    look: str
    numbers: str
    words: str
    template: str
    language: str
    currency: str
    status: OrderStatus | None
    device: Device
    dark: bool
    seed: str
    opts: dict[str, Any] = field(default_factory=dict)


PHONES = (
    Device(390, 844, 3),
    Device(411, 823, 2.625),
    Device(375, 812, 3),
    Device(393, 852, 3),
    Device(414, 896, 2),
    Device(430, 932, 3),
    Device(375, 667, 2),
    Device(412, 915, 2.625),
)
DESKTOPS = (Device(1280, 900, 1.5), Device(1440, 900, 1.75), Device(1180, 820, 2))
STATUSES = tuple(OrderStatus)
SAME_WORD = {
    ("amazon", OrderStatus.COMPLETED): OrderStatus.DELIVERED,
    ("amazon_ja", OrderStatus.COMPLETED): OrderStatus.DELIVERED,
}

# look, template, number format, status words, language, currencies in turn, pages on phones, pages on desktop
ORDER_LOOKS: tuple[tuple[str, str, str, str, str, tuple[str, ...], int, int], ...] = (
    ("taobao", "taobao.html", "taobao", "taobao", "zh", ("CNY",), 9, 0),
    ("jd", "jd.html", "jd", "jd", "zh", ("CNY",), 8, 0),
    ("pdd", "pdd.html", "pdd", "pdd", "zh", ("CNY",), 8, 0),
    ("douyin", "douyin.html", "douyin", "douyin", "zh", ("CNY",), 8, 0),
    ("wechat", "wechat.html", "wechat", "wechat", "zh", ("CNY",), 8, 0),
    ("notes", "notes.html", "notes", "notes", "zh", ("CNY",), 6, 0),
    ("taobao_web", "zh_desktop.html", "taobao", "taobao", "zh", ("CNY",), 0, 2),
    ("jd_web", "zh_desktop.html", "jd", "jd", "zh", ("CNY",), 0, 2),
    ("shopify", "shopify.html", "shopify", "shopify", "en", ("USD", "USD", "GBP"), 7, 2),
    ("amazon", "amazon.html", "amazon", "amazon", "en", ("USD", "USD", "GBP"), 7, 2),
    ("amazon_ja", "amazon.html", "amazon", "amazon_ja", "ja", ("JPY",), 6, 1),
    ("rakuten", "rakuten.html", "rakuten", "rakuten", "ja", ("JPY",), 6, 2),
    ("shopee_tw", "shopee.html", "shopee", "shopee", "zh-Hant", ("TWD",), 8, 0),
    ("shopee_en", "shopee.html", "shopee", "shopee_en", "en", ("MYR", "SGD"), 6, 0),
)
LISTS: tuple[tuple[str, str, str, str, str], ...] = (  # look, number format, status words, language, currency
    ("taobao", "taobao", "taobao", "zh", "CNY"),
    ("jd", "jd", "jd", "zh", "CNY"),
    ("pdd", "pdd", "pdd", "zh", "CNY"),
    ("douyin", "douyin", "douyin", "zh", "CNY"),
    ("amazon", "amazon", "amazon", "en", "USD"),
    ("shopee_tw", "shopee", "shopee", "zh-Hant", "TWD"),
    ("rakuten", "rakuten", "rakuten", "ja", "JPY"),
    ("shopify", "shopify", "shopify", "en", "USD"),
)
OTHERS: tuple[tuple[str, str, tuple[str, ...]], ...] = (  # name, template, one page per language given
    ("chat", "chat.html", ("zh", "zh", "en", "ja", "zh-Hant")),
    ("cart", "cart.html", ("zh", "zh", "en", "ja", "zh-Hant")),
    ("logistics", "logistics.html", ("zh", "zh", "en", "ja", "zh-Hant")),
    ("product", "product.html", ("zh", "zh", "en", "ja")),
    ("settings", "settings.html", ("zh", "en")),
    ("search", "search.html", ("zh", "en", "ja")),
    ("label", "label.html", ("zh", "en")),
    ("coupons", "coupons.html", ("zh", "zh-Hant", "en")),
)
CURRENCY = {"zh": "CNY", "en": "USD", "ja": "JPY", "zh-Hant": "TWD", "ko": "KRW", "ru": "RUB"}
MISSING = {"taobao": 5, "douyin": 3, "amazon": 4, "shopify": 6, "wechat": 6}  # the page of a look that lacks a field


def _options(look: str, number: int, rng: random.Random) -> dict[str, Any]:
    missing = rng.choice(("time", "id")) if MISSING.get(look) == number else ""
    return {
        "lines": rng.choice((1, 1, 1, 2, 2, 3)),
        "copy_style": rng.choice(("text", "icon", "pill", "bar")),
        "recs": rng.choice((0, 0, 2, 4)),
        "hint": rng.random() < 0.6,
        "steps": rng.random() < 0.4,
        "alt_layout": number % 2 == 1,
        "screen": rng.random() < 0.25,  # only what fits the phone's screen, scrolled to the number
        "missing": missing,
        "clock": f"{rng.randint(7, 23)}:{rng.randint(0, 59):02d}",
        "battery": rng.randint(12, 100),
        "font": rng.choice(("Liberation Sans", "Liberation Sans", "DejaVu Sans", "")),
    }


def _order_pages(seed: int) -> list[PageSpec]:
    pages = []
    for offset, (look, template, numbers, words, language, currencies, phones, desktops) in enumerate(ORDER_LOOKS):
        for number in range(phones + desktops):
            key = f"{seed}/{look}/{number}"
            rng = random.Random(key)
            desktop = number >= phones
            status = STATUSES[(number + offset * 3) % len(STATUSES)]
            device = (
                DESKTOPS[(number - phones + offset) % 3] if desktop else PHONES[(number * 3 + offset) % len(PHONES)]
            )
            pages.append(
                PageSpec(
                    page_id=f"{look}-{number:02d}",
                    kind="order",
                    look=look,
                    numbers=numbers,
                    words=words,
                    template=template,
                    language=language,
                    currency=currencies[number % len(currencies)],
                    status=SAME_WORD.get((words, status), status),
                    device=device,
                    dark=(number + offset) % 3 == 0 and not desktop,
                    seed=key,
                    opts=_options(look, number, rng),
                )
            )
    return pages


def _plain(kind: str, name: str, number: int, seed: int, **more: Any) -> PageSpec:
    key = f"{seed}/{kind}/{name}/{number}"
    rng = random.Random(key)
    return PageSpec(
        page_id=f"{kind}-{name}-{number:02d}",
        kind=kind,
        device=more.pop("device", PHONES[rng.randrange(len(PHONES))]),
        dark=rng.random() < 0.25,
        seed=key,
        opts=_options(name, -1, rng) | {"number": number} | more.pop("opts", {}),
        **more,
    )


def _list_pages(seed: int) -> list[PageSpec]:
    return [
        _plain(
            "list",
            look,
            0,
            seed,
            look=look,
            numbers=numbers,
            words=words,
            template="list.html",
            language=language,
            currency=currency,
            status=None,
        )
        for look, numbers, words, language, currency in LISTS
    ]


def _other_pages(seed: int) -> list[PageSpec]:
    formats = {
        "zh": ("taobao", "taobao"),
        "en": ("amazon", "amazon"),
        "ja": ("rakuten", "rakuten"),
        "zh-Hant": ("shopee", "shopee"),
    }
    return [
        _plain(
            "other",
            name,
            number,
            seed,
            look=name,
            numbers=formats[language][0],
            words=formats[language][1],
            template=template,
            language=language,
            currency=CURRENCY[language],
            status=OrderStatus.SHIPPED,
        )
        for name, template, languages in OTHERS
        for number, language in enumerate(languages)
    ]


def _foreign_pages(seed: int) -> list[PageSpec]:
    return [
        _plain(
            "foreign",
            language,
            number,
            seed,
            look=f"foreign_{language}",
            numbers="foreign",
            words=language,
            template="foreign.html",
            language=language,
            currency=CURRENCY[language],
            status=status,
        )
        for language in ("ko", "ru")
        for number, status in enumerate((OrderStatus.PAID, OrderStatus.DELIVERED))
    ]


def all_pages(seed: int) -> list[PageSpec]:
    """Every page of the corpus, in a fixed order."""
    return _order_pages(seed) + _list_pages(seed) + _other_pages(seed) + _foreign_pages(seed)
