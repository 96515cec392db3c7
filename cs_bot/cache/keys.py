"""Keys: what a value depends on, as a digest; and which keys to delete for a picture or a customer."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, Protocol

from redis import Redis

from cs_bot.records import SCHEMA_VERSION, Customer, Look, Record

CACHE_SCHEMA = 1  # moves when the form of a key or value, or the rule of what is shared, changes
PREFIX = "csbot:cache"
LOOK, DRAFT, BUSY = f"{PREFIX}:look", f"{PREFIX}:draft", f"{PREFIX}:busy"
_PAGE = 500  # keys of one step of a SCAN


class Engine(Protocol):
    """What of an engine decides how its results come out."""

    @property
    def name(self) -> str:
        """Which engine."""

    @property
    def version(self) -> str:
        """Changes whenever a result could come out differently."""

    @property
    def prompt_version(self) -> str:
        """Version of the prompts."""


def stamp(engine: Engine) -> str:
    """Digest of the engine, its versions and the schemas of what is kept."""
    return digest([CACHE_SCHEMA, SCHEMA_VERSION, engine.name, engine.version, engine.prompt_version])[:16]


def owner(customer: Customer) -> str:
    """What stands for a customer in a key; says nothing to whoever reads it."""
    return digest([customer.channel, customer.account, customer.external_id])[:32]


def picture_name(sha256: str, pixels_sha256: str | None) -> str:
    """A picture in a key: by its pixels (two files with the same ones are one picture), else by its bytes."""
    return f"b{sha256}" if pixels_sha256 is None else f"p{pixels_sha256}"


def digest(value: Any) -> str:
    """SHA-256 in hex over one canonical form of plain values, records, dataclasses and bytes.

    Raises TypeError for anything else: what can't be told apart must not be in a key.
    """
    text = json.dumps(_plain(value), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Record):  # how long a look took says nothing of what it shows
        return value.model_dump(mode="json", exclude={"seconds"} if isinstance(value, Look) else None)
    if isinstance(value, Enum):
        return _plain(value.value)
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, bytes):
        return {"sha256": hashlib.sha256(value).hexdigest()}
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(_plain(name)): _plain(item) for name, item in value.items()}
    if isinstance(value, Sequence):
        return [_plain(item) for item in value]
    raise TypeError(f"a {type(value).__name__} can't be part of a cache key")


def kept(redis: Redis) -> dict[str, int]:
    """How many keys each cache has now; raises RedisError."""
    prefixes = {"look": LOOK, "draft": DRAFT}
    return {name: sum(1 for _ in redis.scan_iter(match=f"{key}:*", count=_PAGE)) for name, key in prefixes.items()}


def purge(redis: Redis, *, pictures: Sequence[str] | None = None, customer: Customer | None = None) -> int:
    """Delete what is kept: of pictures, of one customer, or (neither given) everything; how many keys.

    `pictures` are SHA-256s of bytes or of pixels: give both, a key holds one of them. A draft's key does not say which
    pictures it was made from, so with pictures every draft goes too.
    """
    if pictures is not None:
        patterns = [*(f"{LOOK}:*:[bp]{name}*" for name in pictures), f"{DRAFT}:*"]
    elif customer is not None:
        patterns = [f"{PREFIX}:*:{owner(customer)}"]
    else:
        patterns = [f"{LOOK}:*", f"{DRAFT}:*", f"{BUSY}:*"]
    deleted = 0
    for pattern in patterns:
        for key in list(redis.scan_iter(match=pattern, count=_PAGE)):
            deleted += int(redis.delete(key))
    return deleted
