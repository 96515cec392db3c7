"""The baseline of webhook_acks.py: FastAPI and one INSERT of the body, with the same durability. Not run by itself."""

import os
import sys

import uvicorn
from fastapi import FastAPI, Request
from sqlalchemy import text

from cs_bot.store.database import Database

app = FastAPI(docs_url=None, openapi_url=None)
database = Database(os.environ["BARE_DATABASE"])
key = "bigserial" if database.dialect == "postgresql" else "integer"
with database.write() as tx:
    tx.execute(text(f"create table if not exists bare (id {key} primary key, body text not null)"))


def _insert(body: str) -> None:
    with database.write() as tx:
        tx.execute(text("insert into bare (body) values (:body)"), {"body": body})


@app.post("/bare")
async def bare(request: Request) -> dict[str, str]:
    """Store the body, then say so."""
    from starlette.concurrency import run_in_threadpool

    await run_in_threadpool(_insert, (await request.body()).decode())
    return {"status": "ok"}


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), log_level="error", access_log=False)
