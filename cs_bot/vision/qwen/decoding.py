"""From likelihoods to an answer: choice of tokens, likelihoods before any mask, ends, stops and loops."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from cs_bot.errors import EngineError
from cs_bot.vision.chat import ChatPiece
from cs_bot.vision.generating import Token
from cs_bot.vision.qwen.grammar import Matcher
from cs_bot.vision.qwen.vocabulary import Characters, Vocabulary

LEAST_TEMPERATURE = 1e-5  # below it likelihoods divided by it are no numbers any more: the likeliest token is taken
LOOP_PERIOD, LOOP_TOKENS = 16, 64  # the same up to 16 tokens over and over, for 64 tokens


@dataclass(frozen=True)
class Wish:
    """How an answer is to be made. Temperature 0 takes the likeliest token; `top` alternatives a token are told."""

    max_new_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    top: int = 0


@dataclass(frozen=True)
class Named:
    """The answer to a question of labels: the likeliest first token, and the log-likelihood of each label."""

    token: Token
    label_logprobs: tuple[float, ...]


@dataclass
class Answer:
    """One answer as it grows."""

    vocabulary: Vocabulary
    wish: Wish
    matcher: Matcher | None = None
    ids: list[int] = field(default_factory=list)
    finish_reason: str | None = None
    _held: str = ""
    _characters: Characters = field(default_factory=Characters)
    _dice: Any = None

    @property
    def ended(self) -> bool:
        """Whether the checkpoint itself has ended it."""
        return bool(self.ids) and self.ids[-1] in self.vocabulary.ends

    def dice(self) -> Any:
        """This answer's own source of chance."""
        if self._dice is None:
            self._dice = torch.Generator()
            self._dice.manual_seed(self._dice.seed() if self.wish.seed is None else self.wish.seed)
        return self._dice

    def anew(self) -> "Answer":
        """The same answer from its beginning."""
        return Answer(self.vocabulary, self.wish, None if self.matcher is None else self.matcher.anew())

    def add(self, chosen: int, logprob: float, top: Sequence[tuple[int, float]] = ()) -> ChatPiece:
        """Take the next token; what can be shown of it, and the end when there is one."""
        self.ids.append(chosen)
        if self.matcher is not None:
            self.matcher.add(chosen)
        text = self._characters.add(self.vocabulary.bytes_of(chosen))
        if chosen in self.vocabulary.ends:
            self.finish_reason = "stop"
        elif len(self.ids) >= self.wish.max_new_tokens or loops(self.ids):
            self.finish_reason = "length"
        others = tuple(
            Token(self.vocabulary.text_of([token]), value, self.vocabulary.bytes_of(token)) for token, value in top
        )
        shown = self._shown(text)
        return ChatPiece(shown, (Token(text, logprob),), (others,), self.finish_reason)

    def _shown(self, text: str) -> str:
        """All text that is sure not to belong to a stop string; what a stop string cuts off ends the answer."""
        self._held += text
        found = [at for at in (self._held.find(stop) for stop in self.wish.stop if stop) if at >= 0]
        if found:
            self.finish_reason = "stop"
            return self._held[: min(found)]
        held = 0 if self.finish_reason else max((_begun(self._held, stop) for stop in self.wish.stop), default=0)
        shown, self._held = self._held[: len(self._held) - held], self._held[len(self._held) - held :]
        return shown


def _begun(text: str, stop: str) -> int:
    """How many of the last characters may be the beginning of `stop`."""
    longest = min(len(text), len(stop) - 1)
    return next((size for size in range(longest, 0, -1) if text.endswith(stop[:size])), 0)


def loops(ids: Sequence[int]) -> bool:
    """Whether the last tokens are the same few over and over."""
    tail = ids[-LOOP_TOKENS:]
    if len(tail) < LOOP_TOKENS:
        return False
    return any(tail[period:] == tail[:-period] for period in range(1, LOOP_PERIOD + 1))


def named(logits: Any, label_ids: Sequence[int], vocabulary: Vocabulary) -> Named | EngineError:
    """The labels' log-likelihoods in one row of logits."""
    if not bool(logits.isfinite().all()):
        return _no_numbers()
    logprobs = logits.log_softmax(-1)
    likeliest = int(logprobs.argmax())
    token = Token(vocabulary.text_of([likeliest]), float(logprobs[likeliest]))
    return Named(token, tuple(logprobs[list(label_ids)].tolist()))


def advance(logits: Any, answers: Sequence[Answer]) -> list[ChatPiece | EngineError]:
    """Choose the next token of each answer from its row of logits (float32).

    A row without numbers is an error, and so is one whose schema can't be followed any further; the others go on.
    """
    allowed, refused = _allowed(answers)  # first: a GPU still works on the logits
    sound = logits.isfinite().all(-1).tolist()
    logprobs = logits.log_softmax(-1)
    masked = logits.masked_fill(~allowed.to(logits.device), -math.inf)
    chosen = masked.argmax(-1)
    for row, answer in enumerate(answers):
        if sound[row] and row not in refused and answer.wish.temperature >= LEAST_TEMPERATURE:
            chosen[row] = _drawn(masked[row].cpu(), answer)
    values = logprobs.gather(1, chosen[:, None])[:, 0].tolist()
    tops = [_top(logprobs[row], answer.wish.top) for row, answer in enumerate(answers)]
    # from here on nothing may fail that is tried again: answers move
    results: list[ChatPiece | EngineError] = []
    for row, (answer, token, value) in enumerate(zip(answers, chosen.tolist(), values, strict=True)):
        if row in refused or not sound[row]:
            results.append(refused.get(row) or _no_numbers())
        else:
            results.append(answer.add(token, min(0.0, value), tops[row]))
    return results


def _allowed(answers: Sequence[Answer]) -> tuple[Any, dict[int, EngineError]]:
    """Which tokens may come next, a row an answer, and what is wrong with the rows that can't go on."""
    vocabulary = answers[0].vocabulary
    allowed = np.tile(vocabulary.writable[: vocabulary.size], (len(answers), 1))
    bound = {row: answer.matcher for row, answer in enumerate(answers) if answer.matcher is not None}
    if bound:
        allowed[list(bound)] = vocabulary.grammars.allowed(list(bound.values()))
    refused: dict[int, EngineError] = {
        row: problem for row, matcher in bound.items() if (problem := matcher.problem) is not None
    }
    return torch.from_numpy(allowed), refused


def _drawn(logits: Any, answer: Answer) -> int:
    """A token by chance: temperature, then the likeliest that together hold `top_p`."""
    shares, order = ((logits - logits.max()) / answer.wish.temperature).softmax(-1).sort(descending=True)
    kept = shares.cumsum(-1) - shares < answer.wish.top_p
    kept[0] = True
    return int(order[torch.multinomial(shares * kept, 1, generator=answer.dice())])


def _top(logprobs: Any, count: int) -> list[tuple[int, float]]:
    if not count:
        return []
    values, ids = logprobs.topk(count)
    return list(zip(ids.tolist(), values.tolist(), strict=True))


def _no_numbers() -> EngineError:
    return EngineError("the checkpoint gives no numbers (NaN): its files are damaged, or its dtype does not suit it")
