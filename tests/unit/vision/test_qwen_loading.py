"""Loading: where the network comes to lie, what its profile says, and every failure as one line on what to do."""

import json
import shutil
import socket
import sys
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cs_bot.errors import ConfigError, EngineError, MissingExtra
from cs_bot.records import Kind
from cs_bot.settings import EngineSettings
from cs_bot.vision.base import PictureInput
from cs_bot.vision.prompts import load_prompts
from cs_bot.vision.qwen import devices, hub
from cs_bot.vision.qwen.loading import Loaded, load
from cs_bot.vision.qwen.processor import pixels
from cs_bot.vision.qwen.profile import load_profile
from tests.checkpoints import make_checkpoint

GIB = 1 << 30


def settings(folder: Path | str, **more: Any) -> EngineSettings:
    return EngineSettings(name="qwen", checkpoint=str(folder), **more)


def refused(folder: Path | str, kind: type[Exception] = ConfigError, **more: Any) -> str:
    with pytest.raises(kind) as raised:
        load(settings(folder, **more), lambda done, total: None)
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.fixture
def folder(random_checkpoint: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(random_checkpoint, tmp_path / "copied"))


@pytest.fixture(scope="module")
def loaded(random_checkpoint: Path) -> Loaded:
    return load(settings(random_checkpoint, dtype="float32", threads=1))


def test_a_loaded_checkpoint_lies_where_the_settings_say(loaded: Loaded, random_checkpoint: Path) -> None:
    import torch

    assert (str(loaded.device), loaded.dtype, loaded.threads) == ("cpu", torch.float32, 1)
    assert torch.get_num_threads() == 1
    assert (loaded.checkpoint, loaded.full_attention, loaded.profile) == ("random-tiny", True, None)
    assert not loaded.network.training
    assert not any(parameter.requires_grad for parameter in loaded.network.parameters())
    assert loaded.size == (random_checkpoint / "model.safetensors").stat().st_size


def test_on_this_cpu_bfloat16_is_taken_where_it_is_fast(random_checkpoint: Path) -> None:
    import torch

    fast = torch.ops.mkldnn._is_mkldnn_bf16_supported()
    given = load(settings(random_checkpoint), lambda done, total: None)
    assert given.dtype == (torch.bfloat16 if fast else torch.float32)
    assert given.threads == devices.free_cores() >= 1


def test_pictures_and_words_become_inputs_without_torchvision(loaded: Loaded) -> None:
    from PIL import Image

    content = [{"type": "image", "image": Image.new("RGB", (900, 500), "red")}, {"type": "text", "text": "product"}]
    inputs = loaded.processor.apply_chat_template(
        [{"role": "user", "content": content}],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
    )
    tokens = int(inputs["image_grid_thw"].prod()) // 4
    assert 256 <= tokens <= 576
    assert int((inputs["input_ids"] == loaded.processor.image_token_id).sum()) == tokens
    out = loaded.network.generate(**inputs, max_new_tokens=3, do_sample=False)
    assert out.shape[1] > inputs["input_ids"].shape[1]
    assert loaded.processor.tokenizer.padding_side == "left"


def test_reading_is_told_from_nothing_to_all(random_checkpoint: Path) -> None:
    heard: list[tuple[int, int]] = []
    given = load(settings(random_checkpoint), lambda done, total: heard.append((done, total)))
    assert heard[-1] == (given.size, given.size)


def test_whoever_listens_may_stop_it(random_checkpoint: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(settings(random_checkpoint), stop)


def test_a_checkpoint_with_another_digest_is_refused(random_checkpoint: Path) -> None:
    said = refused(random_checkpoint, sha256="0" * 64)
    assert "CSBOT_ENGINE__SHA256 says 0000" in said
    right = said.partition("have SHA-256 ")[2][:64]
    assert load(settings(random_checkpoint, sha256=right)).size > 0


def test_an_architecture_that_is_not_known_is_told(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "qwen9_vl", "architectures": ["Qwen9VL"]}
    (folder / "config.json").write_text(json.dumps(config))
    assert "random" not in refused(folder)
    assert "has the architecture Qwen9VL, which the installed transformers does not know" in refused(folder)


def test_code_that_comes_with_a_checkpoint_is_never_run(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Own", "AutoModelForImageTextToText": "own.Own"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text("raise SystemExit('this ran')")
    assert "CSBOT_ENGINE__CHECKPOINT" in refused(folder)


def test_tensors_of_another_network_are_told(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["hidden_size"] = 128
    (folder / "config.json").write_text(json.dumps(config))
    assert "copied can't be loaded" in refused(folder)


def test_a_missing_tensor_is_told_and_not_made_up(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    del tensors["model.language_model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    assert "lack 1 tensors of copied, such as model.language_model.layers.1.mlp.up_proj.weight" in refused(folder)


@pytest.mark.parametrize("name", ["tokenizer.json", "preprocessor_config.json"])
def test_a_spoilt_tokenizer_or_picture_file_is_told(folder: Path, name: str) -> None:
    (folder / name).write_text("{")
    assert "can't be read" in refused(folder)
    assert name in refused(folder)


def test_a_tokenizer_without_picture_tokens_is_told(folder: Path) -> None:
    text = (folder / "tokenizer.json").read_text().replace("<|image_pad|>", "<|picture_pad|>")
    (folder / "tokenizer.json").write_text(text)
    settings_file = folder / "tokenizer_config.json"
    settings_file.write_text(settings_file.read_text().replace("<|image_pad|>", "<|picture_pad|>"))
    assert "lacks <|image_pad|>" in refused(folder)


def test_too_little_memory_is_told_before_anything_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cs_bot.vision.qwen.loading.free_on", lambda place: 100 << 20)  # patch: a small machine
    said = refused(folder, dtype="float32")
    assert "needs about 0.5 GiB of memory in float32, 0.1 GiB are free" in said
    assert "CSBOT_ENGINE__DTYPE=bfloat16 (half)" in said
    assert "CSBOT_ENGINE__DTYPE" not in refused(folder, dtype="bfloat16")


def test_the_needed_memory_is_that_of_the_tensors_in_their_new_dtype(random_checkpoint: Path) -> None:
    from cs_bot.vision.qwen.checkpoint import inspect

    found = inspect(random_checkpoint)
    narrow = devices.needed_memory(found, devices.Place("cpu", "bfloat16", "sdpa"))
    wide = devices.needed_memory(found, devices.Place("cpu", "float32", "sdpa"))
    assert wide - narrow == found.bytes_as(4) - found.bytes_as(2) > 0
    assert 0 < devices.free_memory() < 1 << 50


def test_a_containers_limits_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "control_group", lambda: tmp_path)  # patch: a container of the test's own
    free = devices.free_memory()
    assert free > 1 << 28, "no limit: what the machine has"
    (tmp_path / "memory.max").write_text(str(100 << 20))
    (tmp_path / "memory.current").write_text(str(60 << 20))
    (tmp_path / "memory.stat").write_text(f"anon 1\ninactive_file {20 << 20}\nactive_file {5 << 20}\n")
    assert devices.free_memory() == 65 << 20
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    assert devices.free_cores() == 1
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert devices.free_cores() >= 1


def test_the_control_group_is_a_folder() -> None:
    assert devices.control_group().name


@pytest.mark.parametrize("wanted", ["cuda", "cuda:0"])
def test_a_gpu_that_is_not_there_is_told(random_checkpoint: Path, wanted: str) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    said = refused(random_checkpoint, device_map=wanted)
    assert f"CSBOT_ENGINE__DEVICE_MAP={wanted}: " in said
    assert ("build for CPUs" if torch.version.cuda is None else "no GPU is visible") in said


def test_a_gpus_number_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    # patch: a machine with two GPUs, the second with more free memory
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda number: ((2 + number) * GIB, 80 * GIB))
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    assert devices.choose(EngineSettings(device_map="auto")) == ("cuda:1", "float16", "sdpa")
    assert devices.choose(EngineSettings(device_map="cuda:0")).device == "cuda:0"
    assert devices.choose(EngineSettings(device_map="cpu")).gpu is False
    with pytest.raises(ConfigError, match="there are 2 GPUs, the first is cuda:0"):
        devices.choose(EngineSettings(device_map="cuda:2"))
    with pytest.raises(ConfigError, match="needs pip install flash-attn"):
        devices.choose(EngineSettings(attention="flash_attention_2"))


def test_kernels_for_gpus_are_refused_on_a_cpu(random_checkpoint: Path) -> None:
    assert "needs a GPU" in refused(random_checkpoint, device_map="cpu", attention="flash_attention_2")


def test_missing_packages_name_the_extra(random_checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "llguidance", None)  # patch: as if it were not installed
    with pytest.raises(ModuleNotFoundError):
        load(settings(random_checkpoint))
    assert ".[qwen]" in str(MissingExtra("engine 'qwen'", "qwen"))


# Names and the hub


def closed_port() -> int:
    with socket.socket() as here:
        here.bind(("127.0.0.1", 0))
        return int(here.getsockname()[1])


def hub_at(monkeypatch: pytest.MonkeyPatch, address: str, cache: Path) -> None:
    from huggingface_hub import constants

    # patch: the library reads these once, when it is imported
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))


def test_without_a_network_the_files_to_fetch_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hub_at(monkeypatch, f"http://127.0.0.1:{closed_port()}", tmp_path)
    said = refused("Qwen/Qwen3-VL-2B-Instruct", EngineError)
    assert "hf download Qwen/Qwen3-VL-2B-Instruct --local-dir DIR" in said
    for name in ("config.json", "*.safetensors", "tokenizer.json", "chat_template", "preprocessor_config.json"):
        assert name in said
    assert "set CSBOT_ENGINE__CHECKPOINT to that folder" in said


def test_a_name_that_is_no_folder_is_told(tmp_path: Path) -> None:
    assert "there is no folder" in refused(tmp_path / "nowhere")
    assert "there is no folder qwen" in refused("qwen")


def test_a_revision_belongs_to_a_repository(random_checkpoint: Path) -> None:
    assert "leave it empty for a folder" in refused(random_checkpoint, revision="main")


@pytest.mark.parametrize(
    ("failure", "kind", "said"),
    [
        ("GatedRepoError", ConfigError, "asks for consent"),
        ("RevisionNotFoundError", ConfigError, "has no revision v9"),
        ("RepositoryNotFoundError", ConfigError, "there is no repository a/b"),
        ("LocalEntryNotFoundError", EngineError, "can't be fetched from the hub"),
    ],
)
def test_what_the_hub_refuses_is_told(
    failure: str, kind: type[Exception], said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import huggingface_hub

    def fails(*words: object, **options: object) -> str:
        raise type(failure, (Exception,), {})("the library's own words")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fails)  # patch: a hub that refuses
    assert said in refused("a/b", kind, revision="v9")


def test_a_full_disk_is_told_before_anything_is_fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    planned = namedtuple("planned", "file_size will_download")

    def plans(*words: object, dry_run: bool = False, **options: object) -> list[Any]:
        if not dry_run:
            raise FileNotFoundError
        return [planned(1 << 60, True), planned(1 << 50, False)]

    import huggingface_hub

    monkeypatch.setattr(huggingface_hub, "snapshot_download", plans)  # patch: a repository larger than any disk
    hub_at(monkeypatch, "http://127.0.0.1", tmp_path / "not" / "there")
    said = refused("a/b")
    assert "a/b needs 1152921504.6 GB on disk" in said
    assert "set HF_HOME" in said


# Picture limits and the profile


def test_limits_follow_the_device_and_the_settings() -> None:
    token = 32 * 32
    assert pixels(EngineSettings(), None, gpu=False)[:2] == (256 * token, 576 * token)
    assert pixels(EngineSettings(), None, gpu=True)[:2] == (256 * token, 1280 * token)
    own = pixels(EngineSettings(visual_tokens=100, visual_tokens_by_kind={"order": 900}), None, gpu=True)
    assert own[:2] == (100 * token, 100 * token)
    assert (own.most_for(Kind.ORDER), own.most_for(Kind.SCENE), own.most_for(None)) == tuple(
        tokens * token for tokens in (900, 100, 100)
    )


def with_profile(folder: Path, **changed: Any) -> Path:
    said = {"profile": 1, "name": "tiny", "min_pixels": 1024, "max_pixels": 102_400, "trained": "by hand", **changed}
    (folder / "cs_bot_profile.json").write_text(json.dumps(said))
    return folder


def test_a_profile_wins_over_the_settings(folder: Path) -> None:
    with_profile(folder)
    (folder / "prompts").mkdir()
    for prompt in (Path(__file__).parents[3] / "cs_bot" / "vision" / "prompts").glob("*.txt"):
        shutil.copy(prompt, folder / "prompts")
    (folder / "prompts" / "classify.txt").write_text("version: 3\n\nWhich?")
    given = load(settings(folder, visual_tokens=1000, visual_tokens_by_kind={"order": 1000}))
    assert given.pixels == (1024, 102_400, {})
    size = given.processor.image_processor.size
    assert (size["shortest_edge"], size["longest_edge"]) == (1024, 102_400)
    assert given.profile is not None
    assert given.profile.prompts is not None
    assert given.profile.prompts.classify(PictureInput("0", b"")).text == "Which?"
    assert given.profile.prompts.version != load_prompts().version


BAD: list[tuple[Callable[[Path], object], str]] = [
    (lambda folder: (folder / "cs_bot_profile.json").write_text("{"), "can't be read"),
    (lambda folder: (folder / "cs_bot_profile.json").write_text("[]"), "is wrong"),
    (lambda folder: with_profile(folder, profile=2), "has format 2, this cs-bot knows 1"),
    (lambda folder: with_profile(folder, min_pixels=200_000), "min_pixels is more than max_pixels"),
    (lambda folder: with_profile(folder, max_pixels="many"), "max_pixels: Input should be a valid integer"),
    (lambda folder: (with_profile(folder) / "prompts").mkdir(), "prompt system.txt can't be read"),
]


@pytest.mark.parametrize(("spoil", "said"), BAD, ids=[said for _, said in BAD])
def test_a_bad_profile_is_told(spoil: Callable[[Path], object], said: str, tmp_path: Path) -> None:
    spoil(tmp_path)
    with pytest.raises(ConfigError, match=said):
        load_profile(tmp_path)


def test_a_folder_without_a_profile_has_none(tmp_path: Path) -> None:
    assert load_profile(tmp_path) is None


def test_every_setting_of_the_hub_has_a_default() -> None:
    assert hub.is_repository(hub.DEFAULT)
    assert not hub.is_repository("/srv/checkpoint")
    assert not hub.is_repository("./a/b")


def test_tied_and_untied_checkpoints_load(tmp_path: Path) -> None:
    tied = load(settings(make_checkpoint(tmp_path, untie=False), dtype="float32"))
    table = tied.network.get_input_embeddings().weight
    assert tied.network.get_output_embeddings().weight.data_ptr() == table.data_ptr()
