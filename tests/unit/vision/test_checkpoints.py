"""The random tiny checkpoints that other tests stand on."""

from pathlib import Path

import pytest

from cs_bot.vision.generating import LABELS
from tests.checkpoints import SPECIAL


def test_every_label_is_one_token_of_its_own(random_checkpoint: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(random_checkpoint)
    ids = [tokenizer(label, add_special_tokens=False).input_ids for label in LABELS]
    assert [len(found) for found in ids] == [1] * len(LABELS)
    assert len({found[0] for found in ids}) == len(LABELS)


def test_special_tokens_stand_in_the_published_order(random_checkpoint: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(random_checkpoint)
    first = tokenizer.convert_tokens_to_ids(SPECIAL[0])
    assert tokenizer.convert_tokens_to_ids(list(SPECIAL)) == list(range(first, first + len(SPECIAL)))
    assert tokenizer.eos_token == "<|im_end|>"
    assert tokenizer.decode(tokenizer('{"reply":"您好 😀"}').input_ids) == '{"reply":"您好 😀"}'


@pytest.mark.parametrize("untie", [True, False])
def test_it_loads_as_the_real_architecture(random_checkpoint: Path, untie: bool, tmp_path: Path) -> None:
    from transformers import AutoModelForImageTextToText

    from tests.checkpoints import make_checkpoint

    folder = random_checkpoint if untie else make_checkpoint(tmp_path, untie=False)
    network = AutoModelForImageTextToText.from_pretrained(folder)
    assert type(network).__name__ == "Qwen3VLForConditionalGeneration"
    assert (network.lm_head.weight is network.model.language_model.embed_tokens.weight) is not untie
