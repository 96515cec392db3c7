"""The report of the long chaos runs, as Markdown."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.faults.verdict import Verdict

HEAD = """# Faults: what the long runs came to

Written by `make check-full` on {day}. Real processes (web, two answer, one fetch, two deliver workers, upkeep), a real
redis-server and a real database; an engine; a platform over HTTP that
refuses, errs, hangs, drops and takes late. Processes are killed (SIGKILL), frozen beyond their leases (SIGSTOP), Redis
is killed and comes back empty, PostgreSQL is stopped with `-m immediate`, 30 % of the doorbells are dropped and 10 %
doubled, webhooks come twice and out of order; people take conversations over, customers revoke, agents decide while new
messages come in. Then the faults stop and everything must end.

Engine `pixels` reads its answer from the picture's pixels. Engine `qwen` computes every look to the end on a random
tiny checkpoint (kind, reading, second reading, a draft's words) before it says what the pixels say: processes are
killed, frozen and hang in the middle of forward passes, and a process whose engine hangs is replaced.

`key`: the platform shows an id once. `lookup`: it can be asked. `none`: neither; a person looks at what may have
arrived.

"""


def write(path: Path, verdicts: Sequence[Verdict]) -> None:
    """Write the page."""
    wrong = list(dict.fromkeys(name for verdict in verdicts for name in verdict.wrong))
    ends = sorted({name for verdict in verdicts for name in verdict.ends})
    columns = ["engine", "database", "platform", "messages", *wrong, "drained in s", *ends, "wall s"]
    lines = [_row(columns), _row(["---"] * len(columns))]
    for v in verdicts:
        figures = [v.engine, v.database, v.mode, v.accepted, *(v.wrong.get(name, 0) for name in wrong)]
        lines.append(_row([*figures, v.drain_s if v.drained else "never", *(v.ends.get(e, 0) for e in ends), v.wall_s]))
    total = sum(v.accepted for v in verdicts)
    lines += [
        "",
        f"Messages in all: {total}.",
        "",
        "## Faults that were caused",
        "",
        "| fault | times |",
        "| --- | --- |",
    ]
    faults = sum((Counter(v.faults) for v in verdicts), Counter[str]())
    lines += [_row([name, count]) for name, count in sorted(faults.items())]
    path.parent.mkdir(parents=True, exist_ok=True)
    head = HEAD.format(day=datetime.now(UTC).date().isoformat())
    path.write_text(head + "\n".join(lines) + "\n", encoding="utf-8")


def _row(cells: Sequence[object]) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"
