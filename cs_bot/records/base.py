"""The root of every record."""

from pydantic import BaseModel, ConfigDict

SCHEMA_VERSION = 1  # stored beside every Look, Reading, Facts and Draft; readers upgrade older ones


class Record(BaseModel):
    """Base of everything that travels: frozen, and a misspelt field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")
