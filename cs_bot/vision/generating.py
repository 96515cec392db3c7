"""What a checkpoint is asked and what it gives: the Generator protocol, and certainty from token likelihoods."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

from pydantic import BaseModel

from cs_bot.records import Kind
from cs_bot.vision.base import PictureInput

LABELS = tuple(kind.value for kind in Kind if kind is not Kind.TEXT)
BARE_LABEL = 0.7  # the share of a kind that was only named: nothing is known of its likelihood
NO_KNOWN_LABEL = 0.5  # below this mass the first token tells no kind


class Token(NamedTuple):
    """One generated token as text, with its log-likelihood (before masks and temperature).

    `data` are its bytes where the text does not tell them: a token may be a part of a character.
    """

    text: str
    logprob: float
    data: bytes | None = None


@dataclass(frozen=True)
class Prompt:
    """One task. `system` and the pictures come first and are the same for every task: their prefix can be kept.

    `scale` shrinks the pictures' sides, so that a second reading sees another grid of pixels. `name` is the prompt's
    file.
    """

    name: str
    system: str
    text: str
    pictures: tuple[PictureInput, ...] = ()
    scale: float = 1.0


@dataclass(frozen=True)
class Generation:
    """What came back. `tokens` and `label_logprobs` are None when the server tells no likelihoods.

    `finish_reason` is `stop`, or `length` when it ran into the bound on new tokens. `shrunk` is the linear scale at
    which the smallest picture was really seen, 1.0 for no change.
    """

    text: str
    finish_reason: str = "stop"
    tokens: tuple[Token, ...] | None = None
    label_logprobs: Mapping[str, float] | None = None
    shrunk: float = 1.0

    @property
    def likelihood(self) -> float | None:
        """Geometric mean of the tokens' likelihoods in 0..1; None without any."""
        if not self.tokens:
            return None
        return math.exp(min(0.0, math.fsum(token.logprob for token in self.tokens) / len(self.tokens)))


class Generator(Protocol):
    """Runs a checkpoint. Calls may come from several threads."""

    @property
    def available(self) -> bool:
        """False while it is known that a call would fail."""

    @property
    def healthy(self) -> bool:
        """As Vision.healthy."""

    def generate(
        self,
        prompt: Prompt,
        *,
        schema: type[BaseModel] | None = None,
        max_tokens: int,
        labels: tuple[str, ...] = (),
        until: float,
    ) -> Generation:
        """Answer one prompt by `until` (time.monotonic), in the shape of `schema` where that can be enforced.

        With `labels` the log-likelihood of each at the first token is wanted. Raises EngineError, EngineTimeout.
        """

    def check(self) -> str:
        """One line on what would answer; raises EngineError or ConfigError when nothing would."""

    def close(self) -> None:
        """Give everything back; later calls raise EngineError. Safe to call twice."""


@runtime_checkable
class Beats(Protocol):
    """A generator that shows that it gets somewhere while a long answer is made."""

    @property
    def beats(self) -> int:
        """Grows while something is computed, and stands still when it hangs."""


def label_logprobs(top: Iterable[tuple[str, float]], labels: tuple[str, ...]) -> dict[str, float] | None:
    """The log-likelihood of each label from the likeliest first tokens.

    A token counts for the only label that it begins, so that it does not matter how a tokenizer cuts the words. A
    label that is not among them is at most as likely as the last one listed and as what is left over: it gets that
    bound. None for an empty list.
    """
    listed = [(text, min(0.0, logprob)) for text, logprob in top]
    if not listed:
        return None
    shares: dict[str, float] = {}
    for text, logprob in listed:
        label = _begun(text, labels)
        if label is not None:
            shares[label] = shares.get(label, 0.0) + math.exp(logprob)
    left_over = max(1e-9, 1.0 - math.fsum(math.exp(logprob) for _, logprob in listed))
    bound = min(left_over, math.exp(min(logprob for _, logprob in listed)))
    return {label: math.log(max(1e-12, shares.get(label, bound))) for label in labels}


def _begun(text: str, labels: tuple[str, ...]) -> str | None:
    begun = text.strip().strip("\"'`*.,:").lower()
    found = [label for label in labels if begun and label.startswith(begun)]
    return found[0] if len(found) == 1 else None


def kind_shares(generation: Generation) -> tuple[dict[Kind, float], dict[str, float]] | None:
    """Kind probabilities that sum to 1, and signals; None when the answer names no kind.

    With likelihoods: the softmax over the labels, as far as the checkpoint meant a label at all (`kind_mass`); what is
    missing to 1 is spread evenly. `kind_margin` is the first label's lead. A kind that is only named gets BARE_LABEL,
    never certainty.
    """
    named = named_kind(generation.text)
    logprobs = generation.label_logprobs
    if logprobs is None:
        return None if named is None else (_bare(named), {})
    likelihoods = {Kind(label): math.exp(logprob) for label, logprob in logprobs.items()}
    total = math.fsum(likelihoods.values())
    mass = min(1.0, total)
    if named is None and mass < NO_KNOWN_LABEL:
        return None
    shares = {kind: value / total for kind, value in likelihoods.items()}
    first, second = sorted(shares.values(), reverse=True)[:2]
    spread = {kind: mass * share + (1.0 - mass) / len(shares) for kind, share in shares.items()}
    return _summing_to_one(spread), {"kind_mass": mass, "kind_margin": first - second}


def named_kind(text: str) -> Kind | None:
    """The kind that an answer names in its first word."""
    words = text.strip().strip("\"'`*{}[]()").split(maxsplit=1)
    word = words[0].strip("\"'`*.,:;!。，").lower() if words else ""
    return Kind(word) if word in LABELS else None


def _bare(named: Kind) -> dict[Kind, float]:
    rest = (1.0 - BARE_LABEL) / (len(LABELS) - 1)
    return {Kind(label): BARE_LABEL if label == named.value else rest for label in LABELS}


def _summing_to_one(shares: Mapping[Kind, float]) -> dict[Kind, float]:
    total = math.fsum(shares.values())
    return {kind: share / total for kind, share in shares.items()}


def weakest(generation: Generation, value: str) -> float | None:
    """The least likelihood of a token of `value` wherever it stands in the text; None when that can't be told."""
    if not generation.tokens or not value:
        return None
    text = "".join(token.text for token in generation.tokens)
    places = [(found.start() + 1, found.end() - 1) for found in re.finditer(re.escape(f'"{value}"'), text)]
    found, at = [], 0
    for token in generation.tokens:
        if any(at < end and at + len(token.text) > start for start, end in places):
            found.append(token.logprob)
        at += len(token.text)
    return math.exp(min(0.0, min(found))) if found else None
