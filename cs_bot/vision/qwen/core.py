"""Everything over one loaded checkpoint that looks, answers and chats have in common."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from cs_bot.settings import EngineSettings
from cs_bot.vision.chat import ChatMessage
from cs_bot.vision.qwen import devices
from cs_bot.vision.qwen.inputs import Budget, Encoded, Inputs
from cs_bot.vision.qwen.loading import Loaded
from cs_bot.vision.qwen.runner import Runner
from cs_bot.vision.qwen.vocabulary import Vocabulary

CONTEXT_CPU, CONTEXT_GPU = 8192, 32_768  # tokens of a prompt with its answer: four pictures and the words beside them
MOST_ROWS_CPU, MOST_ROWS_GPU = 4, 32
TEXT_TOKENS = 1024  # of an ordinary prompt with its answer, beside the picture
KEPT_SHARE, KEPT_MOST = 0.25, 8 << 30  # of the free memory for prefixes; a few dozen pictures are enough


@dataclass(frozen=True)
class Core:
    """One runner with what makes its prompts. `version` names whatever an answer depends on besides the prompt.

    `turns` are worth claiming together: on a CPU one, because beside another it only takes longer.
    """

    runner: Runner
    inputs: Inputs
    vocabulary: Vocabulary
    budget: Budget
    by_kind: "dict[str, Budget]"
    version: str
    about: str
    turns: int = 1
    gpu: bool = False

    def encoded(self, messages: Sequence[ChatMessage], budget: Budget, *, room: int) -> Encoded:
        """A prompt as Inputs.encode makes it, with its pictures opened here: not in the thread that all wait for."""
        found = self.inputs.encode(messages, budget, room=room)
        if not self.runner.holds(found.key):
            for picture in found.pictures:
                picture.values()
        return found

    def close(self) -> None:
        """Give everything back. Safe to call twice."""
        self.runner.close()


def open_core(loaded: Loaded, settings: EngineSettings) -> Core:
    """Start the engine's thread over a loaded checkpoint. Raises ConfigError for one that can't be used."""
    network, config = loaded.network, loaded.network.config
    gpu = loaded.device.type != "cpu"
    if loaded.device.type == "cuda":
        torch.backends.cuda.enable_cudnn_sdp(False)  # it plans anew for every length: half the turns (measured/qwen.md)
    vocabulary = Vocabulary(
        loaded.processor.tokenizer,
        size=network.get_output_embeddings().weight.shape[0],
        ends=_ends(network, loaded.processor.tokenizer),
    )
    limit = getattr(config.get_text_config(), "max_position_embeddings", CONTEXT_GPU)
    context = min(max(CONTEXT_GPU if gpu else CONTEXT_CPU, settings.max_new_tokens + CONTEXT_CPU), limit)
    free = _free(loaded.device, loaded.size)
    rows = settings.batch or fitting_rows(config, loaded.dtype.itemsize, free, gpu=gpu, pixels=loaded.pixels.most)
    inputs = Inputs(loaded.processor, vocabulary, image_token=config.image_token_id, context=context)
    runner = Runner(
        network,
        vocabulary,
        image_token=config.image_token_id,
        rows=rows,
        whole=loaded.full_attention,
        kept_bytes=min(KEPT_MOST, int(KEPT_SHARE * free)),
    )
    least, most = loaded.pixels.least, loaded.pixels.most
    dtype = str(loaded.dtype).removeprefix("torch.")
    return Core(
        runner,
        inputs,
        vocabulary,
        Budget(least, most),
        {kind.value: Budget(least, pixels) for kind, pixels in loaded.pixels.by_kind.items()},
        version=f"{loaded.checkpoint}@{loaded.fingerprint[:12]},{dtype},{_pixels(loaded.pixels)}px",
        about=f"{loaded.checkpoint} on {loaded.device} ({dtype}), {runner.rows} at once",
        turns=runner.rows if gpu else 1,
        gpu=gpu,
    )


def fitting_rows(config: Any, bytes_a_number: int, free: int, *, gpu: bool, pixels: int) -> int:
    """How many rows run together: half of the free memory, over what one row takes twice.

    A row's keys and values are 2 x layers x key heads x head width numbers a token: a picture of `pixels`, and
    TEXT_TOKENS. Twice, because a batch is put together from the rows before those go.
    """
    text = config.get_text_config()
    width = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    per_token = 2 * text.num_hidden_layers * text.num_key_value_heads * width * bytes_a_number
    row = int(per_token) * (pixels // 1024 + TEXT_TOKENS)
    return max(1, min(MOST_ROWS_GPU if gpu else MOST_ROWS_CPU, free // 2 // (2 * row)))


def _free(device: Any, size: int) -> int:
    """Bytes that may still be taken on a device. On a CPU `size` bytes of weights are mapped files, counted as free."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return max(0, devices.free_memory() - size)


def _ends(network: Any, tokenizer: Any) -> set[int]:
    """The tokens that end an answer: what the checkpoint's generation_config says, and the tokenizer's own."""
    said = getattr(network.generation_config, "eos_token_id", None)
    listed: Iterable[int] = said if isinstance(said, list | tuple) else [] if said is None else [said]
    own = tokenizer.eos_token_id
    return {*listed, *([] if own is None else [own])}


def _pixels(pixels: Any) -> str:
    kinds = "".join(f"/{kind.value}:{most}" for kind, most in sorted(pixels.by_kind.items()))
    return f"{pixels.least}-{pixels.most}{kinds}"
