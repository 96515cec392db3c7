"""What is refused before anything is fetched or computed: fields that are not done here, schemas that cost too much."""

import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import pydantic_core

from cs_bot.errors import BadRequest

MAX_SCHEMA_CHARS = 20_000  # as JSON; thousands of properties take seconds to prepare
MAX_PATTERNS = 8  # all of them may have to hold for one text: at 12 that takes a second to work out, at 16 for ever
# A number is followed by its remainder: a state for each, and for each pair of them where two hold at once. Counted
# without zeros at the end, which cost nothing. 10,000 take 9 MB, a million 0.4 GB and 5 s.
MAX_REMAINDERS = 10_000
SCHEMA = "response_format.json_schema.schema"
_NOTHING: tuple[Any, ...] = (None, "", [], {})
# What would change the answer and is not done here, with the values that ask for nothing beside those above.
MEANINGLESS: Mapping[str, tuple[Any, ...]] = {
    **dict.fromkeys(("tools", "functions", "audio", "prediction", "web_search_options"), ()),
    **dict.fromkeys(("tool_choice", "function_call"), ("none", "auto")),
    "modalities": (["text"],),
    "n": (1,),
    "best_of": (1,),
    # which tokens are taken
    **dict.fromkeys(("frequency_penalty", "presence_penalty", "min_p", "min_tokens"), (0,)),
    **dict.fromkeys(("repetition_penalty", "length_penalty", "typical_p"), (1,)),
    "top_k": (0, -1),
    **dict.fromkeys(("logit_bias", "bad_words", "allowed_token_ids", "stop_token_ids", "logits_processors"), ()),
    **dict.fromkeys(("ignore_eos", "use_beam_search", "include_stop_str_in_output"), (False,)),
    # which form the answer has: `response_format` alone
    **dict.fromkeys(("guided_json", "guided_regex", "guided_choice", "guided_grammar", "structured_outputs"), ()),
    **dict.fromkeys(("regex", "grammar", "ebnf", "json_schema"), ()),
    # how the prompt is made
    **dict.fromkeys(("echo", "continue_final_message"), (False,)),
    "add_generation_prompt": (True,),
    "chat_template_kwargs": ({"enable_thinking": False},),
    **dict.fromkeys(("chat_template", "documents", "suffix", "truncate_prompt_tokens", "mm_processor_kwargs"), ()),
    # how much is said and thought
    "verbosity": ("medium",),
    "reasoning_effort": ("none",),
}


def require_meaning(raw: Mapping[str, Any], *, texts: bool = False) -> None:
    """Raise BadRequest for a field that would change the answer and is not done; with `texts` all values are text."""
    for name, neutral in MEANINGLESS.items():
        value = raw.get(name)
        found = [value, _read(value)] if texts and isinstance(value, str) else [value]
        if not any(one == nothing for one in found for nothing in (*_NOTHING, *neutral)):
            raise BadRequest(f"`{name}` is not supported by this server", name, "unsupported_parameter")


def _read(text: str) -> Any:
    try:
        return pydantic_core.from_json(text.strip().lower())
    except ValueError:
        return text.strip().lower()


def require_affordable(schema: Mapping[str, Any]) -> None:
    """Raise BadRequest for a JSON schema that takes too long to prepare, or too much memory."""
    if len(pydantic_core.to_json(schema)) > MAX_SCHEMA_CHARS:
        raise _refused(f"the JSON schema has more than {MAX_SCHEMA_CHARS} characters")
    if "x-guidance" in schema:
        raise _refused("`x-guidance` in a JSON schema is not supported by this server")
    if _patterns(schema) > MAX_PATTERNS:
        raise _refused(f"the JSON schema has more than {MAX_PATTERNS} patterns")
    if _remainders(schema) > MAX_REMAINDERS:
        raise _refused(f"`multipleOf` in the JSON schema: all of them multiplied give more than {MAX_REMAINDERS}")


def _refused(why: str) -> BadRequest:
    return BadRequest(why, SCHEMA, "invalid_json_schema")


def _parts(schema: Any) -> Iterator[dict[str, Any]]:
    """All objects of a schema."""
    left = [schema]
    while left:
        part = left.pop()
        if isinstance(part, dict):
            yield part
            left += part.values()
        elif isinstance(part, list):
            left += part


def _patterns(schema: Any) -> int:
    """How many regular expressions a schema has."""
    found = 0
    for part in _parts(schema):
        found += isinstance(part.get("pattern"), str)
        found += len(part["patternProperties"]) if isinstance(part.get("patternProperties"), dict) else 0
    return found


def _remainders(schema: Any) -> int:
    """The product of all different `multipleOf`, each as an integer: 0.05 counts 5, and 1200 counts 12."""
    given = [part.get("multipleOf") for part in _parts(schema)]
    factors = {Decimal(str(one)) for one in given if isinstance(one, int | float) and not isinstance(one, bool)}
    digits = ("".join(map(str, one.as_tuple().digits)).rstrip("0") for one in factors)
    return math.prod(int(number or "1") for number in digits)
