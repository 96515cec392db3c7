"""customer show | delete: what is said, and the exit codes."""

import json
from pathlib import Path

import pytest
import redis

from cs_bot.cache import keys
from cs_bot.store.database import Database
from cs_bot.store.queries import customers
from tests.commands import Run
from tests.forgetting import PERSONAL, a_shop, answered, asked, rows
from tests.services import RedisServer


@pytest.mark.usefixtures("with_account")
def test_a_customer_is_shown_deleted_and_then_known_as_deleted(
    run: Run, sqlite_database: Database, tmp_path: Path
) -> None:
    shop = a_shop(sqlite_database, tmp_path)
    answered(shop)
    shown = run("customer", "show", "--account", "shop", "--external-id", "u1")
    assert shown.code == 0
    assert "customer 1: u1 on generic/shop" in shown.out
    assert "张三" in shown.out
    assert "not over  nothing" in shown.out
    done = run("customer", "delete", "1", "--by", "mei")
    assert done.code == 0
    assert "customer 1 on generic/shop was deleted" in done.out
    assert "by mei" in done.out
    assert "sha256:" in done.out
    assert not any(word in done.out for word in PERSONAL)
    again = run("customer", "delete", "--account", "shop", "--external-id", "u1")
    assert again.code == 0
    assert "was already deleted" in again.out
    said = json.loads(run("customer", "show", "1", "--json").out)
    assert said["deletion"]["actor"] == "mei"
    shop.close()


@pytest.mark.usefixtures("with_account")
def test_open_work_is_named_and_force_gets_past_it(run: Run, sqlite_database: Database, tmp_path: Path) -> None:
    shop = a_shop(sqlite_database, tmp_path)
    asked(shop)
    refused = run("customer", "delete", "1")
    assert refused.code == 1
    assert "1 open reviews" in refused.err
    assert "--force" in refused.err
    done = run("customer", "delete", "1", "--force", "--json")
    assert done.code == 0
    assert json.loads(done.out)["counts"]["messages"] == 1
    shop.close()


@pytest.mark.usefixtures("with_account")
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("show",), 2, "say which customer"),
        (("delete", "1", "--external-id", "u1"), 2, "say which customer"),
        (("delete", "--external-id", "u1"), 2, "needs --account"),
        (("delete", "99"), 1, "there is no customer 99"),
        (("show", "--account", "shop", "--external-id", "nobody"), 1, "no such customer"),
    ],
)
def test_what_cant_be_meant_is_one_clear_line(run: Run, words: tuple[str, ...], code: int, said: str) -> None:
    done = run("customer", *words)
    assert done.code == code
    assert said in done.err


@pytest.mark.usefixtures("with_account")
def test_the_cache_forgets_them_too(
    run: Run,
    sqlite_database: Database,
    tmp_path: Path,
    redis_server: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shop = a_shop(sqlite_database, tmp_path)
    answered(shop)
    [picture] = rows(shop, "pictures")
    with shop.database.read() as tx:
        customer = customers.get(tx, 1)
    assert customer is not None
    monkeypatch.setenv("CSBOT_REDIS_URL", redis_server.url)
    client = redis.Redis.from_url(redis_server.url)
    others, theirs = (
        f"{keys.LOOK}:x:p{'0' * 64}",
        (f"{keys.LOOK}:x:p{picture['pixels_sha256']}", f"{keys.PREFIX}:d:{keys.owner(customer)}"),
    )
    for key in (others, *theirs):
        client.set(key, b"1", ex=60)
    assert run("customer", "delete", "1").code == 0
    assert client.exists(others)
    assert not client.exists(*theirs)
    client.close()
    shop.close()


@pytest.mark.usefixtures("with_account")
def test_without_redis_the_deletion_is_done_and_says_until_when_the_cache_holds_something(
    run: Run, sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = a_shop(sqlite_database, tmp_path)
    answered(shop)
    monkeypatch.setenv("CSBOT_REDIS_URL", f"unix://{tmp_path}/nobody.sock")
    done = run("customer", "delete", "1")
    assert done.code == 0
    assert "the cache can't be reached" in done.err
    assert "within 24 h" in done.err
    shop.close()
