"""The engine's parts over a checkpoint's folder, and the same sums done in one plain pass."""

import io
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cs_bot.vision.base import PictureInput
from cs_bot.vision.generating import Prompt
from cs_bot.vision.qwen.core import Core
from cs_bot.vision.qwen.generator import QwenGenerator
from cs_bot.vision.qwen.inputs import Budget, Encoded, Inputs
from cs_bot.vision.qwen.runner import Runner
from cs_bot.vision.qwen.vocabulary import Vocabulary

SMALL = Budget(64 * 64, 320 * 320)
SYSTEM = "You work for an online shop."


def drawn(seed: int, width: int = 200, height: int = 160, mode: str = "RGB") -> PictureInput:
    """A picture of noise."""
    noise = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).convert(mode).save(out, "JPEG" if mode == "CMYK" else "PNG")
    return PictureInput(f"{seed:064x}", out.getvalue())


def asked(
    text: str = "Answer with JSON.", *pictures: PictureInput, name: str = "read_product", scale: float = 1.0
) -> Prompt:
    """A prompt."""
    return Prompt(name, SYSTEM, text, pictures, scale)


def soon(seconds: float = 60.0) -> float:
    """A moment for `until`."""
    return time.monotonic() + seconds


@dataclass(frozen=True)
class Parts:
    """What build() puts together."""

    network: Any
    core: Core
    generator: QwenGenerator

    @property
    def vocabulary(self) -> Vocabulary:
        """Its tokens."""
        return self.core.vocabulary

    def encoded(self, prompt: Prompt, room: int = 64) -> Encoded:
        """A prompt's tokens and pictures."""
        return self.generator._encoded(prompt, room)

    def full_logits(self, prompt: Encoded, more: list[int] | None = None) -> Any:
        """Logits (tokens, vocabulary) of the whole prompt and `more` in one pass of the published classes."""
        import torch

        ids = torch.tensor([prompt.ids + (more or [])])
        seen = {}
        if prompt.pictures:
            seen = {
                "pixel_values": torch.cat([picture.values() for picture in prompt.pictures]),
                "image_grid_thw": torch.tensor([picture.grid for picture in prompt.pictures]),
            }
        kinds = (ids == self.network.config.image_token_id).int()
        with torch.inference_mode():
            return self.network(input_ids=ids, mm_token_type_ids=kinds, **seen).logits[0].float()


@contextmanager
def opened(
    folder: Path, *, rows: int = 4, kept_bytes: int = 64_000_000, network: Any = None, **options: Any
) -> Iterator[Parts]:
    """The parts over the checkpoint in `folder`, closed at the end."""
    network = network or load(folder)
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    ends = json.loads((folder / "generation_config.json").read_text())["eos_token_id"]
    vocabulary = Vocabulary(tokenizer, size=network.config.text_config.vocab_size, ends=ends)
    token = network.config.image_token_id
    inputs = Inputs(_Processor(folder, tokenizer), vocabulary, image_token=token, context=options.pop("context", 8192))
    whole = options.pop("whole", True)
    runner = Runner(network, vocabulary, image_token=token, rows=rows, whole=whole, kept_bytes=kept_bytes)
    core = Core(runner, inputs, vocabulary, options.pop("budget", SMALL), options.pop("by_kind", {}), "1", "random")
    generator = QwenGenerator(core, options.pop("temperature", 0.0))
    assert not options
    try:
        yield Parts(network, core, generator)
    finally:
        generator.close()


def load(folder: Path) -> Any:
    """The network in `folder`, float32 or whatever it was written in; on one thread, which shared cores don't slow."""
    import torch
    from transformers import AutoModelForImageTextToText

    torch.set_num_threads(1)
    return AutoModelForImageTextToText.from_pretrained(folder, dtype="auto").eval()


class _Processor:
    """Image processor, and tokenizer with its template."""

    def __init__(self, folder: Path, tokenizer: Any) -> None:
        from transformers import AutoImageProcessor

        self.tokenizer = tokenizer
        self.image_processor = AutoImageProcessor.from_pretrained(folder, backend="pil")


def hybrid(folder: Path) -> Any:
    """A random network of Qwen3.5's kind, three of whose four layers are linear attention, for that folder's tokens."""
    import torch
    from transformers import AutoConfig
    from transformers.models.qwen3_5 import Qwen3_5Config, Qwen3_5ForConditionalGeneration

    like = AutoConfig.from_pretrained(folder)
    small = {"hidden_size": 64, "initializer_range": 0.12}
    rope = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [2, 1, 1], "partial_rotary_factor": 0.5}
    text = dict(vocab_size=like.text_config.vocab_size, intermediate_size=128, num_hidden_layers=4, **small)
    text |= dict(num_attention_heads=4, num_key_value_heads=2, head_dim=16, rope_parameters=rope)
    text |= dict(linear_num_key_heads=2, linear_num_value_heads=4, linear_key_head_dim=16, linear_value_head_dim=16)
    vision = dict(depth=2, intermediate_size=64, num_heads=4, out_hidden_size=64, patch_size=16, **small)
    vision |= dict(spatial_merge_size=2, temporal_patch_size=2, num_position_embeddings=2304)
    names = ("image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id")
    ids = {name: getattr(like, name) for name in names}
    config = Qwen3_5Config(text_config=text, vision_config=vision, tie_word_embeddings=False, **ids)
    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Qwen3_5ForConditionalGeneration(config).eval()
