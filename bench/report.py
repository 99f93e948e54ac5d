#!/usr/bin/python3
"""Makes tables, CSV and pictures of the results of siamese_bench.

    bench/report.py RESULTS.json               prints the tables
    bench/report.py RESULTS.json --out DIR     writes DIR/report.md, results.csv and pictures
"""

import argparse
import io
import os
import sys
from pathlib import Path

from reporting import results, tables

NO_ROWS = 3  # the exit code where there is nothing to report


def write(path, data):
    """Appears complete or not at all."""
    temporary = path.with_name(f".{path.name}.part")
    with open(temporary, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def write_pictures(loaded, folder):
    try:
        from reporting import pictures
    except ImportError as error:
        raise results.BadResults(
            f"pictures need matplotlib ({error}); install python3-matplotlib") from error
    for name, figure in pictures.all_pictures(loaded):
        for ending in ("png", "svg"):
            data = io.BytesIO()
            # No date: the same results give the same bytes.
            figure.savefig(data, format=ending, metadata={"Date": None} if ending == "svg" else {})
            write(folder / f"{name}.{ending}", data.getvalue())


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", help="JSON that siamese_bench wrote (--benchmark_out)")
    parser.add_argument("--out", metavar="DIR", type=Path,
                        help="folder for report.md, results.csv and pictures (PNG and SVG)")
    parser.add_argument("--no-pictures", action="store_true", help="tables and CSV alone")
    arguments = parser.parse_args()
    try:
        loaded = results.load(arguments.results)
        if not loaded.rows:
            print(f"report: {arguments.results}: no rows", file=sys.stderr)
            return NO_ROWS
        text = tables.report_text(loaded)
        if arguments.out is None:
            print(text)
            return 0
        arguments.out.mkdir(parents=True, exist_ok=True)
        write(arguments.out / "report.md", text.encode())
        write(arguments.out / "results.csv", tables.csv_text(loaded).encode())
        if not arguments.no_pictures:
            write_pictures(loaded, arguments.out)
        return 0
    except results.BadResults as error:
        print(f"report: {error}", file=sys.stderr)
    except OSError as error:
        print(f"report: {error.filename}: {error.strerror}", file=sys.stderr)
    except BrokenPipeError:
        pass  # the reader has seen enough
    return 1


if __name__ == "__main__":
    sys.exit(main())
