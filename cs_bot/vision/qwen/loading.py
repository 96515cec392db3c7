"""load(settings): a checkpoint's network and processor on their device, checked before and told as it goes."""

import logging
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cs_bot.errors import ConfigError, EngineFull
from cs_bot.settings import EngineSettings
from cs_bot.vision.qwen import hub
from cs_bot.vision.qwen.checkpoint import SETTING, Checkpoint, Progress, inspect, read_through
from cs_bot.vision.qwen.devices import Place, choose, free_cores, free_memory, free_on, needed_memory, require_memory
from cs_bot.vision.qwen.processor import Pixels, load_processor, pixels
from cs_bot.vision.qwen.profile import Profile, load_profile

FULL = "full_attention"
SAY_EVERY_S = 5.0

log = logging.getLogger("cs_bot.vision")


@dataclass(frozen=True)
class Loaded:
    """A network ready to run, in evaluation mode, with everything that belongs to it.

    `full_attention`: every layer looks at all that came before, so that a cache may be cropped. `checkpoint` is the
    repository's id or the folder's name, `fingerprint` changes with the weights and what goes with them, `threads` is
    the number of CPU threads that torch was given (0 on a GPU).
    """

    network: Any
    processor: Any
    device: Any
    dtype: Any
    full_attention: bool
    checkpoint: str
    fingerprint: str
    profile: Profile | None
    pixels: Pixels
    size: int
    threads: int


def load(settings: EngineSettings, progress: Progress | None = None) -> Loaded:
    """Fetch where needed, check, read and place a checkpoint. Takes seconds to minutes.

    `progress` is told (bytes, bytes in all) of fetching and then of reading, and may raise to stop; None: a bar on a
    terminal, else log lines. Raises ConfigError with one line that says what to do, EngineError when the hub is away.
    """
    _require_packages()
    name = settings.checkpoint or hub.DEFAULT
    place = choose(settings)
    with _telling(progress, "fetching", name) as told:
        folder = hub.find(name, settings.revision, told)
    found = inspect(folder)
    shown = name if hub.is_repository(name) else folder.resolve().name
    profile = load_profile(folder)
    require_memory(shown, needed_memory(found, place), free_on(place), place)
    with _telling(progress, "loading", shown) as told:
        _read(found, settings.sha256, told)
    bounds = pixels(settings, profile, gpu=place.gpu)
    processor = load_processor(folder, bounds)
    threads = 0 if place.gpu else (settings.threads or free_cores())
    network = _network(found, place, threads, shown)
    return Loaded(
        network=network,
        processor=processor,
        device=network.device,
        dtype=network.dtype,
        full_attention=_all_full(network.config),
        checkpoint=shown,
        fingerprint=found.fingerprint,
        profile=profile,
        pixels=bounds,
        size=found.size,
        threads=threads,
    )


def _require_packages() -> None:
    """Raise ModuleNotFoundError (which load_engine turns into MissingExtra) before anything else is done."""
    import llguidance  # noqa: F401
    import torch  # noqa: F401
    import transformers

    found = re.match(r"(\d+)\.(\d+)", transformers.__version__)
    if found is None or tuple(map(int, found.groups())) < (5, 23):
        raise ConfigError(f"transformers {transformers.__version__} is too old: pip install -e '.[qwen]'")


def _read(found: Checkpoint, wanted: str, progress: Progress) -> None:
    """Read the files into memory and check their digest; reading is left out where they would not stay there."""
    if not wanted and found.size > free_memory():
        return
    got = read_through(found, progress, digest=bool(wanted))
    if wanted and got != wanted:
        raise ConfigError(
            f"{SETTING}: the tensors of {found.folder} have SHA-256 {got}, CSBOT_ENGINE__SHA256 says {wanted}: "
            "copy them again, or correct the setting when the checkpoint was changed on purpose"
        )


def _network(found: Checkpoint, place: Place, threads: int, name: str) -> Any:
    import torch
    from transformers import AutoModelForImageTextToText

    if threads:
        torch.set_num_threads(threads)
    try:
        with _quiet():
            network, report = AutoModelForImageTextToText.from_pretrained(
                found.folder,
                dtype=getattr(torch, place.dtype),
                attn_implementation=place.attention,
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                output_loading_info=True,
            )
        _require_all(report, found, name)
        network = network.to(place.device).eval().requires_grad_(False)
    except torch.OutOfMemoryError:
        raise EngineFull(f"{name} did not fit into the memory of {place.device}: take a smaller checkpoint") from None
    except MemoryError:
        raise EngineFull(f"{name} did not fit into memory: take a smaller checkpoint") from None
    except ConfigError:
        raise
    except Exception as problem:
        raise ConfigError(_unloadable(problem, found, name)) from None
    return network


def _require_all(report: Any, found: Checkpoint, name: str) -> None:
    """Raise ConfigError when tensors are missing: the library would fill them with random numbers and go on."""
    missing = sorted({str(key) for key in [*report["missing_keys"], *report["mismatched_keys"]]})
    if missing:
        raise ConfigError(
            f"{SETTING}: the files of {found.folder} lack {len(missing)} tensors of {name}, such as {missing[0]}: copy "
            "them again"
        )


def _unloadable(problem: Exception, found: Checkpoint, name: str) -> str:
    said = " ".join(str(problem).split())[:200]
    if "not recognize this architecture" in said or "Unrecognized" in said:
        return (
            f"{SETTING}: {name} has the architecture {found.architecture}, which the installed transformers does not "
            "know as a vision-language one: take a Qwen3-VL, for example Qwen/Qwen3-VL-2B-Instruct"
        )
    return f"{SETTING}: {name} can't be loaded ({type(problem).__name__}: {said}): copy its files again"


def _all_full(config: Any) -> bool:
    text = getattr(config, "text_config", config)
    return all(kind == FULL for kind in (getattr(text, "layer_types", None) or [FULL]))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the library's own bar: ours has been shown."""
    from transformers.utils import logging as library

    shown = library.is_progress_bar_enabled()
    library.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            library.enable_progress_bar()


@contextmanager
def _telling(progress: Progress | None, what: str, name: str) -> Iterator[Progress]:
    """`progress` as it is; without one a bar on a terminal, else a log line every few seconds."""
    if progress is not None:
        yield progress
    elif sys.stderr.isatty():
        with _bar(f"{what} {name}") as bar:
            yield bar
    else:
        yield _lines(f"{what} a checkpoint", name)


@contextmanager
def _bar(what: str) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(what, total=None, visible=False)
        yield lambda done, total: bars.update(task, completed=done, total=total, visible=True)


def _lines(event: str, name: str) -> Progress:
    last = [time.monotonic()]

    def say(done: int, total: int) -> None:
        if time.monotonic() - last[0] >= SAY_EVERY_S:
            last[0] = time.monotonic()
            share = f"{done / max(1, total):.0%}"
            log.info(event, extra={"engine": "qwen", "engine_version": name, "state": share, "size": total})

    return say
