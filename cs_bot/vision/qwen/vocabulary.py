"""Tokens: texts in which no data can pose as a control token, answers as whole characters."""

import codecs
import json
from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from cs_bot.errors import ConfigError
from cs_bot.vision.qwen.grammar import Grammars

_PROBE = "您好 Aé🙂 {p1.price}\n"


class Vocabulary:
    """A checkpoint's tokens. `size` is the width of its likelihoods, `ends` the tokens that end an answer.

    Raises ConfigError for a tokenizer that is not byte-level or lets data write control tokens.
    """

    def __init__(self, tokenizer: Any, *, size: int, ends: Iterable[int]) -> None:
        self._tokenizer, self.size, self.ends = tokenizer, size, frozenset(ends)
        self._control = Tokenizer.from_str(_unpadded(tokenizer).to_str())
        self._plain = _without_added_tokens(self._control)
        added = self._control.get_added_tokens_decoder()
        self._bytes = _bytes_by_id(self._control, size)
        self.writable = _writable(self._bytes, {at for at, token in added.items() if token.special} - self.ends)
        for at, token in added.items():
            self._bytes[at] = b"" if token.special else token.content.encode()
        self._check([token.content for token in added.values()])

    def control(self, text: str) -> list[int]:
        """A piece of the checkpoint's own template: its control tokens count."""
        return list(self._control.encode(text, add_special_tokens=False).ids)

    def plain(self, text: str) -> list[int]:
        """Data: whatever it spells stays text. Lone surrogates become question marks."""
        text = text.encode("utf-8", "replace").decode("utf-8")
        return list(self._plain.encode(text, add_special_tokens=False).ids)

    def bytes_of(self, token: int) -> bytes:
        """What a token writes; nothing for control tokens."""
        return self._bytes[token]

    def text_of(self, tokens: Iterable[int]) -> str:
        """What tokens write; bytes that are no characters become U+FFFD."""
        return b"".join(map(self.bytes_of, tokens)).decode("utf-8", "replace")

    def label_ids(self, labels: tuple[str, ...]) -> list[int]:
        """The first token of each label; raises ConfigError when they can't be told apart by it."""
        first = [self.plain(label)[0] for label in labels]
        if len(set(first)) != len(labels):
            raise ConfigError(f"this checkpoint's tokenizer can't tell the labels apart: {', '.join(labels)}")
        return first

    @cached_property
    def grammars(self) -> Grammars:
        """Grammars over these tokens; made at the first use, which takes seconds for a real vocabulary."""
        return Grammars(self._tokenizer, size=self.size, ends=self.ends)

    def _check(self, added: list[str]) -> None:
        if self.text_of(self.plain(_PROBE)) != _PROBE:
            raise ConfigError("this checkpoint's tokenizer is not byte-level")
        known = {self._control.token_to_id(content) for content in added}
        if known & set(self.plain("".join(added))):
            raise ConfigError("this checkpoint's tokenizer takes words of customers for control tokens")


class Characters:
    """Bytes of tokens in, whole characters out."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def add(self, data: bytes) -> str:
        """The characters that are complete now."""
        return self._decoder.decode(data)


def _unpadded(tokenizer: Any) -> Tokenizer:
    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    backend.no_padding()
    backend.no_truncation()
    return backend


def _without_added_tokens(tokenizer: Tokenizer) -> Tokenizer:
    spec = json.loads(tokenizer.to_str())
    return Tokenizer.from_str(json.dumps({**spec, "added_tokens": [], "post_processor": None}))


def _bytes_by_id(tokenizer: Tokenizer, size: int) -> list[bytes]:
    """GPT-2's alphabet read backwards: each byte is written as one printable character."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    byte_of = {chr(byte): byte for byte in printable} | {chr(256 + n): byte for n, byte in enumerate(others)}
    found = [b""] * max(size, tokenizer.get_vocab_size(with_added_tokens=True))
    for token, at in tokenizer.get_vocab(with_added_tokens=True).items():
        found[at] = bytes(byte_of[sign] for sign in token) if all(sign in byte_of for sign in token) else b""
    return found


def _writable(known: list[bytes], control: set[int]) -> NDArray[np.bool_]:
    """An answer holds no control token but its end, and nothing that the tokenizer does not know."""
    return np.array([bool(data) and at not in control for at, data in enumerate(known)], dtype=np.bool_)
