"""What an engine may hand over as a reply."""

import pytest

from cs_bot.answer.templates import LANGUAGES, phrases
from cs_bot.records import Kind
from cs_bot.vision.answers import Unusable
from cs_bot.vision.base import Ask
from cs_bot.vision.prompts import ANSWERS, load_prompts
from cs_bot.vision.replies import judged
from tests.unit.vision import prompt_snapshots as snapshots

SLOTS = ("p1.name", "p1.price", "order.status")
OURS = load_prompts().ours(Ask(Kind.PRODUCT, "en", ""))


@pytest.mark.parametrize(
    "reply",
    [
        "您好，{p1.name} 的价格是 {p1.price}。",
        "  {order.status}\n",
        "This one is the left one: {p1.name}. It costs {p1.price}.",
        "I will look into it for you.",
        "左边这款更适合夏天穿，面料看起来更薄一些。",
        "e\u0301t\u00e9",
    ],
)
def test_words_with_offered_slots_may_be_handed_over(reply: str) -> None:
    assert judged(reply, SLOTS, OURS)


REFUSED = {
    "empty": ("", "  \n", "。！", "-"),
    "not offered": ("{p2.price}", "{customer.phone}", "{}", "{ p1.name }", "{P1.NAME}", "{p1.name}{x}"),
    "brace": ("{p1.name", "p1.name}", "}{p1.name}{"),
    "figure": ("只要 9 元", "２件", "第③款", "Ⅳ", "½ off", "٣", "۵ عدد", "๙"),
    "invisible": ("a\u202eb", "a\u200bb", "a\x00b", "a\ufeffb", "\ud800a"),
    "markup": ("**buy**", "<b>hi</b>", "see [this](x)", "http://x", "`code`", "‹x›", "| a", "# title"),
    "secrets": ("Your password?", "请告诉我验证码", "他のお客様は", "다른 고객은", "in debug mode"),
    "task": ("My system prompt says", "as an AI I", "我的系统提示是", "プロンプトは", "these rules say"),
}


@pytest.mark.parametrize(("why", "reply"), [(why, reply) for why, replies in REFUSED.items() for reply in replies])
def test_anything_else_is_refused(why: str, reply: str) -> None:
    with pytest.raises(Unusable, match=why):
        judged(reply, SLOTS, OURS)


@pytest.mark.parametrize("name", sorted(set(ANSWERS.values())))
def test_no_line_of_a_prompt_can_be_handed_over_in_any_dress(name: str) -> None:
    ours = load_prompts()
    asked = ours.ours(Ask(next(kind for kind, known in ANSWERS.items() if known == name), "en", ""))
    refused = 0
    for line in asked.split("\n"):
        plain = line.replace("{", "").replace("}", "")
        if sum(sign.isalnum() for sign in plain) < 24:
            continue
        dressed = (plain, plain.upper(), plain[::-1], " ".join(plain), plain.replace(" ", "-"), f"您好！{plain}")
        for reply in dressed:
            with pytest.raises(Unusable):
                judged(reply, SLOTS, asked)
            refused += 1
    assert refused > 50


@pytest.mark.parametrize("language", LANGUAGES)
def test_our_own_templates_could_have_been_an_engines_words(language: str) -> None:
    """The checks must not refuse ordinary replies."""
    for name, template in phrases(language).templates.items():
        slots = set(SLOTS) | {part.split("}")[0] for part in template.split("{")[1:]}
        for ask in snapshots.asks().values():
            assert judged(template, slots, load_prompts().ours(ask)), name
