"""Times a training step by this project and by other libraries in turn, on the same problem.

    measure.py --step siamese_step --python PYTHON --out FILE [--device cpu|cuda|all]
               [--threads N]... [--quick | --shape SHAPE...]

Each peer is a process of its own that has checked its loss and gradients against the reference.
They start together, and stay alive, idle, while one after another takes some steps, round after
round: what disturbs the machine disturbs all of them. With each count of threads a peer is a process
of its own in the same rounds; where memory is too little for that, counts get rounds of their own. A
time ends when the device has done all steps of a round. FILE gets the rows in Google Benchmark's
schema, one repetition a round; a peer that could not run is a row with the reason.
"""

import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from entries import PEAK, PEERS, Peer  # noqa: E402
from reporting.files import write  # noqa: E402
from reporting.running import (INTERRUPTED, Progress, Words, end_as_interrupted,  # noqa: E402
                               end_no_more, escaped, exit_with)

ROUNDS = 7
FEWEST_ROUNDS = 3
LONG = 300  # seconds of rounds: once they have taken so long, the fewest are enough
SECONDS = 0.15  # of steps a round
REST = 0.05  # seconds before each turn, in which threads that the one before left spinning end
PATIENCE = 600  # seconds for an answer: compilers take their time
USAGE = 2  # siamese_step's exit code where words are wrong

QUICK = ["dense/points:256/pairs:128", "dense/points:2048/pairs:1024",
         "indexed/points:30/pairs:128", "all/points:500/pairs:124750"]
FULL = ["dense/points:256/pairs:128", "dense/points:2048/pairs:1024",
        "dense/points:16384/pairs:8192", "dense/points:131072/pairs:65536",
        "indexed/points:30/pairs:128", "indexed/points:200/pairs:19900",
        "indexed/points:2000/pairs:1999000",
        "all/points:500/pairs:124750", "all/points:2000/pairs:1999000",
        "all/points:10000/pairs:49995000"]
TRAINING = "indexed/points:30/pairs:435"


@dataclass(frozen=True)
class Runner:
    """A peer with a count of threads; on a GPU, the cores that the host's side may use."""

    peer: Peer
    threads: int

    def __str__(self):
        return f"{self.peer.name}/{self.peer.precision}/threads:{self.threads}"


@dataclass(frozen=True)
class Work:
    """What peers do in turn, each with all these counts of threads."""

    device: str
    op: str
    shape: str
    threads: tuple

    def runners(self, peers):
        return [Runner(peer, count) for peer in peers for count in self.threads]

    def row(self, runner):
        peer = runner.peer
        name = f"{self.op}/{self.device}_{peer.name}/{peer.precision}/{self.shape}"
        return f"{name}/threads:{runner.threads}" if self.device == "cpu" else name

    def __str__(self):
        counts = " and ".join(map(str, self.threads))
        return f"{self.op} {self.shape} on {self.device}, threads: {counts}"


@dataclass(frozen=True)
class Time:
    """Of a step: by the clock, and of all threads' processor time."""

    seconds: float
    cpu_seconds: float


class Gone(Exception):
    """A peer that could not start or has ended, and its reason."""


def last_words(text, code):
    """Why a program ended: the last line that it said, or its exit code."""
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else f"ended with code {code}"


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
        raise Gone(last_words(self.log.read(), self.process.wait()))

    def steps(self, count):
        try:
            self.process.stdin.write(f"{count}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # the answer says why
        message = self.answer()
        return Time(message["seconds"], message["cpu_seconds"])

    def stop(self):
        self.process.kill()
        try:
            self.process.communicate()
        except BrokenPipeError:
            pass  # of what it was still told
        self.log.close()


def command_of(runner, work, folder, arguments):
    peer = runner.peer
    if peer.script:
        return [arguments.python, HERE / f"{peer.script}_peer.py", folder, work.device,
                peer.precision, *peer.words]
    op = "peak" if peer == PEAK else work.op
    return [arguments.step, "serve", work.shape, "--op", op, "--variant",
            f"{work.device}_{peer.name}/{peer.precision}", "--threads", str(runner.threads),
            *problem_words(arguments)]


def problem_words(arguments):
    return ["--network", arguments.network, "--loss", arguments.loss]


def steps_in(seconds, one):
    return max(1, round(seconds / max(one, 1e-7)))


def steps_a_round(process):
    """As one step alone tells too little of many in a row, a tenth of a round tells it again."""
    few = steps_in(SECONDS / 10, process.steps(1).seconds)
    return steps_in(SECONDS, process.steps(few).seconds)


def bytes_of(peer, problem):
    """What a peer's process holds at the most, roughly: of every layer's rows the activations, their
    gradients and what goes before; of the pairs, rows of embeddings and what becomes of them. Of all
    pairs ours stores none, PyTorch's pdist numbers alone, and others may have rows for both orders."""
    own_rows = problem["form"] != "all" and peer.script and "unique" not in peer.words
    rows = 2 * problem["pairs"] if own_rows else problem["points"]
    widths = [layer["outputs"] for layer in problem["layers"]]
    of_a_pair = 6 * widths[-1]
    if problem["form"] == "all":
        of_a_pair = {"": 0, "pytorch": 6}.get(peer.script, 2 * of_a_pair)
    return 4 * (3 * rows * sum(widths) + problem["pairs"] * of_a_pair)


def available_memory():
    text = Path("/proc/meminfo").read_text()
    return 1024 * int(next(line.split()[1] for line in text.splitlines() if "MemAvailable" in line))


def without_room(runners, problem, memory):
    """{runner: why it is left out}: all of them are there at the same time, and must fit."""
    reasons, held = {}, 0
    for runner in runners:
        wanted = bytes_of(runner.peer, problem)
        if held + wanted <= memory:
            held += wanted
        else:
            reasons[runner] = (f"left out: it would need some {wanted * 1e-9:.0f} GB beside the others; "
                               f"there are {memory * 1e-9:.0f}")
    return reasons


def in_shared_rounds(work, peers, problem, memory):
    """The work in parts whose counts of threads share rounds: all of them, unless that would leave
    out peers that fit where each count has rounds of its own."""
    alone = [replace(work, threads=(count,)) for count in work.threads]

    def left_out(part):
        return {runner.peer for runner in without_room(part.runners(peers), problem, memory)}

    return [work] if left_out(work) <= set().union(*map(left_out, alone)) else alone


def measure_work(work, peers, folder, problem, arguments, memory=float("inf")):
    """[(runner, [Time of each round], steps a round, reason of none)]"""
    cpus = sorted(os.sched_getaffinity(0))
    runners = work.runners(peers)
    processes, counts = {}, {}
    reasons = without_room(runners, problem, memory)
    times = {runner: [] for runner in runners}

    def start(runner):
        command = command_of(runner, work, folder, arguments)
        processes[runner] = Process(command, cpus[:runner.threads], runner.peer.environment)

    def wait(runner):
        processes[runner].answer()

    def count(runner):
        counts[runner] = steps_a_round(processes[runner])

    def take_a_round(runner):
        time.sleep(REST)
        times[runner].append(processes[runner].steps(counts[runner]))

    def rounds():
        begin = time.monotonic()
        for done in range(ROUNDS):
            if done >= FEWEST_ROUNDS and time.monotonic() - begin > LONG:
                return
            yield take_a_round

    try:
        for stage in itertools.chain([start, wait, count], rounds()):
            for runner in runners:
                if runner in reasons:
                    continue
                try:
                    stage(runner)
                except (Gone, OSError) as error:
                    reasons[runner] = str(error)
    finally:
        for process in processes.values():
            process.stop()
    return [(runner, times[runner], counts.get(runner, 0), reasons.get(runner)) for runner in runners]


def rows_of(work, measured, problem):
    for runner, times, count, reason in measured:
        name = work.row(runner)
        common = {"name": name, "run_name": name, "run_type": "iteration", "threads": runner.threads,
                  "threads_in_its_rounds": work.threads, "time_unit": "us", "iterations": count}
        if reason is not None:
            yield {**common, "real_time": 0.0, "cpu_time": 0.0, "error_occurred": True,
                   "error_message": reason}
            continue
        for index, each in enumerate(times):
            row = {**common, "repetitions": len(times), "repetition_index": index,
                   "real_time": 1e6 * each.seconds, "cpu_time": 1e6 * each.cpu_seconds}
            if work.op == "train_step":
                row["FLOP/s"] = problem["operations"] / each.seconds
            yield row


def measured_rows(work, arguments):
    """The rows of a piece of work, having told its medians; gaps where it is too large for this machine."""
    peers = PEERS[work.device, work.op]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([arguments.step, "export", work.shape, folder, *problem_words(arguments)],
                              stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode == USAGE:
            print(done.stderr, end="", file=sys.stderr)
            done.check_returncode()
        if done.returncode != 0:
            reason = last_words(done.stderr, done.returncode)
            print(escaped(f"    none: {reason}"), file=sys.stderr, flush=True)
            return list(rows_of(work, [(runner, [], 0, reason) for runner in work.runners(peers)], {}))
        problem = json.loads(Path(folder, "problem.json").read_text())
        memory = 0.7 * available_memory() if work.device == "cpu" else float("inf")
        for part in in_shared_rounds(work, peers, problem, memory):
            measured = measure_work(part, peers, folder, problem, arguments, memory)
            for runner, times, _, reason in measured:
                text = f"none: {reason}"
                if times:
                    text = f"{1e6 * statistics.median(each.seconds for each in times):12,.1f} us"
                print(escaped(f"    {runner!s:52} {text}"), file=sys.stderr, flush=True)
            rows += rows_of(part, measured, problem)
    return rows


def devices_of(wanted, told):
    """The devices to measure on: `told` is what siamese_step says of them. Raises ValueError."""
    if wanted is None:
        return [device for device, state in told.items() if state["usable"]]
    devices = list(told) if wanted == "all" else [wanted]
    for device in devices:
        if not told[device]["usable"]:
            raise ValueError(told[device]["is"])
    return devices


def all_work(devices, shapes, threads, every):
    """Steps of each shape, and on the CPU a training."""
    work = []
    if "cpu" in devices:
        work += [Work("cpu", "train_step", shape, tuple(threads)) for shape in shapes]
        work.append(Work("cpu", "fit", TRAINING, tuple(threads)))
    if "cuda" in devices:
        work += [Work("cuda", "train_step", shape, (every,)) for shape in shapes]
    return work


def context_of(arguments, *words):
    """Where numbers come from: machine and build as siamese_bench tells them, and the peers."""
    told = json.loads(subprocess.run([arguments.step, "context", *words], check=True, text=True,
                                     stdout=subprocess.PIPE).stdout)
    del told["sweep"], told["threads"]  # rows have their own
    return {"date": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "peers": versions(arguments.python),
            "num_cpus": len(os.sched_getaffinity(0)), "host_name": os.uname().nodename,
            "load_avg": list(os.getloadavg()), **told}


def versions(python):
    code = ("import importlib.metadata as m\n"
            "for name in ('torch', 'jax', 'tensorflow-cpu', 'keras', 'numpy'):\n"
            "    try: print(name, m.version(name), sep='==')\n"
            "    except m.PackageNotFoundError: pass\n"
            "try:\n"
            "    import torch\n"
            "    print('with', torch.backends.cpu.get_cpu_capability())\n"
            "except ImportError: pass\n")
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
        return " ".join(done.stdout.split())
    except OSError:
        return ""


def main():
    parser = Words(__doc__)
    parser.add_argument("--step", required=True, help="the program siamese_step")
    parser.add_argument("--python", required=True, help="the peers' interpreter")
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--device", choices=["cpu", "cuda", "all"],
                        help="default: the CPU, and a CUDA device where one can be used")
    parser.add_argument("--threads", type=int, action="append",
                        help="of the CPU's peers, once or more; default: 1 and all")
    parser.add_argument("--network", default="11-200relu-200relu-10sigmoid")
    parser.add_argument("--loss", default="euclidean/absolute")
    parser.add_argument("--quick", action="store_true", help="small shapes alone")
    parser.add_argument("--shape", action="append", help="once or more, instead of those")
    arguments = parser.parse_args()
    if not os.access(arguments.out.absolute().parent, os.W_OK):
        parser.error(f"--out: {arguments.out}: expected a file in a folder that can be written")
    every = len(os.sched_getaffinity(0))
    threads = sorted(set(arguments.threads or (1, every)))
    if not all(1 <= count <= every for count in threads):
        parser.error(f"--threads: {threads}; expected 1 to {every}, the cores here")

    told = json.loads(subprocess.run([arguments.step, "devices"], check=True, text=True,
                                     stdout=subprocess.PIPE).stdout)
    try:
        devices = devices_of(arguments.device, told)
    except ValueError as error:
        parser.error(f"--device {arguments.device}: {error}")

    shapes = list(dict.fromkeys(arguments.shape or (QUICK if arguments.quick else FULL)))
    works = all_work(devices, shapes, threads, every)
    context = context_of(arguments, *problem_words(arguments))
    rows, timed = [], 0
    progress = Progress(len(works))
    end_as_interrupted()
    try:
        for work in works:
            print(escaped(f"{progress.next()} {work}"), file=sys.stderr, flush=True)
            rows += measured_rows(work, arguments)
            timed += 1
    except KeyboardInterrupt:
        print(f"measure: interrupted; {timed} of {len(works)} pieces of work were timed"
              + (f", which {arguments.out} has" if rows else ""), file=sys.stderr)
        return INTERRUPTED
    finally:
        end_no_more()
        if timed < len(works):
            context["not_timed"] = "; ".join(map(str, works[timed:]))
        if rows:
            write(arguments.out, json.dumps({"context": context, "benchmarks": rows}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    exit_with(main, "measure")
