"""Ownership in the cache: nothing of one customer's order look or draft can be read by another, in keys or values."""

import dataclasses
import re
from typing import Any

import fakeredis
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from cs_bot.cache import DraftAsked, DraftCache, LookCache, PictureAsked, is_personal
from cs_bot.cache.drafts import draft_key
from cs_bot.cache.looks import LookCase
from cs_bot.records import Customer, FieldState, Item, Kind, Look, ReadField
from cs_bot.testing import ScriptedVision, a_look, some_words
from cs_bot.vision.base import Ask, Words

MARK = "secretmark"
DIGITS = st.text(alphabet="0123456789", min_size=6, max_size=15)
NAMES = st.sampled_from(["u1", "u2", "u1:u2", "u1\x00", "Ｕ1", "*", "u?", "[u1]", ""]) | st.text(max_size=6)
ENGINE = ScriptedVision()


@st.composite
def customers(draw: st.DrawFn) -> Customer:
    names = {
        "channel": draw(st.sampled_from(["generic", "gen"])),
        "account": draw(st.sampled_from(["a", "eric:a", "b"])),
    }
    return Customer(customer_id=draw(st.integers(1, 3)), external_id=draw(NAMES), **names)


@st.composite
def personal_looks(draw: st.DrawFn) -> tuple[Look, str]:
    """A look that seems an order or holds a long number somewhere, and that number."""
    digits = draw(DIGITS)
    written = draw(st.sampled_from(["", " ", "-", "*"])).join(digits)
    where = draw(st.sampled_from(["kind", "share", "field", "line", "item"]))
    kind = Kind.ORDER if where == "kind" else draw(st.sampled_from([Kind.PRODUCT, Kind.SCENE, Kind.OTHER]))
    look = a_look(kind=kind, lines=(MARK, f"{MARK} {written}"))
    if where == "share":
        look = look.model_copy(update={"kinds": {kind: 0.8, Kind.ORDER: 0.2}})
    if where == "field":
        look = look.model_copy(update={"fields": {"order_id": ReadField(value=written, state=FieldState.CONFIRM)}})
    if where == "item":
        look = look.model_copy(update={"items": (Item(attributes={"code": written}),), "lines": (MARK,)})
    return look, digits


def readable(redis: fakeredis.FakeRedis, keys: tuple[str, ...]) -> str:
    return b"\n".join(value for key in keys if (value := redis.get(key)) is not None).decode()


def all_keys(redis: fakeredis.FakeRedis) -> str:
    return b"\n".join(redis.scan_iter()).decode()


def without_hashes(text: str) -> str:
    """Six digits may stand in a hash by chance."""
    return re.sub(r"[0-9a-f]{16,}", "<hash>", text)


@settings(max_examples=200, deadline=None)
@given(owner=customers(), viewer=customers() | st.none(), found=personal_looks(), pixels=st.booleans())
def test_a_personal_look_is_read_by_its_customer_alone(
    owner: Customer, viewer: Customer | None, found: tuple[Look, str], pixels: bool
) -> None:
    same = viewer is not None and owner.model_dump(exclude={"customer_id"}) == viewer.model_dump(
        exclude={"customer_id"}
    )
    assume(not same)
    look, digits = found
    assert is_personal(look)
    redis = fakeredis.FakeRedis()
    cache = LookCache(redis, ttl_s=60, wait_s=0.2)
    computed: list[str] = []

    def compute(names: Any, progress: Any) -> list[Any]:
        computed.extend(names)
        return [look.model_copy(update={"picture_sha256": name}) for name in names]

    def post(who: Customer | None) -> PictureAsked:
        asked = PictureAsked("a" * 64, "b" * 64 if pixels else None, who)
        cache.looks([asked], engine=ENGINE, compute=compute)
        return asked

    case = LookCase.of(post(owner), ENGINE)
    seen = readable(redis, LookCase.of(PictureAsked("a" * 64, case.asked.pixels_sha256, viewer), ENGINE).keys)
    event("a viewer" if viewer else "nobody known")
    assert MARK not in seen
    assert digits not in without_hashes(seen)
    assert case.asked.customer is owner
    post(viewer)
    assert len(computed) == 2  # the viewer's own computation
    keys = all_keys(redis)
    assert MARK not in keys
    assert digits not in without_hashes(keys)
    post(owner)
    assert len(computed) == 2


@settings(max_examples=100, deadline=None)
@given(owner=customers(), viewer=customers(), found=personal_looks(), by=st.sampled_from(["slot", "look", "question"]))
def test_personal_words_serve_their_customer_alone(
    owner: Customer, viewer: Customer, found: tuple[Look, str], by: str
) -> None:
    assume((owner.channel, owner.account, owner.external_id) != (viewer.channel, viewer.account, viewer.external_id))
    look, digits = found
    ask = Ask(kind=Kind.ORDER, language="zh", question="到哪了")
    changed = {
        "slot": {"slots": {"order.status": "已发货"}},
        "look": {"looks": (look,)},
        "question": {"question": digits},
    }
    ask = dataclasses.replace(ask, **changed[by])  # type: ignore[arg-type]
    redis = fakeredis.FakeRedis()
    cache = DraftCache(redis, record=Words, ttl_s=60, wait_s=0.2)
    written: list[int] = []

    def compute(places: Any, progress: Any) -> list[Any]:
        written.extend(places)
        return [some_words(MARK) for _ in places]

    def reply(who: Customer) -> DraftAsked:
        asked = DraftAsked(ask, "f", 1, who)
        cache.words([asked], engine=ENGINE, compute=compute)
        return asked

    mine = draft_key(reply(owner), ENGINE)
    theirs = draft_key(DraftAsked(ask, "f", 1, viewer), ENGINE)
    assert mine is not None
    assert theirs is not None
    assert MARK in readable(redis, (mine,))
    assert MARK not in readable(redis, (theirs,))
    reply(viewer)
    assert len(written) == 2
    assert digits not in without_hashes(all_keys(redis))
