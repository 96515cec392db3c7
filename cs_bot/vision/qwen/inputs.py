"""What goes into the network: a conversation as tokens, its pictures on their grids of patches."""

import hashlib
import math
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import groupby
from typing import Any, NamedTuple

from jinja2 import TemplateError
from PIL import Image

from cs_bot.errors import BadRequest, ConfigError, PictureUnreadable, PromptTooLong
from cs_bot.images import pixels_of
from cs_bot.vision.base import PictureInput
from cs_bot.vision.chat import ChatMessage, Role
from cs_bot.vision.qwen.vocabulary import Vocabulary

MOST_SIGNS = 100  # characters a token may stand for: a longer text is refused before it is cut into tokens
SMALLEST_TOKENS = 16  # a picture is never shrunk below this for want of memory
MOST_AFTER_HEAD = 8192  # tokens of a prefix: one that begins after a head needs a mask, which grows with their square
_KEPT_GRIDS = 2048
_MARK = re.compile("\x02([0-9]+)\x03")


class Budget(NamedTuple):
    """Bounds on the pixels that the network sees of one picture, and what its sides are multiplied by."""

    least: int
    most: int
    scale: float = 1.0


@dataclass
class Picture:
    """One picture at one size. `key` names both; `grid` is (1, rows, columns) of patches; `shrunk` is linear."""

    key: str
    grid: tuple[int, int, int]
    shrunk: float
    _make: Callable[[], Any]
    _values: Any = None

    def values(self) -> Any:
        """The patches as the vision tower takes them; kept until they are forgotten."""
        if self._values is None:
            self._values = self._make()
        return self._values

    def forget(self) -> None:
        """Give the memory back."""
        self._values = None


@dataclass(frozen=True)
class Encoded:
    """A prompt. The first `cut` tokens, with all pictures, are what other questions about them share (`key`).

    The first `head` of those are the system text, which stands before other pictures too; 0 where it is not worth it.
    `smaller` makes it anew with half the pixels; None when they are at their bound.
    """

    ids: list[int]
    cut: int
    pictures: tuple[Picture, ...] = ()
    head: int = 0
    smaller: "Callable[[], Encoded] | None" = None

    @cached_property
    def key(self) -> str:
        """Of what is shared: tokens and pictures."""
        return hashlib.sha256(repr((self.ids[: self.cut], [one.key for one in self.pictures])).encode()).hexdigest()

    @cached_property
    def system(self) -> "Encoded | None":
        """The head alone."""
        return Encoded(self.ids[: self.head], self.head) if self.head else None

    @property
    def shrunk(self) -> float:
        """The linear scale of the picture that lost most, 1.0 for none."""
        return min((picture.shrunk for picture in self.pictures), default=1.0)


class Inputs:
    """Makes prompts from conversations. Safe to use from several threads."""

    def __init__(self, processor: Any, vocabulary: Vocabulary, *, image_token: int, context: int) -> None:
        self._processor, self._vocabulary, self._image_token = processor, vocabulary, image_token
        self.context = context
        self._side = processor.image_processor.patch_size * processor.image_processor.merge_size
        self._least = SMALLEST_TOKENS * self._side**2
        self._templates: dict[tuple[tuple[str, str], ...], list[str]] = {}
        self._grids: OrderedDict[str, tuple[tuple[int, int, int], float]] = OrderedDict()
        self._lock = threading.Lock()

    def encode(self, messages: Sequence[ChatMessage], budget: Budget, *, room: int) -> Encoded:
        """The tokens of a conversation up to the answer, which needs `room` tokens.

        Raises PromptTooLong, PictureError for a picture that can't be used, BadRequest for messages that the
        checkpoint's template does not take.
        """
        most = self.context - room
        if sum(len(part) for said in messages for part in said.parts if isinstance(part, str)) > MOST_SIGNS * most:
            raise PromptTooLong()
        parts = [_joined(message) for message in messages]
        texts = [part for message in parts for part in message if isinstance(part, str)]
        pictures = tuple(
            self._picture(part, budget) for message in parts for part in message if not isinstance(part, str)
        )
        ids, cut, head = self._ids(self._pieces(messages, parts), texts, pictures)
        begins = bool(parts and parts[0]) and messages[0].role is Role.SYSTEM and isinstance(parts[0][0], str)
        head = head if begins and pictures and head < cut <= MOST_AFTER_HEAD else 0
        if len(ids) > most:
            raise PromptTooLong(f"{len(ids)} tokens of text and pictures; {most} fit")
        half = budget._replace(most=budget.most // 2)
        smaller = partial(self.encode, messages, half, room=room) if pictures and half.most >= self._least else None
        return Encoded(ids, cut, pictures, head, smaller)

    def _ids(self, pieces: list[str], texts: list[str], pictures: tuple[Picture, ...]) -> tuple[list[int], int, int]:
        """All tokens; where the last text or what follows the last picture begins; where the first text ends."""
        ids: list[int] = []
        cut, head, left = 0, 0, list(pictures)
        for at, piece in enumerate(pieces):
            if at % 2:
                cut = len(ids)
                ids += self._vocabulary.plain(texts[int(piece)])
                head = head or len(ids)
                continue
            for token in self._vocabulary.control(piece):
                if token != self._image_token:
                    ids.append(token)
                    continue
                if not left:
                    raise ConfigError("this checkpoint's chat template writes a picture that is none")
                ids += [token] * (math.prod(left.pop(0).grid) // self._processor.image_processor.merge_size**2)
                cut = len(ids)
        if left:
            raise ConfigError("this checkpoint's chat template leaves pictures out")
        return ids, cut, head

    def _pieces(self, messages: Sequence[ChatMessage], parts: list[list[str | PictureInput]]) -> list[str]:
        """The checkpoint's template around the texts: text, number of a text, text, …"""
        shape = tuple(
            (message.role.value, "".join("t" if isinstance(part, str) else "p" for part in these))
            for message, these in zip(messages, parts, strict=True)
        )
        pieces = self._templates.get(shape)
        if pieces is None:
            if len(self._templates) > 256:
                self._templates.clear()
            pieces = self._templates[shape] = self._rendered(shape)
        return pieces

    def _rendered(self, shape: tuple[tuple[str, str], ...]) -> list[str]:
        said, texts = [], 0
        for role, kinds in shape:
            content: list[dict[str, str]] = []
            for kind in kinds:
                content.append({"type": "image"} if kind == "p" else {"type": "text", "text": f"\x02{texts}\x03"})
                texts += kind == "t"
            said.append({"role": role, "content": content})
        try:
            text = self._processor.tokenizer.apply_chat_template(
                said, tokenize=False, add_generation_prompt=True, enable_thinking=False
            )
        except TemplateError as problem:  # what a template raises by itself
            raise BadRequest(f"this checkpoint does not take messages in this order: {problem}", "messages") from None
        pieces = _MARK.split(text)
        if pieces[1::2] != [str(at) for at in range(texts)]:
            raise ConfigError("this checkpoint's chat template leaves texts out or moves them")
        return pieces

    def _picture(self, picture: PictureInput, budget: Budget) -> Picture:
        named = hashlib.sha256(picture.data).hexdigest()
        key = f"{named}:{budget.least}:{budget.most}:{budget.scale:g}"
        with self._lock:
            known = self._grids.get(key)
        values = None
        if known is None:
            known, values = self._patches(picture.data, budget)
            with self._lock:
                self._grids[key] = known
                while len(self._grids) > _KEPT_GRIDS:
                    self._grids.popitem(last=False)
        return Picture(key, *known, lambda: self._patches(picture.data, budget)[1], values)

    def _patches(self, data: bytes, budget: Budget) -> tuple[tuple[tuple[int, int, int], float], Any]:
        image = pixels_of(data)
        area, most = image.width * image.height, budget.most
        if budget.scale < 1.0:
            most = max(self._side**2, round(budget.scale**2 * min(most, area)))
        found = self._made(image, {"shortest_edge": min(budget.least, most), "longest_edge": most})
        rows, columns = (int(side) for side in found["image_grid_thw"][0][1:])
        seen = rows * columns * self._processor.image_processor.patch_size**2
        return ((1, rows, columns), min(1.0, math.sqrt(seen / area))), found["pixel_values"]

    def _made(self, image: Image.Image, size: dict[str, int]) -> Any:
        try:
            return self._processor.image_processor(images=[image], size=size, return_tensors="pt")
        except ValueError as problem:
            raise PictureUnreadable(f"the checkpoint does not take this picture: {str(problem)[:120]}") from None


def _joined(message: ChatMessage) -> list[str | PictureInput]:
    """A message's parts with texts that follow each other as one; without empty ones."""
    joined: list[str | PictureInput] = []
    for _, run in groupby((part for part in message.parts if part != ""), lambda part: isinstance(part, str)):
        these = list(run)
        texts = [part for part in these if isinstance(part, str)]
        joined += ["".join(texts)] if texts else these
    return joined
