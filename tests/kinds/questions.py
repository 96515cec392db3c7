"""What customers ask beside a picture of each kind, in four languages; a part is held out."""

import random

from cs_bot.records import Kind
from tests.unit.test_product_words import LABELLED

# Beside a room, an outfit, a device in use: those that the rules were tuned on, and those held out.
SCENE = (
    "我这身怎么搭配鞋子", "客厅这样摆好看吗", "这样穿适合去面试吗", "帮我看看房间缺点什么", "这面墙挂什么画好",
    "配什么外套好看", "卧室用什么颜色的窗帘好", "这个怎么安装", "我这样穿显胖吗", "小户型怎么布置",
    "What would go with this outfit?", "which rug would suit my living room", "does this look ok for a wedding",
    "how should I decorate this wall", "why does my device show a red light", "what shoes would match this",
    "Would a grey sofa look good here?", "help me style this room", "この部屋に合うソファはどれですか",
    "このコーデどう思いますか", "壁に何を飾ればいいですか", "この服に合う靴を教えてください",
    "거실에 어떤 소파가 어울릴까요?", "이 옷에 어울리는 신발 추천해주세요", "방을 어떻게 꾸미면 좋을까요",
    "이렇게 입으면 괜찮을까요?", "the light keeps blinking red, what does it mean",
    "赤いランプが点滅しています", "빨간 불이 깜빡거려요", "路由器灯变成黄色了",
    "The screen shows E4, is it broken?", "沙发后面空着怎么办",
)  # fmt: skip
SCENE_HELD = (
    "这个灯一直闪红灯是什么意思", "我家路由器亮红灯了怎么办", "這樣搭配可以嗎", "沙发旁边放什么好",
    "指示灯不亮了", "Any ideas for my bedroom?", "how do I reset it", "is my outfit too formal",
    "電源が入りません", "설치 방법 알려주세요", "充电宝绿灯闪三下正常吗", "ランプが緑に変わりました",
    "초록색 불이 켜져요", "この靴に合うパンツは?", "거실이 너무 어두워요", "这个灯怎么变紫了",
    "机器嘀嘀响是坏了吗", "屏幕显示E2", "这样配会不会太花", "书桌太乱怎么收纳",
    "Is this too bright for my kitchen?", "my speaker beeps three times",
    "この壁紙に何色のカーテンがいいですか", "소파 뒤에 뭘 두면 좋을까요",
)  # fmt: skip
# Beside pages of apps that are no order: nothing that tells a kind.
OTHER = (
    "",
    "你好",
    "在吗",
    "这是什么",
    "看一下",
    "hello",
    "please check",
    "怎么回事",
    "これを見てください",
    "확인해주세요",
)
NEUTRAL = ("", "你好", "在吗", "看图", "hello", "请看一下")
_PHOTO_ASPECTS = frozenset({"exists", "price", "stock", "link", "colour", "size", "material", "fit"})


def pool(kind: Kind, *, held: bool) -> tuple[str, ...]:
    """The questions beside a picture of this kind."""
    if kind is Kind.SCENE:
        return SCENE_HELD if held else SCENE
    if kind is Kind.OTHER:
        return OTHER
    mine = [one for one in LABELLED if one.held is held]
    if kind is Kind.COMPARISON:
        return tuple(one.text for one in mine if "compare" in one.aspects)
    return tuple(one.text for one in mine if one.aspects and one.aspects <= _PHOTO_ASPECTS)


def question(kind: Kind, rng: random.Random, *, held: bool) -> str:
    """One of them."""
    return rng.choice(pool(kind, held=held))
