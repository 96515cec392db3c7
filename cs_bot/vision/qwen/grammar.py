"""Answers that follow a JSON schema: which tokens may come next (llguidance)."""

import json
import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from llguidance import LLExecutor, LLMatcher
from llguidance.hf import from_tokenizer
from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask, fill_next_token_bitmask_par
from numpy.typing import NDArray

from cs_bot.errors import SchemaRefused

SPACE = " ?"  # between the parts of JSON: one blank at most, so that no answer is an endless row of them
MOST_THREADS = 8


class Matcher:
    """Follows one answer."""

    def __init__(self, guidance: Any, grammar: str) -> None:
        self._of = guidance, grammar
        self.inner = LLMatcher(guidance, grammar, log_level=0)
        if problem := self.problem:
            raise problem

    def anew(self) -> "Matcher":
        """The same grammar from its beginning."""
        return Matcher(*self._of)

    def add(self, token: int) -> None:
        """The token that was chosen."""
        self.inner.consume_token(token)

    @property
    def problem(self) -> SchemaRefused | None:
        """Why the schema can't be followed any further, if so."""
        return _refused(self.inner.get_error()) if self.inner.is_error() else None


class Grammars:
    """Makes matchers for one tokenizer. `size` is the width of its likelihoods, `ends` are the tokens that end."""

    def __init__(self, tokenizer: Any, *, size: int, ends: frozenset[int]) -> None:
        self._guidance = from_tokenizer(tokenizer, n_vocab=size, eos_token=sorted(ends))
        self._size = size
        self._threads = LLExecutor(num_threads=min(MOST_THREADS, os.cpu_count() or 1))

    def matcher(self, schema: Mapping[str, Any]) -> Matcher:
        """For one answer that must have this JSON schema; raises SchemaRefused for one that can't be followed."""
        return Matcher(self._guidance, _grammar(json.dumps(schema)))

    def allowed(self, matchers: Sequence[Matcher]) -> NDArray[np.bool_]:
        """One truth a token of the vocabulary, for each matcher, which has a `problem` afterwards when it can't go on.

        Several are asked in parallel.
        """
        bits = allocate_token_bitmask(len(matchers), self._size)
        if len(matchers) == 1:
            fill_next_token_bitmask(matchers[0].inner, bits)
        else:
            asked = [(matcher.inner, row) for row, matcher in enumerate(matchers)]
            fill_next_token_bitmask_par(self._threads, asked, bits)
        return np.unpackbits(bits.view(np.uint8), axis=1, bitorder="little")[:, : self._size].astype(np.bool_)


@lru_cache(maxsize=64)
def _grammar(schema: str) -> str:
    spacing = {"whitespace_flexible": True, "whitespace_pattern": SPACE}
    try:
        return str(LLMatcher.grammar_from_json_schema(schema, defaults=spacing))
    except ValueError as problem:
        raise _refused(problem) from None


def _refused(problem: object) -> SchemaRefused:
    """The first line alone: state of the parser follows, with what has been written so far."""
    return SchemaRefused(
        f"answers can't be made to follow this JSON schema: {str(problem).partition(chr(10))[0][:200]}"
    )
