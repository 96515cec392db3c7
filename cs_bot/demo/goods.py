"""The catalog of a demo shop, drawn by a seed: titles in two languages, prices, stock, variants, and how each looks."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

from cs_bot.records import Record
from cs_bot.schemas import ProductIn, ProductVariantIn

SIZED = {"shirt": ("S", "M", "L", "XL"), "shoe": ("36", "38", "40", "42"), "socks": ("M", "L")}
COLOURS = {  # canonical name: Chinese, English, RGB
    "white": ("白色", "White", (246, 243, 236)),
    "black": ("黑色", "Black", (44, 46, 52)),
    "red": ("红色", "Red", (200, 62, 58)),
    "blue": ("蓝色", "Blue", (64, 104, 172)),
    "green": ("绿色", "Green", (92, 138, 96)),
    "yellow": ("黄色", "Yellow", (236, 192, 84)),
    "pink": ("粉色", "Pink", (236, 178, 192)),
    "grey": ("灰色", "Grey", (150, 154, 160)),
    "orange": ("橙色", "Orange", (228, 132, 68)),
    "purple": ("紫色", "Purple", (132, 104, 164)),
}


class Shape(NamedTuple):
    """A kind of thing. Prices are between `cheapest` and three times that, in CNY."""

    name: str
    zh: str
    en: str
    category: str
    material: str
    cheapest: int


SHAPES = (
    Shape("mug", "陶瓷马克杯", "Ceramic Mug", "杯具", "陶瓷 Ceramic", 29),
    Shape("shirt", "纯棉T恤", "Cotton T-Shirt", "服装", "纯棉 Cotton", 59),
    Shape("bag", "帆布托特包", "Canvas Tote Bag", "箱包", "帆布 Canvas", 49),
    Shape("shoe", "透气运动鞋", "Running Shoes", "鞋靴", "网布 Mesh", 129),
    Shape("bottle", "不锈钢保温杯", "Steel Bottle", "杯具", "不锈钢 Steel", 69),
    Shape("cushion", "亚麻抱枕", "Linen Cushion", "家居", "亚麻 Linen", 39),
    Shape("lamp", "护眼台灯", "Desk Lamp", "灯具", "金属 Metal", 89),
    Shape("book", "硬壳笔记本", "Hardcover Notebook", "文具", "纸 Paper", 19),
    Shape("socks", "中筒棉袜", "Crew Socks", "服装", "棉 Cotton", 15),
    Shape("blanket", "珊瑚绒毛毯", "Fleece Blanket", "家居", "珊瑚绒 Fleece", 79),
)
DESIGNS = {  # name: Chinese, English
    "stripes": ("条纹", "Striped"),
    "checks": ("格纹", "Checked"),
    "dots": ("波点", "Dotted"),
    "terrazzo": ("水磨石", "Terrazzo"),
    "leaves": ("枝叶", "Leafy"),
    "waves": ("海浪", "Wavy"),
}
# Beside three designs of each shape: the same design in another colour, which only the colour tells apart.
SIBLINGS = (("mug", 0), ("bag", 1), ("cushion", 0), ("blanket", 2))
UNKNOWN = ("mug", "bag", "shoe", "cushion")  # what customers show and the shop does not have
LISTED_AT = datetime(2026, 3, 1, tzinfo=UTC)


class DemoProduct(Record):
    """One product. `key` is the same in every shop: mug-1, mug-1-other, unknown-bag; the rest hangs on the seed.

    `art_seed` places the parts of its print: two products of the same look have the same.
    """

    key: str
    product_id: str
    shape: str
    colour: str
    second_colour: str
    design: str
    art_seed: int
    title: str
    category: str
    material: str
    price: Decimal
    stock: int
    sizes: tuple[str, ...] = ()
    listed: bool = True

    @property
    def picture(self) -> str:
        """The name of its file among the shop's pictures."""
        return f"goods-{self.key}.jpg"

    def record(self, address: str) -> ProductIn:
        """What the shop's system exports; `address` + the picture's name is where its picture lies."""
        sizes = tuple(
            ProductVariantIn(
                sku=f"{self.product_id}-{size}",
                title=size,
                attributes={"尺码": size},
                price=self.price,
                stock=self.stock if number % 3 else 0,
            )
            for number, size in enumerate(self.sizes, start=1)
        )
        zh, en, _ = COLOURS[self.colour]
        return ProductIn(
            product_id=self.product_id,
            title=self.title,
            category=self.category,
            price=self.price,
            stock=None if sizes else self.stock,
            url=f"https://shop.example/p/{self.product_id}",
            pictures=(f"{address}{self.picture}",),
            attributes={"颜色": f"{zh} {en}", "材质": self.material},
            variants=sizes,
            updated_at=LISTED_AT,
        )


def make_products(seed: int) -> tuple[DemoProduct, ...]:
    """The products of the shop of that seed: 34 that it sells, and some that only customers show."""
    rng = random.Random(f"goods/{seed}")
    listed = list(_listed(rng))
    by_key = {product.key: product for product in listed}
    siblings = [_sibling(rng, by_key[f"{name}-{number + 1}"]) for name, number in SIBLINGS]
    unknown = [
        _made(
            rng, f"unknown-{name}", next(s for s in SHAPES if s.name == name), rng.choice(list(DESIGNS)), listed=False
        )
        for name in UNKNOWN
    ]
    return (*listed, *siblings, *unknown)


def _listed(rng: random.Random) -> Iterator[DemoProduct]:
    for shape in SHAPES:
        for number, design in enumerate(rng.sample(list(DESIGNS), 3), start=1):
            yield _made(rng, f"{shape.name}-{number}", shape, design)


def _made(rng: random.Random, key: str, shape: Shape, design: str, *, listed: bool = True) -> DemoProduct:
    colour, second = rng.sample(list(COLOURS), 2)
    return DemoProduct(
        key=key,
        product_id=f"{shape.name[:2].upper()}{rng.randint(10_000, 99_999)}",
        shape=shape.name,
        colour=colour,
        second_colour=second,
        design=design,
        art_seed=rng.randrange(10**6),
        title=title_of(shape, design, colour),
        category=shape.category,
        material=shape.material,
        price=Decimal(rng.randint(shape.cheapest, shape.cheapest * 3)) + Decimal("0.90"),
        stock=rng.choice((0, 3, 12, 40)),
        sizes=SIZED.get(shape.name, ()),
        listed=listed,
    )


def _sibling(rng: random.Random, of: DemoProduct) -> DemoProduct:
    """The same print in another colour, at another price."""
    colour = rng.choice([name for name in COLOURS if name not in (of.colour, of.second_colour)])
    shape = next(s for s in SHAPES if s.name == of.shape)
    changes = {
        "key": f"{of.key}-other",
        "product_id": f"{shape.name[:2].upper()}{rng.randint(10_000, 99_999)}",
        "colour": colour,
        "title": title_of(shape, of.design, colour),
        "price": of.price + 10,
        "stock": rng.choice((0, 5)),
    }
    return of.model_copy(update=changes)


def title_of(shape: Shape, design: str, colour: str) -> str:
    """A product's title in two languages."""
    zh_colour, en_colour, _ = COLOURS[colour]
    zh_design, en_design = DESIGNS[design]
    return f"{zh_colour}{zh_design}{shape.zh} {en_colour} {en_design} {shape.en}"
