"""Counts what CUDA variants do, on the virtual GPU: exact numbers, no time, no GPU needed.

    count.py --profile siamese_profile --vgpu-run vgpu-run --out DIR ROW...

Each ROW is one of siamese_profile's. DIR gets counts.json, a kernel by kernel record, and counts.md,
a line per row.
"""

import json
import math
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

from reporting.files import write  # noqa: E402
from reporting.running import (INTERRUPTED, Progress, Words, end_as_interrupted,  # noqa: E402
                               escaped, exit_with)
from reporting.tables import Table, markdown, time_text  # noqa: E402

# An H100 SXM's rates, dense, from NVIDIA's data sheet: operations and bytes a second.
PEAKS = {"float64": 33.5e12, "float32": 66.9e12, "tf32x3": 494.7e12 / 3, "tf32": 494.7e12,
         "bf16": 989.4e12}
BANDWIDTH = 3.35e12
SPACES = ("global_load", "global_store", "global_atomic", "local_load", "local_store", "shared_load",
          "shared_store", "shared_atomic")


def count(row, arguments, registers):
    """{"case", "operations", "bytes", "launches", "kernels": one object a launch}. Kernels get their
    `registers`, null where the report has none."""
    with tempfile.TemporaryDirectory() as folder:
        counters = Path(folder, "counters.json")
        # On one thread blocks take turns in a fixed order, so that how often one asks whether the
        # others have come is the same each time.
        done = subprocess.run([arguments.vgpu_run, "--check=none", "--threads=1",
                               f"--counters={counters}", "--counters-later", arguments.profile,
                               row],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            lines = (done.stderr or done.stdout).strip().splitlines()
            raise RuntimeError(f"{row}: {lines[-1] if lines else f'code {done.returncode}'}")
        try:
            case = json.loads(done.stdout.splitlines()[-1])
            # Files by their place in the tree, so that counts are the same wherever it was built.
            case["kernels"] = json.loads(counters.read_text().replace(f"{ROOT}/", ""))
        except (OSError, ValueError, IndexError) as error:
            raise RuntimeError(f"{row}: {arguments.vgpu_run} wrote no counts") from error
        for kernel in case["kernels"]:
            kernel["registers"] = registers.get(plain_name(kernel["kernel"]))
            if not arguments.lines:
                del kernel["instructions_by_line"]
    return case


def plain_name(kernel):
    """A demangled kernel's name without its result and parameters, as the compiler's report has it."""
    name = kernel.removeprefix("void ")
    depth = 0
    for at in range(len(name) - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(name[at], 0)
        if depth == 0:
            return name[:at] if name[at] == "(" else name
    return name


def registers_of_kernels(path):
    """{plain name: registers a thread} of sm_90 code, from the build's report of resources."""
    registers = {}
    for line_ in path.read_text().splitlines()[1:]:
        architecture, count_, _, _, name = line_.split(" ", 4)
        if architecture.startswith("sm_90"):
            registers[plain_name(name)] = int(count_)
    return registers


def resident_blocks(kernel):
    """Blocks an SM that shared memory, threads and registers leave room for; the last are given to
    warps by 256."""
    registers = kernel["registers"]
    warps = -(-kernel["block"][0] * kernel["block"][1] * kernel["block"][2] // 32)
    by_registers = 65536 // (warps * (-(-32 * registers // 256) * 256)) if registers else math.inf
    return min(kernel["resident_blocks_ignoring_registers"], by_registers)


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
    known = [kernel["registers"] for kernel in kernels if kernel["registers"]]
    # Whose own kernels are not run here, and not counted.
    library = variant.startswith("cuda_cublas")
    return [op, variant.removeprefix("cuda_") + (" *" if library else ""), precision,
            shape.replace("/", " "), str(len(kernels)), f"{instructions:,}",
            "-" if library else _share(case["operations"], executed),
            "-" if library or not case["bytes"] else f"{traffic / case['bytes']:.2f}",
            _share(*moved["global_load"]), _share(*moved["global_store"]),
            f"{sum(kernel['bank_conflicts'] for kernel in kernels):,}",
            f"{total(case, 'local_load', 'requests') + total(case, 'local_store', 'requests'):,}",
            str(max(known)) if known else "-", f"{shared:,}",
            str(min(map(resident_blocks, kernels), default=0)),
            time_text(floor_seconds(case))]


def short_place(place):
    """The lines that an access was inlined through, from the inside, the innermost of each file."""
    lines = {}
    for part in place.split(", inlined at "):
        file, number = Path(part).name.rsplit(":", 1) if ":" in part else (part, "")
        lines.setdefault(file, f"{file}:{number}" if number else file)
    return " < ".join(lines.values())


def _named(case, place):
    """The beginning of a row about a place in the source."""
    op, variant, precision, shape = case["case"].split("/", 3)
    return [op, variant.removeprefix("cuda_"), precision, shape.replace("/", " "), place]


def conflict_lines(case, most=4):
    """The lines of the source with most of a case's bank conflicts."""
    found = {}
    for kernel in case["kernels"]:
        for place, line_ in kernel["bank_conflicts_by_line"].items():
            sums = found.setdefault(short_place(place), [0, 0, 0])
            for at, key in enumerate(("conflicts", "passes", "requests")):
                sums[at] += line_[key]
    worst = sorted(found.items(), key=lambda item: (-item[1][0], item[0]))[:most]
    return [[*_named(case, place), *(f"{number:,}" for number in sums)] for place, sums in worst]


def instruction_lines(case, most=16):
    """The lines of the source that most of a case's instructions come from."""
    found = {}
    for kernel in case["kernels"]:
        for place, warps in kernel["instructions_by_line"].items():
            short = short_place(place)
            found[short] = found.get(short, 0) + warps
    whole = sum(found.values())
    longest = sorted(found.items(), key=lambda item: (-item[1], item[0]))[:most]
    return [[*_named(case, place), f"{warps:,}", f"{100 * warps / whole:.1f}%"]
            for place, warps in longest]


HEADER = ["op", "variant", "precision", "shape", "launches", "warp instructions", "useful FLOPs",
          "bytes / least", "load sectors used", "store sectors used", "bank conflicts",
          "local accesses", "registers", "shared bytes", "blocks an SM", "H100 floor"]
CONFLICTS_HEADER = ["op", "variant", "precision", "shape", "line, inlined at", "bank conflicts", "passes",
                    "requests"]
CONFLICTS_NOTE = """
The four worst lines of each row. A request of a warp takes at least a pass for each 128 bytes that its
lanes move; what it takes beyond that are conflicts.
"""
INSTRUCTIONS_HEADER = ["op", "variant", "precision", "shape", "line, inlined at", "warp instructions",
                       "of all"]
INSTRUCTIONS_NOTE = """
The sixteen lines of each row that most instructions of warps come from, of PTX: what the compiler
then made of them, a move that needs no instruction say, it does not tell.
"""
NOTE = """
Counted by the virtual GPU from the compiled PTX; nothing here was timed, and no GPU has run it. One
launch of each variant. useful FLOPs: the least operations of the work (bench/work.h) over those executed.
bytes / least: global traffic in whole sectors of 32 bytes, as if no cache held any, over the least
bytes. sectors used: bytes that lanes asked for over those of the sectors they touched, request by
request; more than 100% where lanes share bytes. local accesses: warp instructions on local memory, where
spilled registers go. registers (of sm_90a code), shared bytes: of the kernel with most. blocks an SM: of
the kernel with fewest, limited by registers, shared memory and threads. H100 floor: operations over
the data sheet's peak of the precision, or least bytes over 3.35 TB/s, whichever is longer. *: what runs
beside the library's own kernels, which the virtual GPU replaces and does not count.
"""


def main():
    parser = Words(__doc__)
    parser.add_argument("rows", nargs="+", metavar="ROW")
    parser.add_argument("--profile", required=True, help="the program siamese_profile")
    parser.add_argument("--vgpu-run", required=True)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--lines", action="store_true",
                        help="keep and tell by line of the source where instructions come from")
    parser.add_argument("--commit", default="unknown", help="of the kernels, for the record")
    parser.add_argument("--resources", type=Path, help="the build's report of registers")
    arguments = parser.parse_args()
    for option, program in (("--profile", arguments.profile), ("--vgpu-run", arguments.vgpu_run)):
        if shutil.which(program) is None:
            parser.error(f"{option}: {program}: expected a program")
    for row in arguments.rows:
        if "/cuda_" not in row:
            what = "runs on the CPU" if "/cpu_" in row else "is no row"
            parser.error(f"'{row}' {what}; expected rows of CUDA variants")
    registers = registers_of_kernels(arguments.resources) if arguments.resources else {}
    cases, code = [], 0
    progress = Progress(len(arguments.rows))
    end_as_interrupted()
    try:
        for row in arguments.rows:
            print(escaped(f"{progress.next()} {row}"), file=sys.stderr, flush=True)
            try:
                cases.append(count(row, arguments, registers))
            except RuntimeError as error:
                print(escaped(f"count: {error}"), file=sys.stderr)
                code = 1
    except KeyboardInterrupt:
        print(f"count: interrupted; {len(cases)} of {len(arguments.rows)} rows were counted",
              file=sys.stderr)
        code = INTERRUPTED
    if cases:
        arguments.out.mkdir(parents=True, exist_ok=True)
        table = Table("What each rung does", HEADER, [line(case) for case in cases],
                      NOTE + f"Commit {arguments.commit}.\n")
        # A line a case: the file is for programs, and for git.
        lines = ",\n".join(json.dumps(case) for case in cases)
        write(arguments.out / "counts.json",
              f'{{"context": {{"commit": "{arguments.commit}"}}, "cases": [\n{lines}\n]}}\n')
        text = markdown(table)
        if arguments.lines:
            text += "\n" + markdown(Table("Where the instructions are", INSTRUCTIONS_HEADER,
                                          [found for case in cases for found in instruction_lines(case)],
                                          INSTRUCTIONS_NOTE))
        conflicts = [found for case in cases for found in conflict_lines(case)]
        if conflicts:
            text += "\n" + markdown(Table("Where the bank conflicts are", CONFLICTS_HEADER, conflicts,
                                          CONFLICTS_NOTE))
        write(arguments.out / "counts.md", text)
        print(text)
    return code


if __name__ == "__main__":
    exit_with(main, "count")
