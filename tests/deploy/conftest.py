"""What the tests with Ansible share: it is installed once, and each has a controller of its own."""

from pathlib import Path

import pytest

from tests.deploy import controller as controllers
from tests.deploy.controller import Controller


@pytest.fixture(scope="session")
def ansible() -> None:
    """Ansible is installed."""
    controllers.installed()


@pytest.fixture
def controller(ansible: None, tmp_path: Path) -> Controller:
    return Controller(tmp_path)
