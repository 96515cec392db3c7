"""Settings from the environment over one TOML file; the only file that reads the environment."""

import os
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from cs_bot.errors import ConfigError
from cs_bot.settings.sections import (
    NAME,
    AccountSettings,
    CacheSettings,
    DeliverSettings,
    EngineSettings,
    FetchSettings,
    RetentionSettings,
    ReviewSettings,
    Section,
    ServeSettings,
    ShopSettings,
    TurnSettings,
    WebSettings,
)

PREFIX = "CSBOT_"


class _Environment(EnvSettingsSource):
    """Variables; a group or list in one variable is JSON, and CSBOT_ENGINE may be the bare name."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """The value as given to the setting; raises ConfigError, which never quotes it."""
        if field_name == "engine" and NAME.fullmatch(value):
            return {"name": value}
        if field_name == "api_keys" and not value.startswith("["):
            return value  # separated by commas
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            raise ConfigError(
                f'settings are wrong: {field_name}: the variable is no JSON (a list is ["a", "b"]; else leave it out)'
            ) from None


class Settings(BaseSettings):
    """Everything that can be set. CSBOT_WEB__PORT=8081 sets web.port; the file named by CSBOT_CONFIG comes second."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True)

    home: Path = Field(default=Path("var"), description="folder for the embedded database, pictures and sockets")
    database_url: SecretStr | None = Field(default=None, description="postgresql+psycopg://…; default SQLite in HOME")
    redis_url: SecretStr | None = Field(default=None, description="redis://…; default: `cs-bot up` starts its own")
    log_level: str = Field(default="INFO", description="DEBUG, INFO, WARNING or ERROR")
    max_concurrency: int = Field(default=3, ge=1, le=256, description="chats that `cs-bot serve` computes at once")
    accounts: tuple[AccountSettings, ...] = Field(default=(), description="channel accounts; easiest in the TOML file")
    policy: dict[str, Any] = Field(default_factory=dict, description="seeds version 1 of the policy table; see docs")
    web: WebSettings = WebSettings()
    turns: TurnSettings = TurnSettings()
    fetch: FetchSettings = FetchSettings()
    deliver: DeliverSettings = DeliverSettings()
    review: ReviewSettings = ReviewSettings()
    retention: RetentionSettings = RetentionSettings()
    shop: ShopSettings = ShopSettings()
    engine: EngineSettings = EngineSettings()
    cache: CacheSettings = CacheSettings()
    serve: ServeSettings = ServeSettings()

    @field_validator("engine", mode="before")
    @classmethod
    def _engine_by_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _accounts_once(self) -> "Settings":
        names = [(a.channel, a.name) for a in self.accounts]
        if len(set(names)) != len(names):
            raise ValueError("an account is named twice")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment comes over what load_settings passes in from the file."""
        return _Environment(settings_cls), init_settings

    @property
    def database(self) -> str:
        """The database's address; SQLite under `home` when none is set."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.home.absolute() / 'cs-bot.db'}"

    @property
    def redis(self) -> str:
        """The Redis address; the socket that `cs-bot up` makes under `home` when none is set."""
        if self.redis_url is not None:
            return self.redis_url.get_secret_value()
        return f"unix://{self.home.absolute() / 'redis.sock'}"

    @property
    def media(self) -> str:
        """Where picture files live, as an fsspec address."""
        return self.fetch.media_url or f"file://{self.home.absolute() / 'media'}"

    def account(self, channel: str, name: str) -> AccountSettings | None:
        """The account of that channel and name, or None."""
        return next((a for a in self.accounts if (a.channel, a.name) == (channel, name)), None)


def load_settings(path: Path | None = None, **overrides: Any) -> Settings:
    """Settings from the environment over the TOML file `path` (default $CSBOT_CONFIG, else csbot.toml when it exists).

    Raises ConfigError with one line a problem, never with a secret's value in it.
    """
    named = path or (Path(os.environ[f"{PREFIX}CONFIG"]) if f"{PREFIX}CONFIG" in os.environ else None)
    file = named or Path("csbot.toml")
    values: dict[str, Any] = {}
    if file.exists():
        try:
            values = tomllib.loads(file.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
            raise ConfigError(f"{file} is not valid TOML: {problem}") from None
        except OSError as problem:
            raise ConfigError(f"{file} can't be read ({type(problem).__name__})") from None
    elif named is not None:
        raise ConfigError(f"the settings file {file} does not exist")
    if isinstance(values.get("engine"), str):  # spelt out, so that CSBOT_ENGINE__THREADS comes beside the name
        values["engine"] = {"name": values["engine"]}
    try:
        return Settings(**{**values, **overrides})
    except ValidationError as problem:
        lines = [f"{'.'.join(str(p) for p in e['loc']) or 'settings'}: {e['msg']}" for e in problem.errors()]
        raise ConfigError("settings are wrong: " + "; ".join(lines)) from None


def unknown_variables() -> list[str]:
    """Names of CSBOT_* variables that no setting reads (a typo is silently ignored otherwise)."""
    return sorted(name for name in os.environ if name.startswith(PREFIX) and not _is_read(name.removeprefix(PREFIX)))


def _is_read(name: str) -> bool:
    first, *rest = name.lower().split("__")
    if first == "config":
        return not rest
    field = Settings.model_fields.get(first)
    if field is None or not rest:
        return field is not None
    return field.annotation == dict[str, Any] or (
        isinstance(field.annotation, type) and issubclass(field.annotation, Section)
    )


def set_aside_variables(kept: Callable[[str], bool]) -> list[str]:
    """Take CSBOT_* variables out of the environment of this process and of its children, unless `kept`; their names."""
    names = sorted(name for name in os.environ if name.startswith(PREFIX) and not kept(name))
    for name in names:
        del os.environ[name]
    return names


def child_environment(**extra: str) -> dict[str, str]:
    """The environment for a child process, with `extra` on top (the supervisor starts its children with it)."""
    return {**os.environ, **extra}


def keep_libraries_quiet() -> None:
    """Call before a library is imported that would send figures of its use to its makers.

    onnxruntime's wheel does from its import on (a device id and events under ~/.cache, then uploads); only this
    variable stops it, disable_telemetry_events() comes too late.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
