"""The service's OpenAPI: two ways to send a chat on one path, examples, and a page without outside assets."""

import json
import re
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from markupsafe import Markup, escape

from cs_bot import __version__
from cs_bot.web.service.shapes import EXAMPLE, EXAMPLE_ANSWER, ChatRequest, Options

CHAT = "/v1/chat/completions"
ABOUT = """A checkpoint that sees pictures, behind the protocol of OpenAI's chat completions: official clients work with
`base_url` set to this server's address and `/v1`. Send the key as `Authorization: Bearer <key>`."""
FORM_EXAMPLE = {"prompt": "What colour is this mug?", "max_tokens": 64}
CURL = """curl http://127.0.0.1:8000/v1/chat/completions -H "Authorization: Bearer $KEY" \\
    -F image=@photo.jpg -F prompt="What colour is this mug?" -F max_tokens=64"""


def describe(app: FastAPI) -> dict[str, Any]:
    """The document; made once."""
    if app.openapi_schema is None:
        made = get_openapi(title="cs-bot serve", version=__version__, description=ABOUT, routes=app.routes)
        parts = made["components"]["schemas"]
        asked = made["paths"][CHAT]["post"]
        asked["requestBody"] = {
            "required": True,
            "content": {
                "application/json": {"schema": _published(ChatRequest, parts)},
                "multipart/form-data": {"schema": _form(parts)},
            },
        }
        made["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        for path in (path for path in made["paths"] if path.startswith("/v1/")):
            for call in made["paths"][path].values():
                call["security"] = [{"key": []}]
        app.openapi_schema = made
    return app.openapi_schema


def _published(shape: type[Any], parts: dict[str, Any]) -> dict[str, str]:
    """A reference to a shape, which is put among the document's parts with all that it uses."""
    schema = shape.model_json_schema(ref_template="#/components/schemas/{model}")
    parts.update(schema.pop("$defs", {}))
    parts[shape.__name__] = schema
    return {"$ref": f"#/components/schemas/{shape.__name__}"}


def _form(parts: dict[str, Any]) -> dict[str, Any]:
    """The form: its own two fields, `system`, and the options of the JSON body (numbers as text)."""
    _published(Options, parts)
    options = parts.pop("Options")["properties"]
    text = {"type": "string"}
    own: dict[str, Any] = {
        "prompt": {"type": "string", "minLength": 1, "description": "the question"},
        "image": {
            "type": "array",
            "items": {"type": "string", "format": "binary"},
            "description": "pictures, in order",
        },
        "system": {"type": "string", "description": "what the checkpoint is told first"},
    }
    as_json = {name: {**text, "description": f"{name} as JSON"} for name in ("response_format", "stream_options")}
    return {
        "type": "object",
        "required": ["prompt"],
        "properties": {**own, **options, **as_json},
        "example": FORM_EXAMPLE,
    }


def page(document: dict[str, Any]) -> dict[str, Any]:
    """What the page of /docs shows: each call with its words and examples, and the shapes as JSON."""
    examples = {CHAT: [CURL, json.dumps(EXAMPLE, indent=2), json.dumps(EXAMPLE_ANSWER, indent=2)]}
    calls = [
        {
            "method": method.upper(),
            "path": path,
            "words": _marked(call.get("description", "")),
            "examples": examples.get(path, []),
            "answers": {status: _marked(answer["description"]) for status, answer in sorted(call["responses"].items())},
        }
        for path, methods in document["paths"].items()
        for method, call in methods.items()
    ]
    shapes = {name: json.dumps(shape, indent=2) for name, shape in document["components"]["schemas"].items()}
    return {"calls": calls, "shapes": shapes, "about": _marked(ABOUT), "version": __version__}


def _marked(words: str) -> Markup:
    """Words with what stands between backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(words))))
