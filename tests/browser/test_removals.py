"""What will never come back is taken off the list by hand: a component that is OFFLINE, a processor that was killed."""

import re
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from orchestrator.dev.processes import Program
from tests.browser.plant import CLUSTER_TOKEN, BrowserPlant
from tests.browser.watched import LIVE_MS, Opener
from tests.support import eventually_sync

WORKER = "inspector-9"
QUEUES = "frames?tab=queues"


def listed(plant: BrowserPlant, noun: str) -> set[str]:
    return {row["id"] for row in plant.call("GET", f"/v1/{noun}").json()}


@pytest.fixture
def ghost(plant: BrowserPlant) -> Iterator[str]:
    """A component that was registered, and that nobody hears any more."""
    plant.call("POST", "/v1/components", {"id": "ghost", "address": "http://127.0.0.1:9", "groups": ["finish"]})
    eventually_sync(
        lambda: plant.call("GET", "/v1/components/ghost").json()["presence"] == "OFFLINE",
        deadline_s=30,
        message="ghost is OFFLINE",
    )
    yield "ghost"
    if "ghost" in listed(plant, "components"):
        plant.call("DELETE", "/v1/components/ghost")


@pytest.mark.parametrize("role", ["operator", "admin"])
def test_a_component_that_is_offline_is_removed(open_page: Opener, plant: BrowserPlant, ghost: str, role: str) -> None:
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


def test_a_component_that_lives_is_not_removed_and_nothing_by_a_viewer(open_page: Opener, ghost: str) -> None:
    page = open_page("operator").open("components/scale")
    button = page.get_by_role("button", name="Remove", exact=True)
    expect(button).to_have_attribute("aria-disabled", "true")
    expect(button).to_have_accessible_description("scale is ONLINE: it would register again.")
    button.click(force=True)
    expect(page.get_by_role("dialog")).to_have_count(0)
    page = open_page("viewer").open(f"components/{ghost}")
    button = page.get_by_role("button", name="Remove", exact=True)
    expect(button).to_have_accessible_description("Your role is viewer; this needs operator or admin.")
    button.click(force=True)
    expect(page.get_by_role("dialog")).to_have_count(0)


@pytest.fixture
def worker(plant: BrowserPlant) -> Iterator[str]:
    """A processor as a process of its own."""
    argv = [sys.executable, "-m", "orchestrator.cli.main", "processor", "run", "tests.browser.filming:Inspector"]
    argv += ["--id", WORKER, "--capability", "nothing_comes_for_it"]
    environment = {
        "TRIARCH_TOKEN": CLUSTER_TOKEN,
        "TRIARCH_URL": ",".join(plant.apis),
        "TRIARCH_REDIS_URL": plant.plant.topology.redis_url,
    }
    if WORKER in plant.plant.processes:
        plant.portal.call(plant.plant.processes[WORKER].start)
    else:
        plant.portal.call(plant.plant.processes.start, Program(WORKER, tuple(argv), environment))
    eventually_sync(lambda: WORKER in listed(plant, "processors"), deadline_s=30, message=f"{WORKER} is registered")
    yield WORKER
    plant.portal.call(plant.plant.processes[WORKER].stop)
    if WORKER in listed(plant, "processors"):
        plant.call("DELETE", f"/v1/processors/{WORKER}")


@pytest.mark.parametrize("role", ["operator", "admin"])
def test_a_processor_that_was_killed_is_unhealthy_and_removed(
    open_page: Opener, plant: BrowserPlant, worker: str, role: str
) -> None:
    watched = open_page(role)
    page = watched.open(QUEUES)
    row = page.get_by_role("table", name="Queues and lanes").get_by_role("row", name=worker)
    expect(row.locator("tri-badge")).to_have_text("HEALTHY", timeout=LIVE_MS)
    remove = page.get_by_role("button", name=f"Remove {worker}")
    expect(remove).to_have_count(0)
    viewer = open_page("viewer").open(QUEUES)
    plant.portal.call(plant.plant.processes[worker].kill)
    expect(row.locator("tri-badge")).to_have_text("UNHEALTHY", timeout=LIVE_MS)
    # By the leader's own limit, which the page has not made up.
    eventually_sync(
        lambda: not plant.call("GET", f"/v1/processors/{worker}").json()["healthy"],
        deadline_s=5,
        message="the plant says so, too",
    )
    watched.accessible()
    denied = viewer.get_by_role("button", name=f"Remove {worker}")
    expect(denied).to_have_accessible_description("Your role is viewer; this needs operator or admin.", timeout=LIVE_MS)
    denied.click(force=True)
    expect(viewer.get_by_role("dialog")).to_have_count(0)
    assert worker in listed(plant, "processors")
    remove.click()
    dialog = page.get_by_role("dialog", name=f"Remove {worker}?")
    expect(dialog).to_contain_text("the frames in its queue go to others")
    watched.accessible()
    dialog.get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_text(f"{worker}: removed")).to_be_visible(timeout=LIVE_MS)
    expect(remove).to_have_count(0, timeout=LIVE_MS)
    assert worker not in listed(plant, "processors")
