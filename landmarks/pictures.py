#!/usr/bin/python3
"""Draws the pictures of a folder that siamese_landmarks wrote: loss.png, distances.png and, for
points in 2 or 3 dimensions, map.png, each also as SVG.

    landmarks/pictures.py FOLDER

Needs matplotlib (Debian and Ubuntu: python3-matplotlib). Says in one line why it cannot draw, and
then exits with 1.
"""

import csv
import json
import os
import sys
import warnings
from pathlib import Path

try:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import numpy as np
except ImportError as error:
    sys.exit(f"pictures.py: {error}; expected the package python3-matplotlib")
except KeyboardInterrupt:
    sys.exit(130)

# Okabe and Ito's colours, told apart by colour-blind readers too.
BLUE, ORANGE, GREY, BLACK = "#0072B2", "#D55E00", "#999999", "#222222"

STYLE = {
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "axes.edgecolor": "#666666",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#E6E6E6",
    "axes.axisbelow": True,
    "font.size": 12,
    "axes.titlesize": 14,
    "axes.titlelocation": "left",
    "axes.labelsize": 12,
    "legend.frameon": False,
    "svg.hashsalt": "siamese",
    "figure.constrained_layout.use": True,
}


def read_table(path):
    """Header, labels (a first column of text, else none) and numbers of a written CSV."""
    with open(path, encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    labelled = header[0] in ("name", "part")
    labels = [row[0] for row in rows] if labelled else []
    first = 1 if labelled else 0
    return labels, np.array([[float(cell) for cell in row[first:]] for row in rows])


def as_it_is(text):
    """A user's text, in which matplotlib shall read no $mathematics$."""
    return text.replace("$", r"\$")


class Run:
    """What a folder holds."""

    def __init__(self, folder):
        self.folder = folder
        self.summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        labels, self.points = read_table(folder / "points.csv")
        self.labels = [as_it_is(label) for label in labels]
        _, self.predicted = read_table(folder / "predictions.csv")
        _, self.aligned = read_table(folder / "aligned.csv")
        _, loss = read_table(folder / "loss.csv")
        self.epochs, self.losses = loss.T
        parts, rows = read_table(folder / "split.csv")
        self.test = np.array([int(r[0]) for p, r in zip(parts, rows) if p == "test"])
        self.unit = as_it_is(self.summary["data"]["unit"])

    def with_unit(self, text):
        return f"{text} ({self.unit})" if self.unit else text


def save(figure, folder, name):
    """Both formats; a picture appears under its name complete or not at all."""
    for suffix in ("png", "svg"):
        temporary = folder / f".{name}.{os.getpid()}.{suffix}"
        try:
            metadata = {"Date": None} if suffix == "svg" else None
            figure.savefig(temporary, dpi=150, metadata=metadata)
            os.replace(temporary, folder / f"{name}.{suffix}")
        finally:
            temporary.unlink(missing_ok=True)
    plt.close(figure)


def draw_loss(run):
    training = run.summary["training"]
    all_pairs = training["pair_form"] == "all"
    figure, axes = plt.subplots(figsize=(8, 5))
    axes.plot(run.epochs, run.losses, color=BLUE, linewidth=1.6,
              marker="o" if len(run.epochs) == 1 else None)  # no line goes through one point
    if run.losses.min() > 0 and run.losses.max() > 10 * run.losses.min():
        axes.set_yscale("log")
        plain = matplotlib.ticker.FuncFormatter(lambda value, _: f"{value:g}")
        axes.yaxis.set_minor_locator(matplotlib.ticker.LogLocator(subs=(2, 5)))
        axes.yaxis.set_major_formatter(plain)
        axes.yaxis.set_minor_formatter(plain)
    else:
        axes.set_ylim(0, None)
    axes.set_xlim(0, run.epochs[-1])
    axes.set_xlabel("Step (all pairs at once)" if all_pairs else "Epoch (pass over all pairs)")
    axes.set_ylabel("Mean loss per pair")
    axes.set_title(f"Training loss, {training['loss']} against {training['target']}")
    save(figure, run.folder, "loss")


def pair_distances(points):
    first, second = np.triu_indices(len(points), 1)
    return np.linalg.norm(points[first] - points[second], axis=1)


def draw_distances(run):
    most_points = 400  # of the test set: 80,000 pairs show all there is to see
    rows = run.test[:most_points]
    true = pair_distances(run.points[rows])
    predicted = pair_distances(run.predicted[rows])
    measures = run.summary["test"]["network"]
    end = 1.05 * max(true.max(), predicted.max(), 1e-9)

    figure, axes = plt.subplots(figsize=(7, 6.6))
    if len(true) > 2000:
        cells = axes.hexbin(true, predicted, gridsize=60, cmap="Blues", mincnt=1,
                            extent=(0, end, 0, end), linewidths=0.1)
        figure.colorbar(cells, ax=axes, label="Pairs of points", shrink=0.8)
    else:
        axes.scatter(true, predicted, s=28, color=BLUE, alpha=0.7, linewidths=0,
                     label="a pair of unseen points")
    axes.plot([0, end], [0, end], color=BLACK, linewidth=1.2, linestyle="--",
              zorder=4, label="predicted = true")
    axes.plot([0, end], [0, measures["scale"] * end], color=ORANGE, linewidth=1.6,
              label=f"predicted = {measures['scale']:.2f} × true (least squares)")
    axes.set_xlim(0, end)
    axes.set_ylim(0, end)
    axes.set_aspect("equal")
    axes.set_xlabel(run.with_unit("True distance"))
    axes.set_ylabel(run.with_unit("Predicted distance"))
    correlation = measures["correlation"]
    shown = "none" if correlation is None else f"{correlation:.3f}"
    axes.set_title(f"Distances between {len(run.test)} unseen points\n"
                   f"mean error {measures['error_per_pair']:.3g}, correlation {shown}")
    axes.legend(loc="upper left")
    save(figure, run.folder, "distances")


def on_unit_sphere(points):
    return points.shape[1] == 3 and np.allclose(np.linalg.norm(points, axis=1), 1, atol=1e-4)


def draw_moves(axes, true, placed, scale=1.0):
    """Unseen points where they are, and a line to where the network puts each."""
    for t, p in zip(true, placed):
        axes.plot([t[0], p[0]], [t[1], p[1]], color=GREY, linewidth=0.8, zorder=2)
    axes.scatter(*true.T, s=34 * scale, color=BLUE, zorder=4, linewidths=0,
                 label="true place")
    axes.scatter(*placed.T, s=34 * scale, color=ORANGE, marker="^", zorder=3, linewidths=0,
                 label="the network's place")


def map_title(run):
    error = run.summary["test"]["position_error"]
    unit = f" {run.unit}" if run.unit else ""
    return f"Places of {len(run.test)} unseen points, {error:.3g}{unit} off in the mean"


def draw_plane_map(run):
    """One panel for two dimensions, the three views of a box for three."""
    rows = run.test[:300]
    views = [(0, 1)] if run.points.shape[1] == 2 else [(0, 1), (0, 2), (1, 2)]
    figure, all_axes = plt.subplots(1, len(views), figsize=(7 if len(views) == 1 else 15, 6.2),
                                    squeeze=False)
    landmarks = run.points[: run.summary["data"]["landmarks"]]
    for axes, (a, b) in zip(all_axes[0], views):
        draw_moves(axes, run.points[rows][:, [a, b]], run.aligned[rows][:, [a, b]])
        axes.scatter(landmarks[:, a], landmarks[:, b], s=70, color=BLACK, marker="+", zorder=5,
                     label="landmark")
        axes.set_aspect("equal", adjustable="datalim")
        axes.set_xlabel(run.with_unit(f"Coordinate x{a}"))
        axes.set_ylabel(run.with_unit(f"Coordinate x{b}"))
    return figure, all_axes[0][0]


def to_degrees(points):
    """Points on, or near, the sphere as longitude and latitude."""
    x, y, z = (points / np.linalg.norm(points, axis=1, keepdims=True)).T
    return np.degrees(np.column_stack([np.arctan2(y, x), np.arcsin(np.clip(z, -1, 1))]))


def nearest_turn(true, placed):
    """Longitudes of `placed` within half a turn of the true ones, so that lines stay short."""
    shifted = placed.copy()
    shifted[:, 0] = true[:, 0] + (placed[:, 0] - true[:, 0] + 180) % 360 - 180
    return shifted


def label_towns(axes, run, true, placed, landmarks, most=24):
    """Names of towns, as many as find room where they cover no mark and no other name."""
    marks = np.concatenate([true, placed, landmarks])
    taken = []  # left, right, bottom, top in degrees
    for row, (longitude, latitude) in zip(run.test, true):
        name = run.labels[row]
        left, right = longitude + 1.5, longitude + 3.5 + 2.7 * len(name)
        bottom, top = latitude - 3.5, latitude + 4.5
        covers_mark = np.any((marks[:, 0] > left) & (marks[:, 0] < right + 2)
                             & (marks[:, 1] > bottom) & (marks[:, 1] < top))
        covers_name = any(left < r and l < right and bottom < t and b < top
                          for l, r, b, t in taken)
        if covers_mark or covers_name or right > 188 or len(taken) == most:
            continue
        taken.append((left, right, bottom, top))
        axes.text(longitude + 2.5, latitude, name, fontsize=9.5, color=BLACK, va="center", zorder=6)


def draw_sphere_map(run):
    figure, axes = plt.subplots(figsize=(12, 6.8))
    everywhere = to_degrees(run.points)
    axes.scatter(*everywhere.T, s=9, color="#C8C8C8", zorder=1, linewidths=0,
                 label="the other points")
    landmarks = everywhere[: run.summary["data"]["landmarks"]]
    axes.scatter(*landmarks.T, s=70, color=BLACK, marker="+", zorder=5, label="landmark")
    true = everywhere[run.test]
    placed = nearest_turn(true, to_degrees(run.aligned[run.test]))
    draw_moves(axes, true, placed)
    if run.labels:
        label_towns(axes, run, true, placed, landmarks)
    axes.set_xlim(-190, 190)
    axes.set_ylim(-95, 95)
    axes.set_aspect("equal")
    axes.set_xticks(range(-180, 181, 60))
    axes.set_yticks(range(-90, 91, 30))
    axes.set_xlabel("Longitude (degrees east)")
    axes.set_ylabel("Latitude (degrees north)")
    return figure, axes


def draw_map(run):
    sphere = on_unit_sphere(run.points)
    figure, axes = draw_sphere_map(run) if sphere else draw_plane_map(run)
    handles, labels = axes.get_legend_handles_labels()
    figure.suptitle(map_title(run), x=0.01, ha="left", fontsize=14)
    figure.legend(handles, labels, loc="lower center", ncol=len(labels), bbox_to_anchor=(0.5, 0.0))
    figure.get_layout_engine().set(rect=(0, 0.07, 1, 0.93))
    save(figure, run.folder, "map")


def tell(warned):
    """In a line each, what matplotlib warned of; of letters that it has no font for, once."""
    said = [" ".join(str(warning.message).split()) for warning in warned]
    others = [text for text in said if not text.startswith("Glyph ")]
    if len(others) < len(said):
        others.append("some letters are in none of the fonts here, and are drawn as boxes")
    for text in dict.fromkeys(others):
        print(f"pictures.py: {text}", file=sys.stderr)


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print(__doc__.strip())
        sys.exit(0 if sys.argv[1:] in (["-h"], ["--help"]) else 2)
    try:
        run = Run(Path(sys.argv[1]))
        with plt.rc_context(STYLE), warnings.catch_warnings(record=True) as warned:
            draw_loss(run)
            draw_distances(run)
            if run.points.shape[1] in (2, 3):
                draw_map(run)
        tell(warned)
    except (OSError, KeyError, ValueError) as error:
        sys.exit(f"pictures.py: {sys.argv[1]!r}: {error}; expected a folder of siamese_landmarks")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
