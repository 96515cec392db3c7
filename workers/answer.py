"""python -m workers.answer: claims due turns, looks, grounds, answers, decides."""

import sys
from dataclasses import replace

from cs_bot import pipeline, turns
from workers import preparing, runtime


def drain() -> None:
    """The doorbell's job: answer what is due."""
    here = runtime.services()

    def work() -> bool:
        runtime.replace_unless(lambda: here.healthy)
        here.catalog.keep_fresh((account.channel, account.name) for account in here.settings.accounts)
        parts = replace(here.parts(), progress=runtime.still_here)
        return pipeline.answer_due(parts, ring=here.ring, sender=here.sender) or pipeline.check_due(parts)

    runtime.drain(work, lambda: turns.seconds_until_due(here.database))


def ready() -> int | None:
    """Open the engine; see preparing.prepare()."""
    return preparing.prepare(lambda: runtime.services().vision)


if __name__ == "__main__":
    sys.exit(runtime.run("answer", drain, ready))
