"""The demo's settings load, as overrides and as the file that child processes read."""

import base64
import stat
from pathlib import Path

import pytest

from cs_bot.demo.account import demo_settings, new_secret, webhook_url, write_settings
from cs_bot.demo.faults import Fault, no_faults, seeded_faults
from cs_bot.settings import load_settings


def test_a_secret_is_fresh_and_has_32_bytes() -> None:
    first, second = new_secret(), new_secret()
    assert first != second
    assert len(base64.b64decode(first.removeprefix("whsec_"))) == 32


def test_the_overrides_load_and_the_file_gives_the_same_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    secret = new_secret()
    values = demo_settings(
        tmp_path / "home",
        port=8123,
        secret=secret,
        reply_url="http://127.0.0.1:9/replies",
        lookup_url="http://127.0.0.1:9/sent",
    )
    direct = load_settings(**values)
    account = direct.account("generic", "demo")
    assert account is not None
    assert account.secrets[0].get_secret_value() == secret
    assert account.options["lookup_url"] == "http://127.0.0.1:9/sent"
    path = write_settings(tmp_path / "demo.toml", values)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_settings(path) == direct


def test_the_webhook_address_is_that_of_the_demo_account() -> None:
    assert webhook_url(8123) == "http://127.0.0.1:8123/webhooks/generic/demo"


def test_seeded_faults_repeat_and_come_in_their_shares() -> None:
    shares = {Fault.TOO_MANY: 0.2, Fault.DROP_AFTER: 0.3}
    plan, again = seeded_faults(5, shares), seeded_faults(5, shares)
    drawn = [plan(f"o{n}", 1) for n in range(2000)]
    assert drawn == [again(f"o{n}", 1) for n in range(2000)]
    assert 0.16 < drawn.count(Fault.TOO_MANY) / 2000 < 0.24
    assert 0.25 < drawn.count(Fault.DROP_AFTER) / 2000 < 0.35
    assert drawn != [seeded_faults(6, shares)(f"o{n}", 1) for n in range(2000)]


def test_later_attempts_always_succeed_and_shares_over_one_are_refused() -> None:
    assert all(seeded_faults(1, {Fault.DROP: 1.0}, attempts=2)(f"o{n}", 3) is None for n in range(50))
    assert no_faults("o1", 1) is None
    with pytest.raises(ValueError, match="more than 1"):
        seeded_faults(1, {Fault.DROP: 0.7, Fault.HANG: 0.7})
