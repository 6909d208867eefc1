"""Alerts: fired by a component, acknowledged, silenced; rules put out of force and back."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from orchestrator.monitoring.alert_rules import default_rules
from tests.browser.plant import BrowserPlant
from tests.browser.watched import LIVE_MS, Opener


def test_an_alert_comes_is_acknowledged_and_silenced_and_goes(open_page: Opener, plant: BrowserPlant) -> None:
    watched = open_page("operator")
    page = watched.open("alerts")
    plant.fault("press-2")
    item = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name="component-fault"))
    expect(item).to_be_visible(timeout=LIVE_MS)
    page.get_by_role("button", name="Acknowledge component-fault").click()
    page.get_by_label("Note").fill("on my way")
    page.get_by_role("dialog").get_by_role("button", name="Acknowledge").click()
    expect(item).to_contain_text("acknowledged by operator-one", timeout=LIVE_MS)
    page.get_by_role("button", name="Silence component-fault").click()
    expect(page.get_by_label("Rule", exact=True)).to_have_value("component-fault")
    expect(page.get_by_label("Subject")).to_have_value("press-2")
    page.get_by_label("For", exact=True).select_option("900")
    page.get_by_label("Reason").fill("belt change")
    watched.accessible()
    page.get_by_role("dialog").get_by_role("button", name="Silence").click()
    expect(item).to_contain_text("silenced by", timeout=LIVE_MS)
    watched.accessible()
    watched.picture("alerts")
    page.get_by_role("tab", name="Silences").click()
    expect(page.get_by_role("row", name="belt change")).to_contain_text("operator-one")
    watched.accessible()
    page.get_by_role("button", name="End the silence").click()
    page.get_by_role("dialog").get_by_role("button", name="End silence").click()
    expect(page.get_by_role("row", name="belt change")).to_have_count(0, timeout=LIVE_MS)
    plant.call("POST", "/v1/components/press-2/commands", {"command": "CMD_RESET"})
    plant.started("press-2")
    page.get_by_role("tab", name="Resolved").click()
    expect(page.get_by_role("row", name="component-fault").first).to_be_visible(timeout=2 * LIVE_MS)
    watched.accessible()


@pytest.fixture
def kept_cool(plant: BrowserPlant) -> Iterator[str]:
    """A rule both of whose bounds are zero."""
    condition = {"kind": "metric", "name": "frost", "below": 0, "reset": 0}
    plant.call("PUT", "/v1/alert-rules/kept-cool", {"condition": condition, "severity": "info"})
    yield "kept-cool"
    plant.call("DELETE", "/v1/alert-rules/kept-cool")


def test_every_rule_is_put_out_of_force_and_back(open_page: Opener, plant: BrowserPlant, kept_cool: str) -> None:
    """Those that are shipped, and one of zeros; what each says stays as it is."""
    watched = open_page("operator")
    page = watched.open("alerts?show=rules")
    for name in (*default_rules(), kept_cool):
        path = f"/v1/alert-rules/{name}"
        before = plant.call("GET", path).json()
        for verb, held in (("Disable", False), ("Enable", True)):
            page.get_by_role("button", name=f"{verb} {name}", exact=True).click()
            page.get_by_role("dialog").get_by_role("button", name=verb).click()
            expect(page.get_by_role("dialog")).to_have_count(0, timeout=LIVE_MS)
            now = plant.call("GET", path).json()
            assert now["enabled"] is held
            for member in ("condition", "severity", "for_s", "clear_s", "target", "group_by", "summary"):
                assert now[member] == before[member], (name, member)
            other = "Enable" if verb == "Disable" else "Disable"
            expect(page.get_by_role("button", name=f"{other} {name}", exact=True)).to_be_visible(timeout=LIVE_MS)
        if name != kept_cool:
            plant.call("DELETE", path)


def test_alerts_are_silenced_before_they_fire(open_page: Opener, plant: BrowserPlant) -> None:
    page = open_page("operator").open("alerts")
    page.get_by_role("button", name="Silence alerts").click()
    dialog = page.get_by_role("dialog", name="Silence alerts")
    expect(dialog.get_by_label("Rule")).to_have_value("*")
    dialog.get_by_label("Rule").fill("component-*")
    dialog.get_by_label("Subject").fill("oven")
    dialog.get_by_label("Reason").fill("the door is taken off")
    dialog.get_by_role("button", name="Silence", exact=True).click()
    expect(dialog).to_have_count(0, timeout=LIVE_MS)
    (silence,) = (row for row in plant.call("GET", "/v1/silences").json() if row["reason"] == "the door is taken off")
    assert (silence["rule"], silence["subject"], silence["by"]) == ("component-*", "oven", "operator-one")
    page.get_by_role("tab", name="Silences").click()
    expect(page.get_by_role("row", name="the door is taken off")).to_contain_text("holds", timeout=LIVE_MS)
    plant.call("DELETE", f"/v1/silences/{silence['id']}")


def test_a_viewer_changes_no_alert(open_page: Opener) -> None:
    page = open_page("viewer").open("alerts?show=rules")
    button = page.get_by_role("button", name="Disable component-fault")
    expect(button).to_have_attribute("aria-disabled", "true")
    expect(page.get_by_role("button", name="Silence alerts")).to_have_attribute("aria-disabled", "true")
