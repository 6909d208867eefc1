"""Alerts: fired by a component, acknowledged, silenced; rules put out of force and back."""

from playwright.sync_api import expect

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


def test_a_rule_is_put_out_of_force_and_back(open_page: Opener, plant: BrowserPlant) -> None:
    watched = open_page("operator")
    page = watched.open("alerts?show=rules")
    for verb, held in (("Disable", False), ("Enable", True)):
        page.get_by_role("button", name=f"{verb} component-degraded").click()
        page.get_by_role("dialog").get_by_role("button", name=verb).click()
        expect(page.get_by_role("dialog")).to_have_count(0, timeout=LIVE_MS)
        assert plant.call("GET", "/v1/alert-rules/component-degraded").json()["enabled"] is held
        other = "Enable" if verb == "Disable" else "Disable"
        expect(page.get_by_role("button", name=f"{other} component-degraded")).to_be_visible(timeout=LIVE_MS)
    plant.call("DELETE", "/v1/alert-rules/component-degraded")


def test_a_viewer_changes_no_alert(open_page: Opener) -> None:
    page = open_page("viewer").open("alerts?show=rules")
    button = page.get_by_role("button", name="Disable component-fault")
    expect(button).to_have_attribute("aria-disabled", "true")
    expect(page.get_by_role("button", name="Silence alerts")).to_have_attribute("aria-disabled", "true")
