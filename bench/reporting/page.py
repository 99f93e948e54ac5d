"""The whole report of a run: its page, its pictures, and whether a report that is kept is still that."""

import io
import re

from reporting import html, peers, results, tables


def pictures_of(loaded, peer_cases, endings=("png", "svg")):
    """{name: {ending: bytes}}, in the report's order."""
    try:
        from reporting import pictures
    except ImportError as error:
        raise results.BadResults(
            f"pictures need matplotlib ({error}); install python3-matplotlib") from error
    drawn = {}
    for name, figure in pictures.all_pictures(loaded, peer_cases):
        drawn[name] = {}
        for ending in endings:
            data = io.BytesIO()
            # No date: the same results give the same bytes.
            figure.savefig(data, format=ending, metadata={"Date": None} if ending == "svg" else {})
            drawn[name][ending] = data.getvalue()
    return drawn


def html_page(loaded, peer_tables, svg):
    """The whole report, op by op; `svg`: {name: text} of its pictures."""

    def chosen(*names):
        return {name: svg[name] for name in names if name in svg}

    kinds = ("time", "rate", "peak")
    sections = [(table.title, [table], chosen(*(f"{kind}_{table.title}" for kind in kinds)))
                for table in tables.op_tables(loaded)]
    sections += [(table.title, [table],
                  chosen(peers.FIELDS[device].picture, *(["scaling"] if device == "cpu" else [])))
                 for device, table in peer_tables.items()]
    sections += [("Roofline", [], chosen("roofline", "roofline_cuda")),
                 ("Correctness", [tables.correctness_table(loaded)], {}),
                 ("Machine", [tables.machine_table(loaded)], {})]
    return html.page("Benchmark results", loaded.origin, tables.warnings(loaded),
                     [section for section in sections if section[1] or section[2]])


# What matplotlib calls markers and clipping paths: a letter, and a hash of coordinates with all their digits.
HASHED = re.compile(r"\b(?:C\d+_\d+_|[A-Za-z])[0-9a-f]{10}\b")


def _named_in_order(svg):
    """An SVG, or a page of them, whose hashed names are numbers in the order of their first places: another
    processor's arithmetic gives the same picture under other names."""
    names = {}
    return HASHED.sub(lambda found: names.setdefault(found[0], f"name-{len(names)}"), svg)


def _matplotlib():
    from matplotlib import __version__
    return __version__


def stale(run, loaded, draw):
    """Names of the files in the folder `run` that are not what bench/report makes of its results. Pictures
    are made anew where `draw` says so (seconds a run) and this matplotlib made those that are kept, for
    another one's bytes differ; PNGs, made in the same go as SVGs, are as old."""
    cases, peer_tables = peers.load_beside(run / "results.json")
    page = (run / "report.html").read_text()
    made = {"report.md": tables.report_text(loaded, peer_tables.values()),
            "results.csv": tables.csv_text(loaded)}
    yield from (name for name, text in made.items() if (run / name).read_text() != text)

    by = re.search(r"Matplotlib v([\d.]+\d)", page)
    if draw and (by is None or by[1] == _matplotlib()):
        svg = {name: data["svg"].decode() for name, data in pictures_of(loaded, cases, ["svg"]).items()}
        if _named_in_order(page) != _named_in_order(html_page(loaded, peer_tables, svg)):
            yield "report.html"
        yield from (path.name for path in sorted(run.glob("*.svg"))
                    if _named_in_order(path.read_text()) != _named_in_order(svg.get(path.stem, "")))
    else:
        any_svg = dict.fromkeys(html.figures_in(page), "<svg></svg>")
        if html.without_figures(page) != html.without_figures(html_page(loaded, peer_tables, any_svg)):
            yield "report.html"
