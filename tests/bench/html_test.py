"""The report as a page: what is in it, and that a browser shows and sorts it without complaint."""

import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from html.parser import HTMLParser
from pathlib import Path

BENCH = Path(__file__).resolve().parents[2] / "bench"
sys.path.insert(0, str(BENCH))

from reporting import html, tables  # noqa: E402

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
PICTURE = ('<?xml version="1.0"?>\n<svg width="10pt" height="5pt" viewBox="0 0 10 5" '
           'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
           '<defs><path id="m" d="M0 0h3"/></defs><use xlink:href="#m"/></svg>')
TIMES = ["1.5 ms", "80 us", "2 s", "900 ns"]


def page(warnings=()):
    table = tables.Table("op <a>", ["variant", "time", "of peak"],
                         [[f"v{i} & co", time, f"{10 * i}.5%"] for i, time in enumerate(TIMES)],
                         "a note")
    return html.page("Results", "a machine", warnings,
                     [("op <a>", [table], {"one": PICTURE}), ("Two", [], {"two": PICTURE})])


class Reader(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.targets, self.text = [], [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag not in ("meta", "link"):
            self.open.append(tag)
        if "id" in attributes:
            self.ids.append(attributes["id"])
        self.targets += [value for key, value in attributes.items()
                         if key in ("href", "src", "xlink:href")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        self.handle_endtag(tag)

    def handle_data(self, data):
        self.text += data


class Page(unittest.TestCase):
    def test_it_is_well_formed_and_needs_nothing_beside_it(self):
        reader = Reader(page())
        self.assertEqual(reader.open, [])
        self.assertEqual(len(reader.ids), len(set(reader.ids)), "an id twice")
        for target in reader.targets:
            self.assertTrue(target.startswith("data:") or target[1:] in reader.ids, target)

    def test_text_is_escaped_and_warnings_come_first(self):
        reader = Reader(page(["Partial & short."]))
        self.assertIn("op <a>", reader.text)
        self.assertIn("v0 & co", reader.text)
        self.assertLess(reader.text.index("Partial & short."), reader.text.index("v0 & co"))

    @unittest.skipIf(BROWSER is None, "no chromium found")
    def test_a_browser_shows_and_sorts_it(self):
        probe = """<script>
          const head = [...document.querySelectorAll("th button")].find(b => b.innerText === "time");
          const column = () => [...document.querySelectorAll("tbody tr")].map(r => r.cells[1].innerText);
          const seen = [];
          for (let i = 0; i < 2; ++i) { head.click(); seen.push(column().join(",")); }
          const shown = [...document.querySelectorAll("figure svg")]
              .filter(s => s.getBoundingClientRect().width > 100).length;
          const fits = document.documentElement.scrollWidth <= window.innerWidth;
          document.title = seen.join("|") + "|" + shown + "|" + fits;
        </script>"""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "page.html")
            path.write_text(page() + probe)
            done = subprocess.run(
                [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
                 f"--user-data-dir={folder}", "--window-size=500,900", "--dump-dom",
                 path.as_uri()], capture_output=True, text=True, check=True, timeout=120)
        self.assertNotIn("CONSOLE", done.stderr)
        title = re.search("<title>(.*?)</title>", done.stdout)[1]
        self.assertEqual(title, "900 ns,80 us,1.5 ms,2 s|2 s,1.5 ms,80 us,900 ns|2|true")


if __name__ == "__main__":
    unittest.main()
