"""The landmark experiment from beginning to end, as bench/peers/landmarks.py ran it."""

import json
import statistics

from reporting.results import BadResults
from reporting.tables import Table, time_text


def load(path):
    """The runs. Raises BadResults."""
    try:
        return json.loads(path.read_text())["runs"]
    except (ValueError, KeyError, TypeError) as error:
        raise BadResults(f"{path}: {error!r}; expected results of bench/peers/landmarks.py") from error


def table(runs):
    """A line per loss and way: medians over the initialisations, in brackets the range."""
    groups = {}
    for run in runs:
        if "error_message" not in run:
            groups.setdefault((run["loss"], run["name"]), []).append(run)

    def cell(mine, key, text):
        values = [run[key] for run in mine]
        return f"{text(statistics.median(values))} ({text(min(values))} to {text(max(values))})"

    rows = [[loss, name, mine[0]["trained_by"], str(len(mine)),
             cell(mine, "process_seconds", time_text), cell(mine, "training_seconds", time_text),
             cell(mine, "error_per_point", "{:.2f}".format)]
            for (loss, name), mine in sorted(groups.items(), key=lambda group: group[0][0])]
    return Table("The landmark experiment", ["loss", "program", "trained by", "runs", "process",
                                             "training", "error, sum / points"], rows)
