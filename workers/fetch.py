"""python -m workers.fetch: fetches the pictures of new messages."""

import sys

from cs_bot import fetch
from workers import runtime


def drain() -> None:
    """The doorbell's job: fetch what is due."""
    here = runtime.services()
    runtime.drain(
        lambda: fetch.fetch_next(here.database, media=here.media, settings=here.settings, ring=here.ring),
        lambda: fetch.seconds_until_due(here.database),
    )


if __name__ == "__main__":
    sys.exit(runtime.run("fetch", drain))
