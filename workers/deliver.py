"""python -m workers.deliver: sends what is in the outbox."""

import sys

from cs_bot import deliver, pipeline
from workers import runtime


def drain() -> None:
    """The doorbell's job: send what is due."""
    here = runtime.services()

    def work() -> bool:
        return pipeline.deliver_due(
            database=here.database, channels=here.channels, settings=here.settings, policy=here.policy(), ring=here.ring
        )

    runtime.drain(work, lambda: deliver.seconds_until_due(here.database))


if __name__ == "__main__":
    sys.exit(runtime.run("deliver", drain))
