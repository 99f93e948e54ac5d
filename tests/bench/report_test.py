"""bench/report on results made up here, whose tables can be computed by hand."""

import csv
import io
import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

BENCH = Path(__file__).resolve().parents[2] / "bench"
sys.path.insert(0, str(BENCH))

from reporting import results, tables  # noqa: E402


def run(name, time, unit="us", **more):
    return {"name": name, "run_name": name, "run_type": "iteration", "repetitions": 3,
            "iterations": 10, "real_time": time, "cpu_time": time, "time_unit": unit, **more}


def row(name, times, rung, unit="us"):
    counters = {"label": f"rung {rung}", "FLOP/s": 2e9, "bytes/s": 1e9, "floor": 0.25,
                "peak": 12.5, "error": 0.5, "machine": 0.99, "cold": 123e-6}
    return [run(name, time, unit, **counters) for time in times]


def document(runs, **context):
    context = {"date": "2026-01-02T03:04:05+00:00", "network": "11-200relu-10", "threads": "2",
               "processor": "Some CPU, 2 threads", "build_type": "Release", "isa": "avx2",
               "loss": "euclidean/absolute", "commit": "abc1234",
               "fma_peak_float32_one_core_gflops": "100", "fma_peak_float32_gflops": "200",
               "bandwidth_gbs_by_bytes": "32768:400 268435456:20", **context}
    return {"context": context, "benchmarks": runs}


NAMES = [f"train_step/cpu_{{}}/float32/dense/points:{2 * m}/pairs:{m}" for m in (128, 1024)]
LADDER = (row(NAMES[0].format("slow"), [80, 100, 90], 0) +
          row(NAMES[0].format("fast"), [0.03, 0.03, 0.03], 1, "ms") +
          row(NAMES[1].format("slow"), [800, 800, 800], 0))


class Report(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.file = Path(self.folder.name, "results.json")

    def load(self, runs, **context):
        self.file.write_text(json.dumps(document(runs, **context)))
        return results.load(self.file)

    def report(self, *words):
        return subprocess.run([BENCH / "report", *words], capture_output=True, text=True,
                              check=False)

    def test_repetitions_become_a_median_and_a_spread(self):
        first = self.load(LADDER).rows[0]
        self.assertAlmostEqual(first.seconds, 90e-6)
        self.assertAlmostEqual(first.spread, 10 / 90)
        self.assertEqual((first.op, first.device, first.variant, first.form, first.pairs),
                         ("train_step", "cpu", "slow", "dense", 128))

    def test_units_are_converted_and_rungs_compared(self):
        loaded = self.load(LADDER)
        fast = loaded.rows[1]
        self.assertAlmostEqual(fast.seconds, 30e-6)
        self.assertEqual(loaded.first_rung(fast).variant, "slow")
        self.assertIn("3.00x", tables.report_text(loaded))

    def test_errors_and_disturbed_rows_are_visible(self):
        wrong = run(NAMES[0].format("bad"), 0, error_occurred=True, error_message="wrong: m [0]")
        noisy = row(NAMES[1].format("noisy"), [1, 2, 3], 1)
        for repetition in noisy:
            repetition["machine"] = 0.5
        text = tables.report_text(self.load([wrong] + noisy))
        self.assertIn("wrong: m [0]", text)
        self.assertIn("machine at 50% of its peak", text)

    def test_cold_times_stand_beside_hot_ones(self):
        self.assertIn("123 us", tables.report_text(self.load(LADDER)))

    def test_a_cuda_device_has_roofs_of_its_own(self):
        names = [name.replace("cpu", "cuda").format("fused") for name in NAMES]
        runs = LADDER + row(names[0].replace("float32", "bf16"), [20, 20, 20], 5)
        cuda = {f"cuda_peak_{name}_gflops": "50000" for name in ("float32", "tf32", "bf16")}
        self.load(runs, **cuda, cuda_l2_bandwidth_gbs="5000", cuda_memory_bandwidth_gbs="3000")
        out = Path(self.folder.name, "out")
        self.assertEqual(self.report(self.file, "--out", out).returncode, 0)
        self.assertTrue((out / "roofline_cuda.png").read_bytes().startswith(b"\x89PNG"))

    def test_an_interrupted_run_is_called_partial(self):
        self.assertNotIn("Partial", tables.report_text(self.load(LADDER, rows="3")))
        self.assertIn("Partial", tables.report_text(self.load(LADDER, rows="4")))

    def test_aggregates_are_not_counted_as_repetitions(self):
        mean = {**LADDER[0], "run_type": "aggregate", "aggregate_name": "mean", "real_time": 1e9}
        self.assertEqual(len(self.load(LADDER[:3] + [mean]).rows[0].times), 3)

    def test_csv_has_every_row_in_si_units(self):
        lines = list(csv.DictReader(io.StringIO(tables.csv_text(self.load(LADDER)))))
        self.assertEqual(len(lines), 3)
        self.assertAlmostEqual(float(lines[1]["median_s"]), 30e-6)
        self.assertEqual(lines[1]["pairs"], "128")

    def test_a_folder_gets_tables_and_pictures(self):
        self.load(LADDER)
        out = Path(self.folder.name, "out")
        done = self.report(self.file, "--out", out)
        self.assertEqual(done.returncode, 0, done.stderr)
        names = ("time_train_step", "rate_train_step", "peak_train_step", "roofline")
        pictures = {f"{name}.{ending}" for name in names for ending in ("png", "svg")}
        self.assertEqual({path.name for path in out.iterdir()},
                         pictures | {"report.html", "report.md", "results.csv"})
        for path in out.glob("*.png"):
            self.assertTrue(path.read_bytes().startswith(b"\x89PNG"))

    def test_fifteen_variants_are_drawn_apart(self):
        from reporting import pictures
        looks = {tuple(sorted(pictures._style(index).items())) for index in range(15)}
        self.assertEqual(len(looks), 15)

    def test_bad_files_are_one_line_and_exit_code_1(self):
        for text, says in (("{", "results.json"), ("[]", "expected 'context'"),
                           ('{"context": {}, "benchmarks": [NaN]}', "NaN is not JSON"),
                           (json.dumps(document([run("a/b", 1)])), "'a/b'")):
            self.file.write_text(text)
            done = self.report(self.file)
            self.assertEqual(done.returncode, 1)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
            self.assertIn(says, done.stderr)
        self.assertIn("No such file", self.report(Path(self.folder.name, "none.json")).stderr)
        self.assertEqual(self.report().returncode, 2)


if __name__ == "__main__":
    unittest.main()
