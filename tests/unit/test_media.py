"""Picture files: whole or not there, named by a hash and by nothing else."""

import hashlib
import os
from importlib.util import find_spec
from pathlib import Path

import pytest

from cs_bot.errors import ConfigError, MissingExtra, NotFound, StoreUnavailable
from cs_bot.store.media import MediaStore

DATA = b"a picture's bytes"
NAME = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def media(tmp_path: Path) -> MediaStore:
    return MediaStore(f"file://{tmp_path / 'media'}")


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_what_was_written_is_read_back(media: MediaStore) -> None:
    media.write(NAME, DATA)
    assert media.read(NAME) == DATA


def test_writing_the_same_name_again_changes_nothing(media: MediaStore, tmp_path: Path) -> None:
    media.write(NAME, DATA)
    [path] = files(tmp_path)
    before = path.stat()
    media.write(NAME, b"something else")
    assert media.read(NAME) == DATA
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_write_that_breaks_off_leaves_no_picture(
    media: MediaStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    # patched: a full disk can't be had in a test
    monkeypatch.setattr("cs_bot.store.media.os.fsync", full)
    with pytest.raises(StoreUnavailable):
        media.write(NAME, DATA)
    with pytest.raises(NotFound):
        media.read(NAME)
    assert files(tmp_path) == [], "nothing partial stays behind"
    monkeypatch.undo()
    media.write(NAME, DATA)
    assert media.read(NAME) == DATA


def test_the_half_written_file_of_a_crash_is_never_read(media: MediaStore, tmp_path: Path) -> None:
    folder = tmp_path / "media" / NAME[:2]
    folder.mkdir(parents=True)
    (folder / f"{NAME}.4711.part").write_bytes(DATA[:3])
    with pytest.raises(NotFound):
        media.read(NAME)
    media.write(NAME, DATA)
    assert media.read(NAME) == DATA


@pytest.mark.parametrize(
    "name", ["", "../../etc/passwd", NAME.upper(), NAME[:-1], NAME + "0", NAME[:-2] + "/x", NAME[:-1] + "\n", "a" * 63]
)
def test_a_name_that_is_no_hash_reaches_no_file(media: MediaStore, tmp_path: Path, name: str) -> None:
    with pytest.raises(NotFound):
        media.read(name)
    with pytest.raises(NotFound):
        media.write(name, DATA)
    assert files(tmp_path) == []


def test_a_picture_that_is_not_stored_is_not_found(media: MediaStore) -> None:
    with pytest.raises(NotFound):
        media.read("0" * 64)


def test_a_folder_that_cannot_be_written_can_be_tried_again(tmp_path: Path) -> None:
    (tmp_path / "media").write_text("a file stands where the folder should be")
    with pytest.raises(StoreUnavailable) as raised:
        MediaStore(f"file://{tmp_path / 'media'}").write(NAME, DATA)
    assert raised.value.retryable
    assert str(tmp_path) not in str(raised.value), "a path of this machine is nobody's business"


def test_a_folder_where_the_picture_should_be_is_a_broken_store(media: MediaStore, tmp_path: Path) -> None:
    (tmp_path / "media" / NAME[:2] / NAME).mkdir(parents=True)
    with pytest.raises(StoreUnavailable):
        media.read(NAME)


def test_a_half_written_file_of_a_container_with_the_same_process_id_is_in_nobodys_way(
    media: MediaStore, tmp_path: Path
) -> None:
    theirs = tmp_path / "media" / NAME[:2] / f"{NAME}.{os.getpid()}.part"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"half of it")
    media.write(NAME, DATA)
    assert media.read(NAME) == DATA
    assert theirs.read_bytes() == b"half of it"


def test_pictures_can_be_kept_in_memory() -> None:
    media = MediaStore("memory://test-media")
    media.write(NAME, DATA)
    assert media.read(NAME) == DATA
    with pytest.raises(NotFound):
        media.read("1" * 64)


def test_an_address_of_another_kind_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"ftp.*known: file, s3"):
        MediaStore("ftp://somewhere/media")


def test_an_s3_address_without_its_packages_names_the_extra() -> None:
    if find_spec("s3fs") is not None:
        pytest.skip("the extra [s3] is installed here")
    with pytest.raises(MissingExtra, match=r"'\.\[s3\]'"):
        MediaStore("s3://bucket/media")
