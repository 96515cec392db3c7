"""cs_bot_profile.json of a checkpoint's folder: the prompts and picture limits that it was trained with."""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cs_bot.errors import ConfigError
from cs_bot.vision.prompts import Prompts, load_prompts

FILE = "cs_bot_profile.json"
FORMAT = 1


class _Written(BaseModel):
    """The file's fields. Others are for people and are left alone: what counts has a new number in `profile`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    profile: int
    name: str = Field(min_length=1, max_length=60)
    min_pixels: int = Field(ge=1024, le=16_777_216)
    max_pixels: int = Field(ge=1024, le=16_777_216)
    boxes: bool = False  # whether it can say where on a picture something stands

    @model_validator(mode="after")
    def _ordered(self) -> "_Written":
        if self.min_pixels > self.max_pixels:
            raise ValueError("min_pixels is more than max_pixels")
        return self


class Profile(_Written):
    """What the engine uses as it stands, whatever the settings say. `prompts` is None without a folder of them."""

    model_config = ConfigDict(frozen=True, extra="ignore", arbitrary_types_allowed=True)

    prompts: Prompts | None = None


def load_profile(folder: Path) -> Profile | None:
    """The folder's profile with its prompts/*.txt; None without one. Raises ConfigError for one that can't be used."""
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        said: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise ConfigError(f"{path} can't be read ({type(problem).__name__}): copy it again") from None
    if isinstance(said, dict) and said.get("profile") != FORMAT:
        raise ConfigError(f"{path} has format {said.get('profile')}, this cs-bot knows {FORMAT}: use a newer cs-bot")
    try:
        written = _Written.model_validate(said)
    except ValidationError as problem:
        lines = [f"{'.'.join(str(p) for p in e['loc']) or 'file'}: {e['msg']}" for e in problem.errors()]
        raise ConfigError(f"{path} is wrong: {'; '.join(lines)}") from None
    place = folder / "prompts"
    return Profile(**written.model_dump(), prompts=load_prompts(place) if place.is_dir() else None)
