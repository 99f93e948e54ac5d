"""Times a training step by this project and by other libraries in turn, on the same problem.

    measure.py --step siamese_step --python PYTHON --out FILE [--threads N]... [--quick]

Each peer is a process of its own that has checked its loss and gradients against the reference.
They all stay alive, idle, while one after another takes some steps, round after round: what
disturbs the machine disturbs all of them. FILE gets the rows in Google Benchmark's schema, one
repetition a round; a peer that could not run is a row with the reason.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from reporting.files import write  # noqa: E402

ROUNDS = 7
SECONDS = 0.15  # of steps a round
PATIENCE = 600  # seconds for an answer: compilers take their time


@dataclass
class Peer:
    name: str  # as rows are named: device_name
    script: str  # "" for this project's own variants
    words: tuple = ()
    environment: tuple = ()


# glibc gives large blocks back to the system when they are freed, and gets them zeroed page by page;
# with this a process keeps them.
KEPT_HEAP = (("MALLOC_MMAP_MAX_", "0"), ("MALLOC_TRIM_THRESHOLD_", str(1 << 40)))

# A library's first entry is how one writes it first; the others are what makes it faster.
STEP_PEERS = [
    Peer("tiled", ""), Peer("eigen", ""), Peer("numpy", "numpy"),
    Peer("pytorch", "pytorch", ("twice",)),
    Peer("pytorch-once-fused", "pytorch", ("once", "fused")),
    Peer("pytorch-unique-fused", "pytorch", ("unique", "fused")),
    Peer("pytorch-unique-fused-compile", "pytorch", ("unique", "fused", "compile")),
    Peer("pytorch-unique-fused-heap", "pytorch", ("unique", "fused"), KEPT_HEAP),
    Peer("pytorch-unique-fused-compile-heap", "pytorch", ("unique", "fused", "compile"), KEPT_HEAP),
    Peer("jax", "jax", ("twice",)), Peer("jax-once", "jax", ("once",)),
    Peer("jax-unique", "jax", ("unique",)),
    Peer("keras", "keras", ("batch",)), Peer("keras-jit", "keras", ("batch", "jit")),
]
FIT_PEERS = [Peer("tiled", ""), Peer("keras", "keras", ("fit",)),
             Peer("keras-jit", "keras", ("fit", "jit"))]

QUICK = ["dense/points:256/pairs:128", "dense/points:2048/pairs:1024",
         "indexed/points:30/pairs:128", "all/points:500/pairs:124750"]
FULL = ["dense/points:256/pairs:128", "dense/points:2048/pairs:1024",
        "dense/points:16384/pairs:8192", "dense/points:131072/pairs:65536",
        "indexed/points:30/pairs:128", "indexed/points:200/pairs:19900",
        "all/points:500/pairs:124750", "all/points:2000/pairs:1999000"]
TRAINING = "indexed/points:30/pairs:435"


class Gone(Exception):
    """A peer that could not start or has ended, and its reason."""


class Process:
    """A running peer, pinned to these cores."""

    def __init__(self, command, cpus, environment):
        def pin():
            os.sched_setaffinity(0, cpus)

        threads = str(len(cpus))
        environment = {**os.environ, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads,
                       **dict(environment)}
        self.log = tempfile.TemporaryFile("w+", errors="replace")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.log, text=True, env=environment, preexec_fn=pin)

    def answer(self):
        watchdog = threading.Timer(PATIENCE, self.process.kill)
        watchdog.start()
        try:
            for line in self.process.stdout:
                if line.startswith("{"):  # libraries print what they like besides
                    message = json.loads(line)
                    if "error" in message:
                        raise Gone(message["error"])
                    return message
        finally:
            watchdog.cancel()
        self.log.seek(0)
        lines = [line for line in self.log.read().splitlines() if line.strip()]
        raise Gone(lines[-1] if lines else f"ended with code {self.process.wait()}")

    def steps(self, count):
        try:
            self.process.stdin.write(f"{count}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # the answer says why
        return self.answer()["seconds"]

    def stop(self):
        self.process.kill()
        try:
            self.process.communicate()
        except BrokenPipeError:
            pass  # of what it was still told
        self.log.close()


def command_of(peer, op, shape, folder, arguments, threads):
    if peer.script:
        return [arguments.python, HERE / f"{peer.script}_peer.py", folder, *peer.words]
    return [arguments.step, "serve", shape, "--op", op, "--variant", f"cpu_{peer.name}/float32",
            "--threads", str(threads), *problem_words(arguments)]


def problem_words(arguments):
    return ["--network", arguments.network, "--loss", arguments.loss]


def start(command, cpus, environment):
    """The peer and the seconds of one of its steps."""
    process = Process(command, cpus, environment)
    try:
        process.answer()
        return process, process.steps(1)
    except Gone:
        process.stop()
        raise


def measure_shape(op, shape, peers, threads, folder, arguments):
    """[(peer, [seconds a step of each round], steps a round, reason of none)]"""
    cpus = sorted(os.sched_getaffinity(0))[:threads]
    running, reasons = [], {}
    try:
        for peer in peers:
            command = command_of(peer, op, shape, folder, arguments, threads)
            try:
                process, once = start(command, cpus, peer.environment)
                count = max(1, round(SECONDS / max(once, 1e-7)))
                running.append((peer, process, count, []))
            except (Gone, OSError) as error:
                reasons[peer.name] = str(error)
        for _ in range(ROUNDS):
            for peer, process, count, times in running:
                if peer.name in reasons:
                    continue
                try:
                    times.append(process.steps(count))
                except Gone as error:
                    reasons[peer.name] = str(error)
    finally:
        for _, process, _, _ in running:
            process.stop()
    measured = {peer.name: (times, count) for peer, _, count, times in running}
    return [(peer, *measured.get(peer.name, ([], 0)), reasons.get(peer.name)) for peer in peers]


def rows_of(op, shape, threads, measured, problem):
    for peer, times, count, reason in measured:
        name = f"{op}/cpu_{peer.name}/float32/{shape}/threads:{threads}"
        common = {"name": name, "run_name": name, "run_type": "iteration", "threads": threads,
                  "time_unit": "us", "iterations": count}
        if reason is not None:
            yield {**common, "real_time": 0.0, "cpu_time": 0.0, "error_occurred": True,
                   "error_message": reason}
            continue
        for index, seconds in enumerate(times):
            row = {**common, "repetitions": len(times), "repetition_index": index,
                   "real_time": 1e6 * seconds, "cpu_time": 1e6 * seconds}
            if op == "train_step":
                row["FLOP/s"] = problem["operations"] / seconds
            yield row


def versions(python):
    code = ("import importlib.metadata as m\n"
            "for name in ('torch', 'jax', 'tensorflow-cpu', 'keras', 'numpy'):\n"
            "    try: print(name, m.version(name), sep='==')\n"
            "    except m.PackageNotFoundError: pass\n")
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
        return " ".join(done.stdout.split())
    except OSError:
        return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--step", required=True, help="the program siamese_step")
    parser.add_argument("--python", required=True, help="the peers' interpreter")
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--threads", type=int, action="append",
                        help="once or more; default: 1 and all")
    parser.add_argument("--network", default="11-200relu-200relu-10sigmoid")
    parser.add_argument("--loss", default="euclidean/absolute")
    parser.add_argument("--quick", action="store_true", help="small shapes alone")
    arguments = parser.parse_args()
    every = len(os.sched_getaffinity(0))
    threads = arguments.threads or sorted({1, every})
    if not all(1 <= count <= every for count in threads):
        parser.error(f"--threads: {threads}; expected 1 to {every}, the cores here")

    work = [("train_step", shape, STEP_PEERS, count)
            for shape in (QUICK if arguments.quick else FULL) for count in threads]
    work += [("fit", TRAINING, FIT_PEERS, count) for count in threads]
    rows = []
    begin = time.monotonic()
    for done, (op, shape, peers, count) in enumerate(work):
        print(f"[{done + 1}/{len(work)}, {time.monotonic() - begin:.0f} s] {op} {shape}, "
              f"{count} threads", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([arguments.step, "export", shape, folder, *problem_words(arguments)],
                           check=True)
            problem = json.loads(Path(folder, "problem.json").read_text())
            measured = measure_shape(op, shape, peers, count, folder, arguments)
        rows += rows_of(op, shape, count, measured, problem)
        for peer, times, _, reason in measured:
            text = f"{1e6 * statistics.median(times):12,.1f} us" if times else f"none: {reason}"
            print(f"    {peer.name:34} {text}", file=sys.stderr, flush=True)
    context = {"date": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "peers": versions(arguments.python),
               "num_cpus": every, "host_name": os.uname().nodename}
    write(arguments.out, json.dumps({"context": context, "benchmarks": rows}, indent=1) + "\n")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
    except subprocess.CalledProcessError:
        sys.exit("measure: siamese_step could not write the problem; its line above says why")
