"""The journal: what the plant decided by itself, with why, as it happens; of all, of one component, and removals."""

import json
import re
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.plant import BrowserPlant
from tests.browser.test_executions_page import FAILS, comes_to, run
from tests.browser.watched import LIVE_MS, Opener
from tests.support import eventually_sync

KEPT_MAX = 300
JAMMED = """\
name: clear_jam
triggers:
  - {type: event_received, event: part.jammed}
actions:
  - {type: log_event, id: say, message: somebody has to look at station 3, level: warning}
"""


SEVERAL = "name: several\nactions:\n" + "".join(
    f"  - {{type: log_event, id: step_{number}, message: the same moment}}\n" for number in range(12)
)


def decided(page: Page, *words: str) -> Locator:
    """The rows of the journal in which all of these stand."""
    rows = page.get_by_role("table", name="Decisions").get_by_role("row")
    for word in words:
        rows = rows.filter(has_text=word)
    return rows


def shown(page: Page) -> list[str]:
    """By whom each of the rows that are drawn was decided, the newest first."""
    found: list[str] = (
        page.get_by_role("table", name="Decisions")
        .locator("tbody tri-badge")
        .evaluate_all("(badges) => badges.map((badge) => badge.label)")
    )
    return found


def sent(plant: BrowserPlant, type_: str, **payload: Any) -> None:
    """An event of the scale."""
    plant.call("POST", "/v1/event", {"type": type_, "source": "scale", "payload": payload})


@pytest.fixture
def restarting(plant: BrowserPlant) -> Iterator[str]:
    """A component that is restarted when it fails, after a pause that a person can see."""
    path = "/v1/components/oven/policy"
    plant.call("PUT", path, {"restart": {"when": "on_failure", "backoff_initial_s": 10}})
    yield "oven"
    plant.call("DELETE", path)


def test_a_fault_is_there_with_the_decision_that_it_led_to(
    open_page: Opener, plant: BrowserPlant, restarting: str
) -> None:
    watched = open_page("viewer")
    page = watched.open("journal")
    beside = open_page("viewer").open(f"components/{restarting}")
    now = beside.locator("[data-fact=supervision]")
    expect(now).to_contain_text("no state is desired", timeout=LIVE_MS)
    plant.plant.send(restarting, signal.SIGUSR1)
    expect(decided(page, "component", restarting, "Is FAULT", "told to fail")).to_be_visible(timeout=LIVE_MS)
    run = decided(page, restarting, "Restarts it", "restart 1 of 5")
    expect(run).to_be_visible(timeout=LIVE_MS)
    expect(run.locator("tri-badge")).to_have_text("supervision")
    expect(now).to_contain_text(re.compile("restart 1 of 5 in 300 s, after 10 s: it is FAULT"), timeout=LIVE_MS)
    expect(decided(page, "Alert component-fault fires", "oven")).to_be_visible(timeout=LIVE_MS)
    expect(decided(page, restarting, "Restarts it: reached")).to_be_visible(timeout=LIVE_MS)
    expect(decided(page, restarting, "Is FAULT no more")).to_be_visible(timeout=LIVE_MS)
    assert plant.state(restarting) == "STARTED"
    # The newest come first.
    texts = page.get_by_role("table", name="Decisions").locator("tbody tr").all_inner_texts()
    assert ["no more" in text for text in texts if "Is FAULT" in text] == [True, False], texts
    watched.picture("journal")
    run.get_by_role("button").click()
    detail = page.get_by_role("region", name="Restarts it: reached")
    expect(detail).to_contain_text("told to fail")
    watched.accessible()
    detail.get_by_role("link", name=restarting).click()
    expect(page.get_by_role("heading", name=restarting, level=1)).to_be_visible()
    own = page.get_by_role("region", name="Supervision")
    expect(own).to_contain_text("Restarts it: reached")
    expect(own).to_contain_text("is STARTED, and no state is desired", timeout=LIVE_MS)
    watched.accessible()
    own.get_by_role("link", name="Its journal").click()
    expect(page.get_by_label("About")).to_have_value(restarting)
    expect(decided(page, "Leads in epoch")).to_have_count(0)
    page.evaluate("location.hash = '#/journal?source=leadership'")
    expect(decided(page, "leadership", "Leads in epoch").first).to_be_visible()
    page.evaluate("location.hash = '#/'")
    expect(page.get_by_role("region", name="Decided lately")).to_contain_text("Is FAULT no more")


def test_a_trigger_its_execution_and_its_steps(open_page: Opener, plant: BrowserPlant) -> None:
    watched = open_page("viewer")
    page = watched.open("journal")
    plant.call("PUT", "/v1/playbooks/clear_jam", {"text": JAMMED})
    try:
        sent(plant, "part.jammed", message="a part is stuck", station=3)
        expect(decided(page, "Event part.jammed", "scale", 'a part is stuck {"station":3}')).to_be_visible(
            timeout=LIVE_MS
        )
        off = decided(page, "trigger", "clear_jam", "Sets off an execution")
        expect(off).to_be_visible(timeout=LIVE_MS)
        expect(decided(page, "Writes", "somebody has to look at station 3")).to_be_visible(timeout=LIVE_MS)
        expect(decided(page, "step", "Step say (log event) is succeeded")).to_be_visible(timeout=LIVE_MS)
        expect(decided(page, "clear_jam", "Execution is succeeded")).to_be_visible(timeout=LIVE_MS)
        off.get_by_role("link", name="Sets off an execution").click()
        expect(page.get_by_role("heading", name="clear_jam", level=1)).to_be_visible()
    finally:
        plant.call("DELETE", "/v1/playbooks/clear_jam")


def test_it_is_filtered_and_the_address_keeps_the_filter(open_page: Opener, plant: BrowserPlant) -> None:
    execution = run(plant, FAILS)
    comes_to(plant, execution, "FAILED")
    watched = open_page("viewer")
    page = watched.open("journal")
    failed = decided(page, "fails", "Execution is failed", "the furnace is cold")
    expect(failed.first).to_be_visible(timeout=LIVE_MS)
    page.get_by_label("Decided by").select_option("leadership")
    expect(failed).to_have_count(0)
    assert set(shown(page)) == {"leadership"}
    page.get_by_label("Decided by").select_option("step")
    expect(decided(page, "Step cold (fail) is failed").first).to_be_visible(timeout=LIVE_MS)
    page.get_by_label("Level").select_option("error")
    expect(decided(page, "Begins step")).to_have_count(0)
    expect(decided(page, "Step cold (fail) is failed").first).to_be_visible()
    page.get_by_label("Decided by").select_option("")
    page.get_by_label("About").fill("fails")
    page.get_by_label("Text").fill(f"{execution} FURNACE")
    expect(failed).to_have_count(1)
    expect(page).to_have_url(re.compile(r"#/journal\?level=error&about=fails&text=fails"))
    page.reload()
    watched.live()
    expect(page.get_by_label("About")).to_have_value("fails")
    expect(page.get_by_label("Level")).to_have_value("error")
    expect(failed).to_have_count(1)
    page.get_by_label("Text").fill("no such words")
    expect(page.get_by_text("Nothing was decided yet")).to_be_visible()
    watched.accessible()
    page.get_by_label("Level").select_option("critical")
    page.get_by_label("Decided by").select_option("event")
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Journal").click()
    for label in ("Decided by", "Level", "About", "Text"):
        expect(page.get_by_label(label)).to_have_value("")
    expect(failed.first).to_be_visible()


@pytest.mark.soak
def test_what_is_retried_is_decided_anew(open_page: Opener, plant: BrowserPlant) -> None:
    """What its first try came to stays, and so it does for who opens the page later, as far as the nodes keep it."""
    execution = run(plant, FAILS)
    comes_to(plant, execution, "FAILED")
    watched = open_page("viewer")
    page = watched.open(f"journal?text={execution}")
    ended = decided(page, "fails", "Execution is failed")
    steps = [decided(page, "step", words) for words in ("Begins step cold (fail)", "Step cold (fail) is failed")]
    for rows in (ended, *steps):
        expect(rows).to_have_count(1, timeout=LIVE_MS)
    plant.call("POST", f"/v1/executions/{execution}/retry", {})
    for rows in (ended, *steps):
        expect(rows).to_have_count(2, timeout=LIVE_MS)
    expect(decided(page, "Begins step before (log event)")).to_have_count(1)
    page.reload()
    watched.live()
    expect(steps[1]).to_have_count(1, timeout=LIVE_MS)
    expect(ended).to_have_count(2)


@pytest.mark.soak
def test_what_is_of_one_moment_stands_in_its_order(open_page: Opener, plant: BrowserPlant) -> None:
    execution = run(plant, SEVERAL)
    comes_to(plant, execution, "SUCCEEDED")
    page = open_page("viewer").open(f"journal?source=step&text={execution} succeeded")
    rows = decided(page, "is succeeded")
    expect(rows).to_have_count(12, timeout=LIVE_MS)
    order = [re.findall(r"step_(\d+)", text) for text in rows.all_inner_texts()]
    assert order == [[str(number)] for number in reversed(range(12))]


@pytest.mark.soak
def test_an_alert_that_grows_stays_about_what_it_fired_for(open_page: Opener, plant: BrowserPlant) -> None:
    def quiet() -> bool:
        return not [row for row in plant.call("GET", "/v1/alerts").json() if row["rule"] == "component-fault"]

    eventually_sync(quiet, deadline_s=30, message="no component-fault of an earlier test")
    page = open_page("viewer").open("journal?source=alert")
    plant.fault("scale")
    fires = decided(page, "Alert component-fault fires", "scale: ")
    expect(fires.first.get_by_role("link", name="scale", exact=True)).to_be_visible(timeout=LIVE_MS)
    plant.fault("oven")
    grown = fires.filter(has_text="oven: ")
    expect(grown).to_have_count(1, timeout=LIVE_MS)
    expect(grown.get_by_role("link", name="scale", exact=True)).to_be_visible()


@pytest.mark.soak
def test_a_fault_that_came_while_nothing_was_told(open_page: Opener, plant: BrowserPlant) -> None:
    """Each time the place is compacted, as behind a node that was away for long: the plant comes as snapshots alone."""
    watched = open_page("viewer")
    watched.expected.append("410")
    page = watched.page
    told = json.dumps({"status": 410, "title": "Gone", "code": "compacted", "detail": "not held any more"})
    watches = "**/v1/watch?*"
    page.route(watches, lambda asked: asked.fulfill(status=410, content_type="application/problem+json", body=told))
    page.goto(f"{plant.apis[0]}/#/journal?source=component")
    expect(page.get_by_role("heading", name="Journal", level=1)).to_be_visible(timeout=LIVE_MS)
    plant.fault("scale")
    expect(decided(page, "scale", "Is FAULT", "told to fail")).to_be_visible(timeout=LIVE_MS)
    page.unroute(watches)
    watched.live()
    plant.started("scale")
    expect(decided(page, "scale", "Is FAULT no more")).to_be_visible(timeout=LIVE_MS)
    expect(decided(page, "scale", "Is FAULT")).to_have_count(2)


def test_it_is_worked_by_keys_alone(open_page: Opener) -> None:
    watched = open_page("viewer", dark=True)
    page = watched.open()
    page.keyboard.press("g")
    page.keyboard.press("j")
    expect(page.get_by_role("heading", name="Journal", level=1)).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("leads in epoch")
    expect(page.get_by_label("Text")).to_be_focused()
    page.keyboard.press("Enter")  # a form that is filtered as one types is not sent
    expect(page.get_by_label("Text")).to_have_value("leads in epoch")
    entry = decided(page, "Leads in epoch").first.get_by_role("button")
    entry.focus()
    page.keyboard.press("Enter")
    expect(entry).to_have_attribute("aria-expanded", "true")
    expect(page.get_by_role("region", name="Leads in epoch")).to_be_visible()
    watched.accessible()
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Leads in epoch")).to_have_count(0)


@pytest.mark.soak
def test_it_does_not_grow_without_bound(open_page: Opener, plant: BrowserPlant) -> None:
    watched = open_page("viewer")
    page = watched.open("journal?source=event")
    for number in range(KEPT_MAX + 100):
        sent(plant, "part.counted", message=f"number {number:03} passed")
    expect(decided(page, f"number {KEPT_MAX + 99} passed")).to_be_visible(timeout=LIVE_MS)
    count = int(re.sub(r"\D", "", page.get_by_role("status").filter(has_text="shown").inner_text()))
    assert KEPT_MAX <= count <= 1.2 * KEPT_MAX
    assert page.get_by_role("table", name="Decisions").locator("tbody tr").count() < 80
    page.get_by_label("Text").fill("number 000")
    expect(decided(page, "number 000")).to_have_count(0)


def test_it_fits_a_phone_and_says_why_there_too(open_page: Opener) -> None:
    watched = open_page("viewer", phone=True, dark=True)
    page = watched.open("journal?source=leadership")
    decided(page, "Leads in epoch").first.get_by_role("button").click()
    expect(page.get_by_role("region", name="Leads in epoch")).to_contain_text("Why")
    watched.fits()
    watched.accessible()
