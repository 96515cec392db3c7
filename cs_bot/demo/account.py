"""The settings of a demo: one account of the generic channel that talks to the simulated platform."""

import base64
import json
import os
from collections.abc import Mapping
from pathlib import Path
from secrets import token_bytes
from typing import Any

from cs_bot.demo import words
from cs_bot.demo.shop import ACCOUNT, CHANNEL

PICTURE_HOST = "127.0.0.1"  # the only host of pictures that the account allows


def new_secret() -> str:
    """A signing secret as Standard Webhooks writes it: whsec_ and 32 random bytes in base64."""
    return "whsec_" + base64.b64encode(token_bytes(32)).decode("ascii")


def webhook_url(port: int, host: str = "127.0.0.1") -> str:
    """Where the simulated platform posts its events."""
    return f"http://{host}:{port}/webhooks/{CHANNEL}/{ACCOUNT}"


def demo_settings(
    home: Path, *, port: int, secret: str, reply_url: str, lookup_url: str | None = None
) -> dict[str, Any]:
    """Overrides for settings.load_settings(**overrides); `port` is that of the web process.

    The account allows plain http and loopback, which only a demo should, and pictures of the platform's host alone.
    """
    options = {"reply_url": reply_url} | ({"lookup_url": lookup_url} if lookup_url else {})
    return {
        "home": str(home),
        "web": {"host": "127.0.0.1", "port": port},
        "shop": {"name": words.SHOP_NAMES["zh"], "timezone": "Asia/Shanghai", "language": "zh"},
        "accounts": [
            {
                "channel": CHANNEL,
                "name": ACCOUNT,
                "secrets": [secret],
                "media_hosts": [PICTURE_HOST],
                "allow_http": True,
                "allow_private": True,
                "options": options,
            }
        ],
    }


def write_settings(path: Path, overrides: Mapping[str, Any]) -> Path:
    """The same as a TOML file for child processes (CSBOT_CONFIG), readable by its owner alone: it holds the secret."""
    plain = {name: value for name, value in overrides.items() if not isinstance(value, dict) and name != "accounts"}
    blocks = [_pairs(plain)]
    blocks += [f"[{name}]\n{_pairs(value)}" for name, value in overrides.items() if isinstance(value, dict)]
    blocks += [f"[[accounts]]\n{_pairs(account)}" for account in overrides.get("accounts", ())]
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write("\n".join(blocks))
    return path


def _pairs(values: Mapping[str, Any]) -> str:
    return "".join(f"{name} = {_value(value)}\n" for name, value in values.items())


def _value(value: Any) -> str:
    """JSON writes strings, numbers, booleans and lists as TOML does; tables go on one line."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{name} = {_value(one)}" for name, one in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)
