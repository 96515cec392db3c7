"""build(settings) -> Services: the only file that picks real implementations."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, cast

from pydantic import ValidationError
from redis import Redis

from cs_bot.answer import ShopWords
from cs_bot.cache import DraftCache, LookCache
from cs_bot.channels.base import Channel, load_channels
from cs_bot.errors import ConfigError, MissingExtra
from cs_bot.jobs import ringer
from cs_bot.knowledge.catalog import Catalog
from cs_bot.pipeline import Parts
from cs_bot.records import Policy
from cs_bot.sender import Sender
from cs_bot.settings import Settings
from cs_bot.store import migrate
from cs_bot.store.database import Database
from cs_bot.store.media import MediaStore
from cs_bot.store.queries import policies
from cs_bot.vision.base import ENGINES, Batches, Vision, Words, load_engine
from cs_bot.vision.chat import Chats

RING_S = 0.05
POLICY_FRESH_S = 5.0


@dataclass
class Services:
    """What an entry point has at hand. The engine is loaded on first use: the web process never does."""

    settings: Settings
    database: Database
    redis: Redis | None
    channels: dict[tuple[str, str], Channel]
    ring: Callable[[str], None]
    media: MediaStore
    catalog: Catalog
    looks: LookCache | None = None
    words: DraftCache[Words] | None = None
    _vision: Vision | None = None
    _policy: tuple[float, Policy] | None = field(default=None)
    _sender: Sender | None = None

    @property
    def vision(self) -> Vision:
        """The engine of the settings; raises UnknownPlugin, MissingExtra or EngineError."""
        if self._vision is None:
            self._vision = load_engine(**dict(self.settings.engine))
        return self._vision

    @property
    def writes(self) -> bool:
        """Whether the engine puts answers into words; known without loading it."""
        if self._vision is not None:
            return self._vision.writes
        entry = ENGINES.get(self.settings.engine.name)
        return entry is not None and entry.writes

    @property
    def turns_at_once(self) -> int:
        """How many turns a worker claims: as set, else what the engine runs together; 1 while it is not open."""
        engine = self._vision
        return self.settings.turns.batch or (engine.turns if isinstance(engine, Batches) else 1)

    @property
    def healthy(self) -> bool:
        """False when the engine hangs in a call that can't be interrupted: the process should be replaced."""
        return self._vision is None or self._vision.healthy

    def policy(self) -> Policy:
        """The newest policy, at most a few seconds old."""
        if self._policy is None or time.monotonic() - self._policy[0] > POLICY_FRESH_S:
            with self.database.read() as tx:
                found = policies.current(tx)
            if found is None:
                with self.database.write() as tx:
                    found = policies.seed(tx, first_policy(self.settings))
            self._policy = (time.monotonic(), found)
        return self._policy[1]

    @property
    def sender(self) -> Sender | None:
        """Sends what this process has just finished; None when the settings leave that to the deliver workers."""
        if self._sender is None and self.settings.deliver.at_once:
            self._sender = Sender(self.database, channels=self.channels, settings=self.settings, ring=self.ring)
        return self._sender

    def parts(self) -> Parts:
        """What the pipeline's stages work with, with the newest policy."""
        return Parts(
            database=self.database,
            vision=lambda: self.vision,
            media=self.media,
            settings=self.settings,
            policy=self.policy(),
            shop=ShopWords.of(self.settings.shop),
            catalog=self.catalog,
            writes=self.writes,
            batch=self.turns_at_once,
            looks=self.looks,
            words=self.words,
        )

    def close(self) -> None:
        """Close what was opened."""
        if self._sender is not None:
            self._sender.close()
        if self._vision is not None:
            self._vision.close()
        for channel in self.channels.values():
            channel.close()
        for one in (self.redis, self.looks, self.words):
            if one is not None:
                one.close()
        self.database.close()


def first_policy(settings: Settings) -> Policy:
    """Version 1 of the policy, from the settings; raises ConfigError."""
    try:
        policy = Policy(**{"version": 1, **settings.policy})
    except ValidationError as problem:
        lines = [f"policy.{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in problem.errors()]
        raise ConfigError("settings are wrong: " + "; ".join(lines)) from None
    if wrong := policy.misspelt():
        raise ConfigError(f"settings are wrong: policy: no KIND/ROUTE: {', '.join(wrong)}")
    return policy


def build(settings: Settings, *, vision: Vision | None = None, **replaced: Any) -> Services:
    """Real implementations of everything; tests replace some by keyword. Opens no connection yet.

    Raises ConfigError when a setting can't be meant: an address, an account, the policy.
    """
    first_policy(settings)
    redis: Redis | None = redis_client(settings, answer_s=RING_S)
    database = replaced.pop("database", None) or Database(settings.database)
    media = replaced.pop("media", None) or MediaStore(settings.media)
    parts: dict[str, Any] = {
        "settings": settings,
        "database": database,
        "redis": redis,
        "channels": load_channels(settings.accounts, timeout_s=settings.deliver.timeout_s),
        "ring": ringer(redis),
        "media": media,
        "catalog": Catalog(database, media),
        "_vision": vision,
    }
    chosen = {**parts, **replaced}
    return Services(**{**_caches(settings, with_redis=chosen["redis"] is not None), **chosen})


def open_chats(settings: Settings, progress: Callable[[int, int], None] | None = None) -> Chats:
    """The checkpoint of the settings for `cs-bot serve`; takes seconds to minutes.

    `progress` is told (bytes, bytes in all). Raises MissingExtra, ConfigError, EngineError.
    """
    try:
        made = import_module("cs_bot.vision.qwen").open_chats(settings.engine, progress)
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] == "cs_bot":
            raise
        raise MissingExtra("cs-bot serve", "qwen") from missing
    return cast(Chats, made)


def redis_client(settings: Settings, *, answer_s: float) -> Redis:
    """A client that waits so long for a connection and for an answer, and tries nothing twice; raises ConfigError."""
    try:
        return Redis.from_url(settings.redis, socket_timeout=answer_s, socket_connect_timeout=answer_s, retry=None)
    except ValueError:
        raise ConfigError("CSBOT_REDIS_URL is no Redis address (redis://…, rediss://… or unix://…)") from None


def _caches(settings: Settings, *, with_redis: bool) -> dict[str, Any]:
    """The caches on a client of their own; none without Redis or when they are switched off."""
    rules = settings.cache
    if not (with_redis and rules.enabled):
        return {}
    redis = redis_client(settings, answer_s=rules.answer_s)
    wait_s = min(rules.wait_s, settings.turns.lease_s / 2)  # a turn that waits must not lose its lease
    return {
        "looks": LookCache(redis, ttl_s=rules.look_ttl_s, wait_s=wait_s, recheck_share=rules.recheck_share),
        "words": DraftCache(redis, record=Words, ttl_s=rules.draft_ttl_s, wait_s=wait_s),
    }


def require_newest_tables(services: Services) -> None:
    """Raise ConfigError when the database does not have this code's tables."""
    current, newest = migrate.state(services.database)
    if current != newest:
        raise ConfigError(f"the database is at revision {current or 'none'}, this code needs {newest}: cs-bot migrate")
