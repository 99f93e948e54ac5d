"""Counts what CUDA variants do, on the virtual GPU: exact numbers, no time, no GPU needed.

    count.py --profile siamese_profile --vgpu-run vgpu-run --out DIR ROW...

Each ROW is one of siamese_profile's. DIR gets counts.json, a kernel by kernel record, and counts.md,
a line per row.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from reporting.tables import Table, markdown, time_text  # noqa: E402

# An H100 SXM's rates, dense, from NVIDIA's data sheet: operations and bytes a second.
PEAKS = {"float64": 33.5e12, "float32": 66.9e12, "tf32x3": 494.7e12 / 3, "tf32": 494.7e12,
         "bf16": 989.4e12}
BANDWIDTH = 3.35e12
SPACES = ("global_load", "global_store", "global_atomic", "local_load", "local_store", "shared_load",
          "shared_store", "shared_atomic")


def count(row, arguments):
    """{"case", "operations", "bytes", "launches", "kernels": one object a launch}."""
    with tempfile.TemporaryDirectory() as folder:
        counters = Path(folder, "counters.json")
        done = subprocess.run([arguments.vgpu_run, "--check=none", f"--counters={counters}",
                               "--counters-later", arguments.profile, row,
                               *arguments.words], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            lines = (done.stderr or done.stdout).strip().splitlines()
            raise RuntimeError(f"{row}: {lines[-1] if lines else f'code {done.returncode}'}")
        case = json.loads(done.stdout.splitlines()[-1])
        case["kernels"] = json.loads(counters.read_text())
    return case


def total(case, space, key):
    return sum(kernel[space][key] for kernel in case["kernels"])


def floor_seconds(case):
    precision = case["case"].split("/")[2]
    return max(case["operations"] / PEAKS[precision], case["bytes"] / BANDWIDTH)


def _share(part, whole):
    return f"{100 * part / whole:.0f}%" if whole else "-"


def line(case):
    op, variant, precision, shape = case["case"].split("/", 3)
    kernels = case["kernels"]
    executed = sum(sum(kernel["flops"].values()) for kernel in kernels)
    traffic = 32 * sum(total(case, space, "sectors")
                       for space in ("global_load", "global_store", "global_atomic"))
    instructions = sum(sum(kernel["warp_instructions"].values()) for kernel in kernels)
    moved = {space: (total(case, space, "bytes"), 32 * total(case, space, "sectors"))
             for space in SPACES}
    shared = max((kernel["static_shared_bytes"] + kernel["dynamic_shared_bytes"]
                  for kernel in kernels), default=0)
    library = variant == "cuda_cublas"  # whose own kernels are not run here, and not counted
    return [op, variant.removeprefix("cuda_") + (" *" if library else ""), precision, shape.replace("/", " "), str(len(kernels)),
            f"{instructions:,}",
            "-" if library else _share(case["operations"], executed),
            "-" if library or not case["bytes"] else f"{traffic / case['bytes']:.2f}",
            _share(*moved["global_load"]), _share(*moved["global_store"]),
            f"{sum(kernel['bank_conflicts'] for kernel in kernels):,}",
            f"{total(case, 'local_load', 'requests') + total(case, 'local_store', 'requests'):,}",
            f"{shared:,}", str(min((kernel["resident_blocks_ignoring_registers"]
                                    for kernel in kernels), default=0)),
            time_text(floor_seconds(case))]


HEADER = ["op", "variant", "precision", "shape", "launches", "warp instructions", "useful FLOPs",
          "bytes / least", "load sectors used", "store sectors used", "bank conflicts",
          "local accesses", "shared bytes", "blocks an SM", "H100 floor"]
NOTE = """
Counted by the virtual GPU from the compiled PTX; nothing here was timed, and no GPU has run it. One
launch of each variant. useful FLOPs: the least operations of the work (bench/work.h) over those
executed; more than 100% is possible where fewer operations are counted than the definition has.
bytes / least: global traffic in whole sectors of 32 bytes over the least bytes. sectors used: bytes
that lanes asked for over bytes of the sectors they touched, request by request; above 100% lanes of a
request shared bytes. local accesses: warp instructions on local memory, which spills are. blocks an SM:
of the kernel with fewest, limited by shared memory and threads. H100 floor: operations over the data
sheet's peak of the precision, or least bytes over 3.35 TB/s, whichever is longer. *: what runs beside
the library's own kernels, which the virtual GPU replaces and does not count.
"""


def write(path, text):
    partial = path.with_name(f".{path.name}.part")
    partial.write_text(text)
    os.replace(partial, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="+", metavar="ROW")
    parser.add_argument("--profile", required=True, help="the program siamese_profile")
    parser.add_argument("--vgpu-run", required=True)
    parser.add_argument("--out", required=True, type=Path)
    arguments = parser.parse_args()
    arguments.words = []
    cases, failed = [], False
    for number, row in enumerate(arguments.rows):
        print(f"[{number + 1}/{len(arguments.rows)}] {row}", file=sys.stderr, flush=True)
        try:
            cases.append(count(row, arguments))
        except RuntimeError as error:
            print(f"count: {error}", file=sys.stderr)
            failed = True
    if cases:
        arguments.out.mkdir(parents=True, exist_ok=True)
        text = markdown(Table("What each rung does", HEADER, [line(case) for case in cases])) + NOTE
        write(arguments.out / "counts.json", json.dumps(cases, indent=1) + "\n")
        write(arguments.out / "counts.md", text)
        print(text)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
