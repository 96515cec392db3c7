"""Settings: what wins, what a slip of the pen says, and that no secret is ever told."""

from pathlib import Path

import pytest

from cs_bot.errors import ConfigError
from cs_bot.settings import Settings, child_environment, load_settings, set_aside_variables, unknown_variables

SECRET = "whsec_dGhpcy1tdXN0LW5ldmVyLWJlLXNob3duLWFueXdoZXJl"
ACCOUNT = f"""
[[accounts]]
channel = "generic"
name = "shop"
secrets = ["{SECRET}"]
options = {{ reply_url = "https://shop.example/reply?key={SECRET}" }}
"""


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def written(text: str, name: str = "csbot.toml") -> Path:
    path = Path.cwd() / name
    path.write_text(text, encoding="utf-8")
    return path


def refused(path: Path | None = None, **overrides: object) -> str:
    """The one line that load_settings refuses with."""
    with pytest.raises(ConfigError) as raised:
        load_settings(path, **overrides)
    said = str(raised.value)
    assert SECRET not in said
    assert SECRET not in repr(raised.value)
    assert raised.value.__cause__ is None, "a chained error would print what it quotes"
    return said


def test_without_a_file_and_variables_the_defaults_hold() -> None:
    settings = load_settings()
    assert settings.accounts == ()
    assert settings.web.port == 8080
    assert settings.engine.name == "lite"


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    written('log_level = "DEBUG"\n[web]\nhost = "0.0.0.0"\nport = 9000\n')
    monkeypatch.setenv("CSBOT_WEB__PORT", "9001")
    settings = load_settings()
    assert (settings.web.host, settings.web.port, settings.log_level) == ("0.0.0.0", 9001, "DEBUG")


def test_a_named_file_wins_over_the_variable_and_the_variable_over_the_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written("[web]\nport = 1\n")
    monkeypatch.setenv("CSBOT_CONFIG", str(written("[web]\nport = 2\n", "other.toml")))
    assert load_settings().web.port == 2
    assert load_settings(written("[web]\nport = 3\n", "third.toml")).web.port == 3


def test_the_engine_can_be_named_in_one_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CSBOT_ENGINE", "lite")
    assert load_settings().engine.name == "lite"
    monkeypatch.setenv("CSBOT_ENGINE__THREADS", "2")
    assert (load_settings().engine.name, load_settings().engine.threads) == ("lite", 2)
    monkeypatch.delenv("CSBOT_ENGINE")
    written('engine = "other"')
    assert (load_settings().engine.name, load_settings().engine.threads) == ("other", 2)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[web]\nprot = 1", "web.prot"),
        ("prot = 1", "prot"),
        ("[turns]\nquiet = 1", "turns.quiet"),
        ('[web]\nport = "many"', "web.port"),
        ("[web]\nport = 70000", "web.port"),
        ("[turns]\nbatch = -1", "turns.batch"),
        (ACCOUNT + "secret = 'x'", "accounts.0.secret"),
        (ACCOUNT.replace('"shop"', '"My Shop"'), "lower-case letters"),
        (ACCOUNT.replace(f'["{SECRET}"]', "[]"), "generic/shop has no secret"),
        (ACCOUNT.replace(f'["{SECRET}"]', f'"{SECRET}"'), "accounts.0.secrets"),
        (ACCOUNT.replace(f'["{SECRET}"]', f'[["{SECRET}"]]'), "accounts.0.secrets"),
        (ACCOUNT + 'desk = "elsewhere"', "desk is here or platform"),
        (ACCOUNT + ACCOUNT, "named twice"),
        ("accounts = 3", "accounts"),
    ],
)
def test_a_wrong_or_misspelt_setting_is_named(text: str, word: str) -> None:
    written(text)
    assert word in refused()


def test_every_problem_is_named_at_once() -> None:
    written("prot = 1\n[web]\nport = 70000\n")
    said = refused()
    assert "prot" in said
    assert "web.port" in said
    assert "\n" not in said


def test_a_misspelt_part_of_a_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CSBOT_WEB__PROT", "1")
    assert "web.prot" in refused()


@pytest.mark.parametrize(
    ("name", "value"),
    [("CSBOT_WEB__PORT", "many"), ("CSBOT_ACCOUNTS", f"not json {SECRET}"), ("CSBOT_WEB", SECRET)],
)
def test_a_variable_that_can_not_be_read_is_named_without_its_value(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert name.removeprefix("CSBOT_").lower().replace("__", ".") in refused()


def test_a_file_that_is_no_toml_says_where() -> None:
    written(f'[[accounts]]\nsecrets = ["{SECRET}" oops\n')
    said = refused()
    assert "not valid TOML" in said
    assert "line 2" in said


def test_a_named_file_that_is_missing_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "does not exist" in refused(Path("nowhere.toml"))
    monkeypatch.setenv("CSBOT_CONFIG", "nowhere.toml")
    assert "does not exist" in refused()


def test_a_folder_in_the_place_of_the_file_is_an_error(tmp_path: Path) -> None:
    assert "can't be read" in refused(tmp_path)


def test_no_secret_is_in_what_settings_show_of_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    written(ACCOUNT)
    monkeypatch.setenv("CSBOT_DATABASE_URL", f"postgresql+psycopg://cs:{SECRET}@db/cs")
    monkeypatch.setenv("CSBOT_REDIS_URL", f"redis://:{SECRET}@redis/0")
    settings = load_settings()
    assert settings.accounts[0].options["reply_url"].endswith(SECRET)
    for shown in (
        repr(settings),
        str(settings),
        repr(settings.accounts[0]),
        settings.model_dump_json(exclude={"accounts"}),
    ):
        assert SECRET not in shown
    assert SECRET in settings.database
    assert SECRET in settings.redis


def test_everything_embedded_lies_under_home(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "h")
    assert settings.database == f"sqlite:///{tmp_path}/h/cs-bot.db"
    assert settings.redis == f"unix://{tmp_path}/h/redis.sock"
    assert settings.media == f"file://{tmp_path}/h/media"
    assert Settings(fetch={"media_url": "s3://b/m"}).media == "s3://b/m"


def test_an_account_is_found_by_channel_and_name() -> None:
    written(ACCOUNT)
    settings = load_settings()
    assert settings.account("generic", "shop") is settings.accounts[0]
    assert settings.account("generic", "other") is None
    assert settings.account("chatwoot", "shop") is None


def test_settings_can_not_be_changed_afterwards() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().log_level = "DEBUG"  # type: ignore[misc]


@pytest.mark.parametrize(
    "name",
    ["CSBOT_DATABSE_URL", "CSBOT_WBE__PORT", "CSBOT_", "CSBOT_HOME__X", "CSBOT_PORT", "CSBOT_ACCOUNTS__0__NAME"],
)
def test_a_variable_that_no_setting_reads_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("CSBOT_HOME", "x")
    monkeypatch.setenv("CSBOT_CONFIG", "x")
    monkeypatch.setenv("CSBOT_WEB__PORT", "1")
    monkeypatch.setenv("CSBOT_ENGINE", "lite")
    monkeypatch.setenv("CSBOT_POLICY__SHARE", "1")
    assert unknown_variables() == []
    monkeypatch.setenv(name, "x")
    assert unknown_variables() == [name]


def test_a_child_gets_this_environment_and_what_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CSBOT_HOME", "here")
    given = child_environment(CSBOT_HOME="there", MORE="1")
    assert (given["CSBOT_HOME"], given["MORE"]) == ("there", "1")
    assert child_environment()["CSBOT_HOME"] == "here"


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://x/v1", "http://user:pw@x/v1", "http://x/v1?key=1", "http://"])
def test_an_engines_address_is_plain(url: str) -> None:
    refused(engine={"name": "openai", "url": url})


def test_an_engines_key_is_never_shown_and_its_address_loses_a_last_slash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CSBOT_ENGINE__API_KEY", SECRET)
    monkeypatch.setenv("CSBOT_ENGINE__URL", "http://127.0.0.1:8000/v1/")
    engine = load_settings().engine
    assert engine.url == "http://127.0.0.1:8000/v1"
    assert engine.api_key is not None
    assert engine.api_key.get_secret_value() == SECRET
    assert SECRET not in repr(engine) + str(dict(engine)) + engine.model_dump_json()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        *(("dtype", "int8"), ("device_map", "gpu"), ("device_map", "cuda:x"), ("attention", "fast"), ("threads", -1)),
        *(("sha256", "abc"), ("visual_tokens_by_kind", {"orders": 900}), ("visual_tokens_by_kind", {"order": 1})),
    ],
)
def test_an_engines_settings_are_checked(setting: str, value: object) -> None:
    refused(engine={"name": "qwen", setting: value})


def test_the_engine_may_be_named_beside_its_other_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CSBOT_ENGINE", "qwen")
    monkeypatch.setenv("CSBOT_ENGINE__CHECKPOINT", "/srv/checkpoint")
    monkeypatch.setenv("CSBOT_ENGINE__SHA256", " " + "A" * 64)
    monkeypatch.setenv("CSBOT_ENGINE__VISUAL_TOKENS_BY_KIND", '{"order": 1280}')
    engine = load_settings().engine
    assert (engine.name, engine.checkpoint, engine.sha256) == ("qwen", "/srv/checkpoint", "a" * 64)
    assert engine.visual_tokens_by_kind == {"order": 1280}


def test_variables_are_set_aside_for_this_process_and_its_children(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CSBOT_DATABASE_URL", "CSBOT_ENGINE__URL", "CSBOT_HOME"):
        monkeypatch.setenv(name, "x")
    left_out = set_aside_variables(lambda name: name not in ("CSBOT_DATABASE_URL", "CSBOT_HOME"))
    assert left_out == ["CSBOT_DATABASE_URL", "CSBOT_HOME"]
    children = child_environment()
    assert "CSBOT_DATABASE_URL" not in children
    assert children["CSBOT_ENGINE__URL"] == "x"
