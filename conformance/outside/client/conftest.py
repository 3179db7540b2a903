"""What the tests of this folder share: a client of foreign make, and names that no other test takes.

`conformance/outside/run.py` starts the daemon and names it in two variables; the tests run once for each profile.
"""

import os
import uuid
from collections.abc import Iterator

import pytest
from httpx2 import Client
from scim2_client.engines.httpx2 import SyncSCIMClient


@pytest.fixture(scope="session")
def wire() -> Iterator[Client]:
    """The bare HTTP client, for what the SCIM client hides."""
    headers = {"Authorization": f"Bearer {os.environ['ROSTERD_TOKEN']}"}
    # No proxy of the surroundings: the daemon is on this machine.
    with Client(base_url=os.environ["ROSTERD_BASE_URL"], headers=headers, trust_env=False, timeout=30) as client:
        yield client


@pytest.fixture(scope="session")
def scim(wire: Client) -> SyncSCIMClient:
    """A SCIM client that knows of the server only what the server says of itself."""
    client = SyncSCIMClient(wire)
    client.discover()
    return client


@pytest.fixture(scope="session")
def User(scim: SyncSCIMClient):  # noqa: N802, it is a class
    """Users as discovery describes them, the enterprise extension among their attributes."""
    return scim.get_resource_model("User")


@pytest.fixture(scope="session")
def Group(scim: SyncSCIMClient):  # noqa: N802, it is a class
    """Groups as discovery describes them."""
    return scim.get_resource_model("Group")


@pytest.fixture
def name() -> str:
    """A name that nobody has."""
    return f"n{uuid.uuid4().hex}"
