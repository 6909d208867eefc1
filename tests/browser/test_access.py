"""Tokens and the audit: made, shown once, rotated, revoked; and each of it written down with who did it."""

import httpx
from playwright.sync_api import expect

from tests.browser.plant import BrowserPlant
from tests.browser.watched import LIVE_MS, Opener
from tests.support import eventually_sync


def _answers(plant: BrowserPlant, token: str, status: int) -> None:
    """A node that does not lead hears of a token, and of its end, a moment later."""
    headers = {"Authorization": f"Bearer {token}"}

    def answered() -> bool:
        answer = httpx.get(plant.apis[0] + "/v1/whoami", headers=headers, timeout=8, trust_env=False)
        assert answer.status_code == status, answer.text
        return True

    eventually_sync(answered, deadline_s=20)


def test_a_token_is_made_shown_once_rotated_and_revoked(open_page: Opener, plant: BrowserPlant) -> None:
    watched = open_page("admin")
    page = watched.open("access")
    page.get_by_role("button", name="Create a token").click()
    page.get_by_label("Name", exact=True).fill("grace")
    page.get_by_label("Role", exact=True).select_option("operator")
    watched.accessible()
    page.get_by_role("button", name="Create", exact=True).click()
    first = page.locator("[data-secret]").inner_text()
    assert first.startswith("tri_")
    _answers(plant, first, 200)
    watched.accessible()
    page.get_by_role("button", name="I have kept it").click()
    assert first not in page.content()
    expect(page.get_by_role("row", name="grace")).to_contain_text("operator", timeout=LIVE_MS)
    page.get_by_role("button", name="Rotate grace").click()
    page.get_by_label("The old one goes on for").select_option("0")
    page.get_by_role("dialog").get_by_role("button", name="Rotate").click()
    second = page.locator("[data-secret]").inner_text()
    assert second != first
    _answers(plant, first, 401)
    _answers(plant, second, 200)
    page.get_by_role("button", name="I have kept it").click()
    page.get_by_role("button", name="Revoke grace").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("row", name="grace")).to_contain_text("revoked", timeout=LIVE_MS)
    _answers(plant, second, 401)


def test_what_does_not_fit_is_said_in_the_dialog(open_page: Opener) -> None:
    watched = open_page("admin")
    watched.expected.append("422")
    page = watched.open("access")
    page.get_by_role("button", name="Create a token").click()
    page.get_by_label("Name", exact=True).fill("machine")
    page.get_by_label("Role", exact=True).select_option("component")
    page.get_by_role("button", name="Create", exact=True).click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("subject")


def test_the_audit_says_who_did_it(open_page: Opener, plant: BrowserPlant) -> None:
    operator = open_page("operator")
    acting = operator.open("components/scale")
    watched = open_page("viewer")
    page = watched.open("audit")
    expect(page.get_by_text("links hold")).to_be_visible(timeout=LIVE_MS)
    acting.get_by_role("button", name="Maintenance", exact=True).click()
    acting.get_by_label("Reason").fill("for the audit")
    acting.get_by_role("button", name="Begin maintenance").click()
    row = page.get_by_role("row", name="operator-one").first
    expect(row).to_contain_text("maintenance", timeout=LIVE_MS)
    page.get_by_label("Who").fill("operator-one")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("row", name="operator-one").first).to_be_visible(timeout=LIVE_MS)
    page.get_by_role("button", name="Entry ").first.click()
    expect(page.get_by_role("heading", name="Entry ")).to_be_visible()
    watched.accessible()
    plant.call("DELETE", "/v1/components/scale/maintenance")
