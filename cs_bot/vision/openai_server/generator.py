"""Asks an OpenAI-compatible server: chat completions with pictures, a JSON schema and likelihoods where it has them."""

import json
import math
import threading
import time
from dataclasses import replace
from typing import Any, NamedTuple

from pydantic import BaseModel

from cs_bot.errors import ConfigError, EngineError, EngineTimeout, LookUnusable
from cs_bot.vision.answers import json_schema
from cs_bot.vision.generating import Generation, Prompt, Token, label_logprobs
from cs_bot.vision.openai_server.http import Answer, Pool, Unreached
from cs_bot.vision.openai_server.pictures import Encoder
from cs_bot.vision.openai_server.waiting import TRIES, Breaker, wait_s

CHECK_S = 5.0
SCHEMA, OBJECT, PLAIN = "json_schema", "json_object", ""
_NOT_UNDERSTOOD = frozenset({400, 415, 422, 501})
_AGAIN = frozenset({429, 500, 502, 503, 504})
FAIR_S = 1.0  # a request that had less time than this says nothing of the server
REFUSALS = 3  # requests refused in a row until the forms are tried anew: the server may be another one


class Form(NamedTuple):
    """A way to ask: how the shape is asked for, and how many likelihoods a token (0: its own only, None: none)."""

    shape: str = PLAIN
    top: int | None = None


SHAPED = tuple(Form(shape, top) for shape in (SCHEMA, OBJECT, PLAIN) for top in (0, None))
LABELLED = (Form(top=20), Form(top=5), Form())


class Forms:
    """Forms from best to least; which one the server understands is found out by its refusals, once."""

    def __init__(self, forms: tuple[Form, ...]) -> None:
        self._forms = forms
        self._known: Form | None = None
        self._refusals = 0
        self._lock = threading.Lock()

    def to_try(self) -> tuple[Form, ...]:
        """The one that is known to work, else all."""
        with self._lock:
            return self._forms if self._known is None else (self._known,)

    def understood(self, form: Form) -> None:
        """The server took a request in this form."""
        with self._lock:
            self._known, self._refusals = form, 0

    def refused(self) -> None:
        """It took the request in no form: the request's own fault, unless that goes on."""
        with self._lock:
            self._refusals += 1
            if self._refusals >= REFUSALS:
                self._known, self._refusals = None, 0


class OpenAIGenerator:
    """Follows vision.generating.Generator. Calls may come from several threads."""

    def __init__(self, pool: Pool, encoder: Encoder, checkpoint: str, temperature: float, breaker: Breaker) -> None:
        self._pool, self._encoder, self._checkpoint, self._temperature = pool, encoder, checkpoint, temperature
        self._breaker = breaker
        self._forms = {True: Forms(SHAPED), False: Forms(LABELLED)}
        self._closed = False

    @property
    def available(self) -> bool:
        """False while the breaker is open."""
        return not self._closed and not self._breaker.open

    @property
    def healthy(self) -> bool:
        """Always: every request ends by its deadline; a server that is down is not helped by a new process."""
        return True

    def generate(
        self,
        prompt: Prompt,
        *,
        schema: type[BaseModel] | None = None,
        max_tokens: int,
        labels: tuple[str, ...] = (),
        until: float,
    ) -> Generation:
        """As Generator.generate."""
        if self._closed:
            raise EngineError("the engine is closed")
        encoded = [self._encoder.data_url(picture, prompt.scale) for picture in prompt.pictures]
        forms = self._forms[schema is not None]
        for form in forms.to_try():
            body = self._body(prompt, [url for url, _ in encoded], schema, max_tokens, form)
            answer = self._asked(body, until)
            if answer.status == 200:
                made = _generation(answer, labels)
                forms.understood(form)
                return replace(made, shrunk=min([1.0, *(scale for _, scale in encoded)]))
        forms.refused()
        raise LookUnusable(f"the server refused the request ({answer.status})")

    def check(self) -> str:
        """What the server says it serves. Raises EngineError without an answer, ConfigError when it lacks ours."""
        where = f"the server at {self._pool.host}"
        try:
            answer = self._pool.request("GET", "/models", None, time.monotonic() + CHECK_S)
        except EngineError as problem:
            raise EngineError(f"{where} can't be asked: {problem}; check CSBOT_ENGINE__URL") from None
        if answer.status in (401, 403):
            raise ConfigError(f"{where} refuses the key ({answer.status}): check CSBOT_ENGINE__API_KEY")
        served = _served(answer)
        if served is None:
            raise EngineError(f"{where} gave no list of checkpoints ({answer.status}): does the address end in /v1?")
        if self._checkpoint not in served:
            names = ", ".join(served[:10]) or "nothing"
            raise ConfigError(
                f"{where} serves no {self._checkpoint!r}; set CSBOT_ENGINE__CHECKPOINT to one of: {names}"
            )
        return f"{where} serves {self._checkpoint}"

    def close(self) -> None:
        """Close the connections. Safe to call twice."""
        self._closed = True
        self._pool.close()

    def _body(
        self,
        prompt: Prompt,
        urls: list[str],
        schema: type[BaseModel] | None,
        max_tokens: int,
        form: Form,
    ) -> bytes:
        text = prompt.text
        if schema is not None and form.shape != SCHEMA:
            text += f"\nThe JSON follows this schema: {json.dumps(json_schema(schema), ensure_ascii=False)}"
        content: list[dict[str, Any]] = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
        said: dict[str, Any] = {
            "model": self._checkpoint,
            "messages": [
                {"role": "system", "content": prompt.system},
                {"role": "user", "content": [*content, {"type": "text", "text": text}] if urls else text},
            ],
            "max_tokens": max_tokens,
            "temperature": self._temperature,
        }
        if schema is not None and form.shape:
            named = {"name": schema.__name__, "strict": True, "schema": json_schema(schema)}
            said["response_format"] = {"type": form.shape} | ({SCHEMA: named} if form.shape == SCHEMA else {})
        if form.top is not None:
            said |= {"logprobs": True} | ({"top_logprobs": form.top} if form.top else {})
        return json.dumps(said, ensure_ascii=False).encode("utf-8", "replace")

    def _asked(self, body: bytes, until: float) -> Answer:
        """An answer with status 200 or one of _NOT_UNDERSTOOD; asked TRIES times while time is left."""
        if not self._breaker.enter():
            raise EngineError("the server failed several times in a row; it is asked again in a while")
        fair = until - time.monotonic() >= FAIR_S
        for tries in range(1, TRIES + 1):
            try:
                answer = self._pool.request("POST", "/chat/completions", body, until)
            except EngineTimeout:
                if fair:
                    self._breaker.failed()
                raise
            except Unreached as problem:
                failure, asked = str(problem), None
            else:
                if answer.status not in _AGAIN:
                    return self._final(answer)
                failure, asked = f"the server answers {answer.status}", answer.retry_after_s
            pause = wait_s(tries, asked)
            if tries == TRIES or time.monotonic() + pause >= until:
                break
            time.sleep(pause)
        self._breaker.failed()
        raise EngineError(failure)

    def _final(self, answer: Answer) -> Answer:
        """An answer that asking again would not change."""
        if answer.status == 200 or answer.status in _NOT_UNDERSTOOD or answer.status == 413:
            self._breaker.succeeded()  # it works, whatever it thinks of this request
        else:
            self._breaker.failed()
        if answer.status == 200 or answer.status in _NOT_UNDERSTOOD:
            return answer
        advice = {401: ": check CSBOT_ENGINE__API_KEY", 403: ": check CSBOT_ENGINE__API_KEY"}
        advice |= {404: ": check CSBOT_ENGINE__URL and CSBOT_ENGINE__CHECKPOINT (cs-bot doctor)"}
        if answer.status == 413:
            raise LookUnusable("the server takes no request of this size (413)")
        raise EngineError(f"the server answers {answer.status}{advice.get(answer.status, '')}")


def _served(answer: Answer) -> list[str] | None:
    """The names of a list of checkpoints; None when it is none."""
    try:
        rows = json.loads(answer.body)["data"]
        return [str(row["id"])[:120] for row in rows] if answer.status == 200 else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _generation(answer: Answer, labels: tuple[str, ...]) -> Generation:
    """An answer's text, end and likelihoods. Raises EngineError for anything that is no chat completion."""
    try:
        choice = json.loads(answer.body.decode("utf-8"))["choices"][0]
        text = choice["message"].get("content") or ""
        if not isinstance(text, str):
            raise TypeError("content is no text")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        raise EngineError("the server's answer is no chat completion") from None
    listed = _logprobs(choice)
    return Generation(
        text=text,
        finish_reason="length" if choice.get("finish_reason") == "length" else "stop",
        tokens=None if listed is None else tuple(token for token, _ in listed),
        label_logprobs=_labels(listed, labels),
    )


_Listed = list[tuple[Token, list[tuple[str, float]]]]


def _logprobs(choice: dict[str, Any]) -> _Listed | None:
    """Each token with the likeliest at its place; None when there are none or they make no sense."""
    try:
        rows = choice["logprobs"]["content"]
        return [(_token(row), [_token(one)[:2] for one in row.get("top_logprobs") or ()]) for row in rows] or None
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _token(row: dict[str, Any]) -> Token:
    logprob = float(row["logprob"])
    if math.isnan(logprob) or logprob > 1e-3:
        raise ValueError("no log-likelihood")
    return Token(str(row["token"]), max(logprob, -100.0))


def _labels(listed: _Listed | None, labels: tuple[str, ...]) -> dict[str, float] | None:
    """Log-likelihoods of the labels at the first token that is more than blanks."""
    for token, top in listed or ():
        if token.text.strip():
            return label_logprobs(top, labels) if labels else None
    return None
