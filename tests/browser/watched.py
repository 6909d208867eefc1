"""A page of the dashboard under watch: what it loads, and what the browser complains about."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, ViewportSize, expect

ROOT = Path(__file__).resolve().parent.parent.parent
IMAGES = ROOT / "docs" / "images"
IMAGE_BYTES_MAX = 150_000
LIVE_MS = 20_000
"""How long a page may take to be live, milliseconds: a deadline, no figure."""
AXE: dict[str, Any] = {"resultTypes": ["violations"], "preload": False}
REFUSED = "net::ERR_"
"""What the browser says of a node that is gone."""
OF_THE_MACHINE = "net::ERR_NETWORK_CHANGED"
"""What it says when the machine gets or loses an interface, as other tests on it may have it: no fault of a page."""

_NOTES = """
window.__policy = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.__policy.push(`${event.violatedDirective}: ${event.blockedURI}`));
"""


@dataclass
class Watched:
    """A page, and what was heard of it. `expected`: parts of complaints that a test brings about itself."""

    page: Page
    origins: tuple[str, ...]
    complaints: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def listen(self) -> None:
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"console {message.type}: {message.text} ({message.location.get('url', '')})")

    def _request(self, request: Request) -> None:
        url = urlsplit(request.url)
        if url.scheme in ("blob", "data"):
            return
        if f"{url.scheme}://{url.netloc}" not in self.origins:
            self.complaints.append(f"asked a foreign host: {request.url}")

    def open(self, place: str = "", *, api: str | None = None) -> Page:
        """Show `#/place` of a node (default: the first), and wait until it is live."""
        self.page.goto(f"{api or self.origins[0]}/#/{place}")
        self.live()
        return self.page

    def live(self) -> None:
        expect(self.page.locator("main[data-live=yes]")).to_be_visible(timeout=LIVE_MS)
        expect(self.page.locator("tri-status [data-word=LIVE]")).to_be_visible(timeout=LIVE_MS)

    def accessible(self) -> None:
        """No violation that axe-core finds."""
        found = Axe().run(self.page, options=AXE).response["violations"]
        told = [
            (each["id"], each["help"], [(at["target"], at["html"][:200]) for at in each["nodes"][:5]]) for each in found
        ]
        assert not told, json.dumps(told, indent=1)

    def fits(self) -> None:
        """Nothing is wider than the window: the page itself does not scroll sideways."""
        wide = self.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert wide[0] <= wide[1], f"the page is {wide[0]} px wide in a window of {wide[1]} px"

    def picture(self, name: str, bytes_max: int = IMAGE_BYTES_MAX) -> None:
        """Keep a picture for the documentation, where that is asked for."""
        if not os.environ.get("TRIARCH_SCREENSHOTS"):
            return
        IMAGES.mkdir(parents=True, exist_ok=True)
        path = IMAGES / f"dashboard-{name}.png"
        self.page.screenshot(path=path)
        size = path.stat().st_size
        assert size <= bytes_max, f"{path.name} has {size} bytes"

    def verify(self) -> None:
        """Nothing was complained about but what the test expects."""
        policy = self.page.evaluate("window.__policy ?? []")
        found = [*self.complaints, *(f"policy: {each}" for each in policy)]
        left = [each for each in found if not any(part in each for part in (*self.expected, OF_THE_MACHINE))]
        assert not left, "\n".join(left)


Opener = Callable[..., Watched]


@contextmanager
def opener(browser: Browser, origins: tuple[str, ...], tokens: dict[str, str]) -> Iterator[Opener]:
    """`open(role, dark=…, phone=…)` gives a page signed in as that role; None: not signed in. All are verified."""
    contexts = []
    opened: list[Watched] = []

    def make(role: str | None = "admin", *, dark: bool = False, phone: bool = False, **options: Any) -> Watched:
        viewport = ViewportSize(width=390, height=844) if phone else ViewportSize(width=1280, height=800)
        context = browser.new_context(
            color_scheme="dark" if dark else "light",
            viewport=viewport,
            **options,
        )
        contexts.append(context)
        context.add_init_script(_NOTES)
        if role is not None:
            # Once a tab: signing out must last.
            context.add_init_script(
                "if (!sessionStorage.getItem('given')) { sessionStorage.setItem('given', '1');"
                f"sessionStorage.setItem('triarch.token', {json.dumps(tokens[role])}); }}"
            )
        watched = Watched(context.new_page(), origins)
        watched.listen()
        opened.append(watched)
        return watched

    try:
        yield make
        for each in opened:
            each.verify()
    finally:
        for context in contexts:
            context.close()
