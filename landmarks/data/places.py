#!/usr/bin/env python3
"""Writes places.csv from the tz database's zone1970.tab (Debian package tzdata, public domain).

Each time zone names one town with latitude and longitude. A town becomes a point on a sphere of
radius 1, so that coordinates are in earth radii (6,371 km): x to 0 E on the equator, y to 90 E,
z to the north pole. The distance of two towns is then the chord, the straight line through the
earth: 2 sin(angle / 2) radii.
"""

import math
import re
import sys
from pathlib import Path

SOURCE = Path(sys.argv[1] if len(sys.argv) > 1 else "/usr/share/zoneinfo/zone1970.tab")
HEAD = """\
# Towns of the tz database as points on a sphere of radius 1; coordinates in earth radii (6371 km).
# x points to latitude 0, longitude 0; y to latitude 0, longitude 90 E; z to the north pole.
# Source: zone1970.tab of the tz database (public domain), https://www.iana.org/time-zones;
# converted by places.py.
place,x,y,z
"""


def degrees(text):
    """ISO 6709's sign, degrees, minutes and perhaps seconds, as degrees."""
    sign, digits = text[0], text[1:]
    whole = len(digits) - (2 if len(digits) <= 5 else 4)
    parts = [int(digits[:whole])] + [int(digits[i : i + 2]) for i in range(whole, len(digits), 2)]
    value = sum(part / 60**power for power, part in enumerate(parts))
    return -value if sign == "-" else value


def main():
    rows = []
    for line in SOURCE.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        position, zone = line.split("\t")[1:3]
        latitude, longitude = map(math.radians, map(degrees, re.findall(r"[+-]\d+", position)))
        town = zone.rsplit("/", 1)[-1].replace("_", " ")
        x = math.cos(latitude) * math.cos(longitude)
        y = math.cos(latitude) * math.sin(longitude)
        z = math.sin(latitude)
        rows.append(f"{town},{x:.6f},{y:.6f},{z:.6f}\n")
    target = Path(__file__).with_name("places.csv")
    target.write_text(HEAD + "".join(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
