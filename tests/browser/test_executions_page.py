"""The page of an execution: live, honest about what waits and what is tried again, and able to do what a person may."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.plant import BrowserPlant
from tests.browser.watched import Opener
from tests.support import eventually_sync, free_port

DEADLINE_MS = 20_000
ASKS = """\
name: start_of_shift
actions:
  - {type: log_event, id: begin, message: begins}
  - type: parallel
    id: warm_up
    branches:
      left: [{type: delay, id: left_oven, duration: 200ms}]
      right: [{type: delay, id: right_oven, duration: 400ms}]
  - {type: approve, id: shift_leader, message: May line A start?}
  - {type: delay, id: run_in, duration: 100ms}
"""
FAILS = """\
name: fails
actions:
  - {type: log_event, id: before, message: begins}
  - {type: fail, id: cold, message: the furnace is cold}
"""
SIGNALLED = """\
name: signalled
actions:
  - {type: wait_for_signal, id: tool, signal: tool_changed}
"""


def run(plant: BrowserPlant, text: str) -> str:
    name = text.split()[1]
    plant.call("PUT", f"/v1/playbooks/{name}", {"text": text})
    return str(plant.call("POST", f"/v1/playbooks/{name}/runs", {}).json()["id"])


def told(plant: BrowserPlant, execution: str) -> dict[str, Any]:
    found: dict[str, Any] = plant.call("GET", f"/v1/executions/{execution}").json()
    return found


def comes_to(plant: BrowserPlant, execution: str, status: str) -> dict[str, Any]:
    found = eventually_sync(
        lambda: row if (row := told(plant, execution))["status"] == status else None,
        deadline_s=30,
        message=f"{execution} is {status}",
    )
    assert found is not None
    return found


def status_is(page: Page, word: str) -> None:
    expect(page.locator("tri-badge[data-role=status]")).to_have_text(word, timeout=DEADLINE_MS)


def waits(page: Page) -> None:
    expect(page.locator("li[data-path='actions/2'] [data-note=waiting]")).to_contain_text(
        "May line A start?", timeout=DEADLINE_MS
    )


def press(page: Page, name: str, confirm: str, reason: str = "") -> None:
    page.get_by_role("button", name=name).click()
    if reason:
        page.get_by_label("Why").fill(reason)
    page.get_by_role("button", name=confirm, exact=True).click()


def test_steps_are_live_and_one_waits_for_a_person(plant: BrowserPlant, open_page: Opener) -> None:
    execution = run(plant, ASKS)
    watched = open_page("operator")
    page = watched.open(f"executions/{execution}")
    waits(page)
    status_is(page, "Running")
    expect(page.locator("li[data-path]")).to_have_count(5)
    # At one look: the bars of what goes on grow, and all others with the scale.
    bars: dict[str, dict[str, float]] = page.locator("li[data-path] .bar").evaluate_all(
        "(bars) => Object.fromEntries(bars.map((bar) => [bar.closest('li').dataset.path, bar.getBoundingClientRect()]))"
    )
    left, right, asked = bars["actions/1/left/0"], bars["actions/1/right/0"], bars["actions/2"]
    assert left["x"] == pytest.approx(right["x"], abs=3), "side by side"
    assert asked["x"] >= right["x"] + right["width"] - 3, "one after the other"
    watched.accessible()
    watched.picture("executions")
    press(page, "Approve actions/2", "Approve", "the night shift agrees")
    status_is(page, "Succeeded")
    (approval,) = comes_to(plant, execution, "SUCCEEDED")["approvals"]
    assert approval["approved"]
    assert (approval["who"], approval["comment"]) == ("operator-one", "the night shift agrees")
    expect(page.get_by_label("Approvals")).to_contain_text("the night shift agrees", timeout=DEADLINE_MS)
    watched.accessible()


def test_paused_resumed_and_rejected(plant: BrowserPlant, open_page: Opener) -> None:
    execution = run(plant, ASKS)
    page = open_page("operator").open(f"executions/{execution}")
    waits(page)
    press(page, "Pause …", "Pause")
    status_is(page, "Paused")
    assert told(plant, execution)["status"] == "PAUSED"
    press(page, "Resume …", "Resume")
    status_is(page, "Running")
    waits(page)
    press(page, "Reject actions/2", "Reject", "the line is not clear")
    status_is(page, "Failed")
    row = comes_to(plant, execution, "FAILED")
    assert row["approvals"][0]["comment"] == "the line is not clear"
    assert not row["approvals"][0]["approved"]


def test_cancelled(plant: BrowserPlant, open_page: Opener) -> None:
    execution = run(plant, ASKS)
    page = open_page("operator").open(f"executions/{execution}")
    waits(page)
    page.get_by_role("button", name="Cancel …").click()
    page.get_by_label("At once").check()
    page.get_by_role("button", name="Cancel it").click()
    status_is(page, "Cancelled")
    comes_to(plant, execution, "CANCELLED")


def test_tried_again_from_a_step(plant: BrowserPlant, open_page: Opener) -> None:
    execution = run(plant, FAILS)
    before = comes_to(plant, execution, "FAILED")
    watched = open_page("operator")
    page = watched.open(f"executions/{execution}")
    expect(page.locator("li[data-path='actions/1']")).to_contain_text("the furnace is cold", timeout=DEADLINE_MS)
    page.get_by_role("button", name="More about actions/1").click()
    watched.accessible()
    press(page, "Retry from actions/1", "Retry")
    eventually_sync(lambda: told(plant, execution)["generation"] > before["generation"], deadline_s=20)
    assert comes_to(plant, execution, "FAILED")["revision"] > before["revision"]


def test_tried_again_as_a_whole(plant: BrowserPlant, open_page: Opener) -> None:
    execution = run(plant, FAILS)
    before = comes_to(plant, execution, "FAILED")
    page = open_page("operator").open(f"executions/{execution}")
    status_is(page, "Failed")
    page.get_by_role("button", name="Retry …", exact=True).click()
    dialog = page.get_by_role("dialog", name="Retry the execution?")
    dialog.get_by_label("Why").fill("the furnace is warm now")
    dialog.get_by_role("button", name="Retry", exact=True).click()
    expect(dialog).to_have_count(0, timeout=DEADLINE_MS)
    eventually_sync(lambda: told(plant, execution)["generation"] > before["generation"], deadline_s=20)
    comes_to(plant, execution, "FAILED")  # it is as cold as before


def test_a_signal_is_sent(plant: BrowserPlant, open_page: Opener) -> None:
    execution = run(plant, SIGNALLED)
    page = open_page("operator").open(f"executions/{execution}")
    expect(page.locator("li[data-path='actions/0']")).to_be_visible(timeout=DEADLINE_MS)
    page.get_by_role("button", name="Signal …").click()
    page.get_by_label("Name", exact=True).fill("tool_changed")
    page.get_by_label("Value").fill("{not json")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("The value must be JSON")
    page.get_by_label("Value").fill('"T4"')
    page.get_by_role("button", name="Send", exact=True).click()
    status_is(page, "Succeeded")
    assert "T4" in str(comes_to(plant, execution, "SUCCEEDED")["steps"][0]["value"])


def stubborn() -> str:
    """A playbook that asks where nobody listens, again and again."""
    return (
        "name: stubborn\nactions:\n  - type: http_request\n    id: notify\n    method: GET\n"
        f"    url: http://127.0.0.1:{free_port()}/line\n    retry: {{attempts: 50, delay: 30s}}\n    timeout: 1s\n"
    )


def test_what_is_tried_again_is_not_shown_as_running(plant: BrowserPlant, open_page: Opener) -> None:
    execution = run(plant, stubborn())
    watched = open_page("viewer")
    page = watched.open(f"executions/{execution}")
    step = page.locator("li[data-path='actions/0']")
    expect(step).to_have_attribute("data-status", "RETRYING", timeout=DEADLINE_MS)
    note = step.locator("[data-note=retrying]")
    expect(note).to_contain_text("Attempt 1 failed")
    retrying = told(plant, execution)["steps"][0]["retrying"]
    expect(note).to_contain_text(retrying["error"][:40])
    expect(note).to_contain_text(re.compile(r"Tried again in \d+ s"))
    expect(page.get_by_text("1 step retrying")).to_be_visible()
    watched.accessible()
    for name in ("Pause …", "Signal …", "Cancel …"):
        expect(page.get_by_role("button", name=name)).to_have_attribute("aria-disabled", "true")
        page.get_by_role("button", name=name).click(force=True)
    expect(page.get_by_role("dialog")).to_have_count(0)
    plant.call("POST", f"/v1/executions/{execution}/cancel", {"force": True})
    status_is(page, "Cancelled")  # it came by the log


def test_lists_say_what_is_tried_again_and_why(plant: BrowserPlant, open_page: Opener) -> None:
    watched = open_page("viewer")
    page = watched.open("executions?state=running")
    table = page.get_by_role("table", name="Executions")
    execution = run(plant, stubborn())

    def retrying() -> Any:
        return next((step["retrying"] for step in told(plant, execution)["steps"]), None)

    eventually_sync(retrying, deadline_s=20, message="it is tried again")
    error = retrying()["error"]
    page.get_by_role("button", name=re.compile("^Retrying")).click()
    row = table.get_by_role("row").filter(has=page.get_by_role("link", name=execution))
    expect(row.locator("tri-badge")).to_have_text("Retrying", timeout=DEADLINE_MS)
    expect(row).to_contain_text(error)
    watched.accessible()
    page.get_by_role("button", name=re.compile("^Running")).click()
    expect(row).to_have_count(0)
    page.get_by_role("button", name=re.compile("^Open")).click()
    expect(row).to_be_visible()
    watched.open("")
    tile = page.get_by_role("link", name=re.compile("^Open executions"))
    expect(tile).to_contain_text(re.compile(r"\d retrying"), timeout=DEADLINE_MS)
    expect(tile.locator("[data-fact=retrying]")).to_have_text(f"stubborn: {error}")
    watched.accessible()
    watched.fits()
    plant.call("POST", f"/v1/executions/{execution}/cancel", {"force": True})
    expect(tile).not_to_contain_text("retrying", timeout=DEADLINE_MS)


def test_the_list_shows_only_what_is_asked_for(plant: BrowserPlant, open_page: Opener) -> None:
    failed = run(plant, FAILS)
    comes_to(plant, failed, "FAILED")
    watched = open_page("viewer")
    page = watched.open("executions?state=failed")
    table = page.get_by_role("table", name="Executions")
    expect(table.get_by_role("link", name=failed)).to_be_visible(timeout=DEADLINE_MS)
    states = table.locator("tbody tri-badge").evaluate_all("(badges) => badges.map((badge) => badge.state)")
    assert set(states) == {"FAILED"}
    watched.accessible()
    page.get_by_role("button", name=re.compile("^Succeeded")).click()
    expect(table.get_by_role("link", name=failed)).to_have_count(0)
    expect(page).to_have_url(re.compile("state=succeeded"))
    page.get_by_role("button", name=re.compile("^All")).click()
    page.get_by_label("Playbook").select_option("fails")
    expect(table.get_by_role("link", name=failed)).to_be_visible()
    live = run(plant, FAILS)  # while the page is open
    expect(table.get_by_role("link", name=live)).to_be_visible(timeout=DEADLINE_MS)
    watched.fits()


def test_the_leader_is_killed_while_the_page_is_open(plant: BrowserPlant, open_page: Opener) -> None:
    leader = plant.leader()
    execution = run(plant, ASKS)
    watched = open_page("operator")
    watched.expected += ["net::ERR_", "503"]  # of the node that is gone, and of the time without a leader
    page = watched.open(f"executions/{execution}", api=plant.api_of(leader))
    waits(page)
    plant.kill(leader)
    try:
        successor = eventually_sync(
            lambda: found if (found := plant.leader()) != leader else "", deadline_s=20, message="another leader"
        )
        watched.live()
        expect(page.locator("tri-status")).to_contain_text(successor, timeout=DEADLINE_MS)
        waits(page)
        press(page, "Approve actions/2", "Approve")
        status_is(page, "Succeeded")
        row = comes_to(plant, execution, "SUCCEEDED")
        assert [step["attempt"] for step in row["steps"]] == [1] * len(row["steps"])
    finally:
        plant.restart(leader)


@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_a_phone(plant: BrowserPlant, open_page: Opener, dark: bool) -> None:
    execution = run(plant, FAILS)
    comes_to(plant, execution, "FAILED")
    watched = open_page("operator", phone=True, dark=dark)
    page = watched.open(f"executions/{execution}")
    expect(page.locator("li[data-path='actions/1']")).to_contain_text("the furnace is cold", timeout=DEADLINE_MS)
    watched.fits()
    watched.accessible()
