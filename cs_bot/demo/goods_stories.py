"""The demo's stories about goods: pictures seen elsewhere, comparisons, rooms, follow-up questions."""

from cs_bot.demo.ends import differing
from cs_bot.demo.goods import DemoProduct
from cs_bot.demo.orders import make_person
from cs_bot.demo.scenario import Approve, Expect, Outcome, Say, Scenario
from cs_bot.demo.shop import DemoShop
from cs_bot.records import Kind, Reason
from cs_bot.schemas import Person

REVIEW = Outcome.REVIEW


def goods_scenarios(shop: DemoShop) -> tuple[Scenario, ...]:
    """Every story about goods. Until the shop's people have judged enough drafts, each waits for a person."""
    return (*_one_product(shop), *_several(shop), *_no_answer(shop), *_follow_ups(shop))


def facts_of(product: DemoProduct, *, price: bool = True) -> tuple[str, ...]:
    """What a draft about the product must state."""
    return (product.title, f"{product.price:.2f}") if price else (product.title,)


def _customer(shop: DemoShop, key: str, language: str = "zh") -> Person:
    return make_person(f"goods/{key}", language, shop.seed, 500 + sum(key.encode()) % 97)


def _story(
    shop: DemoShop, key: str, title: str, say: Say, *, language: str = "zh", kind: Kind = Kind.PRODUCT, **expect: object
) -> Scenario:
    expected = Expect(say.name, REVIEW, kind=kind, **expect)  # type: ignore[arg-type]
    return Scenario(f"goods-{key}", title, _customer(shop, key, language), (say,), (expected,), (0, 0))


def _one_product(shop: DemoShop) -> list[Scenario]:
    mug, shirt, other = shop.product("mug-2"), shop.product("shirt-1"), shop.product("mug-1-other")
    cushion, shoe = shop.product("cushion-2"), shop.product("shoe-3")
    return [
        _story(
            shop,
            "repost",
            "a product's picture, sent back (zh)",
            Say("m1", "这款还有吗？多少钱？", ("repost-mug-2.jpg",)),
            reasons=(Reason.MODE_ASSIST,),
            contains=facts_of(mug),
        ),
        _story(
            shop,
            "price-en",
            "the price of a product seen on a page (en)",
            Say("m1", "How much is this one?", ("page-cushion-2.jpg",)),
            language="en",
            reasons=(Reason.MODE_ASSIST,),
            contains=facts_of(cushion),
        ),
        _story(
            shop,
            "size",
            "a size of a product on a page",
            Say("m1", "这双有40码的吗？", ("page-shoe-3.jpg",)),
            contains=facts_of(shoe, price=False),
        ),
        _story(
            shop,
            "link",
            "the link of a product",
            Say("m1", "求这件衣服的链接", ("repost-shirt-1.jpg",)),
            contains=(shirt.title, f"https://shop.example/p/{shirt.product_id}"),
        ),
        _story(
            shop,
            "sibling",
            "a product that has a sister in another colour",
            Say("m1", "这个杯子有货吗？", ("repost-mug-1-other.jpg",)),
            contains=facts_of(other, price=False),
        ),
        _story(
            shop,
            "words",
            "asked in words alone",
            Say("m1", f"你们家的{shop.product('lamp-1').title[:8]}多少钱？"),
            kind=Kind.TEXT,
            contains=facts_of(shop.product("lamp-1")),
        ),
        _story(
            shop,
            "code",
            "asked by its number",
            Say("m1", f"货号{mug.product_id}多少钱？"),
            kind=Kind.TEXT,
            contains=facts_of(mug),
        ),
    ]


def _several(shop: DemoShop) -> list[Scenario]:
    left, right = shop.product("bottle-1"), shop.product("bottle-2")
    mug, bag, book = shop.product("mug-2"), shop.product("bag-3"), shop.product("book-1")
    own = shop.order("zh-shipped")
    mixed = Say("m1", "这个订单到哪了？还有这个包多少钱？", ("zh-shipped.png", "repost-bag-3.jpg"))
    return [
        _story(
            shop,
            "compare",
            "two products side by side",
            Say("m1", "这两个杯子哪个好？", ("two-bottles.jpg",)),
            kind=Kind.COMPARISON,
            contains=(left.title, right.title),
        ),
        differing(
            _story(
                shop,
                "compare-one",
                "two things, one of them the shop's",
                Say("m1", "这两个对比一下哪个好？", ("one-known.jpg",)),
                kind=Kind.COMPARISON,
                contains=(book.title,),
                reasons=(Reason.PRODUCT_UNKNOWN,),
            ),
            "openai",
            reasons=(Reason.PRODUCT_CLOSE,),
        ),
        _story(
            shop,
            "two-colours",
            "the same thing in two colours",
            Say("m1", "这两个颜色哪个好看？", ("two-mugs.jpg",)),
            kind=Kind.COMPARISON,
        ),
        differing(
            _story(
                shop,
                "two-pictures",
                "two pictures, two products",
                Say("m1", "这两款分别多少钱？", ("repost-mug-2.jpg", "repost-bag-3.jpg")),
                kind=Kind.PRODUCT,
                contains=(*facts_of(mug), *facts_of(bag), "图1应该是「", "图2应该是「"),
            ),
            "openai",
            contains=(*facts_of(mug), *facts_of(bag)),
        ),
        Scenario(
            "goods-mixed",
            "an order screen and a product in one turn",
            own.customer,
            (mixed,),
            (Expect("m1", REVIEW, contains=(own.order_id, bag.title)),),
            (0, 0),
        ),
    ]


def _no_answer(shop: DemoShop) -> list[Scenario]:
    advice = _story(
        shop,
        "room",
        "a room: advice is a person's",
        Say("m1", "客厅这样搭配好看吗？", ("room.jpg",)),
        kind=Kind.SCENE,
        any_reason=(Reason.MODE_ASSIST, Reason.PRODUCT_UNKNOWN),
    )
    return [*(_unknown(shop, name) for name in ("mug", "bag", "shoe", "cushion")), advice]


def _unknown(shop: DemoShop, name: str) -> Scenario:
    """An engine that can name the thing finds some of that name: is it one of these?"""
    product = shop.product(f"unknown-{name}")
    story = _story(
        shop,
        f"unknown-{name}",
        f"something that the shop does not sell ({name})",
        Say("m1", "你们有这款吗？", (f"goods-unknown-{name}.jpg",)),
        any_reason=(Reason.PRODUCT_UNKNOWN,),
        without=(product.title, product.product_id),
    )
    either = (Reason.PRODUCT_UNKNOWN, Reason.PRODUCT_CLOSE)
    return differing(differing(story, "openai", any_reason=either), "tiny", any_reason=either)


def _follow_ups(shop: DemoShop) -> list[Scenario]:
    shirt = shop.product("shirt-1")
    first, then = Say("m1", "这件多少钱？", ("repost-shirt-1.jpg",)), Say("m2", "有L码的吗？")
    return [
        Scenario(
            "goods-follow-up",
            "a question about the picture before",
            _customer(shop, "follow-up"),
            (first, Approve("m1"), then),
            (
                Expect("m1", Outcome.PERSON, kind=Kind.PRODUCT, contains=facts_of(shirt)),
                Expect("m2", REVIEW, contains=facts_of(shirt, price=False)),
            ),
            (1, 1),
        ),
    ]
