"""The baseline of received_to_delivered.py: an RQ worker whose job makes five commits and one HTTP POST."""

import http.client
import os
import sys
from pathlib import Path

from sqlalchemy import text

sys.path.insert(0, str(Path(__file__).parent))

from cs_bot.store.database import Database

database = Database(os.environ["BARE_DATABASE"])


def job() -> None:
    """Five durable commits, one POST."""
    for n in range(5):
        with database.write() as tx:
            tx.execute(text("insert into bare_job (body) values (:body)"), {"body": f"row {n}"})
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ["BARE_PORT"]), timeout=10)
    connection.request("POST", "/replies", b"{}", {"content-type": "application/json", "content-length": "2"})
    connection.getresponse().read()
    connection.close()


if __name__ == "__main__":
    from redis import Redis
    from rq import Queue, SimpleWorker

    key = "bigserial" if database.dialect == "postgresql" else "integer"
    with database.write() as tx:
        tx.execute(text(f"create table if not exists bare_job (id {key} primary key, body text not null)"))
    redis = Redis.from_url(sys.argv[1])
    queue = Queue("bare", connection=redis, serializer="json")
    SimpleWorker([queue], connection=redis, serializer="json").work(logging_level="ERROR")
