"""Reports as a browser shows them: this test's own page, and those kept in results/."""

import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from html_test import TIMES, page

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
RESULTS = Path(__file__).resolve().parents[2] / "results"

# What a page looks like, in its title, where --dump-dom shows it. Contrast is that of WCAG 2.
PROBE = """<script>
  const channels = color => color.match(/[\\d.]+/g).slice(0, 3).map(Number);
  const linear = c => c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4;
  const luminance = color => {
    const [r, g, b] = channels(color).map(linear);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const style = getComputedStyle(document.body);
  const [dark, light] = [luminance(style.color), luminance(style.backgroundColor)]
      .sort((a, b) => a - b);
  const found = {
    dark: luminance(style.backgroundColor) < 0.1,
    readable: (light + 0.05) / (dark + 0.05) >= 7,
    fits: document.documentElement.scrollWidth <= window.innerWidth,
    pictures: [...document.querySelectorAll("figure svg")].every(
        svg => svg.getBoundingClientRect().width > 300 && svg.getBoundingClientRect().height > 100),
  };
  const sorted = [];
  const head = [...document.querySelectorAll("th button")].find(b => b.innerText === "time");
  for (let i = 0; head && i < 2; ++i) {
    head.click();
    sorted.push([...head.closest("table").tBodies[0].rows]
        .map(row => row.cells[head.parentElement.cellIndex].innerText).join(","));
  }
  document.title = Object.entries(found).map(([k, v]) => k + ":" + v).join(" ") + "|"
      + sorted.join("|");
</script>"""


def seconds(text):
    """The time that a cell of a table shows, e.g. "80 us"."""
    number, unit = re.match(r"([\d.,]+) (ns|us|ms|s)", text).groups()
    return float(number.replace(",", "")) * {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1}[unit]


class Shown(unittest.TestCase):
    def show(self, text, width, dark):
        """Looks at a page; returns the two orders of its first column named "time"."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "page.html")
            path.write_text(text + PROBE)
            done = subprocess.run(
                [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
                 f"--user-data-dir={folder}", f"--window-size={width},900",
                 f"--blink-settings=preferredColorScheme={0 if dark else 1}", "--dump-dom",
                 path.as_uri()], capture_output=True, text=True, check=True, timeout=120)
        self.assertNotIn("CONSOLE", done.stderr)
        look, *orders = re.search("<title>(.*?)</title>", done.stdout)[1].split("|")
        self.assertEqual(
            look, f"dark:{str(dark).lower()} readable:true fits:true pictures:true")
        return [order.split(",") for order in orders]

    def test_a_page_sorts(self):
        up, down = self.show(page(), 1200, dark=False)
        self.assertEqual(up, sorted(TIMES, key=seconds))
        self.assertEqual(down, up[::-1])

    def test_kept_reports_can_be_read_on_a_phone_and_in_the_dark(self):
        reports = sorted(RESULTS.glob("*/report.html"))
        self.assertTrue(reports)
        for report in reports:
            for width, dark in [(500, True), (1200, False)]:
                with self.subTest(report=report.parent.name, width=width, dark=dark):
                    self.show(report.read_text(), width, dark)


if __name__ == "__main__":
    if BROWSER is None:
        sys.exit("no browser found: install chromium")
    unittest.main()
