"""The groups of settings: names, defaults, bounds and what each is for (docs/configuration.md is made from them)."""

import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from cs_bot.records import Kind

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")  # of an account or a plug-in


class Section(BaseModel):
    """One group of settings; a misspelt name is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class AccountSettings(Section):
    """One merchant account on one channel. `options` are checked by the channel's own file."""

    channel: str = Field(description="a name of the channel table, for example generic")
    name: str = Field(description="the last part of the webhook address: lower case, digits, - and _")
    secrets: tuple[SecretStr, ...] = Field(description="signing secrets; the first signs, all are accepted")
    media_hosts: tuple[str, ...] = Field(default=(), description="hosts of pictures; empty = any public")
    allow_http: bool = Field(default=False, description="accept http:// picture and reply addresses")
    allow_private: bool = Field(default=False, description="accept private and loopback addresses")
    desk: str = Field(default="here", description="who answers what the bot holds: here (review queue) or platform")
    options: dict[str, Any] = Field(default_factory=dict, repr=False, description="what this channel needs besides")

    @field_validator("name")
    @classmethod
    def _plain_name(cls, value: str) -> str:
        if not NAME.fullmatch(value):
            raise ValueError("an account name is lower-case letters, digits, - and _, at most 63")
        return value

    @field_validator("desk")
    @classmethod
    def _known_desk(cls, value: str) -> str:
        if value not in ("here", "platform"):
            raise ValueError("desk is here or platform")
        return value

    @model_validator(mode="after")
    def _has_secret(self) -> "AccountSettings":
        if not self.secrets:
            raise ValueError(f"account {self.channel}/{self.name} has no secret; webhooks are never accepted unsigned")
        return self


class WebSettings(Section):
    """The web process."""

    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8080, ge=0, le=65535, description="port to listen on; 0 = a free one")
    max_body_bytes: int = Field(default=3_000_000, description="largest webhook body")
    max_data_url_bytes: int = Field(default=2_000_000, description="largest decoded picture inside a webhook body")


class TurnSettings(Section):
    """When a turn is due and how long it may take (seconds)."""

    quiet_s: float = Field(default=3.0, description="quiet after the last message before a turn is due")
    wait_at_most_s: float = Field(default=10.0, description="due this long after the first message at the latest")
    lease_s: float = Field(default=30.0, description="a worker that shows no progress this long loses its turn")
    deadline_s: float = Field(default=120.0, description="a turn that nobody works on by then goes to a person")
    max_restarts: int = Field(default=2, description="how often new messages may restart a turn")
    max_attempts: int = Field(default=3, description="lost leases and errors before a turn goes to a person")
    follow_up_s: float = Field(
        default=1800.0,
        ge=0,
        description="words without a picture may be about one that the customer sent this long ago",
    )
    batch: int = Field(default=0, ge=0, description="turns a worker claims at once; 0 = what its engine runs together")


class FetchSettings(Section):
    """Pictures of customers."""

    max_bytes: int = Field(default=10_000_000, description="largest picture file")
    timeout_s: float = Field(default=10.0, description="wall clock for one fetch")
    max_attempts: int = Field(default=3, description="tries before a picture is given up")
    media_url: str | None = Field(default=None, description="file:///… or s3://… for picture files; default HOME/media")


class DeliverSettings(Section):
    """Replies to the platforms."""

    timeout_s: float = Field(default=10.0, description="wall clock for one send")
    at_once: bool = Field(
        default=True,
        description="answer workers send what they have just finished; false: only deliver workers reach the platforms",
    )
    settle_s: float = Field(default=30.0, description="an unknown outcome is settled this long after the send began")
    max_attempts: int = Field(default=8, description="sends before a person is asked")
    backoff_s: float = Field(default=1.0, description="first wait after a refusal; doubles, full jitter")
    backoff_at_most_s: float = Field(default=300.0, description="longest wait between two sends")
    breaker_failures: int = Field(default=5, description="failures in a row that pause an account")
    breaker_pause_s: float = Field(default=30.0, description="how long an account is paused")

    @model_validator(mode="after")
    def _settles_after_the_send(self) -> "DeliverSettings":
        if self.settle_s < 2 * self.timeout_s:
            raise ValueError("settle_s must be at least twice timeout_s: a send could still be under way")
        return self


class ReviewSettings(Section):
    """The human review queue."""

    claim_s: float = Field(default=90.0, description="a claim lasts this long unless renewed")
    due_s: float = Field(default=600.0, description="a review should be answered within this time")
    undo_s: float = Field(default=0.0, description="an approved reply waits this long so that it can be undone")


class RetentionSettings(Section):
    """Days after which upkeep forgets; 0 = never. docs/privacy.md says what stays and why these numbers."""

    events_days: float = Field(default=30.0, ge=0, description="raw webhook bodies; never longer than what they hold")
    pictures_days: float = Field(default=30.0, ge=0, description="picture files that no younger message uses")
    messages_days: float = Field(default=180.0, ge=0, description="words of customers, and the platform's message ids")
    looks_days: float = Field(default=180.0, ge=0, description="what was read from pictures")
    drafts_days: float = Field(default=180.0, ge=0, description="readings, records of orders and words of drafts")
    decisions_days: float = Field(default=180.0, ge=0, description="suggestions to agents; scores and reasons stay")
    stages_days: float = Field(default=180.0, ge=0, description="timings of stages (rows are deleted)")
    outbound_days: float = Field(default=180.0, ge=0, description="words that were sent")
    reviews_days: float = Field(default=180.0, ge=0, description="words of agents and notes; verdicts stay")
    customers_days: float = Field(
        default=730.0, ge=0, description="customers who wrote nothing for so long are deleted"
    )
    changes_days: float = Field(default=2.0, ge=0, description="the list that web pages follow (rows are deleted)")
    audit_days: float = Field(default=730.0, ge=0, description="who did what (rows are deleted)")
    batch: int = Field(default=200, ge=1, le=1000, description="rows that one transaction forgets")

    def days(self, name: str) -> float:
        """The age of one setting. A raw body holds words and pictures: it goes with the first of them."""
        if name != "events_days":
            return float(getattr(self, name))
        ages = [age for age in (self.events_days, self.messages_days, self.pictures_days) if age]
        return min(ages, default=0.0)


class ShopSettings(Section):
    """What the shop promises and how it speaks."""

    name: str = Field(default="our shop", description="the shop's name as customers know it")
    timezone: str = Field(default="Asia/Shanghai", description="IANA name; times in replies use it")
    language: str = Field(default="zh", description="language of replies when the customer's can't be told")
    ship_within_hours: float = Field(default=48.0, description="promised time from payment to shipping")


class EngineSettings(Section):
    """What looks at the pictures, and may put answers into words. Each engine takes what it needs."""

    name: str = Field(default="lite", description="a name of the engine table: lite, qwen, openai")
    threads: int = Field(default=0, ge=0, description="CPU threads; 0 = two (lite), all free cores (qwen)")
    timeout_s: float | None = Field(
        default=None, gt=0, description="wall clock for one picture or one reply; default 30, qwen on a CPU 90"
    )
    url: str = Field(default="", description="address of an OpenAI-compatible server (openai), with its /v1")
    api_key: SecretStr | None = Field(default=None, description="key of that server; sent as a bearer token")
    checkpoint: str = Field(
        default="", description="qwen: a folder or a repository's id; openai: as the server calls it; has a default"
    )
    revision: str = Field(
        default="", description="qwen: commit or tag of the repository; empty = main, as first fetched"
    )
    sha256: str = Field(default="", description="qwen: what `sha256sum *.safetensors | sha256sum` must give")
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = Field(
        default="auto", description="qwen: numbers of the weights; auto = bfloat16 where the device has it"
    )
    device_map: str = Field(default="auto", description="qwen: auto (a GPU when there is one), cpu, cuda or cuda:N")
    attention: Literal["auto", "sdpa", "eager", "flash_attention_2"] = Field(
        default="auto", description="qwen: attention kernels; auto = sdpa"
    )
    visual_tokens: int = Field(
        default=0, ge=0, le=16_384, description="qwen: most tokens of a picture, 1024 pixels each; 0 = 576, GPU 1280"
    )
    min_visual_tokens: int = Field(
        default=0, ge=0, le=16_384, description="qwen: a smaller picture is enlarged to this many; 0 = 256"
    )
    visual_tokens_by_kind: dict[str, int] = Field(
        default_factory=dict, description='qwen: most tokens when a kind is read, as JSON: {"order": 1280}'
    )
    boxes: Literal["auto", "on", "off"] = Field(
        default="auto", description="qwen: ask where an order page's fields stand; auto = on a GPU"
    )
    batch: int = Field(default=0, ge=0, le=256, description="qwen: pictures and replies at once; 0 = by free memory")
    max_pixels: int = Field(
        default=1_310_720, ge=65_536, le=16_777_216, description="openai: a picture is shrunk to this (1280 tokens)"
    )
    max_new_tokens: int = Field(default=512, ge=16, le=8192, description="longest answer of a checkpoint, in tokens")
    temperature: float = Field(default=0.0, ge=0, le=2, description="0 = always the likeliest token")
    concurrency: int = Field(default=4, ge=1, le=256, description="requests to the server at once, per worker")
    fallback: str = Field(default="lite", description="engine that takes over what this one fails at; empty = none")

    def limit_s(self, *, slow: bool = False) -> float:
        """Seconds for one picture or one reply; `slow` is a network on a CPU."""
        return self.timeout_s or (90.0 if slow else 30.0)

    @field_validator("sha256")
    @classmethod
    def _hex(cls, value: str) -> str:
        if value and not re.fullmatch(r"[0-9a-f]{64}", value.strip().lower()):
            raise ValueError("sha256 is 64 hexadecimal digits, from: sha256sum *.safetensors | sha256sum")
        return value.strip().lower()

    @field_validator("device_map")
    @classmethod
    def _device(cls, value: str) -> str:
        if not re.fullmatch(r"auto|cpu|cuda(:\d{1,2})?", value):
            raise ValueError("device_map is auto, cpu, cuda or cuda:N")
        return value

    @field_validator("visual_tokens_by_kind")
    @classmethod
    def _kinds(cls, value: dict[str, int]) -> dict[str, int]:
        for kind, tokens in value.items():
            if kind not in list(Kind) or not 4 <= tokens <= 16_384:
                raise ValueError(f"visual_tokens_by_kind is 4 to 16384 tokens a kind: {', '.join(Kind)}")
        return value

    @field_validator("url")
    @classmethod
    def _plain_url(cls, value: str) -> str:
        if value and not re.fullmatch(r"https?://[^\s/?#@]+(?:/[^\s?#]*)?", value):
            raise ValueError("an address is http(s)://host[:port]/v1, without user, query or fragment")
        return value.rstrip("/")


class CacheSettings(Section):
    """Looks and drafts kept in Redis."""

    enabled: bool = Field(default=True, description="keep looks and drafts in Redis")
    look_ttl_s: float = Field(default=86_400.0, gt=0, description="how long a look is kept")
    draft_ttl_s: float = Field(default=86_400.0, gt=0, description="how long a draft's words are kept")
    wait_s: float = Field(default=15.0, gt=0, description="longest wait for another worker that computes the same")
    answer_s: float = Field(default=0.05, gt=0, description="longest wait for one answer of Redis, then compute")
    recheck_share: float = Field(default=0.01, ge=0, le=1, description="share of the hits that is computed again later")
    recheck_after_s: float = Field(default=60.0, ge=0, description="how much later, at the earliest")


class ServeSettings(Section):
    """`cs-bot serve`: the OpenAI-compatible service."""

    host: str = Field(default="127.0.0.1", description="address that `cs-bot serve` listens on; others need keys")
    port: int = Field(default=8000, ge=0, le=65535, description="its port; 0 = a free one")
    api_keys: tuple[SecretStr, ...] = Field(
        default=(), description="keys that clients send as bearer tokens, separated by commas; 8 characters at least"
    )
    rate_per_minute: int = Field(default=600, ge=0, description="chats a minute that one key may start; 0 = any number")
    queue: int = Field(default=8, ge=0, le=1024, description="chats that wait for a free place; more are refused (429)")
    queue_s: float = Field(default=30.0, gt=0, description="longest such wait")
    timeout_s: float = Field(default=120.0, gt=0, description="wall clock for one chat, from its place to its end")
    max_body_bytes: int = Field(default=10_000_000, ge=1024, description="largest request, and largest fetched picture")
    max_pictures: int = Field(default=8, ge=1, le=64, description="pictures in one chat")
    media_hosts: tuple[str, ...] = Field(default=(), description="hosts of fetched pictures; empty = any public one")
    allow_http: bool = Field(default=False, description="fetch pictures from http:// addresses too")

    @field_validator("api_keys", mode="before")
    @classmethod
    def _separated(cls, value: Any) -> Any:
        return tuple(key.strip() for key in value.split(",") if key.strip()) if isinstance(value, str) else value

    @field_validator("api_keys")
    @classmethod
    def _long_enough(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if any(len(key) < 8 or not key.get_secret_value().isascii() for key in value):
            raise ValueError("a key has 8 characters at least, all of them ASCII")
        return value
