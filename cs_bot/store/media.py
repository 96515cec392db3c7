"""Picture files through fsspec, named by the SHA-256 of the original."""

import os
from collections.abc import Iterable
from pathlib import Path
from secrets import token_hex
from typing import Any
from urllib.parse import urlsplit

import fsspec

from cs_bot.errors import ConfigError, MediaUnavailable, MissingExtra, NotFound


class MediaStore:
    """Full-resolution copies without metadata; engines, hashes and replay all read these."""

    def __init__(self, address: str) -> None:
        self._protocol = urlsplit(address).scheme or "file"
        if self._protocol not in ("file", "s3", "memory"):
            raise ConfigError(f"unknown media address {self._protocol}://; known: file, s3")
        try:
            self._files: Any = fsspec.filesystem(self._protocol)
        except ImportError as problem:
            raise MissingExtra("an s3:// media address", "s3") from problem
        self._root = self._files._strip_protocol(address).rstrip("/")

    def _path(self, sha256: str) -> str:
        if len(sha256) != 64 or not all(c in "0123456789abcdef" for c in sha256):
            raise NotFound("not a picture's name")
        return f"{self._root}/{sha256[:2]}/{sha256}"

    def write(self, sha256: str, data: bytes) -> None:
        """Store a file under its name; writing it again changes nothing."""
        path = self._path(sha256)
        try:
            if self._files.exists(path):
                return
            self._files.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
            if self._protocol == "file":
                _write_whole(path, data)
            else:  # object stores write whole objects
                self._files.pipe_file(path, data)
        except OSError as problem:
            raise MediaUnavailable(f"the picture store can't take this now ({type(problem).__name__})") from problem

    def read(self, sha256: str) -> bytes:
        """The stored copy; raises NotFound or MediaUnavailable."""
        try:
            return bytes(self._files.cat_file(self._path(sha256)))
        except FileNotFoundError:
            raise NotFound("that picture is not stored") from None
        except OSError as problem:
            raise MediaUnavailable(f"the picture store can't be read ({type(problem).__name__})") from problem

    def read_all(self, sha256s: Iterable[str]) -> dict[str, bytes]:
        """The stored copies by name, each once; those that are gone are left out. Raises MediaUnavailable."""
        found: dict[str, bytes] = {}
        for sha256 in dict.fromkeys(sha256s):
            try:
                found[sha256] = self.read(sha256)
            except NotFound:
                continue
        return found

    def remove(self, sha256: str) -> None:
        """Remove a file; one that is not there is no error. Raises MediaUnavailable."""
        try:
            self._files.rm_file(self._path(sha256))
        except FileNotFoundError:
            return
        except OSError as problem:
            raise MediaUnavailable(f"the picture store can't take this now ({type(problem).__name__})") from problem


def _write_whole(path: str, data: bytes) -> None:
    """A reader sees all of the file or none, also after a crash."""
    temporary = f"{path}.{token_hex(8)}.part"  # process ids repeat: containers share the volume
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:  # a full disk: do not fill it with halves
        Path(temporary).unlink(missing_ok=True)
        raise
