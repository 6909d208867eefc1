"""One lab for all tests here, in an order that needs no second: empty hosts, the deployment, its harm, the end.

TRIARCH_LAB_KEEP=1 keeps it between runs: hosts that are up stay, and are left up. TRIARCH_LAB_NUMBER=N takes lab N.
"""

import json
import os
import platform
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.drills.lab_faults import LabFaults
from tests.lab.deployment import Deployment, figures
from tests.lab.hosts import Lab
from tests.lab.hosts.running import why_not
from tests.support import lab_settings

HERE = Path(__file__).parent
KEEP = lab_settings.get("TRIARCH_LAB_KEEP", "") not in ("", "0")
NUMBER = int(lab_settings.get("TRIARCH_LAB_NUMBER", "0"))
ORDER = {
    "test_image": 0,
    "test_empty_hosts": 1,
    "test_preflight": 2,
    "test_deployment": 3,
    "test_prometheus": 4,
    "test_lab_faults": 5,
    "test_lost_hosts": 90,
    "test_rotation": 91,
    "test_removal": 95,
    "test_teardown": 100,
}
"""Lower first. A module that is not named here comes between, on a deployment that is whole. Where hosts are
lost, members have other names afterwards than the hosts of the lab: that comes late."""
LIMIT_S = 900
"""Of one test; the first has to wait for the deployment."""
SOAK_LIMIT_S = 3600
"""Of one that is not for CI: it deploys anew, or restores, and may do so on a busy machine."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those of this directory in the lab's order, with the lab's limit of time."""
    mine = [item for item in items if HERE in item.path.parents]
    for item in mine:
        if item.get_closest_marker("timeout") is None:
            limit_s = LIMIT_S if item.get_closest_marker("soak") is None else SOAK_LIMIT_S
            item.add_marker(pytest.mark.timeout(limit_s))
        item.add_marker(pytest.mark.root)
    items.sort(key=lambda item: ORDER.get(item.path.stem, 50) if item in mine else -1)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What each step took; a report of it where one was asked for."""
    if not figures:
        return
    terminalreporter.section("the lab, seconds")
    for step, took in figures.items():
        terminalreporter.line(f"{took:8.1f}  {step}")
    if path := lab_settings.get("TRIARCH_LAB_REPORT"):
        told = {"cores": os.cpu_count(), "python": platform.python_version(), "seconds": figures}
        Path(path).write_text(json.dumps(told, indent=2) + "\n")


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """Three hosts that answer ssh, with nothing on them but what the image has; taken down at the end."""
    if reason := why_not():
        if "CI" in os.environ:
            pytest.fail(reason)
        pytest.skip(reason)
    made = Lab(NUMBER)
    figures.update({f"lab: {step}": took for step, took in made.up(keep=KEEP).items()})
    try:
        yield made
    finally:
        if not KEEP:
            made.down()


@pytest.fixture(scope="session")
def deployment(lab: Lab) -> Deployment:
    """What `site.yml` needs is there, and it has not been run."""
    made = Deployment(lab)
    made.prepare()
    return made


@pytest.fixture(scope="session")
def deployed(deployment: Deployment) -> Deployment:
    """The product on three hosts by `site.yml`; the cluster is ready."""
    if not (KEEP and is_deployed(deployment)):
        deployment.keep_empty()
        deployment.first = deployment.play("site.yml")
        figures["first deployment"] = deployment.first.seconds
    deployment.ready()
    return deployment


@pytest.fixture
def faults(lab: Lab) -> LabFaults:
    """What can be done to the lab; the test heals it."""
    return LabFaults(lab.told())


def is_deployed(deployment: Deployment) -> bool:
    """Whether the first host has a release, so that a kept lab needs no new one."""
    return deployment.lab.hosts()[0].ask("test -e /opt/triarch/current", limit_s=30).status == 0
