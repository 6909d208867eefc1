"""Every action of every page, for each role: the table of rights decides, and what it denies sends nothing."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Page, Request, expect

from orchestrator.access.principal import Role
from orchestrator.access.rights import RIGHTS
from tests.browser.plant import ROLES, BrowserPlant
from tests.browser.test_executions_page import ASKS, FAILS, SIGNALLED, comes_to, run, told
from tests.browser.watched import LIVE_MS, Opener
from tests.dashboard_actions import Action, actions, unnamed
from tests.support import eventually_sync

ROLES_OF = {Action(right.method, unnamed(right.path)): right.roles for right in RIGHTS}
LOOK = """(found) => found.map((each) => ({
  method: each.method, path: each.path, text: each.label || each.textContent.trim(),
  disabled: each.shadowRoot.querySelector("button").getAttribute("aria-disabled") === "true",
  why: each.shadowRoot.querySelector("#why")?.textContent ?? "",
}))"""
PRESS = """(found) => found.forEach((each) => {
  const inside = each.shadowRoot;
  if (inside.querySelector("#why")?.textContent.startsWith("Your role")) inside.querySelector("button").click();
})"""
DRAWN = "new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))"


@dataclass
class Everything:
    """A plant in which each action stands on some page."""

    places: dict[str, str] = field(default_factory=dict)
    """By address, a button that is on the page when it is whole."""
    more: dict[str, str] = field(default_factory=dict)
    """By address, a button that unfolds the rest of it."""


def reached(plant: BrowserPlant, execution: str, path: str) -> None:
    eventually_sync(
        lambda: path in [step["path"] for step in told(plant, execution)["steps"]],
        deadline_s=30,
        message=f"{execution} is at {path}",
    )


@pytest.fixture(scope="module")
def everything(plant: BrowserPlant) -> Iterator[Everything]:
    for name in ("ghost-1", "ghost-2"):
        plant.call("POST", "/v1/components", {"id": name, "address": "http://127.0.0.1:9", "groups": ["finish"]})
    plant.call("PUT", "/v1/components/ghost-2/maintenance", {"reason": "it is no more"})
    plant.call("POST", "/v1/processors/register", {"id": "silent-1", "capabilities": ["none"], "capacity": 1})
    rule = {"condition": {"kind": "state", "values": ["READY"]}, "severity": "info", "target": "component:ghost-1"}
    plant.call("PUT", "/v1/alert-rules/ghost-is-ready", rule)
    quiet = {"rule": "nothing", "subject": "*", "for_s": 900, "by": "a test", "reason": "it is about nothing"}
    silence = plant.call("POST", "/v1/silences", quiet)
    waiting, paused, failed = (run(plant, text) for text in (ASKS, SIGNALLED, FAILS))
    comes_to(plant, failed, "FAILED")
    reached(plant, waiting, "actions/2")
    reached(plant, paused, "actions/0")
    plant.call("POST", f"/v1/executions/{paused}/pause", {})
    eventually_sync(
        lambda: any(row["rule"] == "ghost-is-ready" for row in plant.call("GET", "/v1/alerts").json()),
        deadline_s=30,
        message="an alert fires",
    )
    eventually_sync(
        lambda: not plant.call("GET", "/v1/processors/silent-1").json()["healthy"],
        deadline_s=30,
        message="silent-1 is unhealthy",
    )
    yield Everything(
        places={
            "": "",
            "components?view=list": "",
            "components?group=finish": "Desired state",
            "components/ghost-1": "Remove",
            "components/ghost-2": "End maintenance",
            "components/press-1": "Stop",
            "playbooks": "New playbook …",
            "playbooks/fails": "Delete",
            "executions": "",
            f"executions/{waiting}": "Approve actions/2",
            f"executions/{paused}": "Resume …",
            f"executions/{failed}": "Retry …",
            "frames": "",
            "frames?tab=queues": "Remove silent-1",
            "frames?tab=dead": "Drop all …",
            "alerts": "Acknowledge ghost-is-ready",
            "alerts?show=silences": f"End the silence {silence.json()['id']}",
            "alerts?show=rules": "Disable component-fault",
            "journal": "",
            "audit": "",
            "access": "Create a token",
        },
        more={f"executions/{failed}": "More about actions/1"},
    )
    for execution in (waiting, paused):
        plant.call("POST", f"/v1/executions/{execution}/cancel", {"force": True})
    for path in ("components/ghost-1", "components/ghost-2", "processors/silent-1", "alert-rules/ghost-is-ready"):
        plant.call("DELETE", f"/v1/{path}")
    plant.call("DELETE", f"/v1/silences/{silence.json()['id']}")


def on(page: Page, everything: Everything, place: str) -> list[dict[str, Any]]:
    """The actions of a page that is whole."""
    if whole := everything.places[place]:
        expect(page.get_by_role("button", name=whole, exact=True)).to_be_visible(timeout=LIVE_MS)
    expect(page.locator("tri-loading")).to_have_count(0, timeout=LIVE_MS)
    if place in everything.more:
        page.get_by_role("button", name=everything.more[place]).click()
        expect(page.get_by_role("button", name="Retry from actions/1")).to_be_visible()
    found: list[dict[str, Any]] = page.locator("tri-action").evaluate_all(LOOK)
    return found


@pytest.mark.parametrize("role", ROLES)
def test_what_the_table_denies_cannot_be_pressed(open_page: Opener, everything: Everything, role: str) -> None:
    watched = open_page(role)
    changes: list[str] = []

    def asked(request: Request) -> None:
        # The editor has what is written judged as one types: that changes nothing, and is for who may write.
        judged = "/v1/playbooks/validate" in request.url and role != "viewer"
        if (request.method != "GET" and not judged) or "/v1/plan" in request.url:
            changes.append(f"{request.method} {request.url}")

    watched.page.on("request", asked)
    met: set[Action] = set()
    for place in everything.places:
        watched.open("elsewhere")  # a tab is chosen by the address only as its page is begun
        page = watched.open(place)
        if place == "access" and role != "admin":
            expect(page.get_by_text("Not for your role")).to_be_visible()
            expect(page.locator("tri-action")).to_have_count(0)
            continue
        found = on(page, everything, place)
        for each in found:
            action = Action(each["method"], unnamed(each["path"]))
            met.add(action)
            allowed = Role(role) in ROLES_OF[action]
            assert each["why"].startswith("Your role") is not allowed, (place, each)
            assert each["disabled"] or allowed, (place, each)
        page.locator("tri-action").evaluate_all(PRESS)
        page.evaluate(DRAWN)
        expect(page.get_by_role("dialog")).to_have_count(0)
    assert changes == []
    # All that the sources have were met, but for what stands on a page that is not shown at all.
    hidden = set() if role == "admin" else {action for action in actions() if action.path.startswith("/v1/tokens")}
    assert met == set(actions()) - hidden


def test_what_stands_in_no_row_is_for_nobody(open_page: Opener) -> None:
    """As the nodes have it: a name that is written wrongly disables its button, and does not open it to everybody."""
    page = open_page("admin").open("components/press-1")
    stop = page.get_by_role("button", name="Stop", exact=True)
    expect(stop).to_have_attribute("aria-disabled", "false")
    page.locator("tri-action").filter(has_text="Stop").first.evaluate(
        "(it) => { it.path = '/v1/components/{id}/comands'; }"
    )
    expect(stop).to_have_attribute("aria-disabled", "true")
    stop.click(force=True)
    expect(page.get_by_role("dialog")).to_have_count(0)
