"""One process of many that look at a picture through the cache: `python -m tests.integration.cache_asker '{…}'`.

Waits for the file `go`, then as many customers as told post the picture at once, each in a thread of its own. Every
engine call is a line in the file `calls`; every customer's look is a line on stdout.
"""

import json
import os
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from redis import Redis

from cs_bot.cache import LookCache
from cs_bot.records import Kind, Message, PictureState, PictureUse, Policy, Turn
from cs_bot.see import Seen, see
from cs_bot.settings import Settings
from cs_bot.store.media import MediaStore
from cs_bot.testing import ScriptedVision, a_look
from tests.readings import customer, turn

NOW = datetime(2026, 5, 1, 9, 0, tzinfo=UTC)


def a_turn(who: str, sha256: str) -> Turn:
    """A customer posts the picture."""
    one = customer(who)
    use = PictureUse(picture_use_id=1, message_id=1, position=0, state=PictureState.READY, sha256=sha256)
    said = Message(
        message_id=1,
        external_id=f"m-{who}",
        seq=1,
        text="这个多少钱?",
        sent_at=NOW,
        received_at=NOW,
        customer_id=one.customer_id,
        pictures=(use.model_copy(update={"pixels_sha256": sha256}),),
    )
    return turn(one, messages=(said,))


def main(told: dict[str, Any]) -> None:
    """Post, look, say what was seen."""
    folder = Path(told["folder"])
    media = MediaStore(f"file://{folder / 'media'}")
    redis = Redis.from_url(told["redis"], socket_timeout=told["answer_s"], socket_connect_timeout=told["answer_s"])
    cache = LookCache(redis, ttl_s=60, wait_s=told["wait_s"])

    def count(sha256: str) -> None:
        with (folder / "calls").open("a") as calls:  # short appends are whole
            calls.write(f"{os.getpid()} {sha256}\n")
        time.sleep(told["seconds"])

    kind = Kind(told["kind"])
    lines = ("订单编号 4021338819",) if kind is Kind.ORDER else ("夏季新款",)
    engine = ScriptedVision(default=a_look(kind=kind, lines=lines, seconds=told["seconds"]), before=count)

    def post(who: str) -> None:
        [seen] = see(
            [a_turn(who, told["picture"])],
            vision=lambda: engine,
            media=media,
            policy=Policy(),
            settings=Settings(),
            cache=cache,
        )
        assert isinstance(seen, Seen)
        [look] = seen.looks
        sys.stdout.write(json.dumps({"who": who, "kind": look.kind, "lines": look.lines}) + "\n")

    threads = [threading.Thread(target=post, args=(who,)) for who in told["customers"]]
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while not (folder / "go").exists():
        time.sleep(0.01)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
