"""What is around every page: signing in, who serves and leads, keys, colours, a telephone, and a leader that dies."""

import json
import re
import signal
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.charts import drawn
from tests.browser.plant import COMPONENTS, BrowserPlant
from tests.browser.watched import LIVE_MS, REFUSED, Opener

PAGES = {
    "overview": "",
    "components-map": "components",
    "components-list": "components?view=list",
    "component": "components/press-1",
    "playbooks": "playbooks",
    "executions": "executions",
    "alerts": "alerts",
    "alert-rules": "alerts?show=rules",
    "silences": "alerts?show=silences",
    "journal": "journal",
    "audit": "audit",
    "access": "access",
}
GAP = """(line) => {
  const gap = line.spans.filter((each) => each.tone === "gap").at(-1);
  const svg = line.shadowRoot.querySelector("svg");
  const bar = [...svg.querySelectorAll("rect.gap")].at(-1);
  const [left, width] = ["x1", "x2"].map((name) => Number(svg.querySelector("line").getAttribute(name)));
  const x = (at) => left + (at - line.from) / (line.to - line.from) * (width - left - 4);
  return {
    lane: gap.lane, seconds: [gap.from, gap.to], title: bar.querySelector("title").textContent,
    pixels: ["x", "width"].map((name) => Number(bar.getAttribute(name))),
    wanted: [x(gap.from), Math.max(x(gap.to) - x(gap.from), 2)],
  };
}"""
"""The newest gap of the timeline: where it is, and where on the page it has to be."""
BACKGROUND = "getComputedStyle(document.body).backgroundColor"
BACK_MS = 30_000
"""Until when a page must be live again after a death: a deadline. How long it took is recorded, see `figures`."""


def test_signing_in_by_the_form_and_out_again(open_page: Opener, plant: BrowserPlant) -> None:
    watched = open_page(None)
    watched.expected.append("401")
    page = watched.page
    page.goto(plant.apis[0] + "/#/components")
    field = page.get_by_label("Token")
    field.fill("tri_0000000000_" + "A" * 43)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("token")
    watched.accessible()
    field.fill(plant.tokens["operator"])
    page.keyboard.press("Enter")
    watched.live()
    expect(page.locator("tri-status")).to_contain_text("operator-one · operator")
    expect(page.get_by_role("heading", name="Components", exact=True)).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(field).to_be_visible()
    assert page.evaluate("sessionStorage.getItem('triarch.token')") is None


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("phone", [False, True], ids=["window", "phone"])
def test_signing_in_is_accessible(open_page: Opener, plant: BrowserPlant, dark: bool, phone: bool) -> None:
    watched = open_page(None, dark=dark, phone=phone)
    watched.expected.append("401")
    page = watched.page
    page.goto(plant.apis[0])
    expect(page.get_by_label("Token")).to_be_visible(timeout=LIVE_MS)
    watched.accessible()
    page.get_by_label("Token").fill("tri_0000000000_" + "A" * 43)
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("token")
    watched.accessible()
    watched.fits()


def test_a_token_that_is_revoked_ends_the_page(open_page: Opener, plant: BrowserPlant) -> None:
    made = plant.call("POST", "/v1/tokens", {"name": "soon-gone", "role": "viewer"}).json()
    plant.tokens["soon-gone"] = made["token"]
    watched = open_page("soon-gone")
    watched.expected.append("401")
    page = watched.open()
    plant.call("DELETE", f"/v1/tokens/{made['id']}")
    expect(page.get_by_label("Token")).to_be_visible(timeout=LIVE_MS)


@pytest.mark.parametrize("name", PAGES)
def test_pages_are_accessible(open_page: Opener, name: str) -> None:
    watched = open_page("admin")
    page = watched.open(PAGES[name])
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator("tri-loading")).to_have_count(0)
    watched.accessible()
    light = page.evaluate(BACKGROUND)
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(BACKGROUND) != light
    watched.accessible()


def test_pages_fit_a_telephone(open_page: Opener) -> None:
    watched = open_page("admin", phone=True)
    for place in PAGES.values():
        watched.open(place)
        expect(watched.page.get_by_role("heading", level=1)).to_be_visible()
        watched.fits()
    watched.open("")
    watched.picture("telephone")


def test_keys_alone_reach_everything(open_page: Opener) -> None:
    watched = open_page("operator")
    page = watched.open()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # the skip link is first
    assert page.evaluate("document.querySelector('tri-app').shadowRoot.activeElement.id") == "main"
    for letter, heading in (("c", "Components"), ("l", "Alerts"), ("j", "Journal"), ("u", "Audit"), ("o", "Overview")):
        page.keyboard.press("g")
        page.keyboard.press(letter)
        expect(page.get_by_role("heading", name=heading, exact=True, level=1)).to_be_visible()
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keys")
    expect(keys).to_be_visible()
    expect(keys).not_to_contain_text("Access")  # not for an operator
    watched.accessible()
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()
    # A component is opened, an action begun and given up, without a mouse.
    page.goto(page.url.partition("#")[0] + "#/components?view=list")
    page.keyboard.press("/")
    page.keyboard.type("press-2")
    link = page.get_by_role("link", name="press-2")
    expect(page.get_by_role("link", name="press-1")).to_have_count(0)
    link.focus()
    page.keyboard.press("Enter")
    stop = page.get_by_role("button", name="Stop", exact=True)
    expect(stop).to_be_visible()
    stop.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Stop press-2?")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Stop press-2?")).to_have_count(0)
    expect(stop).to_be_focused()


def test_who_goes_to_a_page_again_finds_it_unfiltered(open_page: Opener, plant: BrowserPlant) -> None:
    """What was chosen goes with the address that kept it, and the fields say so."""
    plant.call("PUT", "/v1/variables/shift", {"value": "early"})
    watched = open_page("admin")
    page = watched.open("components?view=list")
    pages = page.get_by_role("navigation", name="Pages")
    page.get_by_label("Group", exact=True).select_option("finish")
    page.get_by_label("State", exact=True).select_option("STARTED")
    expect(page.get_by_role("link", name="press-1")).to_have_count(0)
    pages.get_by_role("link", name="Components").click()
    expect(page.get_by_role("link", name="press-1: ")).to_be_visible()
    for label in ("Group", "State"):
        expect(page.get_by_label(label, exact=True)).to_have_value("")
    pages.get_by_role("link", name="Audit").click()
    entries = page.get_by_role("table", name="Audit entries")
    other = entries.get_by_role("cell", name="variables shift").first
    expect(other).to_be_visible(timeout=LIVE_MS)
    page.get_by_label("Subject").select_option("tokens")
    page.get_by_role("button", name="Show").click()
    expect(entries.get_by_role("cell", name="token.create").first).to_be_visible(timeout=LIVE_MS)
    expect(other).to_have_count(0)
    pages.get_by_role("link", name="Audit").click()
    expect(page.get_by_label("Subject")).to_have_value("")
    expect(other).to_be_visible(timeout=LIVE_MS)
    pages.get_by_role("link", name="Alerts").click()
    page.get_by_role("tab", name="Silences").click()
    pages.get_by_role("link", name="Alerts").click()
    expect(page.get_by_role("tab", name="Open")).to_have_attribute("aria-selected", "true")


def test_colours_follow_the_system_until_they_are_chosen(open_page: Opener) -> None:
    watched = open_page("viewer", dark=True)
    page = watched.open()
    dark = page.evaluate(BACKGROUND)
    button = page.locator("tri-status [data-do=theme]")
    button.click()
    light = page.evaluate(BACKGROUND)
    assert light != dark
    page.reload()
    watched.live()
    assert page.evaluate(BACKGROUND) == light
    button.click()
    assert page.evaluate(BACKGROUND) == dark


def test_a_page_goes_on_when_the_leader_that_serves_it_dies(
    open_page: Opener, plant: BrowserPlant, record_property: Callable[[str, object], None]
) -> None:
    """It goes over to another node by itself, says that it is not live meanwhile, and tells who leads then."""
    leader = plant.leader()
    watched = open_page("admin")
    watched.expected.append(REFUSED)
    page = watched.open(api=plant.api_of(leader))
    status = page.locator("tri-status")
    expect(status.locator("[data-fact=node]")).to_have_text(leader)
    killed_at = page.evaluate("performance.clearMarks(), performance.now()")
    plant.kill(leader)
    try:
        expect(status.locator("[data-fact=node]")).not_to_have_text(leader, timeout=BACK_MS)
        expect(status.locator("[data-fact=leader]")).not_to_have_text(leader, timeout=BACK_MS)
        watched.live()
        marks = page.evaluate(
            "Object.fromEntries(performance.getEntriesByType('mark').map((m) => [m.name, m.startTime]))"
        )
        assert {"triarch:lost", "triarch:live", "triarch:leader"} <= set(marks)
        figures = {
            "stream_back_s": round((marks["triarch:live"] - killed_at) / 1000, 3),
            "leader_known_s": round((marks["triarch:leader"] - killed_at) / 1000, 3),
        }
        record_property("figures", json.dumps(figures))
        print(f"after the leader's death: {figures}")
        expect(page.locator("tri-announcer")).to_contain_text("leads now")
        # What is changed now is changed by way of the other node.
        page.evaluate("location.hash = '#/components/scale'")
        page.get_by_role("button", name="Maintenance", exact=True).click()
        page.get_by_label("Reason").fill("a node is gone")
        page.get_by_role("button", name="Begin maintenance").click()
        expect(page.get_by_role("button", name="End maintenance")).to_be_visible(timeout=LIVE_MS)
        plant.call("DELETE", "/v1/components/scale/maintenance")
        page.evaluate("location.hash = '#/'")
        expect(page.locator("[data-fact=gap]")).to_be_visible(timeout=LIVE_MS)
        _overview_tells(page, plant, leader)
    finally:
        plant.restart(leader)


def _overview_tells(page: Page, plant: BrowserPlant, killed: str) -> None:
    """That a node is gone, and for how long nobody led."""
    row = page.get_by_role("table", name="Nodes", exact=True).get_by_role("row", name=killed)
    expect(row.locator("tri-badge[state=UNREACHABLE]")).to_have_text("unreachable", timeout=BACK_MS)
    tile = page.get_by_role("region", name="Nodes reachable")
    expect(tile).to_contain_text("2 of 3")
    expect(tile).to_contain_text("quorum, not complete")
    led = max(plant.call("GET", "/v1/cluster/leaderships").json(), key=lambda each: each["at"])
    assert led["node"] != killed
    assert led["gap_s"] > 0
    length = _duration(led["gap_s"])
    expect(page.locator("[data-fact=gap]")).to_have_text(length)
    line = page.locator("tri-timeline")
    expect(line.get_by_role("listitem").filter(has_text=f"{led['node']}: no leader for {length}")).to_have_count(1)
    drawn = line.evaluate(GAP)
    assert drawn["lane"] == led["node"]
    assert drawn["seconds"] == [pytest.approx(at, abs=0.01) for at in (led["at"] - led["gap_s"], led["at"])]
    assert drawn["title"] == f"no leader for {length}"
    assert drawn["pixels"] == pytest.approx(drawn["wanted"], abs=0.1)


def _duration(seconds: float) -> str:
    """As the page writes it, up to a minute; below 1 s it rounds the binary number: 0.145 is a little less."""
    digits = "0.01" if seconds < 1 else "0.1" if seconds < 10 else "1"
    found = Decimal(seconds if seconds < 1 else repr(seconds)).quantize(Decimal(digits), ROUND_HALF_UP)
    return f"{found if seconds < 1 else found.normalize():f} s"


def test_a_node_that_is_frozen_is_left_and_the_next_one_tells_the_rights(
    open_page: Opener, plant: BrowserPlant
) -> None:
    """Its connections stay open, and nothing comes: the page does not take that for live.

    It is of an older release here: its table of rights has no row for what has come since.
    """
    node = plant.follower()
    watched = open_page("operator")
    watched.expected.append(REFUSED)
    page = watched.page

    def older(asked: Route) -> None:
        answer = asked.fetch()
        rows = [row for row in answer.json() if not row["path"].endswith("/maintenance")]
        asked.fulfill(response=answer, json=rows)

    page.route(f"{plant.api_of(node)}/v1/rights?*", older)
    watched.open("components/press-1", api=plant.api_of(node))
    button = page.get_by_role("button", name="Maintenance", exact=True)
    expect(button).to_have_accessible_description("The node that told your rights does not know this.")
    expect(page.locator("[data-fact=node]")).to_have_text(node)
    plant.plant.send(node, signal.SIGSTOP)
    try:
        expect(page.locator("[data-fact=node]")).not_to_have_text(node, timeout=BACK_MS)
        watched.live()
        expect(button).to_have_attribute("aria-disabled", "false", timeout=LIVE_MS)
    finally:
        plant.plant.send(node, signal.SIGCONT)


def test_nobody_answers_and_old_data_is_not_shown_as_live(open_page: Opener, plant: BrowserPlant) -> None:
    watched = open_page("viewer")
    watched.expected += [REFUSED, "503"]
    page = watched.open("components?view=list")
    nodes = [node.id for node in plant.plant.topology.nodes]
    for node in nodes:
        plant.plant.send(node, signal.SIGSTOP)
    try:
        expect(page.locator("tri-status [data-word='NOT LIVE']")).to_be_visible(timeout=BACK_MS)
        expect(page.locator("[data-bar=lost]")).to_contain_text("Not live")
        expect(page.locator("main[data-live=no]")).to_be_visible()
        watched.accessible()
    finally:
        for node in nodes:
            plant.plant.send(node, signal.SIGCONT)
    watched.live()
    expect(page.get_by_role("link", name="press-1")).to_be_visible()


def test_the_first_picture_of_each_page(open_page: Opener, plant: BrowserPlant) -> None:
    """Every page shows what it is for; pictures are kept where they are asked for."""
    watched = open_page("admin")
    dark = open_page("admin", dark=True)
    page = watched.open()
    expect(page.get_by_role("row", name=plant.leader())).to_contain_text("leader")
    expect(page.locator("tri-timeline svg")).to_be_visible()
    drawn(page.get_by_role("region", name="Frames a second").locator("tri-chart"))
    watched.picture("overview")
    dark.open()
    dark.picture("overview-dark")
    watched.open("components")
    for name in COMPONENTS:
        expect(page.get_by_role("link", name=f"{name}: STARTED, OK")).to_be_visible()
    watched.picture("components")
    watched.open("components/press-1")
    for figure in ("cpu", "memory"):
        drawn(page.locator(f"tri-chart[label={figure}]"))
    watched.open("audit")
    expect(page.get_by_role("cell", name=re.compile(r"^[a-z]+\.[a-z_]+$")).first).to_be_visible()
    watched.picture("audit")
    watched.open("access")
    expect(page.get_by_role("row", name="operator-one")).to_be_visible()
    watched.picture("access")
