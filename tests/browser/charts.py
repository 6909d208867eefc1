"""Whether a chart has drawn its lines: pixels of a line's own colour on its canvas."""

from playwright.sync_api import Locator

from tests.support import eventually_sync

_DRAWN = """
(chart) => {
  const canvas = chart.shadowRoot.querySelector(".plot canvas");
  if (!canvas || !canvas.width || !canvas.height) return [];
  const read = () => document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const [copy, probe] = [read(), read()];
  Object.assign(copy.canvas, { width: canvas.width, height: canvas.height });
  copy.drawImage(canvas, 0, 0);
  const { data, width } = copy.getImageData(0, 0, canvas.width, canvas.height);
  return chart.lines.map((_, at) => {
    probe.fillStyle = getComputedStyle(chart).getPropertyValue(`--series-${(at % 6) + 1}`).trim();
    probe.fillRect(0, 0, 1, 1);
    const [red, green, blue] = probe.getImageData(0, 0, 1, 1).data;
    const columns = new Set();
    for (let byte = 0; byte < data.length; byte += 4) {
      if (data[byte + 3] < 60) continue;
      const off = Math.abs(data[byte] - red) + Math.abs(data[byte + 1] - green) + Math.abs(data[byte + 2] - blue);
      if (off < 24) columns.add((byte / 4) % width);
    }
    return columns.size;
  });
}
"""
COLUMNS_LEAST = 5
"""Of pixels, that a line has to cross: one of two seconds crosses more, and a chart without points has none."""


def drawn(chart: Locator, lines: int = 1) -> list[int]:
    """By line, how many columns of pixels it crosses. Waits until `lines` of them, whichever, are there to be seen."""

    def enough() -> list[int]:
        found: list[int] = chart.evaluate(_DRAWN)
        return found if sum(columns >= COLUMNS_LEAST for columns in found) >= lines else []

    return eventually_sync(enough, deadline_s=40, message=f"{lines} lines of a chart are drawn")
