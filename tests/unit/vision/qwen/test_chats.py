"""Conversations for `cs-bot serve`: streamed in whole characters, stopped where asked, repeatable, several at once."""

import json
import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

from cs_bot.errors import EngineError, EngineTimeout, PictureError, PromptTooLong, SchemaRefused
from cs_bot.vision.base import PictureInput
from cs_bot.vision.chat import Chat, ChatMessage, ChatPiece, Role
from cs_bot.vision.qwen.chats import QwenChats
from cs_bot.vision.qwen.decoding import Answer, Wish, advance, loops
from tests.speaking import speaking_checkpoint
from tests.unit.vision.qwen.parts import Parts, drawn, opened, soon


@pytest.fixture(scope="module")
def parts(random_checkpoint: Path) -> Iterator[Parts]:
    with opened(random_checkpoint) as made:
        yield made


@pytest.fixture(scope="module")
def chats(parts: Parts) -> QwenChats:
    return QwenChats(parts.core, "random-tiny")


def user(*said: str | PictureInput) -> ChatMessage:
    return ChatMessage(Role.USER, said)


def asking(*messages: ChatMessage, **options: Any) -> Chat:
    return Chat(messages or (user("您好"),), **{"max_new_tokens": 24, **options})


def text_of(pieces: list[ChatPiece]) -> str:
    return "".join(piece.text for piece in pieces)


def test_pieces_hold_whole_characters_and_the_last_one_counts(chats: QwenChats) -> None:
    pieces = list(chats.chat(asking(user("看图", drawn(1)), max_new_tokens=60), until=soon()))
    assert [piece.finish_reason for piece in pieces[:-1]] == [None] * (len(pieces) - 1)
    last = pieces[-1]
    assert last.finish_reason in ("stop", "length")
    assert last.prompt_tokens > 40
    assert 0 < last.completion_tokens <= 60
    assert all(piece.tokens == piece.top == () for piece in pieces)
    assert text_of(pieces) == text_of(list(chats.chat(asking(user("看图", drawn(1)), max_new_tokens=60), until=soon())))


def test_a_character_of_several_tokens_comes_as_one(parts: Parts) -> None:
    answer = Answer(parts.vocabulary, Wish(99))
    pieces = [answer.add(token, -0.1) for token in parts.vocabulary.plain("a🙂鱻")]
    assert text_of(pieces) == "a🙂鱻"
    assert {piece.text for piece in pieces} == {"a", "🙂", "鱻", ""}
    assert "".join(token.text for piece in pieces for token in piece.tokens) == "a🙂鱻"


@pytest.mark.parametrize(
    ("said", "stop", "shown"),
    [
        ("one two three", ("two",), "one "),
        ("one two three", ("x", "thr"), "one two "),
        ("one two", ("twin",), "one two"),
    ],
)
def test_an_answer_ends_before_any_of_the_stops(parts: Parts, said: str, stop: tuple[str, ...], shown: str) -> None:
    answer, pieces = Answer(parts.vocabulary, Wish(99, stop=stop)), []
    for token in [*parts.vocabulary.plain(said), min(parts.vocabulary.ends)]:
        pieces.append(answer.add(token, -0.1))
        if answer.finish_reason:
            break
        assert shown.startswith(text_of(pieces))
    assert text_of(pieces) == shown
    assert answer.finish_reason == "stop"


@pytest.mark.parametrize(
    ("ids", "endless"), [([1, 2, 3] * 30, True), ([7] * 64, True), ([7] * 63, False), (list(range(99)), False)]
)
def test_a_tail_that_repeats_itself_is_a_loop(ids: list[int], endless: bool) -> None:
    assert loops(ids) is endless


def test_likelihoods_come_with_their_alternatives_when_asked_for(chats: QwenChats) -> None:
    pieces = list(chats.chat(asking(top_logprobs=3), until=soon()))
    tokens = [token for piece in pieces for token in piece.tokens]
    tops = [top for piece in pieces for top in piece.top]
    assert "".join(token.text for token in tokens) == text_of(pieces)
    assert len(tokens) == len(tops) == pieces[-1].completion_tokens - (pieces[-1].finish_reason == "stop")
    for token, top in zip(tokens, tops, strict=True):
        assert [one.logprob for one in top] == sorted((one.logprob for one in top), reverse=True)
        assert len(top) == 3
        assert sum(math.exp(one.logprob) for one in top) <= 1.0
        assert token.logprob <= top[0].logprob + 1e-6


def test_chance_is_repeatable_with_a_seed_and_only_then(chats: QwenChats) -> None:
    def said(seed: int | None) -> str:
        return text_of(list(chats.chat(asking(temperature=1.0, top_p=0.9, seed=seed), until=soon())))

    assert said(1) == said(1)
    assert len({said(1), said(2), said(None), said(None)}) > 2


def test_a_schema_is_followed(chats: QwenChats) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1, "maximum": 9}}, "required": ["n"]}
    said = json.loads(text_of(list(chats.chat(asking(schema={**schema, "additionalProperties": False}), until=soon()))))
    assert 1 <= said["n"] <= 9


def test_a_conversation_goes_on_with_pictures_in_their_place(parts: Parts) -> None:
    turns = (
        ChatMessage(Role.SYSTEM, ("Be brief.",)),
        user(drawn(1), "What is it?"),
        ChatMessage(Role.ASSISTANT, ("A mug.",)),
        user("And this?", drawn(2, 300, 100)),
    )
    found = parts.core.inputs.encode(turns, parts.core.budget, room=9)
    text = parts.vocabulary._control.decode(found.ids, skip_special_tokens=False)
    pads = [grid[1] * grid[2] // 4 for grid in (picture.grid for picture in found.pictures)]
    first, second = (f"<|vision_start|>{'<|image_pad|>' * count}<|vision_end|>" for count in pads)
    assert text == (
        "<|im_start|>system\nBe brief.<|im_end|>\n"
        f"<|im_start|>user\n{first}What is it?<|im_end|>\n<|im_start|>assistant\nA mug.<|im_end|>\n"
        f"<|im_start|>user\nAnd this?{second}<|im_end|>\n<|im_start|>assistant\n"
    )


def test_a_conversation_shares_what_it_has_already_said(parts: Parts) -> None:
    begin = (user(drawn(3), "What is it?"), ChatMessage(Role.ASSISTANT, ("A mug.",)))
    one = parts.core.inputs.encode((*begin, user("How much?")), parts.core.budget, room=9)
    other = parts.core.inputs.encode((*begin, user("Which colour?")), parts.core.budget, room=9)
    assert one.key == other.key
    assert one.cut == other.cut > len(one.ids) - 40


def test_closing_the_iterator_stops_the_computation(parts: Parts, chats: QwenChats) -> None:
    pieces = chats.chat(asking(max_new_tokens=3000), until=soon())
    next(pieces)
    pieces.close()  # type: ignore[attr-defined]
    time.sleep(0.3)
    beats = parts.core.runner.beats
    time.sleep(0.3)
    assert parts.core.runner.beats == beats


def test_what_cannot_be_answered_is_said_before_the_first_piece(chats: QwenChats) -> None:
    with pytest.raises(PictureError):
        chats.chat(asking(user(PictureInput("0" * 64, b"no picture"), "?")), until=soon())
    with pytest.raises(PromptTooLong):
        chats.chat(asking(user("您" * 100_000)), until=soon())
    with pytest.raises(SchemaRefused, match="Invalid type: nonsense"):
        chats.chat(asking(schema={"type": "nonsense"}), until=soon())
    with pytest.raises(EngineTimeout):
        list(chats.chat(asking(), until=time.monotonic()))


def test_several_at_once_say_what_each_says_alone(chats: QwenChats) -> None:
    several = [asking(user(f"Question {n}" * (n + 1), *([drawn(n)] * (n % 2)))) for n in range(6)]
    alone = [text_of(list(chats.chat(one, until=soon()))) for one in several]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda one: text_of(list(chats.chat(one, until=soon()))), several))
    assert together == alone


def test_a_taught_answer_comes_as_taught_and_ends(tmp_path: Path) -> None:
    with opened(speaking_checkpoint(tmp_path, "您好，商品")) as parts:
        chats = QwenChats(parts.core, "taught")
        pieces = list(chats.chat(asking(top_logprobs=0), until=soon()))
        assert (text_of(pieces), pieces[-1].finish_reason) == ("您好，商品", "stop")
        assert chats.state.state == "ready"
        chats.close()
        chats.close()
        assert chats.state.state == "failed"
        with pytest.raises(EngineError, match="closed"):
            chats.chat(asking(), until=soon())


@pytest.mark.parametrize("temperature", [1e-40, 1e-6, 1e-5])
def test_the_lowest_temperatures_take_the_likeliest_token(chats: QwenChats, temperature: float) -> None:
    coldest = text_of(list(chats.chat(asking(), until=soon())))
    assert text_of(list(chats.chat(asking(temperature=temperature, seed=1), until=soon()))) == coldest


def test_an_answer_that_can_not_go_on_disturbs_no_other_that_is_drawn(parts: Parts) -> None:
    stuck = parts.vocabulary.grammars.matcher({"type": "integer"})
    stuck.add(parts.vocabulary.plain("x")[0])
    answers = [Answer(parts.vocabulary, Wish(9, temperature=1.0, seed=1), matcher) for matcher in (stuck, None)]
    first, second = advance(torch.randn(2, parts.vocabulary.size), answers)
    assert isinstance(first, SchemaRefused)
    assert isinstance(second, ChatPiece)


def test_alternatives_tell_the_bytes_of_a_part_of_a_character(parts: Parts) -> None:
    part = parts.vocabulary.plain("鱻")[0]
    piece = Answer(parts.vocabulary, Wish(9, top=1)).add(part, -0.1, [(part, -0.1)])
    ((other,),) = piece.top
    assert other.data == parts.vocabulary.bytes_of(part)
    assert "鱻".encode().startswith(other.data)
