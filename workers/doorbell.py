"""What RQ may run here: a job of the table, with nothing in it."""

from typing import Any

from rq.job import Job

from cs_bot.errors import BotError
from cs_bot.jobs import JOBS


class Doorbell(Job):  # type: ignore[misc]
    """A job whose function must be in the job table: whoever can write to Redis can't choose what runs."""

    def check(self) -> None:
        """Raise unless the job is a plain doorbell."""
        allowed = {job.path for job in JOBS.values()}
        callbacks = (self._success_callback_name, self._failure_callback_name, self._stopped_callback_name)
        extras = (*callbacks, self.webhooks, self.retries_left, self.repeats_left)
        if self.func_name not in allowed or self.args or self.kwargs or self.instance is not None or any(extras):
            raise BotError("a job that is not in the job table was refused")

    @property
    def func(self) -> Any:
        """The function, after the check."""
        self.check()
        return super().func

    # RQ calls these for a job that was refused, too: it counts as failed.
    @property
    def should_retry(self) -> bool:
        """Never: the row in the database is what is tried again."""
        return False

    def execute_success_callback(self, *_: Any) -> None:
        """A doorbell has none."""

    def execute_failure_callback(self, *_: Any) -> None:
        """A doorbell has none."""

    def execute_stopped_callback(self, *_: Any) -> None:
        """A doorbell has none."""

    def send_webhooks(self, *_: Any, **__: Any) -> None:
        """A doorbell has none: whoever can write to Redis can't choose whom we call."""
