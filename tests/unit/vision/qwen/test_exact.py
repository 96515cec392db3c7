"""One look is exact: what is read from a kept prefix, or beside other rows, is what one plain pass gives."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cs_bot.vision.answers import SHAPES, parse
from cs_bot.vision.boxes import OrderBoxes
from cs_bot.vision.generating import LABELS, Generation, Prompt
from cs_bot.vision.qwen.prefix import open_prefixes
from tests.unit.vision.qwen.parts import SMALL, Parts, asked, drawn, hybrid, opened, soon


@pytest.fixture(scope="module")
def parts(random_checkpoint: Path) -> Iterator[Parts]:
    with opened(random_checkpoint) as made:
        yield made


@pytest.mark.parametrize("pictures", [0, 1, 3])
def test_labels_weigh_what_the_whole_prompt_gives(parts: Parts, pictures: int) -> None:
    prompt = asked("Which kind?", *(drawn(n, 120 + 60 * n) for n in range(pictures)), name="classify")
    full = parts.full_logits(parts.encoded(prompt))[-1].log_softmax(-1)
    for _ in range(2):  # the second time from the kept prefix
        found = parts.generator.generate(prompt, max_tokens=8, labels=LABELS, until=soon())
        assert found.label_logprobs is not None
        expected = full[parts.vocabulary.label_ids(LABELS)].tolist()
        assert list(found.label_logprobs.values()) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("pictures", [0, 1, 3])
def test_an_answer_and_its_likelihoods_are_those_of_a_teacher_forced_pass(parts: Parts, pictures: int) -> None:
    prompt = asked("What is it?", *(drawn(10 + n, 120 + 60 * n) for n in range(pictures)))
    found = parts.generator.generate(prompt, max_tokens=24, until=soon())
    ids, logprobs = plain_greedy(parts, prompt, 24)
    assert found.tokens is not None
    assert [token.logprob for token in found.tokens] == pytest.approx(logprobs, abs=1e-5)
    assert found.text == "".join(token.text for token in found.tokens)
    assert parts.vocabulary.text_of(ids).rstrip("\ufffd") == found.text.rstrip("\ufffd")


def plain_greedy(parts: Parts, prompt: Prompt, most: int) -> tuple[list[int], list[float]]:
    """The likeliest tokens that may be written, one whole pass each."""
    import torch

    encoded, ids, logprobs = parts.encoded(prompt), [], []
    writable = torch.from_numpy(parts.vocabulary.writable[: parts.vocabulary.size])
    while len(ids) < most and not (ids and ids[-1] in parts.vocabulary.ends):
        logits = parts.full_logits(encoded, ids)[-1]
        ids.append(int(logits.masked_fill(~writable, -1e9).argmax()))
        logprobs.append(float(logits.log_softmax(-1)[ids[-1]]))
    return ids, logprobs


def test_rows_beside_each_other_answer_as_they_do_alone(parts: Parts) -> None:
    prompts = [asked(f"Question {n}" * (n + 1), *(drawn(20 + m, 100 + 50 * m) for m in range(n))) for n in range(4)]

    def generate(prompt: Prompt) -> Generation:
        return parts.generator.generate(prompt, max_tokens=16, until=soon())

    alone = [generate(prompt) for prompt in prompts]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(generate, prompts))
    for one, other in zip(alone, together, strict=True):
        same_answer(one, other)


def same_answer(one: Generation, other: Generation) -> None:
    """The same tokens as likely."""
    assert one.text == other.text
    assert one.tokens
    assert other.tokens
    assert [t.logprob for t in one.tokens] == pytest.approx([t.logprob for t in other.tokens], abs=1e-4)


@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_an_answer_with_a_schema_is_json_of_that_shape(random_checkpoint: Path, temperature: float) -> None:
    with opened(random_checkpoint, temperature=temperature) as parts:
        for n, shape in enumerate((*SHAPES, OrderBoxes)):
            found = parts.generator.generate(asked("?", drawn(n)), schema=shape, max_tokens=3000, until=soon())
            assert found.finish_reason == "stop"
            parse(shape, found.text)
            assert found.tokens is not None
            assert found.tokens[-1].text == ""
            assert found.likelihood is not None
            assert found.likelihood < 1


def test_one_picture_is_looked_at_once_whatever_is_asked_of_it(random_checkpoint: Path) -> None:
    with opened(random_checkpoint) as parts:
        seen = []
        parts.network.model.visual.register_forward_hook(lambda *_: seen.append(1))
        for text in ("Which kind?", "What is it?", "Which colour?"):
            parts.generator.generate(asked(text, drawn(1)), max_tokens=3, until=soon())
        assert len(seen) == 1
        parts.generator.generate(asked("And this?", drawn(2)), max_tokens=3, until=soon())
        assert len(seen) == 2
        assert parts.network.model.rope_deltas is None  # positions are never left in the network


def test_a_prefix_that_is_not_kept_changes_nothing(parts: Parts, random_checkpoint: Path) -> None:
    prompt = asked("What is it?", drawn(5))
    kept = parts.generator.generate(prompt, max_tokens=12, until=soon())
    with opened(random_checkpoint, kept_bytes=0) as forgetful:
        for _ in range(2):
            same_answer(forgetful.generator.generate(prompt, max_tokens=12, until=soon()), kept)


def test_a_network_with_linear_attention_answers_as_in_one_plain_pass(random_checkpoint: Path) -> None:
    prompts = [asked(f"Question {n}", drawn(6)) for n in range(3)]
    with opened(random_checkpoint, network=hybrid(random_checkpoint), whole=False) as parts:
        with ThreadPoolExecutor(3) as pool:
            found = pool.map(lambda prompt: parts.generator.generate(prompt, max_tokens=8, until=soon()), prompts)
            answers = list(found)
        assert parts.core.runner._prefixes._bytes > 10_000
        for prompt, answer in zip(prompts, answers, strict=True):
            _, logprobs = plain_greedy(parts, prompt, 8)
            assert answer.tokens is not None
            assert [token.logprob for token in answer.tokens] == pytest.approx(logprobs, abs=1e-4)


def test_a_second_reading_sees_another_grid_and_says_how_much_smaller(parts: Parts) -> None:
    picture = drawn(7, 640, 480)
    first, again = parts.encoded(asked("?", picture)), parts.encoded(asked("?", picture, scale=0.85))
    assert first.pictures[0].grid != again.pictures[0].grid
    assert first.shrunk == pytest.approx((320 * 320 / (640 * 480)) ** 0.5, rel=0.1)
    assert again.shrunk < first.shrunk
    found = parts.generator.generate(asked("?", picture, scale=0.85), max_tokens=2, until=soon())
    assert found.shrunk == again.shrunk


def test_a_kind_may_be_read_with_more_pixels(random_checkpoint: Path) -> None:
    closer = {"order": SMALL._replace(most=4 * SMALL.most)}
    with opened(random_checkpoint, by_kind=closer) as parts:
        picture = drawn(8, 900, 700)
        tokens = {
            name: len(parts.encoded(asked("?", picture, name=name)).ids)
            for name in ("classify", "read_product", "read_order", "read_order_again", "answer_order")
        }
    assert tokens["read_order"] == tokens["read_order_again"] > 2 * tokens["classify"]
    assert tokens["classify"] == tokens["read_product"] == tokens["answer_order"]


def test_the_output_layer_gets_rows_that_lie_together(parts: Parts) -> None:
    """A slice makes it copy the vocabulary's whole table at every call, in bfloat16 on a CPU (pytorch#151934)."""
    given: list[bool] = []
    layer = parts.network.get_output_embeddings()
    handle = layer.register_forward_pre_hook(
        lambda _, rows: given.append(rows[0].dim() == 2 and rows[0].is_contiguous())
    )
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda n: parts.generator.generate(asked(f"{n}"), max_tokens=4, until=soon()), range(3)))
    handle.remove()
    assert given
    assert all(given)


def test_a_system_text_is_computed_once_whatever_is_shown_under_it(random_checkpoint: Path) -> None:
    with opened(random_checkpoint) as parts:
        lengths: list[int] = []
        layer = parts.network.model.language_model.layers[0]
        layer.register_forward_hook(lambda _, given, __: lengths.append(given[0].shape[1]))
        prompts = [parts.encoded(asked("?", drawn(n, 120 + 40 * n))) for n in range(3)]
        for n in range(3):
            parts.generator.generate(asked("?", drawn(n, 120 + 40 * n)), max_tokens=1, until=soon())
        assert {prompt.head for prompt in prompts} == {lengths[0]}
        assert lengths[1:] == [part for one in prompts for part in (one.cut - one.head, len(one.ids) - one.cut)]


def test_prefixes_under_one_system_text_are_the_same_together_and_alone(parts: Parts) -> None:
    import torch

    prompts = [parts.encoded(asked("?", *(drawn(30 + m, 100 + 50 * m) for m in range(n)))) for n in range(4)]
    options = {"image_token": parts.network.config.image_token_id, "whole": True}
    with torch.inference_mode():
        assert [prompt.system is None for prompt in prompts] == [True, False, False, False]
        (head,) = open_prefixes(parts.network, [prompts[1].system], **options)
        together = open_prefixes(parts.network, prompts, head=head, **options)
        alone = [open_prefixes(parts.network, [prompt], **options)[0] for prompt in prompts]
    for one, other in zip(together, alone, strict=True):
        assert (one.length, one.position) == (other.length, other.position)
        for (keys, values), (plain_keys, plain_values) in zip(one.layers, other.layers, strict=True):
            torch.testing.assert_close(keys, plain_keys, atol=1e-4, rtol=0)
            torch.testing.assert_close(values, plain_values, atol=1e-4, rtol=0)
