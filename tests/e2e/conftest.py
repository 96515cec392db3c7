"""Short folders for the demo, and a service over scripted chats that the tests of a module share."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from cs_bot.testing import ScriptedChats
from tests.served import client, running, settings_of


@pytest.fixture(scope="module")
def chats() -> ScriptedChats:
    """What the shared service runs."""
    return ScriptedChats()


@pytest.fixture(scope="module")
def site(chats: ScriptedChats) -> Iterator[httpx.Client]:
    """A shared service."""
    with running(chats, settings_of(rate_per_minute=0)) as address, client(address) as made:
        yield made


@pytest.fixture
def short_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A unix socket's path is 100 characters at most."""
    return tmp_path_factory.mktemp("d")
