"""One plant and one browser for all tests here; a page for each, verified at its end."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser import plant as plants
from tests.browser.plant import BrowserPlant
from tests.browser.watched import Opener, opener

ARGUMENTS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
# A deadline, not a figure: the machine may be busy.
expect.set_options(timeout=20_000)
NAMES = ("chromium", "chromium-browser", "google-chrome")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of it is a campaign: `make browser`."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.campaign)
            item.add_marker(pytest.mark.timeout(120))


def _chromium() -> str:
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("no Chromium: apt install chromium")
        pytest.skip("no Chromium: apt install chromium")
    return found


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's own browser, as it is; Playwright's is not fetched."""
    executable = _chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserPlant]:
    """Three nodes and seven components, all started."""
    with plants.running(tmp_path_factory.mktemp("browser")) as running:
        yield running


@pytest.fixture
def open_page(browser: Browser, plant: BrowserPlant) -> Iterator[Opener]:
    """`open_page(role)`: a page under watch. See `opener`."""
    try:
        with opener(browser, plant.apis, plant.tokens) as make:
            yield make
    finally:
        plant.restored()
