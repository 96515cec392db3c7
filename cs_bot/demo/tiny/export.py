"""Writes the checkpoint as transformers reads it, with its profile and its frozen prompts."""

import hashlib
import json
from pathlib import Path
from typing import Any

from cs_bot.demo.tiny.corpus import Ground
from cs_bot.demo.tiny.frames import MAX_PIXELS, MIN_PIXELS
from cs_bot.demo.tiny.network import HEAD, MERGE, PATCH, SECTIONS, TEXT_THETA, VISION_THETA, Sizes
from cs_bot.errors import ConfigError
from cs_bot.vision.prompts import NAMES

NAME = "cs-bot-tiny"
SUMS = "SHA256SUMS"


def export(folder: Path, ground: Ground, out: Path) -> Path:
    """The weights of a run's folder as a checkpoint in `out`; README.md there stays. Raises ConfigError."""
    import torch
    from safetensors.torch import load_file
    from transformers import AutoTokenizer

    place = folder / "weights.safetensors"
    if not place.exists():
        raise ConfigError(f"{place} is missing: train first (see --help)")
    out.mkdir(parents=True, exist_ok=True)
    tokenizer = AutoTokenizer.from_pretrained(ground.tokenizer.parent)
    network = as_transformers(load_file(place), tokenizer, Sizes(vocabulary=ground.size))
    network.to(torch.bfloat16).save_pretrained(out)
    tokenizer.save_pretrained(out)
    _preprocessors(out)
    _profile(out)
    write_sums(out)
    return out


def as_transformers(weights: dict[str, Any], tokenizer: Any, sizes: Sizes) -> Any:
    """The real class with these weights, in float32. Raises RuntimeError when a name or a shape differs."""
    from transformers import GenerationConfig, Qwen3VLForConditionalGeneration

    network: Any = Qwen3VLForConditionalGeneration(config_of(tokenizer, sizes))
    named = {f"model.{name}": weight for name, weight in weights.items()}
    named["lm_head.weight"] = named["model.language_model.embed_tokens.weight"]
    network.load_state_dict(named)
    ids = tokenizer.convert_tokens_to_ids
    network.generation_config = GenerationConfig(
        do_sample=False,
        eos_token_id=[ids("<|im_end|>"), ids("<|endoftext|>")],
        pad_token_id=ids("<|endoftext|>"),
        bos_token_id=ids("<|endoftext|>"),
    )
    return network.eval()


def config_of(tokenizer: Any, sizes: Sizes) -> Any:
    """Qwen3VLConfig of these sizes."""
    from transformers import Qwen3VLConfig

    ids = tokenizer.convert_tokens_to_ids
    text = {
        "vocab_size": sizes.vocabulary,
        "hidden_size": sizes.text_width,
        "intermediate_size": sizes.text_inner,
        "num_hidden_layers": sizes.text_layers,
        "num_attention_heads": sizes.text_heads,
        "num_key_value_heads": sizes.shared_heads,
        "head_dim": HEAD,
        "max_position_embeddings": 8192,
        "tie_word_embeddings": True,
        "bos_token_id": ids("<|endoftext|>"),
        "eos_token_id": ids("<|im_end|>"),
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": TEXT_THETA,
            "mrope_section": list(SECTIONS),
            "mrope_interleaved": True,
        },
    }
    vision = {
        "depth": sizes.vision_layers,
        "hidden_size": sizes.vision_width,
        "intermediate_size": 4 * sizes.vision_width,
        "num_heads": sizes.vision_heads,
        "patch_size": PATCH,
        "spatial_merge_size": MERGE,
        "temporal_patch_size": 2,
        "out_hidden_size": sizes.text_width,
        "num_position_embeddings": sizes.grid**2,
        "deepstack_visual_indexes": list(sizes.deepstack),
        "rope_parameters": {"rope_type": "axial", "rope_theta": VISION_THETA},
    }
    tokens = {"image": "<|image_pad|>", "video": "<|video_pad|>"}
    tokens |= {"vision_start": "<|vision_start|>", "vision_end": "<|vision_end|>"}
    special = {f"{name}_token_id": ids(token) for name, token in tokens.items()}
    return Qwen3VLConfig(text_config=text, vision_config=vision, tie_word_embeddings=True, **special)


def _preprocessors(out: Path) -> None:
    common = {
        "patch_size": PATCH,
        "temporal_patch_size": 2,
        "merge_size": MERGE,
        "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3,
        "processor_class": "Qwen3VLProcessor",
        "size": {"longest_edge": MAX_PIXELS, "shortest_edge": MIN_PIXELS},
    }
    kinds = {"preprocessor_config": {"image_processor_type": "Qwen2VLImageProcessorFast"}}
    kinds["video_preprocessor_config"] = {"video_processor_type": "Qwen3VLVideoProcessor"}
    for name, kind in kinds.items():
        _write_json(out / f"{name}.json", {**common, **kind})


def _profile(out: Path) -> None:
    """The limits and the very prompts it was trained with."""
    profile = {"profile": 1, "name": NAME, "min_pixels": MIN_PIXELS, "max_pixels": MAX_PIXELS}
    _write_json(out / "cs_bot_profile.json", profile)
    (out / "prompts").mkdir(exist_ok=True)
    for name in NAMES:
        source = Path(__file__).parents[2] / "vision" / "prompts" / f"{name}.txt"
        (out / "prompts" / source.name).write_bytes(source.read_bytes())


def write_sums(out: Path) -> None:
    """SHA-256 of every file but the card and the list itself, as `sha256sum -c` reads it."""
    files = [path for path in sorted(out.rglob("*")) if path.is_file() and path.name not in (SUMS, "README.md")]
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(out).as_posix()}" for path in files]
    (out / SUMS).write_text("\n".join(lines) + "\n", "utf-8")


def _write_json(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=2) + "\n", "utf-8")
