"""A checkpoint's folder before anything is loaded: what it holds, how large it is, what is wrong with it. No torch."""

import hashlib
import json
import math
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cs_bot.errors import ConfigError

SETTING = "CSBOT_ENGINE__CHECKPOINT"
SIZES = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "I16": 2}  # bytes a number; others have one
REAL = frozenset({"F64", "F32", "F16", "BF16"})  # what a change of dtype changes
PICKLED = (".bin", ".pt", ".pth", ".ckpt")
HEADER_AT_MOST = 100_000_000  # as the safetensors library has it
BLOCK = 8 << 20
SAMPLE = 1 << 16
WATCHED = (
    *("config.json", "chat_template.jinja", "chat_template.json", "preprocessor_config.json", "processor_config.json"),
    *("tokenizer_config.json", "tokenizer.json", "vocab.json", "merges.txt", "cs_bot_profile.json"),
)

Progress = Callable[[int, int], None]  # bytes done, bytes in all; may raise to stop


@dataclass(frozen=True)
class Tensors:
    """One safetensors file: its size, and how many numbers of each dtype it holds."""

    path: Path
    size: int
    header: bytes
    numbers: Mapping[str, int]


@dataclass(frozen=True)
class Checkpoint:
    """A folder that looks whole. `config` is its config.json."""

    folder: Path
    config: Mapping[str, Any]
    files: tuple[Tensors, ...]

    @property
    def size(self) -> int:
        """Bytes of all tensor files."""
        return sum(file.size for file in self.files)

    @property
    def parameters(self) -> int:
        """How many numbers its tensors have."""
        return sum(sum(file.numbers.values()) for file in self.files)

    @property
    def architecture(self) -> str:
        """The class that config.json names."""
        return str((self.config.get("architectures") or ["?"])[0])

    def bytes_as(self, bytes_a_number: int | None) -> int:
        """Bytes of the tensors once loaded, real numbers in that width; None: as they are."""
        total = 0
        for file in self.files:
            for dtype, count in file.numbers.items():
                own = SIZES.get(dtype, 1)
                total += count * (bytes_a_number if bytes_a_number and dtype in REAL else own)
        return total

    @property
    def fingerprint(self) -> str:
        """12 digits that change with the weights, the tokenizer, the template, the picture rules and the profile.

        Of a tensor file: its header, and samples of its bytes from end to end.
        """
        digest = hashlib.sha256()
        for name in WATCHED:
            file = self.folder / name
            if file.is_file():
                digest.update(name.encode() + hashlib.sha256(file.read_bytes()).digest())
        for prompt in sorted(self.folder.glob("prompts/*.txt")):
            digest.update(prompt.name.encode() + hashlib.sha256(prompt.read_bytes()).digest())
        for tensors in self.files:
            digest.update(tensors.path.name.encode() + tensors.header)
            with tensors.path.open("rb") as stream:
                for part in range(16):
                    stream.seek(max(0, (tensors.size - SAMPLE) * part // 15))
                    digest.update(stream.read(SAMPLE))
        return digest.hexdigest()[:12]


def inspect(folder: Path) -> Checkpoint:
    """What is in a folder; raises ConfigError with what to do when it can't be loaded."""
    if not folder.is_dir():
        raise ConfigError(f"{SETTING}: there is no folder {folder}")
    config = _config(folder)
    files = tuple(map(tensors_of, _tensor_files(folder)))
    _tokenizer(folder)
    return Checkpoint(folder, config, files)


def _config(folder: Path) -> Mapping[str, Any]:
    path = folder / "config.json"
    if not path.is_file():
        raise ConfigError(f"{SETTING}: {folder} holds no config.json: it is not a checkpoint's folder")
    config = _json(path)
    if "vision_config" not in config:
        named = (config.get("architectures") or [config.get("model_type", "unknown")])[0]
        raise ConfigError(
            f"{SETTING}: {folder.name} is no vision-language checkpoint ({named}): take a Qwen3-VL, "
            "for example Qwen/Qwen3-VL-2B-Instruct"
        )
    return config


def _json(path: Path) -> dict[str, Any]:
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise ConfigError(f"{SETTING}: {path} can't be read ({type(problem).__name__}): copy it again") from None
    if not isinstance(read, dict):
        raise ConfigError(f"{SETTING}: {path} is not a JSON object: copy it again")
    return read


def _tensor_files(folder: Path) -> list[Path]:
    """The safetensors files that the index names, else all."""
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        weight_map = _json(index).get("weight_map")
        if not isinstance(weight_map, dict) or not weight_map:
            raise ConfigError(f"{SETTING}: {index} names no files: copy it again")
        names = sorted({str(name) for name in weight_map.values()})
        missing = [name for name in names if Path(name).name != name or not (folder / name).is_file()]
        if missing:
            raise ConfigError(f"{SETTING}: {folder} lacks {', '.join(missing)}: copy what is missing")
        return [folder / name for name in names]
    found = sorted(folder.glob("*.safetensors"))
    if found:
        return found
    if any(path.suffix in PICKLED for path in folder.iterdir()):
        raise ConfigError(
            f"{SETTING}: {folder} holds pickled weights only, which could run code and are never loaded: "
            "take the *.safetensors files"
        )
    raise ConfigError(f"{SETTING}: {folder} holds no *.safetensors files: copy them there")


def tensors_of(path: Path) -> Tensors:
    """The header of a safetensors file (an 8-byte length, then JSON); raises ConfigError for a damaged one."""
    size = path.stat().st_size
    try:
        with path.open("rb") as stream:
            start = stream.read(8)
            if start == b"version ":
                raise ConfigError(f"{SETTING}: {path} is a Git LFS pointer, not the file: git lfs pull")
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else HEADER_AT_MOST + 1
            if length > HEADER_AT_MOST:
                raise ValueError("no header")
            header = stream.read(length)
        entries = json.loads(header)
        tensors = [value for name, value in entries.items() if name != "__metadata__"]
        end = 8 + length + max((int(one["data_offsets"][1]) for one in tensors), default=0)
        numbers: dict[str, int] = {}
        for one in tensors:
            numbers[one["dtype"]] = numbers.get(one["dtype"], 0) + math.prod(one["shape"])
    except OSError as problem:
        raise ConfigError(f"{SETTING}: {path} can't be read ({type(problem).__name__})") from None
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, struct.error):
        raise ConfigError(f"{SETTING}: {path} is damaged (its header can't be read): copy it again") from None
    if size < end:
        raise ConfigError(f"{SETTING}: {path} is cut short ({size:,} of {end:,} bytes): copy it again")
    return Tensors(path, size, header, numbers)


def _tokenizer(folder: Path) -> None:
    """Raise ConfigError unless the tokenizer, the chat template and the picture rules are there."""
    if not ((folder / "tokenizer.json").is_file() or _all(folder, "vocab.json", "merges.txt")):
        raise ConfigError(f"{SETTING}: {folder} holds no tokenizer (tokenizer.json): copy it there")
    settings = folder / "tokenizer_config.json"
    inside = _json(settings).get("chat_template") if settings.is_file() else None
    if not (inside or any((folder / name).is_file() for name in ("chat_template.jinja", "chat_template.json"))):
        raise ConfigError(
            f"{SETTING}: {folder} holds no chat template (chat_template.jinja): copy it there; "
            "a base checkpoint has none, take an Instruct one"
        )
    if not any((folder / name).is_file() for name in ("preprocessor_config.json", "processor_config.json")):
        raise ConfigError(f"{SETTING}: {folder} holds no preprocessor_config.json: copy it there")


def _all(folder: Path, *names: str) -> bool:
    return all((folder / name).is_file() for name in names)


def read_through(checkpoint: Checkpoint, progress: Progress, *, digest: bool) -> str:
    """Read every tensor file once, so that loading finds it in memory; with `digest` also what sha256sum says.

    The digest is that of `sha256sum *.safetensors | sha256sum`: of the lines with each file's own. Empty without.
    """
    done, lines = 0, []
    for tensors in sorted(checkpoint.files, key=lambda one: one.path.name):
        own = hashlib.sha256()
        for block in _blocks(tensors.path):
            if digest:
                own.update(block)
            done += len(block)
            progress(done, checkpoint.size)
        lines.append(f"{own.hexdigest()}  {tensors.path.name}\n")
    return hashlib.sha256("".join(lines).encode()).hexdigest() if digest else ""


def _blocks(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as stream:
            while block := stream.read(BLOCK):
                yield block
    except OSError as problem:
        raise ConfigError(f"{SETTING}: {path} can't be read ({type(problem).__name__}): copy it again") from None
