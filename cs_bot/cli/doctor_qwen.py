"""doctor, for an engine in this process: its checkpoint, its memory, and what speed to expect."""

import hashlib
import io
import os
import time
from collections.abc import Iterator
from pathlib import Path

from cs_bot.cli.finding import Finding
from cs_bot.errors import BotError, EngineError
from cs_bot.settings import Settings
from cs_bot.vision.base import PictureInput, Vision, load_engine
from cs_bot.vision.qwen import devices, hub, speed
from cs_bot.vision.qwen.checkpoint import Checkpoint, inspect
from cs_bot.vision.qwen.processor import pixels
from cs_bot.vision.qwen.profile import load_profile

GIB = 1 << 30
# Parameters in billions; bfloat16 takes two bytes each.
KNOWN = {"2B": 2.13, "4B": 4.44, "8B": 8.77, "30B-A3B": 31.1, "32B": 33.4}
SMALL = 200e6  # parameters: up to here one picture is really looked at, also on a CPU
SLOW_S = 45.0  # for an order page: from here on people are faster than waiting for it


def qwen_findings(settings: Settings) -> Iterator[Finding]:
    """Checkpoint, memory, whether it opens, speed; stops at the first that is bad."""
    try:
        place = devices.choose(settings.engine)
        found = _checkpoint(settings)
    except BotError as problem:
        yield Finding("bad", f"engine qwen: {problem}")
        return
    name = settings.engine.checkpoint or hub.DEFAULT
    parameters = _known(name) if found is None else found.parameters
    yield _here(name, found, parameters)
    if parameters is None:
        yield Finding("note", f"engine qwen: how large {name} is, is known once it is fetched")
        return
    needed = devices.needed_memory(found, place) if found else devices.needed_bytes(2 * parameters, place)
    memory = _memory(needed, place)
    yield memory
    if memory.level != "bad" and found is not None:
        yield from _opened(settings, place, found)
    elif memory.level != "bad" and not place.gpu:
        yield _expected(settings, place, parameters, 0)


def _checkpoint(settings: Settings) -> Checkpoint | None:
    """The folder; None for a repository that is not fetched yet. Raises ConfigError."""
    name = settings.engine.checkpoint or hub.DEFAULT
    if not hub.is_repository(name):
        return inspect(Path(name).expanduser())
    folder = hub.cached(name, settings.engine.revision)
    return None if folder is None else inspect(folder)


def _known(name: str) -> float | None:
    sizes = [billions for size, billions in KNOWN.items() if f"-{size}-" in name]
    return sizes[0] * 1e9 if sizes else None


def _here(name: str, found: Checkpoint | None, parameters: float | None) -> Finding:
    if found is not None:
        size, many = f"{found.size / 1e6:,.0f} MB", f"{found.parameters / 1e6:,.0f} million parameters"
        return Finding("ok", f"checkpoint {name} is here: {size}, {many}")
    size = "its files" if parameters is None else f"about {parameters * 2 / 1e9:.1f} GB"
    return Finding("note", f"checkpoint {name} is not here yet: {size} will be fetched at the first start")


def _memory(needed: int, place: devices.Place) -> Finding:
    free = devices.free_on(place)
    where = f"GPU {place.device}" if place.gpu else f"CPU with {devices.free_cores()} cores"
    said = f"{where}, {place.dtype}: needs {needed / GIB:.1f} GiB of memory, {free / GIB:.1f} GiB are free"
    if needed > free:
        return Finding("bad", f"{said}: take a smaller checkpoint, make room, or use a server (engine openai)")
    return Finding("ok", said)


def _opened(settings: Settings, place: devices.Place, found: Checkpoint) -> Iterator[Finding]:
    started = time.perf_counter()
    try:
        engine = load_engine(**{**dict(settings.engine), "fallback": ""})
    except BotError as problem:
        yield Finding("bad", f"engine qwen: {problem}")
        return
    try:
        yield Finding("ok", f"engine {engine.name} {engine.version} opens ({time.perf_counter() - started:.0f} s)")
        if place.gpu or found.parameters < SMALL:
            yield _measured(engine)
        else:
            yield _expected(settings, place, found.parameters, _most_tokens(settings, found.folder))
    finally:
        engine.close()


def _most_tokens(settings: Settings, folder: Path) -> int:
    return pixels(settings.engine, load_profile(folder), gpu=False).most // 1024


def _measured(engine: Vision) -> Finding:
    """Look at a drawn picture twice: the first call warms up."""
    for at in range(2):
        picture = _drawn(at)
        started = time.perf_counter()
        (look,) = engine.look([picture])
        took = time.perf_counter() - started
    said = f"speed: {took:.1f} s for a picture, measured; about {int(3600 / took)} an hour"
    if isinstance(look, EngineError):
        return Finding("note", f"{said}; but it could make nothing of a drawn one ({look})")
    return Finding("ok", said)


def _drawn(number: int) -> PictureInput:
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (900, 1200), "white")
    draw = ImageDraw.Draw(image)
    for line in range(20):
        draw.text((40, 50 + 50 * line), f"order {number} line {line} 299.00", fill="black")
    out = io.BytesIO()
    image.save(out, "PNG")
    return PictureInput(hashlib.sha256(out.getvalue()).hexdigest(), out.getvalue())


def _expected(settings: Settings, place: devices.Place, parameters: float, tokens: int) -> Finding:
    """In words, from a probe of two seconds."""
    tokens = tokens or pixels(settings.engine, None, gpu=False).most // 1024
    found = speed.probe(place.dtype, settings.engine.threads or devices.free_cores())
    said = speed.expected(found, parameters, tokens)
    text = (
        f"speed, estimated from a probe ({found.flops / 1e12:.2f} TFLOP/s, {found.copied / 1e9:.0f} GB/s{_busy()}): "
        f"a picture of {tokens} tokens has its kind in {said.kind_s:.0f} s, an order page in {said.order_s:.0f} s, "
        f"a reply {said.reply_s:.0f} s later; about {said.pictures_an_hour} pictures an hour"
    )
    advice = []
    if said.order_s > SLOW_S:
        advice.append(f"Here CSBOT_ENGINE=lite and people are the better choice: {_instead(tokens)}")
    if said.order_s > settings.engine.limit_s(slow=True):
        wanted = int(said.order_s * 1.5) // 10 * 10 + 10
        advice.append(f"Set CSBOT_ENGINE__TIMEOUT_S to {wanted}, or fewer CSBOT_ENGINE__VISUAL_TOKENS")
    return Finding("note" if advice else "ok", ". ".join([text, *advice]))


def _busy() -> str:
    """Whether other work disturbs the probe: with two busy threads on one core each waits for the other."""
    busy, cores = os.getloadavg()[0], devices.free_cores()
    return f"; other work keeps this machine busy (load {busy:.0f} on {cores} cores): ask again" if busy > cores else ""


def _instead(tokens: int) -> str:
    fewer = f"; fewer CSBOT_ENGINE__VISUAL_TOKENS than {tokens} make it faster" if tokens > 256 else ""
    return f"it reads order pages in seconds and leaves the rest to your agents, with a draft; or take a GPU{fewer}"
