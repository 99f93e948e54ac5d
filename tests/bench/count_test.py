"""bench/profiling/count.py and bench/profile: what is counted, and how it becomes a table."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

BENCH = Path(__file__).resolve().parents[2] / "bench"
sys.path[:0] = [str(BENCH), str(BENCH / "profiling"), str(BENCH.parent / "tests")]

import count  # noqa: E402
import signals  # noqa: E402
from reporting import running  # noqa: E402

signals.hear_all()


def kernel(**more):
    traffic = {"requests": 0, "bytes": 0, "sectors": 0}
    return {"kernel": "void ns::k<(ns::P)2, 3>(float*, int (*)(int))", "block": [256, 1, 1],
            "static_shared_bytes": 16, "dynamic_shared_bytes": 100,
            "resident_blocks_ignoring_registers": 8, "bank_conflicts": 0,
            "registers": None, "flops": {"f32": 0}, "warp_instructions": {"move": 0},
            **{space: dict(traffic) for space in count.SPACES}, **more}


class Table(unittest.TestCase):
    def test_names_match_the_compilers_report(self):
        self.assertEqual(count.plain_name(kernel()["kernel"]), "ns::k<(ns::P)2, 3>")
        self.assertEqual(count.plain_name("ns::k<(ns::P)2, 3>"), "ns::k<(ns::P)2, 3>")
        with tempfile.NamedTemporaryFile("w") as file:
            file.write("architecture registers stack shared kernel\nsm_80 9 0 0 ns::k<(ns::P)2, 3>\n"
                       "sm_90 33 0 0 ns::k<(ns::P)2, 3>\n")
            file.flush()
            self.assertEqual(count.registers_of_kernels(Path(file.name)),
                             {"ns::k<(ns::P)2, 3>": 33})

    def test_registers_limit_the_blocks_of_an_sm(self):
        # NVIDIA's occupancy tables: 256 threads at 32, 33, 128 and 255 registers.
        for registers, blocks in ((None, 8), (32, 8), (33, 6), (128, 2), (255, 1)):
            self.assertEqual(count.resident_blocks(kernel(registers=registers)), blocks, registers)

    def test_a_line_adds_up_the_launches(self):
        load = {"requests": 2, "bytes": 64, "sectors": 4}
        case = {"case": "adam/cuda_x/float32/parameters:8", "operations": 100.0, "bytes": 128.0,
                "kernels": [kernel(global_load=load, flops={"f32": 150}, bank_conflicts=3, registers=33,
                                   warp_instructions={"move": 5}),
                            kernel(global_load=load, flops={"f32": 50},
                                   warp_instructions={"move": 7})]}
        found = dict(zip(count.HEADER, count.line(case)))
        expected = {"launches": "2", "warp instructions": "12", "useful FLOPs": "50%",
                    "bytes / least": "2.00", "load sectors used": "50%", "store sectors used": "-",
                    "bank conflicts": "3", "registers": "33", "shared bytes": "116",
                    "blocks an SM": "6"}
        self.assertEqual({key: found[key] for key in expected}, expected)
        self.assertAlmostEqual(count.floor_seconds(case), 128 / count.BANDWIDTH)

    def test_bank_conflicts_are_told_by_line(self):
        place = "/a/pack.cuh:16, inlined at /a/panel.cuh:71, inlined at /a/panel.cuh:39, inlined at /a/fit.cu:8"
        lines = {place: {"requests": 2, "passes": 9, "conflicts": 1},
                 "/a/fit.cu:9": {"requests": 1, "passes": 1024, "conflicts": 1000}}
        case = {"case": "fit/cuda_x/float32/indexed/points:3/pairs:3",
                "kernels": [kernel(bank_conflicts_by_line=lines), kernel(bank_conflicts_by_line=lines)]}
        row = ["fit", "x", "float32", "indexed points:3 pairs:3"]
        self.assertEqual(count.conflict_lines(case),
                         [[*row, "fit.cu:9", "2,000", "2,048", "2"],
                          [*row, "pack.cuh:16 < panel.cuh:71 < fit.cu:8", "2", "18", "4"]])
        self.assertEqual(len(count.conflict_lines(case, most=1)), 1)
        unknown = "an unknown line (compile with -lineinfo)"
        self.assertEqual(count.short_place(unknown), unknown)

    def test_instructions_are_told_by_line(self):
        case = {"case": "fit/cuda_x/float32/indexed/points:3/pairs:3",
                "kernels": [kernel(instructions_by_line={"/a/pack.cuh:16, inlined at /a/fit.cu:8": 2000}),
                            kernel(instructions_by_line={"/b/pack.cuh:16, inlined at /b/fit.cu:8": 500,
                                                         "/a/fit.cu:9": 7500})]}
        row = ["fit", "x", "float32", "indexed points:3 pairs:3"]
        self.assertEqual(count.instruction_lines(case),
                         [[*row, "fit.cu:9", "7,500", "75.0%"],
                          [*row, "pack.cuh:16 < fit.cu:8", "2,500", "25.0%"]])
        self.assertEqual(len(count.instruction_lines(case, most=1)), 1)

    def test_bad_words_are_refused_before_anything_is_built(self):
        for words, says in ((["perf", "a/b"], "'perf'"), (["ncu"], "expected one row"),
                            (["nsys", "a", "b"], "expected one row"), (["count"], "expected a row"),
                            (["ncu", "a", "--ladder"], "--ladder"),
                            (["ncu", "a/cuda_b", "--launches", "0"], "--launches"),
                            (["ncu", "a/cuda_b", "--launches", "1000001"], "1 to 1000000"),
                            (["nsys", "a/cpu_b"], "perf record"),
                            (["count", "a", "--fast"], "--fast"),
                            (["count", "adam/cpu_tiled/float32/parameters:44610"], "runs on the CPU"),
                            (["count", "nothing"], "'nothing' is no row"),
                            (["count", "two\nlines\x1b[2J"], "'two\\x0alines\\x1b[2J' is no row"),
                            (["count", "a/cuda_b", "--launches", "3"], "with ncu and nsys alone"),
                            (["count", "a/cuda_b", "--out", "/"], "exists")):
            done = subprocess.run([BENCH / "profile", *words], capture_output=True, text=True,
                                  check=False)
            self.assertEqual((done.returncode, done.stdout), (2, ""), words)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
            self.assertIn(says, done.stderr)


    def count(self, folder, program, *rows):
        """A virtual GPU that writes the counts of no kernel; of a row named `slow`, after a minute."""
        vgpu = Path(folder, "vgpu-run")
        vgpu.write_text("#!/bin/sh\ncase $* in */slow) sleep 60 ;; esac\n"
                        'for word; do case $word in --counters=*) echo "[]" >"${word#*=}" ;; esac; done\n'
                        'echo \'{"case": "adam/cuda_x/float32/parameters:8", "launches": 1, '
                        '"operations": 1, "bytes": 1}\'\n')
        vgpu.chmod(0o755)
        return subprocess.Popen([sys.executable, BENCH / "profiling/count.py", "--profile", program,
                                 "--vgpu-run", vgpu, "--out", Path(folder, "out"), *rows],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def test_ctrl_c_keeps_what_was_counted(self):
        with tempfile.TemporaryDirectory() as folder:
            process = self.count(folder, "/bin/true", "adam/cuda_x/float32/parameters:8", "adam/cuda_x/slow",
                                 "adam/cuda_x/never")
            with process:
                lines = []
                for line in process.stderr:
                    lines.append(line)
                    if line.startswith("[2/3"):
                        process.send_signal(signal.SIGINT)
                        process.send_signal(signal.SIGTERM)
                self.assertIn("What each rung does", process.stdout.read())
                self.assertEqual(process.wait(), 130)
            self.assertEqual(lines[-1], "count: interrupted; 1 of 3 rows were counted\n")
            self.assertEqual(len(json.loads(Path(folder, "out/counts.json").read_text())["cases"]), 1)

    def test_what_cannot_be_counted_is_one_line(self):
        for program, row, says in (("/no/such", "a/cuda_b", "--profile: /no/such: expected a program"),
                                   ("/bin/true", "a/cpu_b", "'a/cpu_b' runs on the CPU"),
                                   ("/bin/true", "two\nlines", "'two\\nlines' is no row")):
            with tempfile.TemporaryDirectory() as folder:
                output, errors = self.count(folder, program, row).communicate()
                self.assertEqual(output, "")
                self.assertNotIn("Traceback", errors)
                self.assertIn(says, errors.splitlines()[-1])

    def test_the_time_left_is_told(self):
        times = iter([0, 10, 100])
        progress = running.Progress(21, lambda: next(times))
        self.assertEqual([progress.next() for _ in range(3)],
                         ["[1/21, ? left]", "[2/21, 4 min left]", "[3/21, 16 min left]"])

    def test_what_nohup_ignores_is_ignored(self):
        for each in running.ENDING:
            self.addCleanup(signal.signal, each, signal.getsignal(each))
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        running.end_as_interrupted()
        self.assertEqual(signal.getsignal(signal.SIGHUP), signal.SIG_IGN)
        self.assertNotIn(signal.getsignal(signal.SIGTERM), (signal.SIG_IGN, signal.SIG_DFL))


class Profiled(unittest.TestCase):
    def run_row(self, *words):
        return subprocess.run([os.environ["SIAMESE_PROFILE"], *words], capture_output=True, text=True,
                              check=False)

    def refused(self, says, *words):
        done = self.run_row(*words)
        self.assertEqual((done.returncode, done.stdout), (2, ""), words)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn(says, done.stderr)

    def test_a_row_of_the_cpu_needs_no_gpu(self):
        done = self.run_row("train_step/cpu_tiled/float32/dense/points:4/pairs:2")
        self.assertEqual(done.returncode, 0, done.stderr)
        case = json.loads(done.stdout)
        self.assertGreater(case["operations"], 0)
        self.assertGreater(case["bytes"], 0)

    def test_bad_rows_are_one_line(self):
        for row, says in (("dance/cpu_tiled/float32/dense/points:4/pairs:2", "'dance'"),
                          ("train_step/cpu_tile/float32/dense/points:4/pairs:2", "'cpu_tile/float32'"),
                          ("train_step/cpu_tiled/float32/dense/points:5/pairs:2", "points:4/pairs:2"),
                          ("train_step/cpu_tiled/float32/dense/points:nan/pairs:2", "points:N"),
                          ("train_step/cpu_tiled/float32/dense/points:1e30/pairs:1", "N and M from 0"),
                          ("train_step/cpu_tiled/float32/dense/points:4x/pairs:2", "N and M from 0"),
                          ("adam/cpu_tiled/float32/parameters:7", "parameters:44610"),
                          ("adam", "'adam'")):
            self.refused(says, row)
        row = "train_step/cpu_tiled/float32/dense/points:4/pairs:2"
        self.refused("--launches: '1e9'; expected a whole number, 1 to 1000000", row, "--launches", "1e9")
        self.refused("--threads: '0'; expected a whole number, 1 to 4096", row, "--threads", "0")
        self.refused("--network: expected a value", row, "--network")


    def test_what_would_not_fit_is_told_with_its_size(self):
        done = self.run_row("train_step/cpu_tiled/float32/dense/points:10000000000/pairs:5000000000")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertRegex(done.stderr, r"^siamese_profile: dense/points:10000000000/pairs:5000000000: "
                         r"its reference needs some \S+ GB of memory, and may take \S+\n$")


class Counted(unittest.TestCase):
    ROW = "adam/cuda_vector/float32/parameters:44610"

    def count(self, out, *rows):
        return subprocess.run([sys.executable, BENCH / "profiling/count.py", "--profile",
                               os.environ["SIAMESE_PROFILE"], "--vgpu-run",
                               os.environ["SIAMESE_VGPU_RUN"], "--out", out, *rows],
                              capture_output=True, text=True, check=False)

    def test_the_profiled_range_alone_is_counted(self):
        with tempfile.TemporaryDirectory() as folder:
            done = self.count(folder, self.ROW)
            self.assertEqual(done.returncode, 0, done.stderr)
            case, = json.loads(Path(folder, "counts.json").read_text())["cases"]
            self.assertEqual(case["launches"], 1)
            # The warm-up launched the same kernels before: each is there once.
            names = [k["kernel"] for k in case["kernels"]]
            self.assertEqual(len(names), len(set(names)))
            loaded = count.total(case, "global_load", "bytes")
            self.assertGreaterEqual(loaded, 4 * 4 * 44610)  # gradient, parameter, m, v
            self.assertLess(loaded, 1.3 * 4 * 4 * 44610)
            self.assertIn("| adam ", done.stdout)

    def test_nothing_tells_where_the_tree_was_built(self):
        with tempfile.TemporaryDirectory() as folder:
            done = self.count(folder, "distance_loss/cuda_gather/float32/indexed/points:30/pairs:128")
            self.assertEqual(done.returncode, 0, done.stderr)
            counts = Path(folder, "counts.json").read_text()
            self.assertIn('"kernels/cuda/endpoint_sort.cu:', counts)
            self.assertNotIn(str(BENCH.parent), counts)

    def test_kept_counts_are_of_this_code(self):
        nvcc = subprocess.run(["nvcc", "--version"], capture_output=True, text=True, check=False).stdout
        if "V13.0.88" not in nvcc:
            self.skipTest("the kept counts are of what nvcc 13.0.88 makes")
        kept = json.loads((BENCH.parent / "results/counts/counts.json").read_text())["cases"]
        kept = {case["case"]: case for case in kept
                if re.fullmatch(r"(pair_forward|distance_loss)/cuda_\w+/\w+/indexed/points:30/.*|adam/.*", case["case"])}
        with tempfile.TemporaryDirectory() as folder:
            done = self.count(folder, *kept)
            self.assertEqual(done.returncode, 0, done.stderr)
            for case in json.loads(Path(folder, "counts.json").read_text())["cases"]:
                for now, then in zip(case["kernels"], kept[case["case"]]["kernels"], strict=True):
                    for key in now.keys() - {"symbol", "registers", "bank_conflicts_by_line"}:  # of the build, of lines
                        self.assertEqual(now[key], then[key], f"{case['case']}: {key}; run bench/profile count --ladder")

    def test_a_row_that_cannot_run_is_told_and_the_others_are_kept(self):
        with tempfile.TemporaryDirectory() as folder:
            done = self.count(folder, self.ROW, "adam/cuda_none/float32/parameters:44610")
            self.assertEqual(done.returncode, 1)
            self.assertIn("'cuda_none/float32' is no variant of adam", done.stderr)
            self.assertEqual(len(json.loads(Path(folder, "counts.json").read_text())["cases"]), 1)


if __name__ == "__main__":
    unittest.main()
