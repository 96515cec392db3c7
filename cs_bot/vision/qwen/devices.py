"""Where the network runs: device, dtype, attention, threads, and whether there is memory for it."""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from cs_bot.errors import ConfigError
from cs_bot.settings import EngineSettings
from cs_bot.vision.qwen.checkpoint import Checkpoint

GIB = 1 << 30
BESIDE_CPU = GIB // 2  # libraries, and a picture's work at 576 tokens; measured in docs/measured/qwen.md
BESIDE_GPU = GIB  # the device's context and a picture's work
WIDTHS = {"bfloat16": 2, "float16": 2, "float32": 4}


class Place(NamedTuple):
    """`device` as torch names it; `dtype` a name of WIDTHS; `attention` as transformers names it."""

    device: str
    dtype: str
    attention: str

    @property
    def gpu(self) -> bool:
        """Whether it is a GPU."""
        return self.device != "cpu"


def choose(settings: EngineSettings) -> Place:
    """What the settings mean on this machine; raises ConfigError for a device or kernel that is not there."""
    import torch

    device = _device(torch, settings.device_map)
    return Place(device, _dtype(torch, settings.dtype, device), _attention(settings.attention, device))


def _device(torch: Any, wanted: str) -> str:
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if wanted == "cpu" or (wanted == "auto" and not there):
        return "cpu"
    if not there:
        why = (
            "this torch is a build for CPUs: install the CUDA build"
            if torch.version.cuda is None
            else "no GPU is visible: see what nvidia-smi says, and in a container start it with --gpus all"
        )
        raise ConfigError(f"CSBOT_ENGINE__DEVICE_MAP={wanted}: {why}, or set it to cpu")
    if wanted in ("auto", "cuda"):
        free = [torch.cuda.mem_get_info(number)[0] for number in range(there)]
        return f"cuda:{free.index(max(free))}"
    if int(wanted.removeprefix("cuda:")) >= there:
        raise ConfigError(f"CSBOT_ENGINE__DEVICE_MAP={wanted}: there are {there} GPUs, the first is cuda:0")
    return wanted


def _dtype(torch: Any, wanted: str, device: str) -> str:
    if wanted != "auto":
        return wanted
    if device != "cpu":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float16"
    # Without AVX-512 a CPU multiplies bfloat16 many times slower than float32.
    return "bfloat16" if torch.ops.mkldnn._is_mkldnn_bf16_supported() else "float32"


def _attention(wanted: str, device: str) -> str:
    if wanted != "flash_attention_2":
        return "sdpa" if wanted == "auto" else wanted
    if device == "cpu":
        raise ConfigError("CSBOT_ENGINE__ATTENTION=flash_attention_2 needs a GPU: set it to auto")
    if find_spec("flash_attn") is None:
        raise ConfigError("CSBOT_ENGINE__ATTENTION=flash_attention_2 needs pip install flash-attn, or set it to auto")
    return wanted


def free_cores() -> int:
    """Cores that this process may use: its affinity, the container's quota, physical cores rather than threads."""
    cores = len(os.sched_getaffinity(0))
    physical = psutil.cpu_count(logical=False) or cores
    return max(1, min(cores, physical, _quota() or cores))


def _quota() -> int | None:
    """Whole cores of the control group's quota; None without one."""
    try:
        quota, period = (control_group() / "cpu.max").read_text().split()[:2]
        return None if quota == "max" else max(1, int(quota) // int(period))
    except (OSError, ValueError):
        return None


def control_group() -> Path:
    """The folder of this process's control group (version 2): a container's, or a service's under systemd."""
    root = Path("/sys/fs/cgroup")
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return root
    own = next((root / line.removeprefix("0::/") for line in lines if line.startswith("0::/")), root)
    return own if own.is_dir() else root


def free_memory() -> int:
    """Bytes that this process may still take, within its control group's limit; page cache counts as free."""
    free = int(psutil.virtual_memory().available)
    group = control_group()
    try:
        limit = (group / "memory.max").read_text().strip()
        if limit != "max":
            used = int((group / "memory.current").read_text())
            stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
            free = min(free, int(limit) - used + int(stat.get("inactive_file", 0)) + int(stat.get("active_file", 0)))
    except (OSError, ValueError):
        pass  # no control groups of version 2: the machine's own figure stands
    return max(0, free)


def needed_memory(checkpoint: Checkpoint, place: Place) -> int:
    """Bytes that the network takes on its device, with one picture in work."""
    return checkpoint.bytes_as(WIDTHS[place.dtype]) + (BESIDE_GPU if place.gpu else BESIDE_CPU)


def needed_bytes(narrow: float, place: Place) -> int:
    """The same of a checkpoint that is not here, from its bytes in 16 bits."""
    return int(narrow * WIDTHS[place.dtype] / 2) + (BESIDE_GPU if place.gpu else BESIDE_CPU)


def free_on(place: Place) -> int:
    """Bytes free on the device."""
    if not place.gpu:
        return free_memory()
    import torch

    return int(torch.cuda.mem_get_info(place.device)[0])


def require_memory(name: str, needed: int, free: int, place: Place) -> None:
    """Raise ConfigError when the network can't fit."""
    if needed <= free:
        return
    where = "GPU memory" if place.gpu else "memory"
    narrower = ", CSBOT_ENGINE__DTYPE=bfloat16 (half)" if place.dtype == "float32" else ""
    raise ConfigError(
        f"{name} needs about {needed / GIB:.1f} GiB of {where} in {place.dtype}, {free / GIB:.1f} GiB are free: take a "
        f"smaller checkpoint{narrower}, make room, or use a server (engine openai)"
    )
