"""Folders that are no checkpoint, or a damaged one: one line says what to do, before anything is loaded."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from cs_bot.errors import ConfigError
from cs_bot.vision.qwen.checkpoint import inspect, read_through
from tests.checkpoints import make_checkpoint

TENSORS = "model.safetensors"


@pytest.fixture
def folder(random_checkpoint: Path, tmp_path: Path) -> Path:
    """A whole checkpoint that a test may spoil."""
    return Path(shutil.copytree(random_checkpoint, tmp_path / "copied"))


def drop(*names: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return spoil


def cut(folder: Path) -> None:
    whole = (folder / TENSORS).read_bytes()
    (folder / TENSORS).write_bytes(whole[:-1000])


def cut_in_its_header(folder: Path) -> None:
    (folder / TENSORS).write_bytes((folder / TENSORS).read_bytes()[:200])


def empty(folder: Path) -> None:
    (folder / TENSORS).write_bytes(b"")


def overwritten(folder: Path) -> None:
    (folder / TENSORS).write_bytes(b"\xff" * 4096)


def header_of_another_shape(folder: Path) -> None:
    text = b'{"a":[1]}'
    (folder / TENSORS).write_bytes(len(text).to_bytes(8, "little") + text)


def pointer(folder: Path) -> None:
    (folder / TENSORS).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")


def pickled(folder: Path) -> None:
    (folder / TENSORS).rename(folder / "pytorch_model.bin")


def text_only(folder: Path) -> None:
    config = {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3"}
    (folder / "config.json").write_text(json.dumps(config))


def no_json(folder: Path) -> None:
    (folder / "config.json").write_text('{"architectures": [')


def a_list(folder: Path) -> None:
    (folder / "config.json").write_text("[1]")


def index_of_absent_files(folder: Path) -> None:
    names = {"a": "model-00001-of-00002.safetensors", "b": "../model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))


def index_of_nothing(folder: Path) -> None:
    (folder / "model.safetensors.index.json").write_text("{}")


DAMAGE: list[tuple[Callable[[Path], None], str]] = [
    (shutil.rmtree, "there is no folder"),
    (drop("config.json"), "holds no config.json"),
    (no_json, "config.json can't be read .JSONDecodeError.: copy it again"),
    (a_list, "config.json is not a JSON object"),
    (text_only, "no vision-language checkpoint .Qwen3ForCausalLM.: take a Qwen3-VL"),
    (drop(TENSORS), r"holds no \*.safetensors files"),
    (pickled, "pickled weights only, which could run code"),
    (index_of_absent_files, "lacks .*model-00002-of-00002.safetensors, model-00001-of-00002.safetensors"),
    (index_of_nothing, "names no files"),
    (cut, "cut short .4,267,768 of 4,268,768 bytes.: copy it again"),
    (cut_in_its_header, "is damaged"),
    (empty, "is damaged"),
    (overwritten, "is damaged"),
    (header_of_another_shape, "is damaged"),
    (pointer, "is a Git LFS pointer, not the file: git lfs pull"),
    (drop("tokenizer.json"), "holds no tokenizer"),
    (drop("chat_template.jinja"), "holds no chat template"),
    (drop("preprocessor_config.json"), "holds no preprocessor_config.json"),
]


@pytest.mark.parametrize(("damage", "said"), DAMAGE, ids=lambda value: getattr(value, "__name__", "") or None)
def test_a_damaged_folder_is_told_in_one_line(folder: Path, damage: Callable[[Path], None], said: str) -> None:
    damage(folder)
    with pytest.raises(ConfigError, match=said) as raised:
        inspect(folder)
    assert str(raised.value).startswith("CSBOT_ENGINE__CHECKPOINT: ")
    assert "\n" not in str(raised.value)


def test_a_whole_folder_tells_its_size_and_what_memory_it_takes(random_checkpoint: Path) -> None:
    found = inspect(random_checkpoint)
    assert found.size == (random_checkpoint / TENSORS).stat().st_size
    assert found.architecture == "Qwen3VLForConditionalGeneration"
    assert found.parameters > 1_000_000
    assert found.bytes_as(4) == found.bytes_as(None) == 2 * found.bytes_as(2)
    assert found.size - 50_000 < found.bytes_as(None) < found.size


def test_several_files_are_one_checkpoint(tmp_path: Path) -> None:
    found = inspect(make_checkpoint(tmp_path / "several", shard_size="1MB"))
    assert len(found.files) > 2
    assert found.parameters == inspect(make_checkpoint(tmp_path / "one")).parameters


def test_the_digest_is_what_the_documented_line_gives(tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "several", shard_size="1MB")
    page = (Path(__file__).parents[3] / "docs" / "engines.md").read_text(encoding="utf-8")
    line = re.search(r"`(sha256sum \*\.safetensors \| sha256sum)`", page)
    assert line is not None
    shell = subprocess.run(["bash", "-c", line[1]], cwd=folder, capture_output=True, text=True, check=True)
    heard: list[tuple[int, int]] = []
    found = inspect(folder)
    assert read_through(found, lambda done, total: heard.append((done, total)), digest=True) == shell.stdout.split()[0]
    assert heard[-1] == (found.size, found.size)
    assert heard == sorted(heard)


def test_the_fingerprint_follows_everything_that_changes_an_answer(folder: Path, random_checkpoint: Path) -> None:
    seen = {inspect(random_checkpoint).fingerprint}
    assert inspect(folder).fingerprint in seen, "it does not depend on where the folder is"

    def changed() -> bool:
        fresh = inspect(folder).fingerprint not in seen
        seen.add(inspect(folder).fingerprint)
        return fresh

    tensors = bytearray((folder / TENSORS).read_bytes())
    tensors[-1] ^= 1
    (folder / TENSORS).write_bytes(tensors)
    assert changed()
    (folder / "cs_bot_profile.json").write_text("{}")
    assert changed()
    (folder / "prompts").mkdir()
    (folder / "prompts" / "system.txt").write_text("version: 1\n\nother words")
    assert changed()
    with (folder / "chat_template.jinja").open("a") as template:
        template.write(" ")
    assert changed()
    (folder / "README.md").write_text("for people")
    assert not changed()
