"""A run that was interrupted, and the run that took the rest of its rows, as one."""

import json

from reporting.results import BadResults, name_of, read_document

# What must be alike for rows to stand in one table; bench/resume.cpp refuses by the same, before a
# row is run.
SAME = ("schema", "sweep", "processor", "cuda_device", "cuda_driver", "cuda_compiler", "cublas", "threads", "isa",
        "compiler", "flags", "kernel_flags", "commit", "build_type", "network", "loss", "adam")


def merge(begun_path, rest_path):
    """The JSON text of both, the rest's context last. Raises BadResults where they differ in what
    makes rows comparable."""
    begun, rest = read_document(begun_path), read_document(rest_path)
    for key in SAME:
        before, after = begun["context"].get(key), rest["context"].get(key)
        if before != after:
            raise BadResults(f"{rest_path}: {key} is {after}, in {begun_path} {before}; expected the "
                             "same, for their rows go into one table")
    again = {name_of(run) for run in rest["benchmarks"]}
    rows = [run for run in begun["benchmarks"] if name_of(run) not in again]
    context = {**rest["context"],
               "resumed": begun["context"].get("resumed", begun["context"].get("date", ""))}
    return json.dumps({"context": context, "benchmarks": rows + rest["benchmarks"]}, indent=2) + "\n"
