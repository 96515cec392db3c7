"""From a checkpoint's name to its folder: a folder of this machine, or a repository's files, fetched once."""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from cs_bot.errors import ConfigError, EngineError
from cs_bot.vision.qwen.checkpoint import SETTING, Progress

DEFAULT = "Qwen/Qwen3-VL-2B-Instruct"
PATTERNS = ("*.json", "*.jinja", "*.safetensors", "merges.txt", "prompts/*.txt")
FILES = (
    *("config.json", "generation_config.json", "*.safetensors (with model.safetensors.index.json where there is one)"),
    *("tokenizer.json", "tokenizer_config.json", "chat_template.json or .jinja", "preprocessor_config.json"),
)
ROOM = 64 << 20  # bytes beyond the files themselves

_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def is_repository(name: str) -> bool:
    """Whether a checkpoint's name is a repository's id (owner/name) and no folder of this machine."""
    return bool(_REPOSITORY.fullmatch(name)) and not Path(name).exists()


def cached(name: str, revision: str) -> Path | None:
    """The folder of a repository that was fetched whole earlier; asks nobody."""
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(name, revision=revision or None, local_files_only=True, allow_patterns=list(PATTERNS))
        )
    except Exception:  # not there, or not whole: whatever the library says, the answer is to fetch it
        return None


def find(name: str, revision: str, progress: Progress) -> Path:
    """The folder of a checkpoint, fetched when it is a repository that is not here yet.

    What was fetched once is used as it is, without asking the network: a restart never changes the checkpoint. Raises
    ConfigError when the name can't be meant, EngineError when the repository can't be reached.
    """
    name = name or DEFAULT
    if not is_repository(name):
        if revision:
            raise ConfigError("CSBOT_ENGINE__REVISION is for a repository: leave it empty for a folder")
        return Path(name).expanduser()
    return cached(name, revision) or _fetched(name, revision, progress)


def _fetched(name: str, revision: str, progress: Progress) -> Path:
    from huggingface_hub import constants, snapshot_download

    wanted: dict[str, Any] = {"revision": revision or None, "allow_patterns": list(PATTERNS)}
    try:
        plan = snapshot_download(name, **wanted, dry_run=True)
        size = sum(int(file.file_size or 0) for file in plan)
        missing = sum(int(file.file_size or 0) for file in plan if file.will_download)
        _require_room(name, missing, Path(constants.HF_HUB_CACHE))
        counting = _counting(progress, size, size - missing)
        return Path(snapshot_download(name, **wanted, tqdm_class=counting))
    except (ConfigError, EngineError):
        raise
    except Exception as problem:  # network, access and disk; told apart by what they are called
        _explain(problem, name, revision)


def _require_room(name: str, missing: int, cache: Path) -> None:
    place = cache
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if missing + ROOM > free:
        raise ConfigError(
            f"{name} needs {missing / 1e9:.1f} GB on disk, {free / 1e9:.1f} GB are free under {cache}: make room, or "
            "set HF_HOME to a folder on a larger disk"
        )


def _explain(problem: Exception, name: str, revision: str) -> NoReturn:
    kinds = {type(problem).__name__, *(kind.__name__ for kind in type(problem).__mro__)}
    if "GatedRepoError" in kinds:
        raise ConfigError(f"{name} asks for consent: accept its terms, then run hf auth login") from None
    if "RevisionNotFoundError" in kinds:
        raise ConfigError(f"{name} has no revision {revision}: check CSBOT_ENGINE__REVISION") from None
    if "RepositoryNotFoundError" in kinds:
        raise ConfigError(f"{SETTING}: there is no repository {name} (or it is private): check the name") from None
    if isinstance(problem, OSError) and problem.errno == 28:
        raise ConfigError(f"no space left while fetching {name}: make room, or set HF_HOME to a larger disk") from None
    raise EngineError(by_hand(name, type(problem).__name__)) from None


def by_hand(name: str, why: str, files: Sequence[str] = FILES) -> str:
    """What to do without a network, in one line."""
    return (
        f"{name} can't be fetched from the hub ({why}): get a network, or fetch it elsewhere (hf download {name} "
        f"--local-dir DIR), copy these files into a folder of this machine: {', '.join(files)}; and set "
        f"{SETTING} to that folder"
    )


def _counting(progress: Progress, size: int, had: int) -> Any:
    """A stand-in for tqdm that tells `progress` how many bytes are here."""
    from tqdm import tqdm

    state = {"bytes": had}

    class Counting(tqdm):  # type: ignore[misc]
        def __init__(self, *words: Any, **options: Any) -> None:
            self.counts = options.get("unit") == "B"
            super().__init__(*words, **{**options, "disable": True})

        def update(self, n: float | None = 1) -> bool | None:
            if self.counts and n:
                state["bytes"] = min(size, state["bytes"] + int(n))
                progress(state["bytes"], size)
            return None

    return Counting
