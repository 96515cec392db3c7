"""The cache of looks: who gets what from it, what it refuses, and that Redis can never make it fail."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import fakeredis
import pytest
from redis import Redis
from redis.exceptions import ConnectionError as Unreachable

from cs_bot.cache import LookCache, PictureAsked, differences, purge
from cs_bot.cache.looks import LookCase
from cs_bot.errors import BotError, EngineError, LeaseLost, NotFound
from cs_bot.records import Customer, FieldState, Item, Kind, Look, ReadField
from cs_bot.testing import ScriptedVision, a_look
from tests.readings import customer

A, B, P, Q = (letter * 64 for letter in "abef")
PRODUCT = a_look(kind=Kind.PRODUCT, lines=("夏季新款", "¥1299.00"), seconds=2.0)
ORDER = a_look(
    kind=Kind.ORDER,
    fields={"order_id": ReadField(value="4021338819", state=FieldState.READ)},
    lines=("订单编号 4021338819",),
    seconds=3.0,
)
MEI, LI = customer("mei"), customer("li")


class Counting:
    """An engine by picture, counting; it is its own compute."""

    name, version, prompt_version = "scripted", "1", "-"

    def __init__(self, *looks: Look | BotError, before: Callable[[], None] = lambda: None) -> None:
        self._looks, self._before = list(looks), before
        self.computed: list[str] = []

    def __call__(self, names: Sequence[str], progress: Callable[[], None]) -> list[Look | BotError]:
        results: list[Look | BotError] = []
        for name in names:
            self._before()
            self.computed.append(name)
            found = self._looks[min(len(self.computed), len(self._looks)) - 1]
            results.append(found.model_copy(update={"picture_sha256": name}) if isinstance(found, Look) else found)
            progress()
        return results


@pytest.fixture
def redis() -> Redis:
    return fakeredis.FakeRedis()


def cache_on(redis: Redis, **values: Any) -> LookCache:
    return LookCache(redis, **{"ttl_s": 60.0, "wait_s": 0.3, **values})


def ask(cache: LookCache, engine: Any, *asked: PictureAsked) -> list[Look | BotError]:
    return cache.looks(asked, engine=engine, compute=engine)


def of(who: Customer | None, sha256: str = A, pixels: str | None = P) -> PictureAsked:
    return PictureAsked(sha256, pixels, who)


def everything(redis: Redis) -> str:
    found = []
    for key in redis.scan_iter():
        value = redis.get(key) if redis.type(key) == b"string" else redis.hgetall(key)
        found.append(f"{key!r} {value!r}")
    return "\n".join(found)


def test_a_second_customer_gets_the_look_of_a_product_without_the_engine(redis: Redis) -> None:
    engine = Counting(PRODUCT)
    [first] = ask(cache_on(redis), engine, of(MEI))
    [second] = ask(cache_on(redis), engine, of(LI))
    assert engine.computed == [A]
    assert first == second == PRODUCT.model_copy(update={"picture_sha256": A})


def test_a_copy_with_other_metadata_is_the_same_picture_and_keeps_its_own_name(redis: Redis) -> None:
    engine = Counting(PRODUCT)
    ask(cache_on(redis), engine, of(MEI, A, P))
    [copy] = ask(cache_on(redis), engine, of(LI, B, P))
    assert engine.computed == [A]
    assert isinstance(copy, Look)
    assert copy.picture_sha256 == B


def test_another_picture_another_engine_or_another_prompt_is_another_key(redis: Redis) -> None:
    cache, engine = cache_on(redis), Counting(PRODUCT)
    ask(cache, engine, of(MEI))
    ask(cache, engine, of(MEI, A, Q))
    ask(cache, engine, of(MEI, A, None))
    for name, value in (("name", "lite"), ("version", "2"), ("prompt_version", "7")):
        other = Counting(PRODUCT.model_copy(update={f"engine{'_version' if name == 'version' else ''}": value}))
        if name == "prompt_version":
            other = Counting(PRODUCT.model_copy(update={"prompt_version": value}))
        setattr(other, name, value)
        ask(cache, other, of(MEI))
        assert other.computed == [A], name
    assert len(engine.computed) == 3


def test_of_an_order_page_another_customer_finds_only_the_kind(redis: Redis) -> None:
    engine = Counting(ORDER)
    ask(cache_on(redis), engine, of(MEI))
    ask(cache_on(redis), engine, of(MEI))
    assert engine.computed == [A]
    ask(cache_on(redis), engine, of(LI))
    assert engine.computed == [A, A]
    case = LookCase.of(of(LI), engine)
    shared = redis.get(case.shared)
    assert b"4021338819" not in shared
    assert b'"look":null' in shared


def test_two_order_pages_that_differ_in_one_digit_never_share(redis: Redis) -> None:
    other = ORDER.model_copy(update={"lines": ("订单编号 4021338818",)})
    engine = Counting(ORDER, other)
    [first, second] = ask(cache_on(redis), engine, of(MEI, A, P), of(MEI, B, Q))
    again = ask(cache_on(redis), engine, of(MEI, A, P), of(MEI, B, Q))
    assert engine.computed == [A, B]
    assert isinstance(first, Look)
    assert isinstance(second, Look)
    assert (first.lines, second.lines) == (ORDER.lines, other.lines)
    assert again == [first, second]


def test_without_a_customer_nothing_personal_is_kept(redis: Redis) -> None:
    engine = Counting(ORDER)
    for _ in range(2):
        ask(cache_on(redis), engine, of(None))
    assert engine.computed == [A, A]
    assert "4021338819" not in everything(redis)


def test_no_key_names_a_customer(redis: Redis) -> None:
    ask(cache_on(redis), Counting(ORDER), of(MEI))
    assert "mei" not in " ".join(key.decode() for key in redis.scan_iter())


def test_every_key_has_a_lifetime(redis: Redis) -> None:
    cache = cache_on(redis)
    ask(cache, Counting(PRODUCT), of(MEI))
    ask(cache, Counting(ORDER), of(MEI, B, Q))
    keys = list(redis.scan_iter())
    assert len(keys) == 4  # the product's look; the order's kind and look; the counts
    assert all(redis.pttl(key) > 0 for key in keys)
    assert all(redis.pttl(key) <= 60_000 for key in keys if b":look:" in key)


def test_an_error_is_a_result_and_is_never_kept(redis: Redis) -> None:
    engine = Counting(EngineError("no"), NotFound(), PRODUCT)
    results = [ask(cache_on(redis), engine, of(MEI))[0] for _ in range(4)]
    assert [type(result) for result in results] == [EngineError, NotFound, Look, Look]
    assert engine.computed == [A, A, A]


def test_what_a_fallback_engine_saw_is_not_kept_under_the_first_engines_key(redis: Redis) -> None:
    engine = Counting(PRODUCT.model_copy(update={"engine": "lite"}))
    for _ in range(2):
        ask(cache_on(redis), engine, of(MEI))
    assert engine.computed == [A, A]


@pytest.mark.parametrize(
    "damage",
    [
        lambda value: b"",
        lambda value: b"{",
        lambda value: b"\xff\xfe",
        lambda value: value[:-3],
        lambda value: b"null",
        lambda value: value.replace(b'"key":"', b'"key":"x'),
        lambda value: value.replace(b'"engine":"scripted"', b'"engine":"lite"'),
        lambda value: value.replace(b'"look":{', b'"more":1,"look":{'),
        lambda value: value.replace("夏季新款".encode(), b"4021338819"),
    ],
)
def test_a_damaged_or_foreign_value_is_a_miss_and_is_replaced(redis: Redis, damage: Callable[[bytes], bytes]) -> None:
    engine = Counting(PRODUCT)
    ask(cache_on(redis), engine, of(MEI))
    key = LookCase.of(of(MEI), engine).shared
    whole = redis.get(key)
    redis.set(key, damage(whole), px=60_000)
    [result] = ask(cache_on(redis), engine, of(LI))
    assert isinstance(result, Look)
    assert result.lines == PRODUCT.lines
    assert engine.computed == [A, A]
    assert redis.get(key) == whole


def test_a_value_of_the_wrong_type_is_computed_around(redis: Redis) -> None:
    engine = Counting(PRODUCT)
    redis.hset(LookCase.of(of(MEI), engine).shared, "a", "b")
    assert isinstance(ask(cache_on(redis), engine, of(MEI))[0], Look)


def test_a_value_copied_under_another_picture_is_refused(redis: Redis) -> None:
    engine = Counting(PRODUCT)
    ask(cache_on(redis), engine, of(MEI, A, P))
    source, target = (LookCase.of(of(MEI, A, pixels), engine).shared for pixels in (P, Q))
    redis.set(target, redis.get(source), px=60_000)
    ask(cache_on(redis), engine, of(MEI, B, Q))
    assert engine.computed == [A, B]


class Broken(fakeredis.FakeRedis):
    """A Redis that stops answering after so many commands."""

    left = 0

    def execute_command(self, *args: Any, **options: Any) -> Any:
        self._count()
        return super().execute_command(*args, **options)

    def pipeline(self, *args: Any, **options: Any) -> Any:
        self._count()
        return super().pipeline(*args, **options)

    def _count(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Unreachable("gone")


@pytest.mark.parametrize("answers", range(9))
@pytest.mark.parametrize("look", [PRODUCT, ORDER])
def test_redis_may_go_away_at_any_moment_and_nothing_fails(answers: int, look: Look) -> None:
    redis = Broken()
    redis.left = answers
    engine = Counting(look)
    results = ask(cache_on(redis), engine, of(MEI), of(LI), of(None, B, Q))
    assert all(isinstance(result, Look) for result in results)
    assert set(engine.computed) == {A, B}


def test_a_picture_is_computed_once_in_a_list_even_without_redis() -> None:
    engine = Counting(PRODUCT)
    ask(cache_on(Broken()), engine, of(MEI), of(LI), of(None))
    assert engine.computed == [A]


def test_threads_that_ask_at_once_share_one_computation(redis: Redis) -> None:
    engine = Counting(PRODUCT, before=lambda: time.sleep(0.1))
    results: list[Look | BotError] = []

    def one() -> None:
        results.extend(ask(cache_on(redis, wait_s=5.0), engine, of(customer())))

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert engine.computed == [A]
    assert len(results) == 8
    assert not [key for key in redis.scan_iter() if b":busy:" in key]


def test_somebody_who_never_comes_back_is_waited_for_only_so_long(redis: Redis) -> None:
    engine = Counting(PRODUCT)
    key = LookCase.of(of(MEI), engine).shared
    redis.set(f"csbot:cache:busy:{key}", "gone for ever", px=60_000)
    begun = time.monotonic()
    assert isinstance(ask(cache_on(redis, wait_s=0.2), engine, of(MEI))[0], Look)
    assert 0.15 < time.monotonic() - begun < 5
    assert redis.get(f"csbot:cache:busy:{key}") == b"gone for ever"


def test_a_token_that_runs_out_is_taken_over(redis: Redis) -> None:
    engine = Counting(PRODUCT)
    key = LookCase.of(of(MEI), engine).shared
    redis.set(f"csbot:cache:busy:{key}", "killed", px=100)
    begun = time.monotonic()
    ask(cache_on(redis, wait_s=30.0), engine, of(MEI))
    assert time.monotonic() - begun < 5
    assert engine.computed == [A]


def test_a_lost_lease_goes_up_and_gives_the_token_back(redis: Redis) -> None:
    def lost() -> None:
        raise LeaseLost

    engine = Counting(PRODUCT)
    with pytest.raises(LeaseLost):
        cache_on(redis).looks([of(MEI)], engine=engine, compute=engine, progress=lost)
    assert list(redis.scan_iter()) == []


def test_a_failed_computation_lets_the_next_one_try_at_once(redis: Redis) -> None:
    engine = Counting(EngineError("no"), PRODUCT)
    assert isinstance(ask(cache_on(redis), engine, of(MEI))[0], EngineError)
    begun = time.monotonic()
    assert isinstance(ask(cache_on(redis, wait_s=30.0), engine, of(LI))[0], Look)
    assert time.monotonic() - begun < 5


def test_it_takes_every_engine_of_the_protocol(redis: Redis) -> None:
    vision = ScriptedVision(default=PRODUCT)
    [look] = cache_on(redis).looks([of(MEI)], engine=vision, compute=lambda names, told: [PRODUCT])
    assert isinstance(look, Look)


def test_a_share_of_the_hits_is_put_aside_to_be_computed_again(redis: Redis) -> None:
    chances = iter([0.5, 0.005, 0.5, 0.009])
    cache = cache_on(redis, recheck_share=0.01, chance=lambda: next(chances))
    engine = Counting(PRODUCT, ORDER)
    ask(cache, engine, of(MEI))
    ask(cache, engine, of(MEI, B, Q))
    assert cache.take_samples() == []  # computed, not hit
    for _ in range(2):
        ask(cache, engine, of(LI), of(MEI, B, Q))
    shared, own = cache.take_samples()
    assert (shared.picture_sha256, shared.customer_id, len(shared.keys)) == (B, MEI.customer_id, 2)
    assert (own.picture_sha256, own.customer_id) == (B, MEI.customer_id)
    assert cache.take_samples() == []


def test_a_sample_of_a_shared_look_names_no_customer(redis: Redis) -> None:
    cache = cache_on(redis, recheck_share=1.0)
    for _ in range(2):
        ask(cache, Counting(PRODUCT), of(MEI))
    [sample] = cache.take_samples()
    assert sample.customer_id is None
    assert len(sample.keys) == 1


def test_two_looks_differ_in_what_they_say_and_not_in_how_long_they_took() -> None:
    slow = ORDER.model_copy(update={"seconds": 9.0, "signals": {"x": 0.1}})
    assert differences(ORDER, slow) == ()
    digit = {"order_id": ReadField(value="4021338818", state=FieldState.READ)}
    unsure = {"order_id": ReadField(value="4021338819", state=FieldState.CONFIRM)}
    assert differences(ORDER, ORDER.model_copy(update={"fields": digit})) == ("fields",)
    assert differences(ORDER, ORDER.model_copy(update={"fields": unsure})) == ("fields",)
    red, blue = (a_look(items=(Item(attributes={"colour": c}),)) for c in ("red", "blue"))
    assert differences(red, blue) == ("items",)
    assert differences(a_look(kind=Kind.SCENE), a_look(kind=Kind.PRODUCT)) == ("kind",)


@pytest.mark.parametrize("which", ["picture", "customer", "all"])
def test_purge_takes_what_it_is_asked_for(redis: Redis, which: str) -> None:
    engine, cache = Counting(ORDER), cache_on(redis)
    ask(cache, engine, of(MEI, A, P), of(MEI, B, Q), of(LI, A, P))
    computed = len(engine.computed)
    redis.set("somebody:elses", "kept")
    if which == "picture":
        assert purge(redis, pictures=[A, P]) == 3
    elif which == "customer":
        assert purge(redis, customer=MEI) == 2
    else:
        assert purge(redis) == 5
    ask(cache, engine, of(MEI, A, P), of(MEI, B, Q), of(LI, A, P))
    again = engine.computed[computed:]
    assert again == {"picture": [A, A], "customer": [A, B], "all": [A, B, A]}[which]
    assert redis.get("somebody:elses") == b"kept"
