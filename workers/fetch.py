"""python -m workers.fetch: fetches the pictures of new messages, and of products when none of those waits."""

import sys

from cs_bot import fetch
from workers import runtime


def drain() -> None:
    """The doorbell's job: fetch what is due."""
    here = runtime.services()
    runtime.drain(
        lambda: (
            fetch.fetch_next(here.database, media=here.media, settings=here.settings, ring=here.ring)
            or fetch.index_next(here.database, settings=here.settings)
        ),
        lambda: fetch.seconds_until_due(here.database),
    )


if __name__ == "__main__":
    sys.exit(runtime.run("fetch", drain))
