"""One look is exact: what is read from a kept prefix, or beside other rows, is what one plain pass gives."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cs_bot.vision.answers import READS, Reply, parse
from cs_bot.vision.generating import LABELS, Generation, Prompt
from tests.unit.vision.qwen.parts import Parts, asked, drawn, opened, soon


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
        assert one.text == other.text
        assert one.tokens
        assert other.tokens
        assert [t.logprob for t in one.tokens] == pytest.approx([t.logprob for t in other.tokens], abs=1e-4)


@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_an_answer_with_a_schema_is_json_of_that_shape(random_checkpoint: Path, temperature: float) -> None:
    with opened(random_checkpoint, temperature=temperature) as parts:
        for n, shape in enumerate((Reply, *READS.values())):
            found = parts.generator.generate(asked("?", drawn(n)), schema=shape, max_tokens=3000, until=soon())
            assert found.finish_reason == "stop"
            parse(shape, found.text)
            assert found.tokens is not None
            assert found.tokens[-1].text == ""
            assert found.likelihood is not None
            assert found.likelihood < 1
