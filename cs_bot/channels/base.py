"""The Channel protocol and the CHANNELS table: a new platform is one file and one line here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from typing import Protocol

from cs_bot.errors import UnknownPlugin
from cs_bot.records import Outbound, Receipt
from cs_bot.schemas import MessageCreated, MessageRevoked, OrderIn, ProductIn, Released, TakenByHuman
from cs_bot.settings import AccountSettings

CHANNELS = {"generic": "cs_bot.channels.generic:build"}

Payload = MessageCreated | TakenByHuman | Released | MessageRevoked | OrderIn | ProductIn


@dataclass(frozen=True)
class RawRequest:
    """A webhook request as it came in. `headers` has lower-case names."""

    headers: Mapping[str, str]
    body: bytes
    received_at: datetime


@dataclass(frozen=True)
class Delivery:
    """A verified request, parsed. `payloads` is empty for unknown or unparsable events (`problem` says why).

    `timestamp` is the platform's own for the delivery (UTC), `delivery_id` equal on retries.
    """

    delivery_id: str
    type: str | None
    timestamp: datetime
    payloads: tuple[Payload, ...] = ()
    problem: str | None = None
    is_json: bool = True


@dataclass(frozen=True)
class Caps:
    """What a platform can do."""

    idempotent_send: bool  # the same outbound id sent again is not shown twice
    can_look_up: bool  # the platform can say whether it has an outbound id
    hand_off: bool


class Channel(Protocol):
    """One account on one platform. verify/parse are pure; the others do network calls and raise nothing."""

    name: str
    caps: Caps

    def verify(self, request: RawRequest) -> None:
        """Raise BadSignature unless the raw body was signed with one of the account's secrets."""

    def parse(self, request: RawRequest) -> Delivery:
        """The events of a verified request; never raises on unknown or odd content."""

    def send(self, outbound: Outbound) -> Receipt:
        """Send once."""

    def look_up(self, outbound_id: str) -> Receipt | None:
        """SENT or NOT_SENT when the platform can say, None when it can't now."""

    def close(self) -> None:
        """Close connections."""


def load_channel(account: AccountSettings, *, timeout_s: float) -> Channel:
    """The channel of an account; raises UnknownPlugin or ConfigError."""
    if account.channel not in CHANNELS:
        raise UnknownPlugin("channel", account.channel, list(CHANNELS))
    module, build = CHANNELS[account.channel].split(":")
    channel: Channel = getattr(import_module(module), build)(account, timeout_s=timeout_s)
    return channel


def load_channels(accounts: Sequence[AccountSettings], *, timeout_s: float) -> dict[tuple[str, str], Channel]:
    """All channels by (channel, account name)."""
    return {(a.channel, a.name): load_channel(a, timeout_s=timeout_s) for a in accounts}
