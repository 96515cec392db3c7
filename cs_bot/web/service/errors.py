"""Errors in the shape that OpenAI's clients raise: {"error": {"message", "type", "param", "code"}}."""

from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from cs_bot.errors import (
    BadRequest,
    EngineFull,
    EngineTimeout,
    NotFound,
    NotReady,
    NotSignedIn,
    PictureError,
    PictureTooLarge,
    PictureUnreachable,
    PromptTooLong,
    SchemaRefused,
    TooLarge,
    TooManyRequests,
)
from cs_bot.web.boundary import headers_of, message_of, note, status_of, unwrapped
from cs_bot.web.service.shapes import Problem

GONE = 499  # the client went away: nobody reads it, the figures count it
# The code for programs; the first that fits counts.
CODES: tuple[tuple[type[Exception], str], ...] = (
    (NotSignedIn, "invalid_api_key"),
    (NotFound, "model_not_found"),
    (PictureTooLarge, "image_too_large"),
    (PictureUnreachable, "invalid_image_url"),
    (PictureError, "invalid_image"),
    (PromptTooLong, "context_length_exceeded"),
    (SchemaRefused, "invalid_json_schema"),
    (TooLarge, "request_too_large"),
    (TooManyRequests, "rate_limit_exceeded"),
    (NotReady, "not_ready"),
    (EngineFull, "out_of_memory"),
    (MemoryError, "out_of_memory"),
    (EngineTimeout, "timeout"),
)


def status_here(error: Exception) -> int:
    """The table of web/boundary.py; a picture that can't be used is a bad request here."""
    if isinstance(error, ClientDisconnect):
        return GONE
    status = status_of(error)
    return 400 if status == 422 else status


def problem_of(error: Exception, status: int) -> Problem:
    """What a client is told."""
    code = error.code if isinstance(error, BadRequest) else None
    code = code or next((code for kind, code in CODES if isinstance(error, kind)), None)
    param = error.param if isinstance(error, BadRequest) else None
    param = param or ("messages" if isinstance(error, PictureError | PromptTooLong) else None)
    return Problem(message=message_of(error, status), type=_type(status), param=param, code=code)


async def answer(request: Request, error: Exception) -> Response:
    """The answer to an error."""
    error = unwrapped(error)
    status = status_here(error)
    note(error, status, request.method)
    return JSONResponse({"error": problem_of(error, status).model_dump()}, status, headers=headers_of(error, status))


def _type(status: int) -> str:
    if status >= 500:
        return "server_error"
    return {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}.get(
        status, "invalid_request_error"
    )
