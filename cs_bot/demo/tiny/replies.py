"""The replies to learn: short, in the customer's language, the right slots for what was asked and nothing else."""

import random
from collections.abc import Mapping, Sequence

from cs_bot.answer.templates import phrases
from cs_bot.records import Kind

GENERAL = ("price", "stock")  # said when nothing in particular is asked
TOLD = {"colour": "colour", "size": "size", "material": "material"}
UNKNOWABLE = frozenset({"fit", "advice"})  # no slot answers these
LOOK_INTO_IT: dict[str, tuple[str, ...]] = {
    "zh": ("您问的我先核实一下，请稍等。", "您的消息我看到了，我先核实一下，请稍等。"),
    "en": ("I will look into it.", "Thank you for your message. I will look into it."),
    "ja": ("確認いたします。", "確認いたしますので、少々お待ちください。"),
    "ko": ("확인해 보겠습니다.", "확인해 보겠습니다. 잠시만 기다려 주세요."),
}
WHAT_FOR: dict[str, tuple[str, ...]] = {
    "zh": ("哪款更合适要看用途，请问您主要想怎么用呢？", "请问您主要想用在哪里呢？"),
    "en": ("Which suits you depends on the use: what is it for?", "May I ask what it is for?"),
    "ja": ("用途によって合うものが変わります。どのようにお使いになりますか？", "どのようにお使いになりますか？"),
    "ko": ("용도에 따라 달라요. 어떻게 쓰실 건가요?", "어떻게 쓰실 건가요?"),
}
ADVICE: dict[str, tuple[str, ...]] = {
    "zh": ("整体看起来挺协调的，同色系会更耐看。", "搭配看起来挺和谐的，可以再看看光线。"),
    "en": ("It goes well together; similar colours look calm.", "The colours go well together."),
    "ja": ("色の組み合わせがきれいです。",),
    "ko": ("색 조합이 잘 어울려요.",),
}
COSTS = {"en": "Price: {amount}."}  # the sentence of templates would count as a price outside a slot
THIS: dict[str, tuple[str, ...]] = {
    "zh": ("您说的应该是「{name}」。", "这款应该是「{name}」。"),
    "en": ("That should be our “{name}”.", "This looks like our “{name}”."),
    "ja": ("「{name}」かと存じます。",),
    "ko": ("“{name}” 상품으로 보입니다.",),
}


def reply(kind: Kind, language: str, slots: Mapping[str, str], aspects: Sequence[str], rng: random.Random) -> str:
    """What the checkpoint is to write. `aspects` are what the customer's words ask (records.ASPECTS)."""
    groups = _groups(slots)
    clear = [name for name, has in groups.items() if "name" in has]
    cards = [name for name, has in groups.items() if "card" in has]
    if kind is Kind.SCENE and "advice" in aspects:
        cards = []
    told = kind not in (Kind.ORDER, Kind.OTHER) and not (kind is Kind.SCENE and not aspects)
    if not told or (kind in (Kind.TEXT, Kind.SCENE) and not clear and not cards):
        return _nothing(kind, language, aspects, rng)
    parts = [_one(name, groups[name], kind, language, aspects, rng) for name in clear]
    parts += [f"{{{name}.none}}" for name, has in groups.items() if "none" in has and kind is not Kind.SCENE]
    join = phrases(language).goods["join"]
    text = join.join(parts).strip("\n").replace("\n ", "\n")
    if cards and not (kind is Kind.SCENE and clear):
        text = _to_choose(text, groups, cards, language)
    end = _end(kind, language, aspects, bool(clear), rng)
    if end and "\n" not in text:
        text = f"{text}{join if text else ''}{end}"
    return text or rng.choice(LOOK_INTO_IT[language])


def _groups(slots: Mapping[str, str]) -> dict[str, set[str]]:
    """p1 -> the names of its slots."""
    groups: dict[str, set[str]] = {}
    for slot in slots:
        name, _, key = slot.partition(".")
        if name != "shop":
            groups.setdefault(name, set()).add(key)
    return groups


def _nothing(kind: Kind, language: str, aspects: Sequence[str], rng: random.Random) -> str:
    if kind is Kind.SCENE and "advice" in aspects:
        return rng.choice(ADVICE[language])
    return rng.choice(LOOK_INTO_IT[language])


def _one(name: str, has: set[str], kind: Kind, language: str, aspects: Sequence[str], rng: random.Random) -> str:
    """One product: which it is, and what was asked of it as far as slots say it."""
    goods = phrases(language).goods
    if "where" in has:
        told = [goods["this_is"].format(where=f"{{{name}.where}}", title=f"{{{name}.name}}")]
    else:
        told = [rng.choice(THIS[language]).format(name=f"{{{name}.name}}")]
    particular = [aspect for aspect in aspects if aspect in ("price", "stock", "link", *TOLD)]
    asked = particular or ([] if kind is Kind.SCENE else list(GENERAL))
    if kind is Kind.COMPARISON and "price" not in asked:
        asked = ["price", *asked]
    if "price" in asked and "price" in has:
        told.append(COSTS.get(language, goods["price"]).format(amount=f"{{{name}.price}}"))
    if "stock" in asked and "stock" in has:
        told.append(f"{{{name}.stock}}")
    told += [goods[key].format(options=f"{{{name}.{key}}}") for key in TOLD if key in asked and key in has]
    if "which" in has and {"price", "stock"} & set(asked):
        told.append(f"{{{name}.which}}")
    lacking = particular and not any(aspect in has for aspect in particular)
    if lacking or (UNKNOWABLE & set(aspects) and not particular and kind is Kind.PRODUCT):
        told.append(LOOK_INTO_IT[language][0])
    text = goods["join"].join(told)
    if "link" in asked and "link" in has:
        text += f"\n{{{name}.link}}\n"  # alone: no sign may run into an address
    return text


def _to_choose(text: str, groups: Mapping[str, set[str]], cards: Sequence[str], language: str) -> str:
    """Cards on lines of their own, under a question which one is meant."""
    words = phrases(language)
    alone = [name for name, has in groups.items() if has == {"where"}]
    asks = words.pieces["nearest" if "none" in {key for has in groups.values() for key in has} else "which_product"]
    where = f"{{{alone[0]}.where}}" if alone else ""
    lines = [f"{text}{words.goods['join'] if text else ''}{where}{asks}", *(f"- {{{name}.card}}" for name in cards)]
    return "\n".join(lines)


def _end(kind: Kind, language: str, aspects: Sequence[str], clear: bool, rng: random.Random) -> str:
    if kind is Kind.COMPARISON and clear and ("compare" in aspects or "advice" in aspects or not aspects):
        return rng.choice(WHAT_FOR[language])
    if kind is Kind.SCENE and "advice" in aspects:
        return rng.choice(ADVICE[language])
    return ""
