"""The pages of playbooks: a source whose errors are marked as it is typed, stored over its version, planned and run."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.plant import BrowserPlant
from tests.browser.watched import Opener
from tests.support import eventually_sync

DEADLINE_MS = 20_000
TEXT = """\
name: {name}
description: Tells the shift, and waits a little.
inputs:
  speed: {{type: number, default: 120, description: mm/s of the belt}}
  note: {{type: string, required: true}}
  careful: {{type: boolean, default: true}}
actions:
  - type: log_event
    id: told
    message: "{{{{ inputs.note }}}} at {{{{ inputs.speed }}}}"
  - type: set_group_state
    group: line-a
    target_state: STARTED
"""


def put(plant: BrowserPlant, name: str, text: str = TEXT) -> int:
    return int(plant.call("PUT", f"/v1/playbooks/{name}", {"text": text.format(name=name)}).json()["version"])


def source(page: Page, name: str) -> str:
    return page.get_by_label(f"Source of {name}").input_value()


def judged(page: Page, said: str) -> None:
    expect(page.locator("[data-judged=yes]")).to_have_text(re.compile(said), timeout=DEADLINE_MS)


def test_errors_stand_where_they_are_until_the_text_is_right(plant: BrowserPlant, open_page: Opener) -> None:
    watched = open_page("operator")
    page = watched.open("playbooks")
    page.get_by_role("button", name="New playbook …").click()
    page.get_by_label("Name", exact=True).fill("evening_check")
    page.get_by_role("button", name="Write it").click()
    area = page.get_by_label("Source of evening_check")
    expect(area).to_be_visible(timeout=DEADLINE_MS)
    judged(page, "valid")
    wrong = TEXT.format(name="evening_check").replace("number", "colour").replace("log_event", "log_evnt")
    area.fill(wrong)
    judged(page, "2 errors")
    said = page.get_by_role("list", name="What is said of the text").get_by_role("button")
    expect(said).to_have_count(2)
    expect(said.nth(0)).to_contain_text("4:17")
    expect(said.nth(1)).to_contain_text("8:11")
    expect(said.nth(1)).to_contain_text("log_event")  # what to write instead
    expect(page.locator("tri-source .gutter li.bad")).to_have_text(["4", "8"])
    marks = page.locator("tri-source .marks i.bad")
    lines = page.locator("tri-source .gutter li")
    for mark, line in ((0, 3), (1, 7)):
        at, of = marks.nth(mark).bounding_box(), lines.nth(line).bounding_box()
        assert at is not None
        assert of is not None
        assert abs(at["y"] - of["y"]) < 2, "the mark stands in the line that it is about"
    expect(page.get_by_role("button", name="Store")).to_have_attribute("aria-disabled", "true")
    watched.accessible()
    watched.picture("playbooks")
    said.nth(1).click()
    expect(area).to_be_focused()
    assert area.evaluate("(text) => text.value.slice(text.selectionStart, text.selectionStart + 8)") == "log_evnt"
    page.keyboard.press("Delete")
    for _ in range(7):
        page.keyboard.press("Delete")
    page.keyboard.type("log_event")
    judged(page, "1 error")
    area.fill(TEXT.format(name="evening_check"))
    judged(page, "valid")
    page.get_by_role("button", name="Store").click()
    expect(page.get_by_text("evening_check: version 1 is stored")).to_be_visible(timeout=DEADLINE_MS)
    stored = plant.call("GET", "/v1/playbooks/evening_check").json()
    assert (stored["version"], stored["text"]) == (1, TEXT.format(name="evening_check"))


def test_nobodys_version_is_overwritten_unseen(plant: BrowserPlant, open_page: Opener) -> None:
    name = "contested"
    assert put(plant, name) == 1
    watched = open_page("operator")
    watched.expected.append("412")  # the browser notes the refusal that the test asks for
    page = watched.open(f"playbooks/{name}")
    area = page.get_by_label(f"Source of {name}")
    expect(area).to_have_value(re.compile("waits a little"), timeout=DEADLINE_MS)
    area.fill(TEXT.format(name=name).replace("a little", "for long"))
    judged(page, "valid")
    assert put(plant, name, TEXT.replace("a little", "not at all")) == 2
    expect(page.get_by_text("Version 2 was stored meanwhile")).to_be_visible(timeout=DEADLINE_MS)
    page.get_by_role("button", name="Store").click()
    expect(page.get_by_role("heading", name="Somebody else was faster")).to_be_visible(timeout=DEADLINE_MS)
    assert "not at all" in plant.call("GET", f"/v1/playbooks/{name}").json()["text"]
    watched.accessible()
    page.get_by_role("button", name="Store mine over version 2").click()
    expect(page.get_by_text("contested: version 3 is stored")).to_be_visible(timeout=DEADLINE_MS)
    assert "for long" in plant.call("GET", f"/v1/playbooks/{name}").json()["text"]
    page.get_by_label("Version").select_option("2")
    expect(area).to_have_value(re.compile("not at all"), timeout=DEADLINE_MS)
    expect(page.get_by_text("This is version 2, not the newest")).to_be_visible()
    page.get_by_label("Version").select_option("3")
    expect(area).to_have_value(re.compile("for long"), timeout=DEADLINE_MS)
    page.get_by_label("Version").select_option("2")
    page.get_by_role("button", name="Show the newest").click()
    expect(page.get_by_label("Version")).to_have_value("3", timeout=DEADLINE_MS)


def test_what_was_written_is_still_there_after_another_page(plant: BrowserPlant, open_page: Opener) -> None:
    put(plant, "unfinished")
    page = open_page("operator").open("playbooks/unfinished")
    area = page.get_by_label("Source of unfinished")
    expect(area).to_have_value(re.compile("a little"), timeout=DEADLINE_MS)
    area.fill(TEXT.format(name="unfinished") + "# to be continued\n")
    page.evaluate("location.hash = '#/alerts'")
    expect(page.get_by_role("heading", name="Alerts", level=1)).to_be_visible(timeout=DEADLINE_MS)
    page.evaluate("location.hash = '#/playbooks/unfinished'")
    expect(area).to_have_value(re.compile("to be continued"), timeout=DEADLINE_MS)
    page.get_by_role("button", name="Drop my changes").click()
    expect(area).not_to_have_value(re.compile("to be continued"))


def test_planned_and_run_with_its_inputs(plant: BrowserPlant, open_page: Opener) -> None:
    name = "evening_run"
    put(plant, name)
    watched = open_page("operator")
    page = watched.open(f"playbooks/{name}")
    judged(page, "valid")
    page.get_by_role("button", name="Plan").click()
    page.get_by_label("note").fill("late")
    watched.accessible()
    page.get_by_role("button", name="Show the plan").click()
    plan = page.get_by_role("list", name="Steps in order")
    expect(plan.get_by_role("listitem")).to_have_count(2, timeout=DEADLINE_MS)
    expect(plan).to_contain_text("late at 120")
    for component in ("press-1", "press-2", "conveyor"):
        expect(plan).to_contain_text(component)
    assert plant.call("GET", f"/v1/executions?playbook={name}").json()["executions"] == []  # nothing moved
    page.get_by_role("button", name="Run …").click()
    page.get_by_label("speed").fill("fast")
    page.get_by_label("note").fill("late")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("speed: fast is no number")
    page.get_by_label("speed").fill("90.5")
    page.get_by_label("careful").select_option("false")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page).to_have_url(re.compile(r"#/executions/evening_run-"), timeout=DEADLINE_MS)
    (row,) = plant.call("GET", f"/v1/executions?playbook={name}").json()["executions"]
    assert page.url.endswith(row["id"])
    path = f"/v1/executions/{row['id']}"
    ended = eventually_sync(
        lambda: told if (told := plant.call("GET", path).json())["status"] == "SUCCEEDED" else None, deadline_s=30
    )
    assert ended is not None
    assert ended["inputs"] == {"speed": 90.5, "note": "late", "careful": False}
    assert ended["who"] == "operator-one"
    expect(page.locator("tri-badge[data-role=status]")).to_have_text("Succeeded", timeout=DEADLINE_MS)


def test_deleted_after_a_question(plant: BrowserPlant, open_page: Opener) -> None:
    put(plant, "superfluous")
    page = open_page("operator").open("playbooks/superfluous")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page).to_have_url(re.compile(r"#/playbooks$"), timeout=DEADLINE_MS)
    expect(page.get_by_role("link", name="superfluous")).to_have_count(0)
    assert "superfluous" not in [each["name"] for each in plant.call("GET", "/v1/playbooks").json()]


def test_a_viewer_reads(plant: BrowserPlant, open_page: Opener) -> None:
    put(plant, "for_all")
    watched = open_page("viewer")
    page = watched.open("playbooks")
    expect(page.get_by_role("button", name="New playbook …")).to_have_attribute("aria-disabled", "true")
    watched.accessible()
    page.get_by_role("link", name="for_all").click()
    expect(page.get_by_label("Source of for_all")).to_have_attribute("readonly", "", timeout=DEADLINE_MS)
    for name in ("Store", "Run …", "Plan", "Delete"):
        expect(page.get_by_role("button", name=name, exact=True)).to_have_attribute("aria-disabled", "true")
        page.get_by_role("button", name=name, exact=True).click(force=True)
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert source(page, "for_all") == TEXT.format(name="for_all")
    watched.accessible()


@pytest.mark.parametrize("place", ["playbooks", "playbooks/for_all"])
def test_it_fits_a_phone(plant: BrowserPlant, open_page: Opener, place: str) -> None:
    put(plant, "for_all")
    watched = open_page("operator", phone=True, dark=True)
    watched.open(place)
    watched.fits()
    watched.accessible()
