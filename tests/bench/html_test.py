"""The report as a page: what is in it."""

import sys
import unittest
from html.parser import HTMLParser
from pathlib import Path

BENCH = Path(__file__).resolve().parents[2] / "bench"
sys.path.insert(0, str(BENCH))

from reporting import html, tables  # noqa: E402

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


if __name__ == "__main__":
    unittest.main()
