"""A small Qwen2 tokenizer: byte-level BPE learnt on the samples; the joints of the answers' JSON are tokens too.

Qwen's own pre-tokenizer, control tokens and chat template. The words of prompts and answers are one token each, digits
stay single, and what the corpus lacks falls back to bytes. The joints, and words of answers beyond ASCII, are added
tokens: the engine cuts data without those, so they only shorten what the checkpoint writes.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from cs_bot.records import Kind, OrderStatus
from cs_bot.vision.answers import COLOURS, CURRENCIES, UNREADABLE, ItemRead, OrderRead

SPECIALS = (
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>"),
    *("<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>"),
    *("<|image_pad|>", "<|video_pad|>"),
)
NOT_SPECIAL = ("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>", "</think>")
CHAT_TEMPLATE = """{%- macro parts(content) -%}
{%- if content is string -%}{{- content -}}{%- else -%}{%- for part in content -%}
{%- if part.type == 'image' or 'image' in part or 'image_url' in part -%}<|vision_start|><|image_pad|><|vision_end|>
{%- elif part.type == 'video' or 'video' in part -%}<|vision_start|><|video_pad|><|vision_end|>
{%- elif 'text' in part -%}{{- part.text -}}{%- endif -%}{%- endfor -%}{%- endif -%}{%- endmacro -%}
{%- for message in messages -%}{{- '<|im_start|>' + message.role + '\\n' -}}{{- parts(message.content) -}}
{{- '<|im_end|>\\n' -}}{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}"""
LEAST_SEEN = 3  # a word that is rarer stays in pieces
LEAST_TOLD = 4  # a word that answers use as often is one token
MOST_TIMES = 20  # that the same text counts
WEIGHT = 200  # how often a word that must be one token is counted


def build_tokenizer(asked: Iterable[str], answers: Iterable[str], *, words: int = 1_500) -> Any:
    """A Qwen2Tokenizer with about `words` learnt tokens from what will be asked and answered."""
    from tokenizers import AddedToken
    from transformers.models.qwen2.tokenization_qwen2 import Qwen2Tokenizer

    told = _told(answers)
    vocabulary, merges = _learnt(asked, [word for word in told if word.isascii()], words)
    tokenizer = Qwen2Tokenizer(
        vocab=vocabulary, merges=merges, eos_token="<|endoftext|>", pad_token="<|endoftext|>", model_max_length=8192
    )
    tokenizer.add_special_tokens({"extra_special_tokens": list(SPECIALS)})
    whole = [*joints(), *(word for word in told if not word.isascii())]
    whole = [*NOT_SPECIAL, *(text for text in whole if len(tokenizer.tokenize(text)) > 1)]
    tokenizer.add_tokens([AddedToken(text, special=False, normalized=False) for text in whole])
    tokenizer.eos_token = "<|im_end|>"
    tokenizer.chat_template = CHAT_TEMPLATE
    tokenizer.padding_side = "left"
    return tokenizer


def joints() -> tuple[str, ...]:
    """What stands between the values of the answers' JSON."""
    first, *items = ItemRead.model_fields
    opening, *order = OrderRead.model_fields
    found = [f'{{"items":[{{"{first}":"', f'"}},{{"{first}":"', '"}]}', '{"items":[]}', '{"reply":"', '"}']
    found += [f'","{name}":"' for name in items]
    found += [f'{{"{opening}":"', *(f'","{name}":"' for name in order[:-1])]
    return (*found, *(f'","{order[-1]}":{value}}}' for value in ("true", "false")))


def labels() -> tuple[str, ...]:
    """Words that must be exactly one token."""
    kinds = [kind.value for kind in Kind]
    return (*kinds, *(status.value for status in OrderStatus), *COLOURS, *CURRENCIES, UNREADABLE, *_PLACES)


_PLACES = ("whole", "left", "right", "top", "bottom", "true", "false", "system", "user", "assistant")


def _told(answers: Iterable[str]) -> list[str]:
    """The words that answers often use, as the pre-tokenizer cuts them."""
    cut = _pre_tokenizer()
    told = Counter(text[begin:end] for text in answers for _, (begin, end) in cut.pre_tokenize_str(text))
    return sorted(word for word, count in told.items() if count >= LEAST_TOLD)


def _learnt(asked: Iterable[str], whole: Iterable[str], words: int) -> tuple[dict[str, int], Any]:
    """Vocabulary and merges."""
    import json

    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    learner = Tokenizer(models.BPE())
    learner.normalizer = normalizers.NFC()
    learner.pre_tokenizer = _pre_tokenizer()
    trainer = trainers.BpeTrainer(
        vocab_size=256 + words,
        min_frequency=LEAST_SEEN,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    learner.train_from_iterator(_weighted(asked, whole), trainer)
    learnt = json.loads(learner.to_str())["model"]
    return learnt["vocab"], [tuple(pair) for pair in learnt["merges"]]


def _weighted(asked: Iterable[str], whole: Iterable[str]) -> Sequence[str]:
    """What is often the same counts a few times only; words that must be whole count far more than anything else."""
    counted = Counter(asked)
    must = [f"{before}{word}\n" for word in labels() for before in ("", " ")] + sorted(whole)
    return [text for text, count in sorted(counted.items()) for _ in range(min(count, MOST_TIMES))] + must * WEIGHT


def _pre_tokenizer() -> Any:
    from tokenizers import Regex, pre_tokenizers
    from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX

    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PRETOKENIZE_REGEX), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
