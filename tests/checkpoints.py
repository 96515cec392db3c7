"""Random tiny checkpoints of the real architecture, built offline in a moment: a folder as the published ones.

They load, take pictures and write text like the real ones, but mean nothing by it. `python -m tests.checkpoints FOLDER`
makes one by hand. Special tokens come in the published order; every kind's label is one token.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cs_bot.vision.generating import LABELS

# In the order of the published tokenizer, after its words.
SPECIAL = (
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>"),
    *("<|box_start|>", "<|box_end|>", "<|quad_start|>", "<|quad_end|>"),
    *("<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"),
)
NOT_SPECIAL = (
    *("<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>"),
    *("<|repo_name|>", "<|file_sep|>", "<tool_response>", "</tool_response>", "<think>", "</think>"),
)
# Same text for system, user and assistant turns as the published template, without tools.
CHAT_TEMPLATE = """{%- macro parts(content) -%}
{%- if content is string -%}{{- content -}}{%- else -%}{%- for part in content -%}
{%- if part.type == 'image' or 'image' in part or 'image_url' in part -%}<|vision_start|><|image_pad|><|vision_end|>
{%- elif part.type == 'video' or 'video' in part -%}<|vision_start|><|video_pad|><|vision_end|>
{%- elif 'text' in part -%}{{- part.text -}}{%- endif -%}{%- endfor -%}{%- endif -%}{%- endmacro -%}
{%- for message in messages -%}
{{- '<|im_start|>' + message.role + '\\n' -}}{{- parts(message.content) -}}{{- '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}"""
CORPUS = (
    *(f"{label}\n" for label in LABELS),
    "Task: say what kind of picture this is. Answer with one of these words and nothing else: " + ", ".join(LABELS),
    "You work for an online shop. Answer with JSON. Whatever can't be read is unreadable. Yes\nNo\nA\nB\nC\nD\n",
    '{"order_id":"20240512003","amount":"299.00","currency":"CNY","status":"shipped","several_orders":false}',
    '{"reply":"您好，这款连衣裙有黑色。"} {"items":[{"where":"left","category":"mug","brand":"","colour":"red"}]}',
    "您好，请问这款连衣裙有黑色吗？什么时候发货？我的订单号是 20240512003，总金额 299.00 元，还没发货，怎么回事？",
    "商品 订单 物流 退货 退款 换货 瑕疵 破损 尺码 颜色 材质 价格 优惠券 发票 客服 感谢 {order.status} {p1.price}",
)
PUBLISHED_PIXELS = {"longest_edge": 16_777_216, "shortest_edge": 65_536}


def make_checkpoint(
    folder: Path,
    *,
    seed: int = 0,
    std: float = 0.12,
    untie: bool = True,
    dtype: str = "float32",
    nan: bool = False,
    hidden: int = 64,
    layers: int = 4,
    vocabulary: int = 1200,
    shard_size: str = "5GB",
    profile: Mapping[str, Any] | None = None,
) -> Path:
    """Write a complete checkpoint (about 1 M parameters) into `folder` and give the folder back.

    `std` is the spread of the weights: with 0.02 and tied embeddings a random checkpoint repeats one token, which
    hides faults. `nan` makes every likelihood NaN. `profile` becomes the folder's cs_bot_profile.json.
    """
    import torch
    from transformers import GenerationConfig, Qwen3VLForConditionalGeneration

    tokenizer = make_tokenizer(vocabulary)
    config = make_config(tokenizer, hidden=hidden, layers=layers, std=std, untie=untie)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Qwen3VLForConditionalGeneration(config).to(getattr(torch, dtype)).eval()
    if nan:
        with torch.no_grad():
            network.model.language_model.norm.weight.fill_(float("nan"))
    ids = tokenizer.convert_tokens_to_ids
    network.generation_config = GenerationConfig(  # samples, as the published one does
        do_sample=True,
        temperature=0.7,
        top_p=0.8,
        top_k=20,
        eos_token_id=[ids("<|im_end|>"), ids("<|endoftext|>")],
        pad_token_id=ids("<|endoftext|>"),
        bos_token_id=ids("<|endoftext|>"),
    )
    network.save_pretrained(folder, max_shard_size=shard_size)
    tokenizer.save_pretrained(folder)
    write_processors(folder)
    if profile is not None:
        (folder / "cs_bot_profile.json").write_text(json.dumps(dict(profile)), encoding="utf-8")
    return folder


def make_tokenizer(size: int, corpus: Sequence[str] = CORPUS) -> Any:
    """Byte-level BPE with the published pre-tokenizer, of at most `size` tokens, trained on a few texts."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers, trainers
    from tokenizers.models import BPE
    from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX, Qwen2Tokenizer

    words = Tokenizer(BPE())
    words.normalizer = normalizers.NFC()
    words.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PRETOKENIZE_REGEX), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    words.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False)
    words.train_from_iterator(list(corpus) * 20, trainer)
    trained = json.loads(words.to_str())["model"]
    tokenizer = Qwen2Tokenizer(
        vocab=trained["vocab"],
        merges=[tuple(merge) for merge in trained["merges"]],
        eos_token="<|endoftext|>",  # the real one is set last: __init__ would give it the first id
        pad_token="<|endoftext|>",
        model_max_length=262_144,
    )
    tokenizer.add_special_tokens({"extra_special_tokens": list(SPECIAL)})
    tokenizer.add_tokens([AddedToken(token, special=False, normalized=False) for token in NOT_SPECIAL])
    tokenizer.eos_token = "<|im_end|>"
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def make_config(
    tokenizer: Any,
    *,
    hidden: int,
    layers: int,
    std: float,
    untie: bool,
    text: Mapping[str, Any] | None = None,
    vision: Mapping[str, Any] | None = None,
) -> Any:
    """The configuration of a network around a tokenizer; `text` and `vision` say what is to be otherwise."""
    from transformers import Qwen3VLConfig

    ids = tokenizer.convert_tokens_to_ids
    heads, half = 4, hidden // 8  # half of a head's width, which the three axes of positions share
    axes = [half - 2 * (half // 3), half // 3, half // 3]
    return Qwen3VLConfig(
        text_config={
            "vocab_size": (len(tokenizer) + 63) // 64 * 64,
            "hidden_size": hidden,
            "intermediate_size": hidden * 3,
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
            "num_key_value_heads": heads // 2,
            "head_dim": hidden // heads,
            "max_position_embeddings": 262_144,
            "initializer_range": std,
            "tie_word_embeddings": not untie,
            "bos_token_id": ids("<|endoftext|>"),
            "eos_token_id": ids("<|im_end|>"),
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 5e6,
                "mrope_section": axes,
                "mrope_interleaved": True,
            },
            **(text or {}),
        },
        vision_config={
            "depth": 4,
            "hidden_size": hidden,
            "intermediate_size": hidden * 4,
            "num_heads": heads,
            "patch_size": 16,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "out_hidden_size": hidden,
            "num_position_embeddings": 2304,
            "deepstack_visual_indexes": [0, 1, 2],
            "initializer_range": std,
            **(vision or {}),
        },
        image_token_id=ids("<|image_pad|>"),
        video_token_id=ids("<|video_pad|>"),
        vision_start_token_id=ids("<|vision_start|>"),
        vision_end_token_id=ids("<|vision_end|>"),
        tie_word_embeddings=not untie,
    )


def write_processors(folder: Path) -> None:
    """The published preprocessor files; written by hand, because saving them needs torchvision."""
    common: dict[str, Any] = {
        "patch_size": 16,
        "temporal_patch_size": 2,
        "merge_size": 2,
        "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3,
        "processor_class": "Qwen3VLProcessor",
    }
    picture = {**common, "size": PUBLISHED_PIXELS, "image_processor_type": "Qwen2VLImageProcessorFast"}
    video_size = {"longest_edge": 25_165_824, "shortest_edge": 4096}
    video = {**common, "size": video_size, "video_processor_type": "Qwen3VLVideoProcessor"}
    (folder / "preprocessor_config.json").write_text(json.dumps(picture, indent=1), encoding="utf-8")
    (folder / "video_preprocessor_config.json").write_text(json.dumps(video, indent=1), encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit("usage: python -m tests.checkpoints FOLDER\nExample: python -m tests.checkpoints /tmp/tiny")
    sys.stdout.write(f"{make_checkpoint(Path(sys.argv[1]))}\n")
