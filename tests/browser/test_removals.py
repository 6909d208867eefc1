"""What will never come back is taken off the list by hand: a component that is OFFLINE, a processor that was killed."""

import re
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from orchestrator.dev.processes import Program
from tests.browser.plant import CLUSTER_TOKEN, ROLES, BrowserPlant
from tests.browser.watched import LIVE_MS, Opener
from tests.support import eventually_sync

CHANGING = ("operator", "admin")
"""The roles that may."""
QUEUES = "frames?tab=queues"


def listed(plant: BrowserPlant, noun: str) -> set[str]:
    return {row["id"] for row in plant.call("GET", f"/v1/{noun}").json()}


@pytest.fixture(scope="module")
def ghosts(plant: BrowserPlant) -> Iterator[dict[str, str]]:
    """Components that were registered, and that nobody hears any more: by role, whom it is for."""
    found = {role: f"ghost-of-{role}" for role in ROLES}
    for name in found.values():
        plant.call("POST", "/v1/components", {"id": name, "address": "http://127.0.0.1:9", "groups": ["finish"]})
    eventually_sync(
        lambda: all(
            plant.call("GET", f"/v1/components/{each}").json()["presence"] == "OFFLINE" for each in found.values()
        ),
        deadline_s=30,
        message="the ghosts are OFFLINE",
    )
    yield found
    for name in listed(plant, "components").intersection(found.values()):
        plant.call("DELETE", f"/v1/components/{name}")


@pytest.mark.parametrize("role", CHANGING)
def test_a_component_that_is_offline_is_removed(
    open_page: Opener, plant: BrowserPlant, ghosts: dict[str, str], role: str
) -> None:
    ghost = ghosts[role]
    watched = open_page(role)
    page = watched.open(f"components/{ghost}")
    page.get_by_role("button", name="Remove", exact=True).click()
    dialog = page.get_by_role("dialog", name=f"Remove {ghost}?")
    watched.accessible()
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_have_count(0)
    assert ghost in listed(plant, "components"), "nothing was agreed to"
    page.get_by_role("button", name="Remove", exact=True).click()
    dialog.get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_text(f"{ghost}: removed")).to_be_visible(timeout=LIVE_MS)
    expect(page.get_by_role("heading", name="Components", level=1)).to_be_visible()
    expect(page.get_by_role("link", name=re.compile(f"^{ghost}"))).to_have_count(0, timeout=LIVE_MS)
    assert ghost not in listed(plant, "components")


def test_a_component_that_lives_is_not_removed_and_nothing_by_a_viewer(
    open_page: Opener, ghosts: dict[str, str]
) -> None:
    page = open_page("operator").open("components/scale")
    button = page.get_by_role("button", name="Remove", exact=True)
    expect(button).to_have_attribute("aria-disabled", "true")
    expect(button).to_have_accessible_description("scale is ONLINE: it would register again.")
    button.click(force=True)
    expect(page.get_by_role("dialog")).to_have_count(0)
    page = open_page("viewer").open(f"components/{ghosts['viewer']}")
    button = page.get_by_role("button", name="Remove", exact=True)
    expect(button).to_have_accessible_description("Your role is viewer; this needs operator or admin.")
    button.click(force=True)
    expect(page.get_by_role("dialog")).to_have_count(0)


@pytest.fixture
def workers(plant: BrowserPlant) -> Iterator[dict[str, str]]:
    """Processors as processes of their own: by role, who removes it."""
    found = {role: f"inspector-of-{role}" for role in CHANGING}
    environment = {
        "TRIARCH_TOKEN": CLUSTER_TOKEN,
        "TRIARCH_URL": ",".join(plant.apis),
        "TRIARCH_REDIS_URL": plant.plant.topology.redis_url,
    }
    argv = [sys.executable, "-m", "orchestrator.cli.main", "processor", "run", "tests.browser.filming:Inspector"]
    argv += ["--capability", "nothing_comes_for_it", "--id"]
    programs = [Program(name, (*argv, name), environment) for name in found.values()]
    plant.portal.call(plant.plant.processes.start, *programs)
    eventually_sync(
        lambda: listed(plant, "processors").issuperset(found.values()), deadline_s=30, message="they are registered"
    )
    yield found
    for name in found.values():
        plant.portal.call(plant.plant.processes[name].stop)
    for name in listed(plant, "processors").intersection(found.values()):
        plant.call("DELETE", f"/v1/processors/{name}")


def test_a_processor_that_was_killed_is_unhealthy_and_removed(
    open_page: Opener, plant: BrowserPlant, workers: dict[str, str]
) -> None:
    opened = {role: open_page(role) for role in workers}
    pages = {role: watched.open(QUEUES) for role, watched in opened.items()}
    viewer = open_page("viewer").open(QUEUES)
    for role, page in pages.items():
        expect(_health(page, workers[role])).to_have_text("HEALTHY", timeout=LIVE_MS)
        expect(_remove(page, workers[role])).to_have_count(0)
    for name in workers.values():
        plant.portal.call(plant.plant.processes[name].kill)
    for role, page in pages.items():
        expect(_health(page, workers[role])).to_have_text("UNHEALTHY", timeout=LIVE_MS)
        # By the leader's own limit, which the page has not made up.
        eventually_sync(
            lambda: not plant.call("GET", f"/v1/processors/{workers[role]}").json()["healthy"],  # noqa: B023
            deadline_s=5,
            message="the plant says so, too",
        )
    for role, page in pages.items():
        name = workers[role]
        opened[role].accessible()
        denied = _remove(viewer, name)
        expect(denied).to_have_accessible_description(
            "Your role is viewer; this needs operator or admin.", timeout=LIVE_MS
        )
        denied.click(force=True)
        expect(viewer.get_by_role("dialog")).to_have_count(0)
        assert name in listed(plant, "processors")
        _remove(page, name).click()
        dialog = page.get_by_role("dialog", name=f"Remove {name}?")
        expect(dialog).to_contain_text("the frames in its queue go to others")
        opened[role].accessible()
        dialog.get_by_role("button", name="Remove", exact=True).click()
        expect(page.get_by_text(f"{name}: removed")).to_be_visible(timeout=LIVE_MS)
        expect(_remove(page, name)).to_have_count(0, timeout=LIVE_MS)
        assert name not in listed(plant, "processors")


def _health(page: Page, worker: str) -> Locator:
    return page.get_by_role("table", name="Queues and lanes").get_by_role("row", name=worker).locator("tri-badge")


def _remove(page: Page, worker: str) -> Locator:
    return page.get_by_role("button", name=f"Remove {worker}")
