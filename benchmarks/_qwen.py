"""What qwen_cpu.py and qwen_gpu.py share: the engine over random weights in a published shape, and one turn timed."""

import dataclasses
import hashlib
import io
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

VOCABULARY = 151_936
FAR = 3600.0  # no deadline plays a part here
VISION = {"depth": 24, "hidden_size": 1024, "intermediate_size": 4096, "num_heads": 16}
VISION |= {"deepstack_visual_indexes": [5, 11, 17]}
LARGE_VISION = {"depth": 27, "hidden_size": 1152, "intermediate_size": 4304, "num_heads": 16}
LARGE_VISION |= {"deepstack_visual_indexes": [8, 16, 24]}


def _text(hidden: int, inner: int, layers: int, heads: int) -> dict[str, Any]:
    rope = {"rope_type": "default", "rope_theta": 5e6, "mrope_section": [24, 20, 20], "mrope_interleaved": True}
    return {
        "vocab_size": VOCABULARY,
        "hidden_size": hidden,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "rope_parameters": rope,
    }


class Shape(NamedTuple):
    """Sizes as published; `untie`: the output layer has weights of its own."""

    text: dict[str, Any]
    vision: dict[str, Any]
    untie: bool


SHAPES = {
    "small": Shape({}, {}, True),  # for a quick check of the script
    "2B": Shape(_text(2048, 6144, 28, 16), VISION | {"out_hidden_size": 2048}, False),
    "2B/4": Shape(  # a quarter of its layers: the same work a layer, so the same shares, sooner
        _text(2048, 6144, 7, 16),
        VISION | {"out_hidden_size": 2048, "depth": 6, "deepstack_visual_indexes": [1, 3, 5]},
        False,
    ),
    "4B": Shape(_text(2560, 9728, 36, 32), VISION | {"out_hidden_size": 2560}, False),
    "8B": Shape(_text(4096, 12_288, 36, 32), LARGE_VISION | {"out_hidden_size": 4096}, True),
}


@dataclasses.dataclass
class Bench:
    """The engine of a shape: with its prefixes kept, and with none kept, so that every call is a full one."""

    shape: str
    network: Any
    core: Any
    full: Any
    prompts: Any
    parameters: int
    weight_bytes: int
    build_s: float

    def close(self) -> None:
        """Give the memory back."""
        self.core.close()
        self.full.close()


@contextmanager
def engine(shape: str, *, device: str, tokens: int, threads: int = 0, rows: int = 0) -> Iterator[Bench]:
    """Build the network and put the engine over it; pictures get exactly `tokens` visual tokens."""
    import torch

    from cs_bot.settings import EngineSettings
    from cs_bot.vision.prompts import load_prompts
    from cs_bot.vision.qwen.core import open_core
    from cs_bot.vision.qwen.loading import Loaded
    from cs_bot.vision.qwen.processor import load_processor, pixels
    from cs_bot.vision.qwen.runner import Runner
    from tests.checkpoints import make_tokenizer, write_processors

    settings = EngineSettings(name="qwen", visual_tokens=tokens, min_visual_tokens=tokens, batch=rows)
    prompts = load_prompts()
    started = time.perf_counter()
    if threads:
        torch.set_num_threads(threads)
    tokenizer = make_tokenizer(6000, list(prompts.texts.values()))  # about as many tokens a word as the published one
    network = build(shape, tokenizer, device)
    bounds = pixels(settings, None, gpu=device != "cpu")
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        write_processors(Path(folder))
        processor = load_processor(Path(folder), bounds)
    weight_bytes = sum(value.numel() * value.element_size() for value in network.parameters())
    loaded = Loaded(
        network=network,
        processor=processor,
        device=network.device,
        dtype=network.dtype,
        full_attention=True,
        checkpoint=shape,
        fingerprint="0" * 12,
        profile=None,
        pixels=bounds,
        size=weight_bytes,
        threads=threads,
    )
    core = open_core(loaded, settings)
    nothing_kept = Runner(
        network,
        core.vocabulary,
        image_token=network.config.image_token_id,
        rows=core.runner.rows,
        whole=True,
        kept_bytes=0,
    )
    bench = Bench(
        shape,
        network,
        core,
        dataclasses.replace(core, runner=nothing_kept),
        prompts,
        sum(value.numel() for value in network.parameters()),
        weight_bytes,
        time.perf_counter() - started,
    )
    try:
        yield bench
    finally:
        bench.close()


def build(shape: str, tokenizer: Any, device: str) -> Any:
    """A network in bfloat16 with random weights, made where it runs."""
    import torch
    from transformers import Qwen3VLForConditionalGeneration

    from tests.checkpoints import CHAT_TEMPLATE, make_config

    tokenizer.chat_template = CHAT_TEMPLATE
    wanted = SHAPES[shape]
    config = make_config(
        tokenizer, hidden=64, layers=4, std=0.02, untie=wanted.untie, text=wanted.text, vision=wanted.vision
    )
    with torch.device("meta"):
        network = Qwen3VLForConditionalGeneration(config)
    network = network.to(torch.bfloat16).to_empty(device=device)
    network.tie_weights()
    drawn = torch.randn(1 << 22, generator=torch.Generator().manual_seed(0)).mul_(0.02).to(device, torch.bfloat16)
    with torch.no_grad():
        for at, (name, value) in enumerate(network.named_parameters()):
            if value.ndim == 1:
                value.fill_(1.0 if "norm" in name and name.endswith("weight") else 0.0)
                continue
            flat = value.view(-1)
            for start in range(0, flat.numel(), drawn.numel()):
                part = flat[start : start + drawn.numel()]
                part.copy_(drawn[: part.numel()].roll(at * 977 + start % 977))
    text, vision = network.model.language_model, network.model.visual  # their tables of angles are no parameters
    text.rotary_emb = type(text.rotary_emb)(config.text_config).to(device)
    vision.rotary_pos_emb = type(vision.rotary_pos_emb)(config.vision_config).to(device)
    return network.eval().requires_grad_(False)


def picture(number: int, tokens: int) -> Any:
    """A picture of noise that has about as many visual tokens."""
    import numpy as np
    from PIL import Image

    from cs_bot.vision.base import PictureInput

    side = int(tokens**0.5 * 32)
    noise = np.random.default_rng(number).integers(0, 255, (side, side, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).save(out, "PNG", compress_level=1)
    return PictureInput(hashlib.sha256(out.getvalue()).hexdigest(), out.getvalue())


def ask(shown: Any) -> Any:
    """A question about a product, as the pipeline asks it."""
    from cs_bot.records import Kind
    from cs_bot.vision.base import Ask

    slots = {
        "p1.name": "canvas shoes",
        "p1.price": "89.00 CNY",
        "p1.stock": "in stock",
        "p1.url": "https://shop.example/1",
    }
    return Ask(
        kind=Kind.PRODUCT,
        language="en",
        question="Do you have this in red, and how much is it?",
        slots=slots,
        notes=("picture 1 is p1",),
        pictures=(shown,),
    )


def alone(core: Any, prompts: Any, shown: Any, written: int) -> int:
    """One answer about a picture that nothing has been asked about; how many tokens were written."""
    from cs_bot.vision.qwen.generator import QwenGenerator

    generator, until = QwenGenerator(core, 0.0), time.monotonic() + FAR
    return len(generator.generate(prompts.answer(ask(shown)), max_tokens=written, until=until).tokens or ())


def turn(core: Any, prompts: Any, shown: Any, written: int) -> int:
    """Classify a picture, then write `written` tokens about it; how many were written."""
    from cs_bot.vision.generating import LABELS
    from cs_bot.vision.qwen.generator import QwenGenerator

    QwenGenerator(core, 0.0).generate(
        prompts.classify(shown), max_tokens=8, labels=LABELS, until=time.monotonic() + FAR
    )
    return alone(core, prompts, shown, written)


def together(core: Any, prompts: Any, shown: Sequence[Any], written: int) -> int:
    """A turn for each picture, all at once; tokens written."""
    with ThreadPoolExecutor(len(shown)) as pool:
        return sum(pool.map(lambda one: turn(core, prompts, one, written), shown))


def clocked(work: Callable[[], Any], clock: Callable[[], float] = time.perf_counter) -> tuple[float, Any]:
    """Seconds and the result; with time.process_time as `clock` the seconds that this process computed."""
    started = clock()
    result = work()
    return clock() - started, result


class Told:
    """Lines of progress with the time left of a budget."""

    def __init__(self, minutes: float) -> None:
        self.end = time.monotonic() + minutes * 60

    @property
    def over(self) -> bool:
        """Whether nothing new is to be begun."""
        return time.monotonic() > self.end

    def say(self, text: str) -> None:
        """One line on stderr."""
        left = max(0.0, self.end - time.monotonic())
        sys.stderr.write(f"[{left:4.0f} s left] {text}\n")
        sys.stderr.flush()


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table."""
    lines = ["| " + " | ".join(row) + " |" for row in (head, *rows)]
    return "\n".join([lines[0], "|" + " --- |" * len(head), *lines[1:]])


def write_section(name: str, text: str) -> Path:
    """Put a section between its marks in docs/measured/qwen.md."""
    page = ROOT / "docs" / "measured" / "qwen.md"
    head, tail = f"<!-- {name} -->\n", f"<!-- /{name} -->\n"
    said = page.read_text(encoding="utf-8")
    if head not in said:
        said = f"{said.rstrip()}\n\n{head}{tail}"
    before, _, rest = said.partition(head)
    page.write_text(before + head + text.strip() + "\n" + tail + rest.partition(tail)[2], encoding="utf-8")
    return page


def load() -> str:
    """How busy the machine is, in words for a table's caption."""
    return f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
