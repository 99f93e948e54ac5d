#!/usr/bin/env python3
"""Writes the towns of the tz database's zone1970.tab as points, as places.csv has them.

    landmarks/data/places.py CSV [TAB]

CSV is written, over what is there; TAB is read (/usr/share/zoneinfo/zone1970.tab, of Debian's package
tzdata). The database's release is read from the first line of tzdata.zi beside it. Exit code: 0; 1
where a file cannot be read or written; 2 for usage.

Each time zone names one town with latitude and longitude. A town becomes a point on a sphere of
radius 1, so that coordinates are in earth radii (6,371 km): x to 0 E on the equator, y to 90 E,
z to the north pole. The distance of two towns is then the chord, the straight line through the
earth: 2 sin(angle / 2) radii.
"""

import math
import os
import re
import sys
from pathlib import Path

TAB = "/usr/share/zoneinfo/zone1970.tab"
HEAD = """\
# Towns of the tz database as points on a sphere of radius 1; coordinates in earth radii (6371 km).
# x points to latitude 0, longitude 0; y to latitude 0, longitude 90 E; z to the north pole.
# Source: zone1970.tab of the tz database, release {release} (public domain),
# https://www.iana.org/time-zones; converted by places.py.
place,x,y,z
"""


class BadFile(Exception):
    """A file that cannot be used, and why."""


def lines_of(path):
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise BadFile(f"{path}: no UTF-8; expected a file of the tz database") from error
    except OSError as error:
        raise BadFile(f"{path}: {error.strerror}") from error


def release_of(path):
    """The tz database's release, such as 2026f."""
    found = re.fullmatch(r"# version (\S+)", (lines_of(path) or [""])[0])
    if not found:
        raise BadFile(f"{path}, line 1; expected '# version' and the tz database's release")
    return found[1]


def degrees(text):
    """ISO 6709's sign, degrees, minutes and perhaps seconds, as degrees."""
    sign, digits = text[0], text[1:]
    whole = len(digits) - (2 if len(digits) <= 5 else 4)
    parts = [int(digits[:whole])] + [int(digits[i : i + 2]) for i in range(whole, len(digits), 2)]
    value = sum(part / 60**power for power, part in enumerate(parts))
    return -value if sign == "-" else value


def rows_of(path):
    """A line of CSV for each town."""
    rows = []
    for number, line in enumerate(lines_of(path), 1):
        if line.startswith("#"):
            continue
        found = re.match(r"[^\t]+\t([+-]\d{4,6})([+-]\d{5,7})\t([^\t]+)", line)
        if not found:
            raise BadFile(f"{path}, line {number}; expected countries, a position such as +4230+00131 "
                          "and a zone, with tabs between them")
        latitude, longitude = (math.radians(degrees(found[i])) for i in (1, 2))
        town = found[3].rsplit("/", 1)[-1].replace("_", " ")
        x = math.cos(latitude) * math.cos(longitude)
        y = math.cos(latitude) * math.sin(longitude)
        z = math.sin(latitude)
        rows.append(f"{town},{x:.6f},{y:.6f},{z:.6f}\n")
    return rows


def write(path, text):
    """The file appears complete or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        raise BadFile(f"{path}: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)


def main(words):
    if words in (["-h"], ["--help"]):
        print(__doc__.strip())
        return 0
    if not 1 <= len(words) <= 2 or words[0].startswith("-"):
        print("places.py: expected CSV [TAB]; --help tells more", file=sys.stderr)
        return 2
    tab = Path(words[1] if len(words) == 2 else TAB)
    try:
        head = HEAD.format(release=release_of(tab.with_name("tzdata.zi")))
        write(Path(words[0]), head + "".join(rows_of(tab)))
    except BadFile as error:
        print(f"places.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
