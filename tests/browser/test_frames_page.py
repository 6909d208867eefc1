"""The pages of frames and cameras: pictures that are the cameras' own, with their age; dead frames that are handled."""

import os
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from orchestrator.demo.vision import decode_gray
from tests.browser.charts import drawn
from tests.browser.filming import BROKEN, Filming, filming
from tests.browser.plant import BrowserPlant
from tests.browser.watched import Opener, Watched
from tests.support import eventually_sync

DEADLINE_MS = 20_000
PIXELS = """
async (picture) => {
  const figure = picture.shadowRoot.querySelector("figure[data-sequence]");
  const image = figure?.querySelector("img");
  if (!image) return null;
  const sequence = figure.dataset.sequence;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
  const gray = [];
  for (let at = 0; at < pixels.length; at += 4)
    gray.push(Math.round(0.299 * pixels[at] + 0.587 * pixels[at + 1] + 0.114 * pixels[at + 2]));
  return figure.dataset.sequence === sequence ? { sequence: Number(sequence), width: canvas.width, gray } : null;
}
"""


@pytest.fixture(scope="module")
def cameras(plant: BrowserPlant) -> Iterator[Filming]:
    with filming(plant) as found:
        yield found


def card(page: Page, camera: str) -> Any:
    return page.locator(f"li[data-camera={camera}]")


def dead(plant: BrowserPlant) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = plant.call("GET", f"/v1/frames/dead?camera={BROKEN}").json()["frames"]
    return found


def plural(number: int) -> str:
    return f"{number} frame{'s' * (number != 1)}"


def all_dead(plant: BrowserPlant, number: int) -> list[dict[str, Any]]:
    return eventually_sync(
        lambda: found if len(found := dead(plant)) == number else [], deadline_s=40, message=f"{number} dead frames"
    )


def test_a_picture_is_the_cameras_own_frame(plant: BrowserPlant, cameras: Filming, open_page: Opener) -> None:
    page = open_page("viewer").open("frames")
    picture = card(page, "hall-1").locator("tri-picture")
    expect(picture.locator("figure[data-old=no]")).to_be_visible(timeout=DEADLINE_MS)
    shown = eventually_sync(lambda: picture.evaluate(PIXELS), deadline_s=20, message="a picture that stays for a look")
    own = decode_gray(cameras.image("hall-1", shown["sequence"]))
    assert (shown["width"], len(shown["gray"])) == (own.shape[1], own.size)
    # Two decoders of one JPEG differ by a shade; another frame of the clip by far more.
    difference = sum(abs(a - int(b)) for a, b in zip(shown["gray"], own.ravel(), strict=True)) / own.size
    assert difference < 2
    told = plant.call("GET", "/v1/frames/cameras/hall-1/picture")
    assert told.content == cameras.image("hall-1", int(told.headers["X-Triarch-Picture-Sequence"]))
    expect(picture.locator("figcaption")).to_have_text(re.compile(r"^\d+\.\d s ago$"))
    expect(card(page, "hall-1")).to_contain_text(re.compile(r"\d+(\.\d)? fps"), timeout=DEADLINE_MS)


def test_the_figures_are_those_of_the_plant(cameras: Filming, open_page: Opener) -> None:
    watched = open_page("viewer")
    page = watched.open("frames")
    expect(page.get_by_label("Published", exact=True)).to_contain_text(re.compile(r"[1-9][\d.]*"), timeout=DEADLINE_MS)
    expect(page.get_by_label("Settled", exact=True)).to_contain_text(re.compile(r"p99 \d+ ms"), timeout=DEADLINE_MS)
    expect(page.get_by_label("Dispatched by")).to_contain_text(re.compile(r"n[123]"))
    expect(page.get_by_label("Backpressure")).to_contain_text("normal")
    watched.accessible()
    watched.fits()
    for name, lines in (("Rates", 2), ("Latency", 1), ("Waiting", 1)):
        drawn(page.get_by_label(name, exact=True).locator("tri-chart"), lines)
    expect(card(page, "hall-1").locator("figure[data-old=no]")).to_be_visible(timeout=DEADLINE_MS)
    if os.environ.get("TRIARCH_SCREENSHOTS"):
        page.set_viewport_size({"width": 900, "height": 900})
        chart = page.locator("tri-chart").first
        eventually_sync(lambda: chart.evaluate("(chart) => chart.times.length > 20"), deadline_s=60)
        watched.picture("frames", bytes_max=200_000)  # photographs make large files
    page.get_by_role("tab", name="Ledger").click()
    expect(page.locator("tri-ledger")).to_contain_text("Exact", timeout=DEADLINE_MS)
    sums = {
        name: int(page.locator(f"[data-sum='{name}']").inner_text().replace(",", ""))
        for name in ("published", "settled", "dead", "dropped", "in flight")
    }
    assert sums["published"] > 0
    assert sums["published"] == sum(value for name, value in sums.items() if name != "published")
    watched.accessible()
    # The shell draws anew each second: the tab that was chosen outlasts that, until the ledger is verified again.
    published = page.locator("[data-sum='published']")
    expect(published).not_to_have_text(published.inner_text(), timeout=DEADLINE_MS)
    page.get_by_role("tab", name="Ledger").press("ArrowLeft")
    expect(page.get_by_role("tab", name="Queues and lanes")).to_be_focused()
    expect(page.get_by_role("table", name="Queues and lanes")).to_contain_text("inspector-1", timeout=DEADLINE_MS)
    watched.accessible()


def test_a_picture_that_grows_old_says_so(plant: BrowserPlant, cameras: Filming, open_page: Opener) -> None:
    page = open_page("viewer", dark=True).open("frames")
    north = card(page, "gate-north").locator("tri-picture")
    expect(north.locator("figure[data-old=no]")).to_be_visible(timeout=DEADLINE_MS)
    plant.portal.call(cameras.stop, "gate-north")
    expect(north.locator("figure[data-old=yes]")).to_be_visible(timeout=DEADLINE_MS)
    expect(north.locator("figcaption")).to_have_text(re.compile(r"^OLD · \d"))
    expect(north.get_by_role("img")).to_have_attribute("alt", re.compile(r"^Old picture of camera gate-north, .* old$"))
    assert "grayscale" in north.locator("img").evaluate("(image) => getComputedStyle(image).filter")
    expect(card(page, "hall-1").locator("figure[data-old=no]")).to_be_visible()
    page.get_by_role("link", name="gate-north").click()
    expect(page.get_by_role("heading", name="gate-north")).to_be_visible()
    expect(page.locator("page-camera figure[data-old=yes]")).to_be_visible(timeout=DEADLINE_MS)
    expect(page.get_by_label("Facts")).to_contain_text("lossless")


def test_the_story_of_a_frame(plant: BrowserPlant, cameras: Filming, open_page: Opener) -> None:
    watched = open_page("viewer")
    page = watched.open("frames")
    sequence = int(plant.call("GET", "/v1/frames/cameras/hall-1").json()["settled"]) - 10
    page.get_by_label("Frame: its id or CAMERA:SEQUENCE").fill(f"hall-1:{sequence}")
    page.get_by_role("button", name="Its story").click()
    expect(page.get_by_role("heading", name=f"hall-1-{sequence}")).to_be_visible(timeout=DEADLINE_MS)
    told = plant.call("GET", f"/v1/frames/trace/hall-1:{sequence}").json()
    assert told["status"] == "settled"
    expect(page.locator("li[data-what=received]")).to_be_visible()
    settled = page.locator("li[data-what=settled]")
    expect(settled).to_contain_text("inspector-1, attempt 1")
    expect(settled).to_contain_text(str(len(cameras.image("hall-1", sequence))))
    for step in told["steps"]:
        if step["what"] == "dispatched":
            expect(page.locator("li[data-what=dispatched]")).to_contain_text(step["epoch"])
    watched.accessible()
    watched.expected.append("404")  # the browser notes the refusal that the test asks for
    page.goto(page.url.split("#")[0] + "#/frames/frame/hall-1%3A99999999")
    expect(page.get_by_role("alert")).to_contain_text("has not come so far")


def test_dead_frames_are_replayed_and_dropped(plant: BrowserPlant, cameras: Filming, open_page: Opener) -> None:
    first, *_ = all_dead(plant, 6)
    watched = open_page("operator")
    page = watched.open(f"frames?tab=dead&camera={BROKEN}")
    rows = page.get_by_role("table", name="Dead frames").locator("tbody tr")
    expect(rows).to_have_count(6, timeout=DEADLINE_MS)
    expect(rows.first).to_contain_text("the lens is covered")
    watched.accessible()
    page.get_by_label("Reason holds").fill("no such reason")
    expect(rows).to_have_count(0, timeout=DEADLINE_MS)
    page.get_by_label("Reason holds").fill("lens")
    expect(rows).to_have_count(6, timeout=DEADLINE_MS)
    page.get_by_label(f"Choose {first['frame_id']}").check()
    page.get_by_role("button", name="Replay 1 …").click()
    expect(page.get_by_role("heading", name="Replay 1 chosen frame?")).to_be_visible()
    watched.accessible()
    page.get_by_role("button", name="Replay", exact=True).click()
    expect(page.get_by_text("1 frame on the way again")).to_be_visible(timeout=DEADLINE_MS)
    what = f"/v1/frames/trace/{BROKEN}:{first['sequence']}"
    eventually_sync(
        lambda: "replayed" in [step["what"] for step in plant.call("GET", what).json()["steps"]], deadline_s=20
    )
    again = all_dead(plant, 6)  # its lens is still covered
    expect(rows).to_have_count(6, timeout=DEADLINE_MS)
    page.get_by_label(f"Choose {again[0]['frame_id']}").check()
    page.get_by_role("button", name="Drop 1 …").click()
    page.get_by_role("button", name="Drop", exact=True).click()
    expect(page.get_by_text("1 frame dropped for good")).to_be_visible(timeout=DEADLINE_MS)
    assert {each["entry_id"] for each in all_dead(plant, 5)} == {each["entry_id"] for each in again[1:]}


def test_a_viewer_changes_nothing_and_the_rest_is_dropped_at_once(
    plant: BrowserPlant, cameras: Filming, open_page: Opener
) -> None:
    left = len(dead(plant))
    viewer = open_page("viewer").open("frames?tab=dead")
    expect(viewer.get_by_role("table", name="Dead frames").locator("tbody tr").first).to_be_visible(timeout=DEADLINE_MS)
    for name in ("Replay all …", "Drop all …"):
        button = viewer.get_by_role("button", name=name)
        expect(button).to_have_attribute("aria-disabled", "true")
        expect(button).to_have_attribute("title", re.compile("Your role is viewer"))
        button.click(force=True)
    expect(viewer.get_by_role("dialog")).to_have_count(0)
    assert len(dead(plant)) == left
    page = open_page("operator").open(f"frames?tab=dead&camera={BROKEN}")
    before = {each["entry_id"] for each in dead(plant)}
    page.get_by_role("button", name="Replay all …").click()
    page.get_by_role("button", name="Replay", exact=True).click()
    expect(page.get_by_text(f"{plural(left)} on the way again")).to_be_visible(timeout=DEADLINE_MS)
    # Its lens is still covered: each comes back under another entry.
    assert not before & {each["entry_id"] for each in all_dead(plant, left)}
    page.get_by_role("button", name="Drop all …").click()
    page.get_by_role("button", name="Drop", exact=True).click()
    expect(page.get_by_text(f"{plural(left)} dropped for good")).to_be_visible(timeout=DEADLINE_MS)
    assert dead(plant) == []


def _phone(watched: Watched, place: str) -> None:
    page = watched.open(place)
    expect(page.get_by_role("heading", level=1)).to_be_visible(timeout=DEADLINE_MS)
    expect(page.locator("tri-loading")).to_have_count(0, timeout=DEADLINE_MS)  # the camera's figures are there
    watched.fits()
    watched.accessible()


@pytest.mark.parametrize(
    "place", ["frames", "frames?tab=queues", "frames?tab=dead", "frames/camera/hall-1", "frames/frame/hall-1%3A3"]
)
def test_it_fits_a_phone(cameras: Filming, open_page: Opener, place: str) -> None:
    _phone(open_page("viewer", phone=True, dark=True), place)
