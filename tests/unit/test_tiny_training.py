"""Training of the tiny checkpoint: the packed network is Qwen3-VL, labels lie where things are, runs go on."""

import random
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from cs_bot.demo.tiny.attention import Runs, padded  # noqa: E402
from cs_bot.demo.tiny.bars import as_input, auroc, calibration_error, surest  # noqa: E402
from cs_bot.demo.tiny.corpus import FILE, Ground  # noqa: E402
from cs_bot.demo.tiny.export import as_transformers  # noqa: E402
from cs_bot.demo.tiny.feed import batch_of, moved  # noqa: E402
from cs_bot.demo.tiny.frames import MAX_PIXELS, MIN_PIXELS  # noqa: E402
from cs_bot.demo.tiny.network import Network, Sizes  # noqa: E402
from cs_bot.demo.tiny.optimizer import orthogonal  # noqa: E402
from cs_bot.demo.tiny.packing import DIGITS, END, NO_DIGIT, dense_labels, patchify, rope_positions  # noqa: E402
from cs_bot.demo.tiny.samples import Mark, Sample, draw_sample  # noqa: E402
from cs_bot.demo.tiny.training import Plan, Run, rate  # noqa: E402
from cs_bot.demo.train_tiny import HOME, main  # noqa: E402
from cs_bot.vision.chat import ChatMessage, Role  # noqa: E402

SMALL: dict[str, Any] = {"vision_width": 64, "vision_layers": 3, "text_width": 64, "text_layers": 2, "text_inner": 96}


@pytest.fixture(scope="module")
def ground() -> Ground:
    return Ground(HOME / FILE, ("colour:red", "category:mug", "status:paid"), 1920)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return transformers.AutoTokenizer.from_pretrained(HOME)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def some_samples() -> list[Sample]:
    rng = random.Random(4)
    return [draw_sample(task, rng) for task in ("classify", "answer_text", "read_product", "read_order", "classify")]


def test_the_packed_network_gives_the_logits_of_transformers(ground: Ground, tokenizer: Any) -> None:
    torch.manual_seed(3)
    coder, samples = ground.coder(), some_samples()
    ours = Network(Sizes(ground.size, **SMALL)).eval()
    weights = {name: weight.bfloat16() for name, weight in ours.state_dict().items()}
    ours.load_state_dict(weights)
    theirs = as_transformers(weights, tokenizer, ours.sizes)
    batch = batch_of(coder.pack(samples))
    arrays, (words, pictures) = batch.arrays, batch.runs()
    with torch.no_grad():
        visual, deep = ours.visual(arrays["pixels"], arrays["places"], pictures)
        states = ours.language_model(arrays["ids"], arrays["positions"], words, arrays["seen"], visual, deep)
        found = ours.logits(states[arrays["asked"]])
        for number, sample in enumerate(samples):
            asked, _, answer = coder.conversation(sample)
            ids = torch.tensor([asked + answer[:-1]])
            given = {"input_ids": ids, "mm_token_type_ids": (ids == coder.pad).int()}
            if sample.picture is not None:
                given |= as_processed(sample.picture)
            expected = theirs(**given).logits[0, len(asked) - 1 :]
            assert (found[arrays["of"] == number] - expected).abs().max() < 1e-4


def test_a_sample_is_cut_into_the_tokens_that_the_engine_makes(ground: Ground) -> None:
    from cs_bot.vision.qwen.inputs import Budget, Inputs
    from cs_bot.vision.qwen.processor import Pixels, load_processor
    from cs_bot.vision.qwen.vocabulary import Vocabulary

    coder, processor = ground.coder(), load_processor(HOME, Pixels(MIN_PIXELS, MAX_PIXELS, {}))
    vocabulary = Vocabulary(processor.tokenizer, size=ground.size, ends=coder.ids(END))
    inputs = Inputs(processor, vocabulary, image_token=coder.pad, context=8192)
    for sample in some_samples():
        pictures = () if sample.picture is None else (as_input(sample.picture),)
        said = (ChatMessage(Role.SYSTEM, (sample.system,)), ChatMessage(Role.USER, (*pictures, sample.text)))
        encoded = inputs.encode(said, Budget(MIN_PIXELS, MAX_PIXELS), room=8)
        assert encoded.ids == coder.conversation(sample)[0]
        for picture in encoded.pictures:
            assert torch.equal(picture.values(), as_processed(sample.picture)["pixel_values"])


def as_processed(picture: Any) -> dict[str, Any]:
    """What Qwen's image processor makes of a picture: each patch twice, for its two moments."""
    patches, places = patchify(picture)
    values = torch.from_numpy(patches).float().view(-1, 3, 1, 256) / 127.5 - 1
    rows, columns = (int(side) for side in places[0, 2:])
    pixels = values.expand(-1, 3, 2, 256).reshape(len(patches), -1)
    return {"pixel_values": pixels, "image_grid_thw": torch.tensor([[1, rows, columns]])}


def test_padded_attention_looks_within_its_run_only() -> None:
    torch.manual_seed(0)
    bounds = torch.tensor([0, 3, 4, 9], dtype=torch.int32)
    q, k, v = torch.randn(9, 4, 8), torch.randn(9, 2, 8), torch.randn(9, 2, 8)
    whole = padded(q, k, v, Runs(bounds, 5), causal=True)
    for start, end in pairwise(bounds.tolist()):
        alone = Runs(torch.tensor([0, end - start], dtype=torch.int32), end - start)
        part = padded(q[start:end], k[start:end], v[start:end], alone, causal=True)
        assert torch.allclose(whole[start:end], part, atol=1e-6)


def test_text_goes_on_behind_the_longer_side_of_a_picture() -> None:
    positions = rope_positions(10, 2, 2, 3)
    assert positions[:, :2].tolist() == [[0, 1]] * 3
    assert positions[:, 2:8].tolist() == [[2] * 6, [2, 2, 2, 3, 3, 3], [2, 3, 4, 2, 3, 4]]
    assert positions[:, 8:].tolist() == [[5, 6]] * 3


def test_a_cell_names_its_digits_in_reading_order_and_what_covers_it() -> None:
    marks = [Mark((20, 4, 30, 16), "digit:7"), Mark((2, 4, 12, 16), "digit:3"), Mark((0, 32, 64, 64), "colour:red")]
    digits, tags = dense_labels((64, 64), marks, {"colour:red": 0})
    assert digits[0].tolist() == [3, 7] + [NO_DIGIT] * (DIGITS - 2)
    assert tags[:, 0].tolist() == [False, False, True, True]


def test_another_view_moves_the_picture_and_its_marks_together() -> None:
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[20:30, 10:40] = 255
    sample = Sample("classify", "", "", picture, "order", (Mark((10, 20, 40, 30), "colour:white"),), 0)
    view = moved(sample, random.Random(5))
    [(box, _)] = view.marks
    assert view.picture is not None
    assert box != (10, 20, 40, 30)
    assert view.picture[box[1] : box[3], box[0] : box[2]].min() == 255
    assert int(view.picture.sum()) == int(picture.sum())


def test_orthogonalised_steps_have_singular_values_near_one() -> None:
    torch.manual_seed(1)
    values = torch.linalg.svdvals(orthogonal(torch.randn(3, 24, 40)))
    assert 0.5 < float(values.min()) <= float(values.max()) < 1.5


def test_the_rate_warms_up_stays_level_and_falls_to_the_end() -> None:
    rates = [rate(done, 1000, falls=True) for done in (0, 200, 600, 999)]
    assert rates[0] < 0.02
    assert rates[1] == 1.0
    assert 0.5 < rates[2] < 0.6
    assert rates[3] == pytest.approx(0.02)


def test_a_run_goes_on_where_it_stopped(ground: Ground, tmp_path: Path) -> None:
    said: list[str] = []
    plan = Plan(batch=4, steps=2, dense_steps=2, workers=0, sizes=SMALL)
    first = Run(plan, ground, tmp_path, said.append)
    first.train()
    kept = {name: weight.clone() for name, weight in first.network.state_dict().items()}
    again = Run(Plan(batch=4, workers=0, sizes=SMALL), ground, tmp_path, said.append)
    assert again.resume()
    assert again.done == {"dense": 2, "answers": 2}
    assert all(torch.equal(weight, kept[name]) for name, weight in again.network.state_dict().items())
    again.plan.steps = 3
    again.train()
    assert again.done["answers"] == 3


def test_weights_that_do_not_fit_are_told_in_one_line(
    ground: Ground, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("tokenizer", "out"):
        (tmp_path / name).mkdir()
    (tmp_path / "tokenizer" / FILE).write_bytes(ground.tokenizer.read_bytes())
    (tmp_path / "tags.json").write_text('{"size": 1920, "tags": ["colour:red"]}', "utf-8")
    assert main(["--folder", str(tmp_path), "--out", "", "--weights", str(tmp_path / "none.safetensors")]) == 2
    assert "does not fit" in capsys.readouterr().out
    assert main(["--folder", str(tmp_path), "--out", str(tmp_path / "out"), "--export-only"]) == 2
    assert "train first" in capsys.readouterr().out


def test_figures_of_certainty() -> None:
    assert auroc([0.9, 0.8, 0.3], [True, True, False]) == 1.0
    assert auroc([0.9, 0.8], [True, True]) is None
    assert calibration_error([0.95, 0.95], [True, False]) == pytest.approx(0.45)
    assert surest([0.9, 0.8, 0.1, 0.2], [True, True, False, False], 0.5) == 1.0
