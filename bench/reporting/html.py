"""The report as one HTML page that needs nothing beside it: tables that sort, pictures within,
readable on a phone and in the dark."""

import re
from html import escape

STYLE = """
:root { color-scheme: light dark; --line: #d5d5d5; --soft: #666; --back: #fff; --card: #fafafa; }
@media (prefers-color-scheme: dark) {
  :root { --line: #444; --soft: #aaa; --back: #16181b; --card: #1e2125; }
  figure svg { filter: invert(0.92) hue-rotate(180deg); }
}
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; padding: 1rem; max-width: 76rem;
       background: var(--back); }
h1 { margin-bottom: 0; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); }
nav { display: flex; flex-wrap: wrap; gap: 0.2rem 0.9rem; }
.soft { color: var(--soft); }
.warning { border-left: 4px solid #d55e00; padding-left: 0.7rem; font-weight: 600; }
.wide { overflow-x: auto; }
figure { margin: 1rem 0; overflow-x: auto; }
figure svg { width: 100%; min-width: 40rem; height: auto; }
table { border-collapse: collapse; font-size: 0.9em; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 0.2rem 0.7rem 0.2rem 0; border-bottom: 1px solid var(--line);
         vertical-align: top; }
th, td { white-space: nowrap; }
td:last-child { white-space: normal; }
td:last-child:not(:empty) { min-width: 14rem; }
th:first-child, td:first-child { position: sticky; left: 0; background: var(--back); }
@media (max-width: 40rem) {
  table { font-size: 0.8em; }
  td.long { white-space: normal; min-width: 9rem; }
  td:last-child:not(:empty) { min-width: 11rem; }
}
th button { all: unset; cursor: pointer; font-weight: 600; }
th button:focus-visible { outline: 2px solid; }
th[aria-sort=ascending] button::after { content: " \\25B2"; }
th[aria-sort=descending] button::after { content: " \\25BC"; }
"""

# Sorts by what a reader sees, the numbers within a text by their size and times by their length; cells
# with nothing in them come last whichever way.
SCRIPT = """
const units = {ns: 1e-9, us: 1e-6, ms: 1e-3, s: 1};
const number = /((?<![\\w.])-)?\\d+(?:,\\d{3})*(?:\\.\\d+)?(?:e[-+]?\\d+)?(?:\\s(?:ns|us|ms|s)\\b)?/g;
function key(text) {
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(number)) {
    const [digits, unit] = match[0].split(/\\s/);
    parts.push(text.slice(end, match.index), Number(digits.replaceAll(",", "")) * (units[unit] ?? 1));
    end = match.index + match[0].length;
  }
  return [...parts, text.slice(end)];
}
function compare(a, b, down) {
  const none = text => text === "" || text === "-";
  if (none(a) || none(b)) return none(a) - none(b);
  const [left, right] = [key(a), key(b)];
  for (let i = 0; i < Math.min(left.length, right.length); ++i) {
    if (left[i] !== right[i]) return (left[i] < right[i] ? -1 : 1) * (down ? -1 : 1);
  }
  return (left.length - right.length) * (down ? -1 : 1);
}
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const head = button.parentElement;
    const body = head.closest("table").tBodies[0];
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of head.parentElement.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const text = row => row.cells[head.cellIndex].textContent.trim();
    body.append(...[...body.rows].sort((a, b) => compare(text(a), text(b), down)));
  });
}
"""


def _anchor(title):
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def _table(table):
    head = "".join(f"<th><button>{escape(cell)}</button></th>" if cell else "<th></th>"
                   for cell in table.header)
    # Columns that a phone has no room for in one line.
    long = [max(map(len, column)) > 24 for column in zip(*table.rows)]
    rows = "".join("<tr>" + "".join(f"<td{' class=long' * wraps}>{escape(cell)}</td>"
                                    for cell, wraps in zip(row, long)) + "</tr>\n"
                   for row in table.rows)
    note = f'<p class="soft">{escape(table.note)}</p>' if table.note else ""
    return (f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody>'
            f"</table></div>{note}")


def _figure(name, svg):
    """The picture itself, with names of its own: pages and pictures share one space of them."""
    svg = svg[svg.index("<svg"):]
    svg = re.sub(r'\b(id="|url\(#|xlink:href="#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r'(<svg[^>]*?) (width|height)="[^"]*"', r"\1", svg)
    svg = re.sub(r'(<svg[^>]*?) (width|height)="[^"]*"', r"\1", svg)
    return f'<figure role="img" aria-label="{escape(name)}">{svg}</figure>\n'


def figures_in(text):
    """The names of a page's pictures."""
    return re.findall(r'<figure role="img" aria-label="([^"]*)"', text)


def without_figures(text):
    return re.sub(r"<figure.*?</figure>\n", "", text, flags=re.DOTALL)


def page(title, origin, warnings, sections):
    """`sections`: [(title, [table], {name: SVG})], in the order of the page."""
    links = "".join(f'<a href="#{_anchor(name)}">{escape(name)}</a>' for name, _, _ in sections)
    parts = [f'<section><h2 id="{_anchor(name)}">{escape(name)}</h2>\n'
             + "".join(_figure(key, svg) for key, svg in pictures.items())
             + "".join(_table(table) for table in tables) + "</section>\n"
             for name, tables, pictures in sections]
    told = "".join(f'<p class="warning">{escape(text)}</p>' for text in warnings)
    return (f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f'<link rel="icon" href="data:,">\n<title>{escape(title)}</title>\n'
            f"<style>{STYLE}</style></head>\n<body><h1>{escape(title)}</h1>\n"
            f'<p class="soft">{escape(origin)}</p>{told}<nav>{links}</nav>\n{"".join(parts)}'
            f"<script>{SCRIPT}</script></body></html>\n")
