"""Fetching a checkpoint from a hub: a small one of the test's own, over HTTP."""

import hashlib
import json
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from cs_bot.errors import EngineError
from cs_bot.settings import EngineSettings
from cs_bot.vision.qwen import hub
from cs_bot.vision.qwen.checkpoint import inspect
from cs_bot.vision.qwen.loading import load

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NAME = "somebody/tiny-vl"


class Repository(BaseHTTPRequestHandler):
    """The three answers that a fetch needs: which commit, which files, and a file."""

    folder: Path
    asked: list[str]

    def do_HEAD(self) -> None:
        self.do_GET(body=False)

    def do_GET(self, body: bool = True) -> None:
        path = self.path.partition("?")[0]
        type(self).asked.append(path)
        if path.startswith(f"/api/models/{NAME}/tree/"):
            files = [self.entry(file) for file in sorted(self.folder.iterdir())]
            self.answer(json.dumps(files).encode(), body)
        elif path.startswith(f"/api/models/{NAME}"):
            self.answer(json.dumps({"id": NAME, "sha": COMMIT, "siblings": []}).encode(), body)
        elif path.startswith(f"/{NAME}/resolve/{COMMIT}/") and (self.folder / path.rsplit("/", 1)[1]).is_file():
            self.answer((self.folder / path.rsplit("/", 1)[1]).read_bytes(), body)
        else:
            self.send_error(404)

    def entry(self, file: Path) -> dict[str, Any]:
        digest = hashlib.sha1(file.read_bytes()).hexdigest()
        return {"type": "file", "path": file.name, "size": file.stat().st_size, "oid": digest}

    def answer(self, data: bytes, body: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("ETag", f'"{hashlib.sha1(data).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if body:
            self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""


@pytest.fixture
def repository(random_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Repository]]:
    from huggingface_hub import constants

    folder = Path(shutil.copytree(random_checkpoint, tmp_path / "published"))
    (folder / "pytorch_model.bin").write_bytes(b"a pickle")
    (folder / "README.md").write_text("for people")
    handler = type("Served", (Repository,), {"folder": folder, "asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    # patch: the library reads these once, when it is imported
    address = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    yield handler
    server.shutdown()
    server.server_close()


def test_a_repository_is_fetched_once_and_told_byte_by_byte(repository: type[Repository]) -> None:
    heard: list[tuple[int, int]] = []
    folder = hub.find(NAME, "", lambda done, total: heard.append((done, total)))
    assert inspect(folder).size > 4_000_000
    assert heard[-1][0] == heard[-1][1] > 4_000_000
    assert sorted(done for done, _ in heard) == [done for done, _ in heard]
    assert not any(path.endswith((".bin", "README.md")) for path in repository.asked), "what is not needed stays there"
    asked = len(repository.asked)
    assert hub.find(NAME, "", lambda done, total: None) == folder
    assert len(repository.asked) == asked, "a restart asks nobody"


def test_a_fetched_repository_is_loaded_under_its_name(repository: type[Repository]) -> None:
    loaded = load(
        EngineSettings(name="qwen", checkpoint=NAME, revision=COMMIT, device_map="cpu"), lambda done, total: None
    )
    assert loaded.checkpoint == NAME


def test_a_hub_that_lacks_a_file_is_an_error_of_the_network(repository: type[Repository]) -> None:
    whole = repository.do_GET

    def cut_off(self: Repository, body: bool = True) -> None:
        if self.path.endswith("model.safetensors"):
            self.send_error(404)
        else:
            whole(self, body)

    repository.do_GET = cut_off  # type: ignore[method-assign]
    with pytest.raises(EngineError, match="can't be fetched from the hub"):
        hub.find(NAME, "", lambda done, total: None)
