"""Whether kernels are free of bank conflicts, by the virtual GPU's counters.

    conflicts.py VGPU_RUN PROGRAM FILTER [OPTION...] KERNEL...

Runs the tests of PROGRAM that match FILTER, with these options of vgpu-run; exit code 1 where a
launch of a KERNEL (a part of its name) had conflicts, or where there was none to look at.
"""

import json
import os
import subprocess
import sys
import tempfile


def launches(vgpu_run, program, test_filter, options):
    with tempfile.TemporaryDirectory() as folder:
        counters = os.path.join(folder, "counters.json")
        subprocess.run(
            [vgpu_run, "--check=none", f"--counters={counters}", *options, program]
            + [f"--gtest_filter={test_filter}", "--gtest_brief=1"],
            check=True,
        )
        with open(counters, encoding="utf-8") as file:
            return json.load(file)


def main(arguments):
    options = [argument for argument in arguments[3:] if argument.startswith("--")]
    kernels = [argument for argument in arguments[3:] if not argument.startswith("--")]
    if not kernels:
        print(__doc__, file=sys.stderr)
        return 2
    every = launches(*arguments[:3], options)
    failed = False
    for kernel in kernels:
        of_kernel = [launch for launch in every if kernel in launch["kernel"]]
        conflicts = sum(launch["bank_conflicts"] for launch in of_kernel)
        print(f"{kernel}: {conflicts} bank conflicts in {len(of_kernel)} launches")
        failed |= conflicts > 0 or not of_kernel
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
