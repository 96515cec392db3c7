"""Tokenizer and image processor of a checkpoint, without torchvision; how many pixels a picture may have.

AutoProcessor refuses a Qwen3-VL folder where torchvision is missing, because its signature names a video processor. We
send no videos, so it is left out. The PIL backend is used everywhere: one picture gives the same numbers on every host.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from cs_bot.errors import ConfigError
from cs_bot.records import Kind
from cs_bot.settings import EngineSettings
from cs_bot.vision.qwen.checkpoint import SETTING
from cs_bot.vision.qwen.profile import Profile

LEAST_TOKENS = 256  # what the makers of Qwen3-VL advise: 256 to 1280 (docs/engines.md)
MOST_TOKENS_CPU, MOST_TOKENS_GPU = 576, 1280
SIDE = 32  # pixels of a visual token's side: patches of 16, merged 2 x 2
TOKENS = {"image": "<|image_pad|>", "video": "<|video_pad|>"}
TOKENS |= {"vision_start": "<|vision_start|>", "vision_end": "<|vision_end|>"}


class Pixels(NamedTuple):
    """Bounds of a picture in pixels: smaller ones are enlarged, larger ones shrunk. `by_kind` has other `most`."""

    least: int
    most: int
    by_kind: Mapping[Kind, int]

    def most_for(self, kind: Kind | None) -> int:
        """The upper bound when a picture of that kind is read; None: when its kind is asked."""
        return self.most if kind is None else self.by_kind.get(kind, self.most)


def pixels(settings: EngineSettings, profile: Profile | None, *, gpu: bool) -> Pixels:
    """The bounds that hold here: the checkpoint's profile first, then the settings, then what suits the device."""
    if profile is not None:
        return Pixels(profile.min_pixels, profile.max_pixels, {})
    most = settings.visual_tokens or (MOST_TOKENS_GPU if gpu else MOST_TOKENS_CPU)
    least = min(settings.min_visual_tokens or LEAST_TOKENS, most)
    by_kind = {Kind(kind): max(least, tokens) * SIDE**2 for kind, tokens in settings.visual_tokens_by_kind.items()}
    return Pixels(least * SIDE**2, most * SIDE**2, by_kind)


def load_processor(folder: Path, bounds: Pixels) -> Any:
    """The processor of a folder: called with text and images, or through apply_chat_template; pads on the left.

    Raises ConfigError when its parts can't be read.
    """
    from transformers import AutoImageProcessor, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except Exception as problem:  # whatever the library finds wrong with the files
        raise ConfigError(
            f"{SETTING}: the tokenizer of {folder} can't be read ({type(problem).__name__}): copy tokenizer.json and "
            "tokenizer_config.json again"
        ) from None
    try:
        images = AutoImageProcessor.from_pretrained(
            folder, backend="pil", trust_remote_code=False, local_files_only=True
        )
        sides = int(images.patch_size) * int(images.merge_size)
    except Exception as problem:  # as above
        raise ConfigError(
            f"{SETTING}: the image processor of {folder} can't be read ({type(problem).__name__}): copy "
            "preprocessor_config.json again"
        ) from None
    if sides != SIDE:
        raise ConfigError(f"{SETTING}: {folder.name} cuts pictures into {sides} pixels, this engine into {SIDE}")
    missing = [token for token in TOKENS.values() if token not in tokenizer.get_vocab()]
    if missing or not tokenizer.chat_template:
        raise ConfigError(f"{SETTING}: the tokenizer of {folder.name} lacks {', '.join(missing) or 'a chat template'}")
    tokenizer.padding_side = "left"
    images.size = {"longest_edge": bounds.most, "shortest_edge": bounds.least}
    return _without_videos()(images, tokenizer, chat_template=tokenizer.chat_template)


def _without_videos() -> Any:
    """Qwen3VLProcessor with a signature that names no video processor (the library reads it)."""
    from transformers import Qwen3VLProcessor
    from transformers.processing_utils import ProcessorMixin

    class PictureProcessor(Qwen3VLProcessor):  # type: ignore[misc]
        def __init__(
            self, image_processor: Any = None, tokenizer: Any = None, chat_template: str | None = None, **_: Any
        ) -> None:
            ProcessorMixin.__init__(self, image_processor, tokenizer, chat_template=chat_template)
            for name, token in TOKENS.items():
                setattr(self, f"{name}_token", token)
                setattr(self, f"{name}_token_id", tokenizer.convert_tokens_to_ids(token))

    return PictureProcessor
