"""python -m workers.health [--ready] web | answer | fetch | deliver | upkeep: exit 0 when it is well on this machine.

For health checks of containers: it loads no engine and costs half a second of CPU. The web process is asked for
/health; a worker must have told the database within SEEN_S that it lives, so a database that is away fails it too. With
--ready a worker that still loads its engine is not well: leave it out of liveness checks, which would kill it.
"""

import socket
import sys
from http.client import HTTPConnection, HTTPException
from typing import TextIO

from cs_bot.errors import BotError
from cs_bot.settings import Settings, load_settings
from cs_bot.store.database import Database
from cs_bot.store.queries import workers as seen

QUEUES = ("answer", "fetch", "deliver", "upkeep")
SEEN_S = 180.0  # an idle worker says so every 45 s, one that works every 10 s while its engine gets somewhere
HTTP_S = 5.0
WELL, NOT_WELL, WRONG_USE = 0, 1, 2


def main(words: list[str], out: TextIO = sys.stderr) -> int:
    """The exit code: 0 well, 1 not (one line says why), 2 wrong use or settings."""
    ready = "--ready" in words
    names = [word for word in words if word != "--ready"]
    if len(names) != 1 or names[0] not in ("web", *QUEUES):
        out.write(
            f"usage: python -m workers.health [--ready] {{web,{','.join(QUEUES)}}}\n"
            "--ready: a worker must also have opened its engine\nExample: python -m workers.health answer\n"
        )
        return WRONG_USE
    try:
        settings = load_settings()
    except BotError as problem:
        out.write(f"{problem}\n")
        return WRONG_USE
    problem_line = _web(settings) if names[0] == "web" else _worker(settings, names[0], ready)
    if problem_line is not None:
        out.write(f"{problem_line}\n")
        return NOT_WELL
    return WELL


def _web(settings: Settings) -> str | None:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.web.host, settings.web.host)
    connection = HTTPConnection(host, settings.web.port, timeout=HTTP_S)
    try:
        connection.request("GET", "/health")
        status = connection.getresponse().status
    except (OSError, HTTPException) as problem:
        return f"the web process does not answer ({type(problem).__name__})"
    finally:
        connection.close()
    return None if status == 200 else f"the web process answers {status}"


def _worker(settings: Settings, queue: str, ready: bool) -> str | None:
    here = f"{queue}-{socket.gethostname()}-"  # as runtime names them
    try:
        database = Database(settings.database)
        try:
            with database.read() as tx:
                alive = [row for row in seen.alive(tx, SEEN_S) if row["name"].startswith(here)]
        finally:
            database.close()
    except BotError as problem:
        return str(problem)
    if not alive:
        return f"no {queue} worker of this machine was seen in the last {SEEN_S:g} s"
    return None if not ready or any(row["ready"] for row in alive) else f"the {queue} worker is not ready yet"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
