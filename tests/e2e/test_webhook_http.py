"""Webhooks over real HTTP: what a platform, a scanner or a broken client may send, and what comes back."""

import gzip
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from cs_bot.schemas import EVENT_SHAPES
from cs_bot.store.database import Database
from cs_bot.store.queries import messages as message_queries
from cs_bot.store.tables import events, messages
from cs_bot.testing import SECRET, shop_event, shop_message, sign_webhook
from tests import web

PATH = "/webhooks/generic/shop"


@pytest.fixture
def site(database: Database, tmp_path: Path) -> Iterator[httpx.Client]:
    """A running web process."""
    with web.running(web.services_on(database, tmp_path)) as address, web.client(address) as client:
        yield client


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """SQLite, unless a test asks for each kind: most answers here are given before the database is asked."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return str(request.getfixturevalue("sqlite_url"))
    server = request.getfixturevalue("postgres_server")
    return str(server.create_database(request.getfixturevalue("postgres_template")))


on_each_database = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)


def post(site: httpx.Client, body: Any, path: str = PATH, **signing: Any) -> httpx.Response:
    """One signed webhook."""
    headers, data = sign_webhook(body, **signing)
    return site.post(path, content=data, headers=headers)


def stored(database: Database, table: Any = events) -> int:
    """How many rows."""
    with database.read() as tx:
        return int(tx.value(select(func.count()).select_from(table)))


def states(database: Database) -> list[tuple[str, str | None]]:
    """(state, problem) of every event."""
    with database.read() as tx:
        return [(row["state"], row["problem"]) for row in tx.rows(select(events).order_by(events.c.id))]


def test_a_signed_message_is_stored_and_answered_with_200(site: httpx.Client, database: Database) -> None:
    answer = post(site, shop_event("message.created", shop_message("你好,我的订单呢?")))
    assert answer.status_code == 200
    assert answer.json() == {"ok": True}
    with database.read() as tx:
        [row] = tx.rows(select(messages))
    assert row["text"] == "你好,我的订单呢?"


@on_each_database
def test_every_type_of_event_is_taken(site: httpx.Client, database: Database) -> None:
    from tests.contracts.test_channels import SAMPLES

    for kind, (_, data) in SAMPLES.items():
        assert post(site, shop_event(kind, data)).status_code == 200, kind
    assert [state for state, _ in states(database)] == ["parsed"] * len(EVENT_SHAPES)


@on_each_database
def test_ten_copies_at_once_are_one_message(site: httpx.Client, database: Database) -> None:
    headers, data = sign_webhook(shop_event("message.created", shop_message()))
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: site.post(PATH, content=data, headers=headers), range(10)))
    assert {answer.status_code for answer in answers} == {200}
    assert stored(database) == stored(database, messages) == 1


@on_each_database
def test_the_same_message_id_with_another_body_is_flagged_and_the_first_kept(
    site: httpx.Client, database: Database
) -> None:
    for text in ("first", "second"):
        assert post(site, shop_event("message.created", shop_message(text, message_id="m1"))).status_code == 200
    with database.read() as tx:
        found = message_queries.find(tx, "generic", "shop", "m1")
    assert found is not None
    assert (found["text"], found["conflicts"]) == ("first", 1)


@pytest.mark.parametrize(
    "how",
    [
        "unsigned",
        "other secret",
        "old",
        "future",
        "body changed",
        "no id",
        "no time",
        "unknown account",
        "unknown channel",
    ],
)
def test_what_is_not_properly_signed_is_401_and_leaves_nothing(
    site: httpx.Client, database: Database, how: str
) -> None:
    body = shop_event("message.created", shop_message())
    now = datetime.now(UTC) + timedelta(seconds={"old": -400, "future": 400}.get(how, 0))
    secret = "whsec_" + "eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4" if how == "other secret" else SECRET
    headers, data = sign_webhook(body, now=now, secret=secret)
    path = {"unknown account": "/webhooks/generic/nobody", "unknown channel": "/webhooks/pigeon/shop"}.get(how, PATH)
    if how == "unsigned":
        headers = {}
    if how == "body changed":
        data += b" "
    headers.pop({"no id": "webhook-id", "no time": "webhook-timestamp"}.get(how, ""), None)
    answer = site.post(path, content=data, headers=headers)
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "bad_signature"
    assert stored(database) == stored(database, messages) == 0


@pytest.mark.parametrize("body", [b"", b"hello", b"{", b"\xff\xfe", b'{"a": NaN}', b"\x00", b"--"])
def test_signed_but_not_json_is_400_and_kept(site: httpx.Client, database: Database, body: bytes) -> None:
    answer = post(site, body)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "not_json"
    assert [state for state, _ in states(database)] == ["not_json"]


@pytest.mark.parametrize(
    "body",
    [
        b"null",
        b"[]",
        b'"x"',
        b"[" * 200_000 + b"]" * 200_000,
        b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
        b'{"type": "message.created", "timestamp": "2026-03-01T12:00:00Z", "data": {"text": "\\ud800"}}',
        b'{"type": "x\\u0000y", "timestamp": "2026-03-01T12:00:00Z", "data": {}}',
        b'{"type": "nobody.knows", "timestamp": "2026-03-01T12:00:00Z", "data": {}}',
        b'{"type": "message.created", "timestamp": "0001-01-01T00:00:00+14:00", "data": {}}',
        b'{"n": 1' + b"0" * 5000 + b"}",
        b'{"a": 1, "a": 2}',
    ],
)
def test_signed_json_of_a_wrong_shape_is_200_and_counted(site: httpx.Client, database: Database, body: bytes) -> None:
    assert post(site, body).status_code == 200
    [(state, problem)] = states(database)
    assert state == "unparsed"
    assert problem


NUL = "\x00"


EDGES: list[tuple[str, dict[str, Any]]] = [
    ("message.created", shop_message(f"a{NUL}b", message_id=f"m{NUL}1", conversation_id=f"c{NUL}1")),
    ("message.created", shop_message("‮ abc ‍​ 👩‍👩‍👧 " * 500)),
    ("message.created", shop_message("x", customer={"id": f"u{NUL}", "name": NUL, "email": NUL, "phone": NUL})),
    ("message.created", shop_message("x", attachments=[{"url": f"https://a.example/{NUL}"}, {"url": "data:,x"}])),
    ("message.created", shop_message("x", attachments=[{"url": "data:image/png;base64," + "A" * 2_900_000}])),
    ("message.created", shop_message("x", sent_at="9999-12-31T23:59:59Z")),
    ("message.created", shop_message("x", sent_at="0001-01-01T00:00:00Z")),
    ("message.revoked", {"conversation_id": NUL, "message_id": NUL}),
    ("conversation.taken_by_human", {"conversation_id": f"{NUL}", "at": "0001-01-01T00:00:00Z"}),
    ("conversation.released", {"conversation_id": "never seen"}),
    ("message.revoked", {"conversation_id": "never seen", "message_id": "never seen"}),
    (
        "order.upserted",
        {"order_id": f"1{NUL}", "status": "paid", "amount": "99999999999999.9999"}
        | {"updated_at": "0001-01-02T00:00:00Z"}
        | {"ordered_at": "9999-12-30T00:00:00Z", "carrier": NUL, "lines": [{"name": NUL, "quantity": 1_000_000}]},
    ),
    (
        "product.upserted",
        {"product_id": NUL, "title": NUL, "updated_at": "2026-01-01T00:00:00Z", "attributes": {NUL: NUL}}
        | {"pictures": [NUL], "stock": 10**30, "variants": [{"sku": NUL, "attributes": {NUL: ""}}]},
    ),
    (
        "product.upserted",
        {"product_id": "p", "title": "t", "updated_at": "2026-01-01T00:00:00Z", "attributes": {"\ud800": "\ud800"}}
        | {"pictures": ["\ud800"], "price": "99999999999999.9999"},
    ),
]


@on_each_database
def test_text_and_values_at_the_edge_are_stored_or_counted(site: httpx.Client, database: Database) -> None:
    for kind, data in EDGES:
        assert post(site, json.dumps(shop_event(kind, data)).encode()).status_code == 200, (kind, data)
    found = [state for state, _ in states(database)]
    assert len(found) == len(EDGES)
    assert set(found) <= {"parsed", "unparsed"}
    assert found.count("parsed") >= len(EDGES) - 4


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
WILD = st.text(alphabet=st.characters(codec=None, categories=None), max_size=30)
PERSON = st.fixed_dictionaries({"id": WILD | st.integers()}, optional={"name": WILD, "email": WILD, "phone": WILD})
TIME = st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.isoformat()) | st.integers() | WILD
MESSAGE = st.fixed_dictionaries(
    {"conversation_id": WILD | st.integers(), "message_id": WILD, "customer": PERSON},
    optional={
        "text": WILD,
        "sent_at": TIME,
        "sender": st.sampled_from(["customer", "agent", "bot"]),
        "outbound_id": WILD,
        "attachments": st.lists(st.fixed_dictionaries({"url": WILD}), max_size=3),
    },
)
ORDER = st.fixed_dictionaries(
    {
        "order_id": WILD | st.integers(),
        "status": st.sampled_from(["paid", "shipped", "nonsense"]),
        "amount": st.decimals(allow_nan=False, allow_infinity=False).map(str)
        | st.floats(allow_nan=False, allow_infinity=False),
        "ordered_at": TIME,
        "updated_at": TIME,
    },
    optional={"customer_id": WILD, "email": WILD, "phone": WILD, "lines": JSON, "tracking_no": WILD},
)
PRODUCT = st.fixed_dictionaries(
    {"product_id": WILD, "title": WILD, "updated_at": TIME},
    optional={
        "attributes": st.dictionaries(WILD, WILD, max_size=3),
        "stock": st.integers(),
        "pictures": st.lists(WILD),
    },
)
OTHER = st.fixed_dictionaries({"conversation_id": WILD}, optional={"message_id": WILD, "at": TIME})


def event(kind: str, data: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Events of one type with that data."""
    fixed = {"type": st.just(kind), "timestamp": st.just("2026-03-01T12:00:00Z") | TIME, "data": data | JSON}
    return st.fixed_dictionaries(fixed)


EVENT = st.one_of(
    event("message.created", MESSAGE),
    event("order.upserted", ORDER),
    event("product.upserted", PRODUCT),
    *(event(kind, OTHER) for kind in ("message.revoked", "conversation.taken_by_human", "conversation.released")),
    JSON,
)


@on_each_database
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=EVENT)
def test_signed_json_of_any_shape_is_always_200(site: httpx.Client, body: Any) -> None:
    assert post(site, json.dumps(body).encode()).status_code == 200


# Bodies that are too large, too slow, compressed


def test_a_body_of_exactly_the_limit_is_taken(site: httpx.Client, database: Database) -> None:
    body = b'{"pad": "' + b"x" * (3_000_000 - 11) + b'"}'
    assert len(body) == 3_000_000
    assert post(site, body).status_code == 200
    assert stored(database) == 1


@pytest.mark.parametrize("chunked", [False, True])
def test_one_byte_more_is_413_and_leaves_nothing(site: httpx.Client, database: Database, chunked: bool) -> None:
    headers, data = sign_webhook(b'{"pad": "' + b"x" * (3_000_001 - 11) + b'"}')
    pieces = (data[at : at + 50_000] for at in range(0, len(data), 50_000))
    answer = site.post(PATH, content=pieces if chunked else data, headers=headers)
    assert answer.status_code == 413
    assert answer.json()["error"]["type"] == "too_large"
    assert stored(database) == 0
    assert site.get("/health").status_code == 200


def raw(site: httpx.Client) -> socket.socket:
    """A plain connection."""
    port = site.base_url.port
    assert port is not None
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def whole_answer(line: socket.socket) -> bytes:
    """What comes until the server hangs up."""
    found = b""
    try:
        while more := line.recv(4096):
            found += more
    except ConnectionResetError:
        pass  # it hangs up on a sender that goes on
    return found


def test_an_endless_body_is_cut_off_and_memory_stays_flat(site: httpx.Client, database: Database) -> None:
    before, sent, chunk = psutil.Process().memory_info().rss, 0, b"10000\r\n" + b"x" * 65536 + b"\r\n"
    with raw(site) as line:
        line.sendall(f"POST {PATH} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n".encode())
        try:
            while sent < 200_000_000:
                line.sendall(chunk)
                sent += len(chunk)
        except OSError:
            pass  # cut off, as it should be
    assert sent < 60_000_000
    assert psutil.Process().memory_info().rss - before < 40_000_000
    assert stored(database) == 0


def test_a_declared_giant_is_refused_before_it_is_read(site: httpx.Client) -> None:
    with raw(site) as line:
        begun = time.monotonic()
        line.sendall(f"POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: 9000000000\r\n\r\n".encode())
        answer = line.recv(4096)
        assert answer.startswith(b"HTTP/1.1 413")
        assert b"connection: close" in answer.lower()
        assert time.monotonic() - begun < 4


def test_a_slow_body_is_408_and_does_not_hold_up_others(database: Database, tmp_path: Path) -> None:
    services = web.services_on(database, tmp_path)
    with web.running(services, body_s=1.0) as address, web.client(address) as site, raw(site) as line:
        line.sendall(f"POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n".encode())
        stop = threading.Event()

        def drip() -> None:
            try:
                while not stop.wait(0.1):
                    line.sendall(b"x")
            except OSError:
                return  # the server has hung up: what this test is about

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            assert post(site, shop_event("message.created", shop_message())).status_code == 200
            answer = whole_answer(line)
        finally:
            stop.set()
            thread.join(5)
        assert answer.startswith(b"HTTP/1.1 408")
        assert b"too_slow" in answer


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "GZIP", "gzip, gzip"])
def test_compressed_bodies_are_refused_unopened(site: httpx.Client, database: Database, encoding: str) -> None:
    bomb = gzip.compress(b"0" * 50_000_000)
    headers, data = sign_webhook(bomb)
    before = psutil.Process().memory_info().rss
    answer = site.post(PATH, content=data, headers={**headers, "content-encoding": encoding})
    assert answer.status_code == 415
    assert "Content-Encoding" in answer.json()["error"]["message"]
    assert psutil.Process().memory_info().rss - before < 20_000_000
    assert stored(database) == 0


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "multipart/form-data; boundary=x", "", "ÿ"])
def test_the_content_type_does_not_matter_to_a_signed_webhook(site: httpx.Client, content_type: str) -> None:
    headers, data = sign_webhook(shop_event("message.created", shop_message()))
    answer = site.post(PATH, content=data, headers={**headers, "content-type": content_type.encode("latin-1")})
    assert answer.status_code == 200


# Methods, paths, faults


def test_a_probe_is_answered_and_other_methods_are_not(site: httpx.Client, database: Database) -> None:
    assert site.head(PATH).status_code == 200
    assert site.head("/webhooks/generic/nobody").status_code == 200
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        answer = site.request(method, PATH)
        assert answer.status_code == 405
        assert answer.json()["error"]["type"] == "method_not_allowed"
        assert "POST" in answer.headers["allow"]
    assert stored(database) == 0


@pytest.mark.parametrize(
    "path", ["/webhooks/generic", "/webhooks/generic/shop/x", "/webhooks", "/docs", "/openapi.json", "/.env"]
)
def test_what_is_not_there_is_404(site: httpx.Client, path: str) -> None:
    assert post(site, {}, path=path).status_code == 404


@pytest.mark.parametrize("account", ["..%2fshop", "%00", "a" * 5000, "sh%C3%B6p", "shop%20", "';drop"])
def test_odd_account_names_are_unknown(site: httpx.Client, account: str) -> None:
    assert post(site, {}, path=f"/webhooks/generic/{account}").status_code in (401, 404)


def test_when_the_store_fails_the_platform_is_asked_to_come_again(tmp_path: Path, sqlite_url: str) -> None:
    database = Database(sqlite_url)
    services = web.services_on(database, tmp_path)
    with web.running(services) as address, web.client(address) as site:
        blocked = sqlite_lock(sqlite_url)
        try:
            answer = post(site, shop_event("message.created", shop_message()))
        finally:
            blocked.close()
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert answer.json()["error"]["type"] == "store_unavailable"
        assert post(site, shop_event("message.created", shop_message())).status_code == 200
    services.close()


def sqlite_lock(url: str) -> Any:
    """A connection that holds the write lock."""
    import sqlite3

    connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    connection.execute("begin immediate")
    return connection


class Broken:
    """A channel with a bug."""

    def verify(self, request: object) -> None:
        raise RuntimeError("SECRET-WORDS")


def test_a_bug_is_503_to_a_platform_and_tells_nothing(
    sqlite_database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    services = web.services_on(sqlite_database, tmp_path)
    services.channels[("generic", "shop")] = Broken()  # type: ignore[assignment]
    with web.running(services) as address, web.client(address) as site:
        answer = post(site, {})
    assert answer.status_code == 503
    assert "SECRET" not in answer.text
    assert "RuntimeError" not in answer.text
    assert any(record.exc_info for record in caplog.records)


def test_the_doorbell_is_rung_after_the_commit_only(sqlite_database: Database, tmp_path: Path) -> None:
    seen: list[int] = []
    services = web.services_on(sqlite_database, tmp_path)
    services.ring = lambda queue: seen.append(stored(sqlite_database, messages))
    with web.running(services) as address, web.client(address) as site:
        post(site, shop_event("message.created", shop_message()))
    assert seen
    assert set(seen) == {1}


def test_security_headers_are_on_every_answer(site: httpx.Client) -> None:
    for answer in (site.get("/health"), site.get("/nowhere"), site.post(PATH), site.get("/login")):
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "server" not in answer.headers
