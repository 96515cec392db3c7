"""Settings: environment over one TOML file that also names the accounts."""

from cs_bot.settings.loading import (
    PREFIX,
    Settings,
    child_environment,
    keep_libraries_quiet,
    load_settings,
    set_aside_variables,
    unknown_variables,
)
from cs_bot.settings.sections import (
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

__all__ = [
    "PREFIX",
    "AccountSettings",
    "CacheSettings",
    "DeliverSettings",
    "EngineSettings",
    "FetchSettings",
    "RetentionSettings",
    "ReviewSettings",
    "Section",
    "ServeSettings",
    "Settings",
    "ShopSettings",
    "TurnSettings",
    "WebSettings",
    "child_environment",
    "keep_libraries_quiet",
    "load_settings",
    "set_aside_variables",
    "unknown_variables",
]
