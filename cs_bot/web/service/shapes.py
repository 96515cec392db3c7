"""What clients of the service send and get back, as published in its OpenAPI (field names are OpenAI's)."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

MAX_MESSAGES = 256
MAX_PARTS = 1024  # of a message
MAX_STOPS = 16
CHECKPOINT = "Qwen/Qwen3-VL-2B-Instruct"  # of the examples
EXAMPLE: dict[str, Any] = {
    "model": CHECKPOINT,
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": "https://img.example.com/mug.jpg"}},
                {"type": "text", "text": "What colour is this mug?"},
            ],
        }
    ],
    "max_tokens": 64,
}
EXAMPLE_ANSWER: dict[str, Any] = {
    "id": "chatcmpl-2b29a0df25444c6393b9726209717990",
    "object": "chat.completion",
    "created": 1795658461,
    "model": CHECKPOINT,
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "The mug is white.", "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 312, "completion_tokens": 6, "total_tokens": 318},
}
EXAMPLE_ERROR: dict[str, Any] = {
    "error": {
        "message": "picture 1: not a JPEG, PNG, WebP or GIF picture",
        "type": "invalid_request_error",
        "param": "messages",
        "code": "invalid_image",
    }
}


class Sent(BaseModel):
    """A part of a request; fields that we don't know are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class TextPart(Sent):
    """Words of a message."""

    type: Literal["text"]
    text: str


class Address(Sent):
    """Where a picture is: https, or inside the request as `data:image/...;base64,...`. `detail` is ignored."""

    url: str = Field(min_length=1)


class PicturePart(Sent):
    """A picture of a message."""

    type: Literal["image_url"]
    image_url: Address | str


Part = Annotated[TextPart | PicturePart, Field(discriminator="type")]


class Said(Sent):
    """One message. Only the user's may hold pictures."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | Annotated[list[Part], Field(max_length=MAX_PARTS)] | None = None
    tool_calls: list[Any] | None = Field(default=None, max_length=0)


class NamedSchema(Sent):
    """A JSON schema; its `name`, `description` and `strict` are ignored: it is always followed strictly."""

    schema_: dict[str, Any] = Field(alias="schema")


class Free(Sent):
    """No form at all."""

    type: Literal["text"]


class AnyObject(Sent):
    """Some JSON object."""

    type: Literal["json_object"]


class BySchema(Sent):
    """JSON that follows a schema."""

    type: Literal["json_schema"]
    json_schema: NamedSchema


Form = Annotated[Free | AnyObject | BySchema, Field(discriminator="type")]


class StreamOptions(Sent):
    """How to stream."""

    include_usage: bool = False


class Options(Sent):
    """What may come beside the words, in JSON and in a form alike."""

    model: str | None = Field(default=None, description="a name of GET /v1/models; default: the one that is served")
    max_tokens: int | None = Field(default=None, ge=1, description="longest answer; never above the server's limit")
    max_completion_tokens: int | None = Field(default=None, ge=1, description="the newer name of max_tokens")
    temperature: float | None = Field(default=None, ge=0, le=2, description="0 = always the likeliest token")
    top_p: float | None = Field(default=None, gt=0, le=1)
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63, description="makes sampling repeatable")
    stop: Annotated[str, Field(min_length=1)] | list[Annotated[str, Field(min_length=1)]] | None = Field(
        default=None, description="the answer ends before any of these"
    )
    logprobs: bool | None = Field(default=None, description="the log-likelihood of each token")
    top_logprobs: int | None = Field(default=None, ge=0, le=20, description="and of so many alternatives")
    response_format: Form | None = None
    stream: bool | None = Field(default=None, description="server-sent events instead of one answer")
    stream_options: StreamOptions | None = None
    n: int | None = Field(default=None, ge=1, le=1, description="only 1")


class ChatRequest(Options):
    """The body of POST /v1/chat/completions."""

    messages: list[Said] = Field(min_length=1, max_length=MAX_MESSAGES)

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})


class Alternative(BaseModel):
    """A token, its log-likelihood, and its bytes; those of a part of a character are no text (U+FFFD)."""

    token: str
    logprob: float
    bytes: list[int] | None


class TokenRow(Alternative):
    """A token of the answer, with the likeliest at its place."""

    top_logprobs: list[Alternative]


class Likelihoods(BaseModel):
    """All tokens of an answer or of a piece of it."""

    content: list[TokenRow]
    refusal: None = None


class Reply(BaseModel):
    """The answer."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class Choice(BaseModel):
    """The one answer and why it ended."""

    index: int = 0
    message: Reply
    logprobs: Likelihoods | None = None
    finish_reason: Literal["stop", "length"]


class Usage(BaseModel):
    """Tokens; those of pictures count as prompt."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Completion(BaseModel):
    """The answer to POST /v1/chat/completions without `stream`."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE_ANSWER]})


class Delta(BaseModel):
    """What is new in a piece."""

    role: Literal["assistant"] | None = None
    content: str | None = None


class ChunkChoice(BaseModel):
    """A piece of the one answer."""

    index: int = 0
    delta: Delta
    logprobs: Likelihoods | None = None
    finish_reason: Literal["stop", "length"] | None = None


class Chunk(BaseModel):
    """One event of a stream; `data: [DONE]` ends it."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: Usage | None = None


class Served(BaseModel):
    """A checkpoint that can be asked for."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "cs-bot"


class ServedList(BaseModel):
    """All of them: one."""

    object: Literal["list"] = "list"
    data: list[Served]


class Problem(BaseModel):
    """What went wrong, for people and for programs."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ErrorBody(BaseModel):
    """Every answer that is no success."""

    error: Problem

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE_ERROR]})


class Health(BaseModel):
    """`progress` is 0 to 1 while it is loading."""

    status: Literal["loading", "ready", "failed"]
    progress: float | None = None
