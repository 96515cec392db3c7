"""cs-bot doctor about a Redis that answers, but not everything."""

import redis

from cs_bot.cli import doctor
from cs_bot.cli.finding import Finding
from cs_bot.settings import Settings
from tests.services import RedisServer


def asked(url: str) -> Finding:
    return doctor._redis(Settings(redis_url=url))


def test_a_redis_that_forbids_config_is_reached(redis_server: RedisServer) -> None:
    owner = redis.Redis.from_url(redis_server.url)
    owner.acl_setuser("hosted", enabled=True, passwords=["+secret"], keys=["*"], commands=["+@all", "-config"])
    try:
        found = asked(redis_server.url.replace("unix://", "unix://hosted:secret@"))
    finally:
        owner.acl_deluser("hosted")
        owner.close()
    assert (found.level, "Redis answers" in found.text) == ("note", True)
    assert "volatile-lru" in found.text
    assert asked(redis_server.url) == Finding("ok", "Redis answers")
