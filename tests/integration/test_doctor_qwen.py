"""cs-bot doctor about an engine in this process: its checkpoint, its memory, and in words what speed to expect."""

import shutil
from pathlib import Path

import pytest

from cs_bot.cli import doctor, doctor_qwen
from cs_bot.cli.finding import Finding
from cs_bot.settings import Settings
from cs_bot.vision.qwen import devices, speed

QUICK = speed.Probe(20e12, 400e9, 200e9)
SLOW = speed.Probe(0.2e12, 20e9, 8e9)


def findings(**engine: object) -> list[Finding]:
    return list(doctor_qwen.qwen_findings(Settings(engine={"name": "qwen", "device_map": "cpu", **engine})))


def text(found: list[Finding]) -> str:
    return "\n".join(f"{finding.level} {finding.text}" for finding in found)


def test_a_small_checkpoint_is_opened_and_measured(random_checkpoint: Path) -> None:
    found = findings(checkpoint=str(random_checkpoint), visual_tokens=64, timeout_s=120)
    said = text(found)
    assert [finding.level for finding in found[:3]] == ["ok", "ok", "ok"]
    assert f"checkpoint {random_checkpoint} is here: 4 MB, 1 million parameters" in said
    assert "CPU with" in said
    assert "engine qwen random-tiny@" in said
    assert "s for a picture, measured; about" in said


def test_a_wrong_folder_is_bad_and_ends_it(tmp_path: Path) -> None:
    (found,) = findings(checkpoint=str(tmp_path / "nowhere"))
    assert found.level == "bad"
    assert "there is no folder" in found.text


def test_a_cut_file_is_found_without_loading(random_checkpoint: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(random_checkpoint, tmp_path / "copied"))
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-9])
    (found,) = findings(checkpoint=str(folder))
    assert "is cut short" in found.text


@pytest.fixture
def nothing_fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))  # patch: the library reads it once, at import


@pytest.mark.usefixtures("nothing_fetched")
@pytest.mark.parametrize(
    ("probe", "level", "advice"),
    [
        (QUICK, "ok", "pictures an hour"),
        (speed.REFERENCE.probe, "note", "Set CSBOT_ENGINE__TIMEOUT_S to"),
        (SLOW, "note", "Here CSBOT_ENGINE=lite and people are the better choice"),
    ],
)
def test_speed_is_said_in_words_before_anything_is_fetched(
    probe: speed.Probe, level: str, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speed, "probe", lambda dtype, threads: probe)  # patch: another machine
    monkeypatch.setattr(devices, "free_memory", lambda: 16 << 30)  # patch: as above
    here, memory, said = findings(visual_tokens=400, timeout_s=30)
    assert here.text.endswith(
        "Qwen/Qwen3-VL-2B-Instruct is not here yet: about 4.3 GB will be fetched at the first start"
    )
    assert "needs 4.5 GiB of memory" in memory.text or "float32" in memory.text
    assert (said.level, advice in said.text) == (level, True), said.text
    assert (probe is QUICK) != ("Set CSBOT_ENGINE__TIMEOUT_S to" in said.text), "also where better choices are named"


@pytest.mark.usefixtures("nothing_fetched")
def test_too_little_memory_is_bad_and_nothing_is_probed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "free_memory", lambda: 3 << 30)  # patch: a small machine
    _, memory = findings(checkpoint="Qwen/Qwen3-VL-8B-Instruct", dtype="bfloat16")
    assert memory.level == "bad"
    assert "needs 16.8 GiB of memory, 3.0 GiB are free: take a smaller checkpoint" in memory.text


@pytest.mark.usefixtures("nothing_fetched")
def test_of_an_unknown_repository_the_size_is_left_open() -> None:
    here, note = findings(checkpoint="somebody/something")
    assert "its files will be fetched" in here.text
    assert "is known once it is fetched" in note.text


def test_expectations_follow_the_probe_and_the_size() -> None:
    same = speed.expected(speed.REFERENCE.probe, speed.REFERENCE.parameters, 256)
    assert 2.5 < same.kind_s < 4.5, "as measured: docs/measured/qwen.md"
    quick = speed.Probe(*(2 * value for value in speed.REFERENCE.probe))
    half = speed.expected(quick, speed.REFERENCE.parameters, 256)
    assert half.kind_s == pytest.approx(same.kind_s / 2)
    assert half.reply_s == pytest.approx(same.reply_s / 2)
    assert speed.expected(speed.REFERENCE.probe, 2 * speed.REFERENCE.parameters, 256).order_s == pytest.approx(
        2 * same.order_s
    )
    assert speed.expected(speed.REFERENCE.probe, speed.REFERENCE.parameters, 1024).kind_s > 4 * same.kind_s
    assert same.order_s > 2 * (same.kind_s + same.read_s) * 0.9
    assert same.pictures_an_hour > 50


def test_the_probe_measures_this_machine() -> None:
    found = speed.probe("float32", 1, seconds=0.3)
    assert all(value > 1e6 for value in found)
    assert found.flops > 1e8


def test_doctor_asks_for_the_extra_when_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "find_spec", lambda name: None if name == "torch" else object())  # patch: not installed
    finding = doctor._extra("qwen", doctor.EXTRAS["qwen"], Settings(engine={"name": "qwen"}))
    assert finding == Finding("bad", "extra [qwen] is not installed (pip install -e '.[qwen]')")
    assert doctor._extra("qwen", doctor.EXTRAS["qwen"], Settings()).level == "note"
