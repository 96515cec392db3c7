"""docker-compose.yml and the Dockerfile against the code: no Docker engine is needed to see that they fit."""

import importlib.util
import json
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from cs_bot import __version__
from cs_bot.cli.app import app
from cs_bot.cli.run import QUEUES, WEB_GRACE_S
from cs_bot.settings import EngineSettings, Settings, load_settings, unknown_variables
from cs_bot.store import migrate
from cs_bot.supervisor import RedisBinary, redis_command
from tests.commands import ACCOUNT
from tests.repo.docs import variables
from workers import health, runtime

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"].startswith("cs-bot:")}
LASTING = {name: service for name, service in SERVICES.items() if name != "migrate"}
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
ENGINES = (ROOT / "docs" / "engines.md").read_text(encoding="utf-8")
PASSWORD = "letters1"


def dockerfile() -> list[tuple[str, str]]:
    """(instruction, rest), continuation lines joined."""
    text = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


def of(instruction: str) -> list[str]:
    return [rest for word, rest in dockerfile() if word == instruction]


def copied() -> list[tuple[list[str], str]]:
    """(sources, target) of every COPY."""
    return [(words[:-1], words[-1]) for words in map(str.split, of("COPY"))]


def seconds(duration: str) -> float:
    number, unit = re.fullmatch(r"(\d+)(s|m)", duration).groups()  # type: ignore[union-attr]
    return float(number) * {"s": 1, "m": 60}[unit]


def environment(service: dict[str, Any], **dot_env: str) -> dict[str, str]:
    """What a process of the service gets, `.env` holding `dot_env`."""

    def filled(value: str) -> str:
        return re.sub(r"\$\{(\w+)(?::[?-][^}]*)?\}", lambda m: dot_env.get(m[1], ""), value)

    own = {name: filled(value) for name, value in service["environment"].items()}
    return {**(dot_env if service.get("env_file") else {}), **own}


def excluded(path: str) -> bool:
    """Whether .dockerignore keeps a path at the top out of the build: the last line that matches counts."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    out = False
    for line in lines:
        if line.lstrip("!") in ("*", path.split("/")[0]):
            out = not line.startswith("!")
    return out


def test_every_image_is_pinned() -> None:
    for name, service in SERVICES.items():
        assert re.fullmatch(r"[a-z/-]+:v?\d+\.\d+(\.\d+)?(-[a-z]+)?", service["image"]), name
    [base] = of("FROM")
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-bookworm", base)
    assert {service["image"] for service in OURS.values()} == {f"cs-bot:{__version__}"}


def test_there_is_one_service_for_each_process_and_all_are_one_image() -> None:
    assert set(OURS) == {"migrate", "web", *QUEUES}
    assert {service["build"] for service in OURS.values()} == {"."}
    assert set(SERVICES) - set(OURS) == {"redis", "postgres", "vllm"}
    postgres = re.match(r"postgres:(\d+)", SERVICES["postgres"]["image"])
    assert postgres is not None
    assert int(postgres[1]) >= 15


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_command_exists_with_its_options(name: str) -> None:
    program, *words = OURS[name]["command"]
    assert program in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    command = get_command(app)
    found = command.commands[words[0]]  # type: ignore[attr-defined]
    with found.make_context(words[0], words[1:]) as context:  # raises for an option that is not there
        if words[0] == "worker":
            assert context.params["queue"] == name
            assert importlib.util.find_spec(f"workers.{name}") is not None


def test_the_images_own_command_exists() -> None:
    [default] = of("CMD")
    program, word, *options = json.loads(default)
    assert program == "cs-bot"
    with get_command(app).commands[word].make_context(word, options) as context:  # type: ignore[attr-defined]
        assert context.params["host"] == "0.0.0.0"


def named_variables() -> set[str]:
    in_compose = {name for service in SERVICES.values() for name in service.get("environment", {})}
    in_image = re.findall(r"(\w+)=", " ".join(of("ENV")))
    return {name for name in (*in_compose, *re.findall(r"\w+", TEXT), *in_image) if name.startswith("CSBOT_")}


def test_every_variable_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    named = {name for name in named_variables() if name != "CSBOT_"}  # the comment at the top
    assert {"CSBOT_DATABASE_URL", "CSBOT_REDIS_URL", "CSBOT_CONFIG"} <= named
    assert named <= {name for name, _ in variables()} | {"CSBOT_CONFIG"}
    for name in named:
        monkeypatch.setenv(name, "x")
    assert unknown_variables() == []
    assert {name for name in re.findall(r"CSBOT_\w+", OPERATIONS) if not name.endswith("_")} <= {
        *(name for name, _ in variables()),
        "CSBOT_CONFIG",
    }


@pytest.mark.parametrize("name", sorted(OURS))
def test_the_settings_of_a_service_are_valid_and_name_its_neighbours(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "csbot.toml").write_text(ACCOUNT)
    for variable, value in environment(OURS[name], POSTGRES_PASSWORD=PASSWORD).items():
        monkeypatch.setenv(variable, value)
    settings = load_settings(tmp_path / "csbot.toml")
    database = re.fullmatch(r"postgresql\+psycopg://(\w+):(\w+)@(\w+):5432/(\w+)", settings.database)
    assert database is not None
    inside = environment(SERVICES["postgres"], POSTGRES_PASSWORD=PASSWORD)
    user, password, host, base = database.groups()
    assert host == "postgres"
    assert (user, password, base) == (inside["POSTGRES_USER"], inside["POSTGRES_PASSWORD"], inside["POSTGRES_DB"])
    assert settings.redis == "redis://redis:6379/0"
    assert settings.web.host == "0.0.0.0"
    assert OURS[name]["env_file"] == ".env"


def test_a_missing_password_is_said_before_anything_starts() -> None:
    assert "POSTGRES_PASSWORD=" not in TEXT
    assert set(re.findall(r"\$\{POSTGRES_PASSWORD[^}]*\}", TEXT)) == {
        "${POSTGRES_PASSWORD:?set POSTGRES_PASSWORD in .env, letters and digits}"
    }


def test_ports_agree_and_only_the_web_process_is_published() -> None:
    port = Settings.model_fields["web"].default.port
    assert of("EXPOSE") == [str(port)]
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["web"]
    assert SERVICES["web"]["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert SERVICES["web"]["environment"]["CSBOT_WEB__PORT"] == str(port)
    assert COMPOSE["networks"]["data"] == {"internal": True}
    assert [SERVICES[name]["networks"] for name in ("redis", "postgres")] == [["data"], ["data"]]
    assert all(set(service["networks"]) == {"data", "default"} for service in OURS.values())


@pytest.mark.parametrize("name", sorted(LASTING))
def test_everything_that_lasts_is_looked_at_and_started_again(name: str) -> None:
    service = LASTING[name]
    assert service["restart"] == "unless-stopped"
    check = service["healthcheck"]
    assert check["test"][0] == "CMD"
    assert seconds(check["timeout"]) < seconds(check["interval"])
    program, *words = check["test"][1:]
    if name in OURS:
        ready = ["--ready"] if name == "answer" else []  # it opens an engine first
        assert [program, *words] == ["python", "-m", "workers.health", *ready, name]
        assert name in ("web", *health.QUEUES)
        assert seconds(check["timeout"]) > health.HTTP_S
    else:  # each is in its image
        assert program == {"redis": "redis-cli", "postgres": "pg_isready", "vllm": "python3"}[name]


def test_a_healthy_worker_is_never_taken_for_a_dead_one() -> None:
    idle_s = runtime.WORKER_TTL_S - 15  # RQ waits this long for a bell, then says that it lives
    assert idle_s + runtime.SEEN_EVERY_S < health.SEEN_S
    assert Settings.model_fields["turns"].default.deadline_s < health.SEEN_S
    assert tuple(sorted(health.QUEUES)) == tuple(sorted(QUEUES))


def test_migrations_end_before_anything_starts() -> None:
    migrate_service = SERVICES["migrate"]
    assert migrate_service["restart"] == "on-failure"
    assert migrate_service["healthcheck"] == {"disable": True}
    assert migrate_service["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    for name in ("web", *QUEUES):
        assert SERVICES[name]["depends_on"] == {
            "migrate": {"condition": "service_completed_successfully"},
            "postgres": {"condition": "service_healthy"},
            "redis": {"condition": "service_healthy"},
        }


def test_every_process_gets_the_time_that_it_needs_to_end() -> None:
    fields = Settings.model_fields
    grace = {name: seconds(service["stop_grace_period"]) for name, service in LASTING.items() if name != "redis"}
    assert grace["web"] > WEB_GRACE_S + fields["fetch"].default.timeout_s / 2
    assert grace["answer"] > fields["turns"].default.deadline_s + runtime.TICK_S
    assert grace["answer"] > runtime.DRAIN_S + runtime.GRACE_S
    assert grace["fetch"] > fields["fetch"].default.timeout_s + runtime.GRACE_S
    assert grace["deliver"] > fields["deliver"].default.timeout_s + runtime.GRACE_S
    assert grace["upkeep"] > runtime.GRACE_S


def test_redis_may_lose_everything_and_drops_old_keys_first() -> None:
    program, *words = SERVICES["redis"]["command"]
    assert program == "redis-server"
    said = dict(zip(words[::2], words[1::2], strict=True))
    ours = redis_command(RedisBinary("redis-server", for_trying_out=False), Path("/s"))[1:]
    own = dict(zip(ours[::2], ours[1::2], strict=True))
    for name in ("--save", "--appendonly", "--maxmemory-policy"):
        assert said[name] == own[name]
    assert said["--maxmemory-policy"] == "volatile-lru"
    assert "--maxmemory" in said


def test_pictures_and_the_database_are_on_volumes_and_the_settings_file_is_read_only() -> None:
    used = {mount.split(":")[0] for service in SERVICES.values() for mount in service.get("volumes", ())}
    assert {name for name in used if not name.startswith(".")} == set(COMPOSE["volumes"])
    for name, service in OURS.items():
        mounts = dict(mount.split(":", 1) for mount in service["volumes"])
        home, config = service["environment"]["CSBOT_HOME"], service["environment"]["CSBOT_CONFIG"]
        assert mounts == {"pictures": home, "./csbot.toml": f"{config}:ro"}, name
        assert service["environment"]["CSBOT_FETCH__MEDIA_URL"] == f"file://{home}/media"
        assert of("VOLUME") == [home]
    assert SERVICES["postgres"]["volumes"] == ["database:/var/lib/postgresql/data"]


def test_the_image_holds_what_the_processes_need_and_no_secret() -> None:
    sources = [source for found, _ in copied() for source in found]
    for source in sources:
        assert (ROOT / source).exists(), source
        assert not excluded(source), source
    assert {"cs_bot/", "workers/", "migrations/"} <= set(sources)
    assert migrate.FOLDER == ROOT / "migrations"  # beside the package, as in the image
    for secret in (".env", "csbot.toml", "var", ".git", ".venv", "tests"):
        assert excluded(secret), secret
    assert not re.search(r"SECRET|PASSWORD|TOKEN|KEY", " ".join([*of("ENV"), *of("ARG")]))
    assert of("WORKDIR") == ["/app"]


def test_nobody_is_root() -> None:
    assert of("USER") == ["csbot"]
    made = next(rest for rest in of("RUN") if "useradd" in rest)
    assert "csbot" in shlex.split(made.split("&&")[0])
    assert re.search(r"install -d -o csbot -g csbot (\S+)", made)[1] == of("VOLUME")[0]  # type: ignore[index]
    words = [word for word, _ in dockerfile()]
    assert words.index("USER") > max(n for n, word in enumerate(words) if word == "RUN")
    for service in OURS.values():
        assert "user" not in service
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_the_image_installs_pinned_packages_and_extras_that_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    [argument] = of("ARG")
    name, _, extras = argument.partition("=")
    assert name == "EXTRAS"
    assert set(extras.split(",")) <= set(project["optional-dependencies"])
    assert {"lite", "postgres"} <= set(extras.split(","))
    [install] = [rest for rest in of("RUN") if rest.startswith("pip install")]
    assert install == 'pip install -c constraints.txt -e ".[${EXTRAS}]"'
    wanted = re.fullmatch(r">=3\.(\d+)", project["requires-python"])
    [base] = of("FROM")
    assert wanted is not None
    assert int(base.split(".")[1]) >= int(wanted[1])
    before = [word for word, rest in dockerfile() if word in ("COPY", "RUN")]
    assert before.index("RUN") < before.index("COPY")
    named = copied()[0][0]
    assert {"pyproject.toml", "constraints.txt", project["readme"]} <= set(named)


def test_the_gpu_profile_serves_what_the_docs_say_to_an_engine_that_exists() -> None:
    vllm = SERVICES["vllm"]
    assert [name for name, service in SERVICES.items() if "profiles" in service] == ["vllm"]
    assert vllm["profiles"] == ["gpu"]
    [device] = vllm["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["count"], device["capabilities"]) == ("nvidia", 1, ["gpu"])
    assert vllm["ipc"] == "host"
    options = dict(word.removeprefix("--").split("=", 1) for word in vllm["command"])
    said = re.search(r"vllm serve (\S+) (.*?--api-key)", ENGINES.replace("\\\n", " "), re.DOTALL)
    assert said is not None
    assert options["model"] == said[1] == "Qwen/Qwen3-VL-8B-Instruct"
    for name in ("max-model-len", "mm-processor-cache-gb"):
        assert re.search(rf"--{name} {options[name]}\b", said[2]), name
    limit = re.search(r"--limit-mm-per-prompt '([^']+)'", said[2])
    assert limit is not None
    assert json.loads(options["limit-mm-per-prompt"]) == json.loads(limit[1])
    part = OPERATIONS.split("## With Docker")[1].split("\n## ")[0]
    lines = dict(re.findall(r"^ {4}CSBOT_ENGINE__(\w+)=(\S+)", part, re.MULTILINE))
    engine = EngineSettings.model_validate({name.lower(): value for name, value in lines.items()})
    assert (engine.name, engine.url, engine.checkpoint) == ("openai", "http://vllm:8000/v1", options["model"])
    assert ":8000/health" in vllm["healthcheck"]["test"][-1]
    assert set(vllm["networks"]) & set(SERVICES["answer"]["networks"])
