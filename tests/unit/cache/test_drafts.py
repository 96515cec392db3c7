"""The cache of words: everything they depend on is in the key, and no value is ever kept in them."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import fakeredis
import pytest
from redis import Redis

from cs_bot.cache import DraftAsked, DraftCache
from cs_bot.cache.drafts import draft_key
from cs_bot.cache.keys import digest
from cs_bot.errors import BotError, EngineError
from cs_bot.records import Customer, Kind
from cs_bot.testing import ScriptedVision, a_look, some_words
from cs_bot.vision.base import Ask, PictureInput, Words
from tests.readings import customer

MEI, LI = customer("mei"), customer("li")
ENGINE = ScriptedVision()
LOOK = a_look("a" * 64, Kind.PRODUCT, lines=("夏季新款",))
ASK = Ask(
    kind=Kind.PRODUCT,
    language="zh",
    question="这个多少钱?",
    slots={"p1.price": "¥129.00"},
    notes=("picture 1 is p1",),
    looks=(LOOK,),
    pictures=(PictureInput("a" * 64, b"png"),),
    earlier=(("customer", "你好"),),
    shop="shop",
)
OTHER: dict[str, Any] = {
    "kind": Kind.SCENE,
    "language": "en",
    "question": "这个多少钱??",
    "slots": {"p1.price": "¥139.00"},
    "notes": (),
    "looks": (a_look("a" * 64, Kind.PRODUCT, lines=("冬季新款",)),),
    "pictures": (PictureInput("a" * 64, b"gnp"),),
    "earlier": (("agent", "你好"),),
    "shop": "other",
}


class Writing:
    """Counts what was written."""

    def __init__(self, *templates: str | EngineError) -> None:
        self._templates = list(templates) or ["{p1.price} 元。"]
        self.written: list[int] = []

    def __call__(self, places: Sequence[int], progress: Callable[[], None]) -> list[Words | BotError]:
        results: list[Words | BotError] = []
        for place in places:
            said = self._templates[min(len(self.written), len(self._templates) - 1)]
            self.written.append(place)
            results.append(some_words(said) if isinstance(said, str) else said)
        return results


@pytest.fixture
def redis() -> Redis:
    return fakeredis.FakeRedis()


def asked(ask: Ask = ASK, customer: Customer | None = MEI, **values: Any) -> DraftAsked:
    given = {"fingerprint": "f1", "policy_version": 1, **values}
    return DraftAsked(ask=ask, customer=customer, **given)


def words(redis: Redis, writing: Writing, *these: DraftAsked, **values: Any) -> list[Words | BotError]:
    cache = DraftCache(redis, record=Words, ttl_s=60, wait_s=0.3)
    return cache.words(these, engine=ENGINE, compute=writing, **values)


def test_the_same_question_with_the_same_facts_is_written_once(redis: Redis) -> None:
    writing = Writing()
    [first] = words(redis, writing, asked())
    [second] = words(redis, writing, asked(customer=LI))
    assert writing.written == [0]
    assert first == second
    assert isinstance(first, Words)


def test_every_field_of_an_ask_is_in_the_key() -> None:
    assert set(OTHER) == {field.name for field in dataclasses.fields(Ask)}, "say here how a new field changes"
    keys = {draft_key(asked(dataclasses.replace(ASK, **{name: value})), ENGINE) for name, value in OTHER.items()}
    assert len(keys | {draft_key(asked(), ENGINE)}) == len(OTHER) + 1


def test_the_facts_the_policy_and_the_engine_are_in_the_key() -> None:
    newer = ScriptedVision()
    newer.version = "2"
    prompts = ScriptedVision()
    prompts.prompt_version = "2"
    keys = {
        draft_key(asked(), ENGINE),
        draft_key(asked(fingerprint="f2"), ENGINE),
        draft_key(asked(policy_version=2), ENGINE),
        draft_key(asked(), newer),
        draft_key(asked(), prompts),
    }
    assert len(keys) == 5


def test_how_long_a_look_took_is_not_in_the_key() -> None:
    slow = dataclasses.replace(ASK, looks=(LOOK.model_copy(update={"seconds": 8.0}),))
    assert draft_key(asked(slow), ENGINE) == draft_key(asked(), ENGINE)


def test_a_changed_price_is_the_new_price_and_never_the_old_one(redis: Redis) -> None:
    writing = Writing("{p1.price},欢迎选购。", "现在是 {p1.price}。")
    words(redis, writing, asked())
    changed = dataclasses.replace(ASK, slots={"p1.price": "¥99.00"})
    [after] = words(redis, writing, asked(changed, fingerprint="f2"))
    assert isinstance(after, Words)
    assert after.template == "现在是 {p1.price}。"
    assert len(writing.written) == 2
    assert b"129.00" not in b"".join(redis.get(key) or b"" for key in redis.scan_iter("*draft*"))


@pytest.mark.parametrize(
    "personal",
    [
        {"slots": {"order.status": "已发货"}},
        {"looks": (a_look(kind=Kind.ORDER),)},
        {"looks": (a_look(kind=Kind.PRODUCT, lines=("138 0013 8000",)),)},
        {"question": "订单 4021338819 到哪了"},
        {"earlier": (("customer", "4021338819"),)},
    ],
)
def test_what_is_personal_serves_one_customer_only(redis: Redis, personal: dict[str, Any]) -> None:
    ask, writing = dataclasses.replace(ASK, **personal), Writing("好的。")
    words(redis, writing, asked(ask))
    words(redis, writing, asked(ask))
    assert len(writing.written) == 1
    words(redis, writing, asked(ask, LI))
    assert len(writing.written) == 2
    kept = len(list(redis.scan_iter("*draft*")))
    words(redis, writing, asked(ask, None))
    words(redis, writing, asked(ask, None))
    assert len(writing.written) == 4
    assert len(list(redis.scan_iter("*draft*"))) == kept


def test_words_with_a_value_in_them_are_used_and_not_kept(redis: Redis) -> None:
    writing = Writing("只要 ¥129.00!")
    assert isinstance(words(redis, writing, asked())[0], Words)
    words(redis, writing, asked())
    assert len(writing.written) == 2
    assert list(redis.scan_iter("*draft*")) == []


def test_words_that_the_caller_refuses_are_written_anew(redis: Redis) -> None:
    writing = Writing()
    for _ in range(2):
        words(redis, writing, asked(), fit=lambda found: False)
    assert len(writing.written) == 2


def test_kept_words_that_the_checks_of_today_refuse_are_written_anew(redis: Redis) -> None:
    writing = Writing()
    words(redis, writing, asked())
    words(redis, writing, asked(), fit=lambda found: "元" not in found.template)
    assert len(writing.written) == 2


def test_an_error_is_never_kept(redis: Redis) -> None:
    writing = Writing(EngineError("no"), "{p1.price}")
    assert isinstance(words(redis, writing, asked())[0], EngineError)
    assert isinstance(words(redis, writing, asked())[0], Words)


@pytest.mark.parametrize("value", [b"", b"{}", b"null", b'{"key":"x","seconds":1,"words":{}}'])
def test_a_damaged_value_is_a_miss(redis: Redis, value: bytes) -> None:
    writing = Writing()
    key = draft_key(asked(), ENGINE)
    assert key is not None
    redis.set(key, value, px=60_000)
    assert isinstance(words(redis, writing, asked())[0], Words)
    assert len(writing.written) == 1
    assert redis.get(key) != value


def test_every_key_has_a_lifetime(redis: Redis) -> None:
    words(redis, Writing(), asked())
    assert all(redis.pttl(key) > 0 for key in redis.scan_iter())


def test_what_has_no_plain_form_can_not_be_in_a_key() -> None:
    with pytest.raises(TypeError):
        digest([object()])
    with pytest.raises(TypeError):
        digest({1, 2})
