"""bench/compare on results made up here: known changes under known noise."""

import json
import random
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

BENCH = Path(__file__).resolve().parents[2] / "bench"
sys.path.insert(0, str(BENCH))

from reporting import comparison  # noqa: E402


def entries(name, times, unit="us", **more):
    return [{"name": name, "run_name": name, "run_type": "iteration", "real_time": time,
             "cpu_time": time, "time_unit": unit, **more} for time in times]


def noisy(generator, seconds, spread, repetitions):
    """Disturbances make a run longer, never shorter."""
    return [seconds * (1 + generator.expovariate(1 / spread)) for _ in range(repetitions)]


class Interval(unittest.TestCase):
    def test_widths_are_those_of_the_test_of_mann_and_whitney(self):
        # Largest U that is significant at 5%, two-sided: the published table.
        for sizes, u in {(4, 4): 0, (5, 5): 2, (6, 6): 5, (8, 8): 13, (10, 10): 23, (4, 6): 2,
                         (20, 20): 127}.items():
            self.assertEqual(comparison._left_out(*sizes), u, sizes)

    def test_three_repetitions_are_too_few(self):
        self.assertIsNone(comparison._left_out(3, 3))
        self.assertEqual(comparison.change("a", [([1, 1, 1], [2, 2, 2])]).verdict(0.05), "unsure")

    def test_identical_code_is_seldom_blamed(self):
        generator = random.Random(1)
        for spread, least_same in ((0.03, 500), (0.01, 1900)):
            verdicts = [comparison.change("a", [(noisy(generator, 1, spread, 5),
                                                 noisy(generator, 1, spread, 5))]).verdict(0.05)
                        for _ in range(2000)]
            self.assertLess(verdicts.count("slower") + verdicts.count("faster"), 10)
            self.assertGreater(verdicts.count("same"), least_same)

    def test_a_tenth_is_found(self):
        generator = random.Random(2)
        verdicts = [comparison.change("a", [(noisy(generator, 1, 0.01, 5),
                                             noisy(generator, 1.1, 0.01, 5))]).verdict(0.05)
                    for _ in range(500)]
        self.assertGreater(verdicts.count("slower"), 490)

    def test_an_outlier_of_eight_moves_nothing(self):
        old = [1.0, 1.001, 1.002, 1.003, 1.004, 1.005, 1.006, 1.007]
        self.assertEqual(comparison.change("a", [(old, [*old[:-1], 9.0])]).verdict(0.05), "same")

    def test_a_change_that_one_pair_of_runs_has_alone_is_unsure(self):
        steady = [1.0, 1.01, 1.02, 1.0, 1.01]
        longer = [1.2 * time for time in steady]
        pairs = [(steady, longer), (steady, steady)]
        self.assertEqual(comparison.change("a", pairs).verdict(0.05), "unsure")
        self.assertEqual(comparison.change("a", pairs[:1] * 2).verdict(0.05), "slower")


class Program(unittest.TestCase):
    STEADY = [10.0, 10.1, 10.2, 10.05, 10.15]

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def write(self, name, runs, **context):
        path = self.folder / name
        path.write_text(json.dumps({"context": context, "benchmarks": runs}))
        return path

    def compare(self, *words):
        return subprocess.run([BENCH / "compare", *words], capture_output=True, text=True,
                              check=False)

    def test_a_run_with_itself_is_the_same(self):
        path = self.write("a.json", entries("a", self.STEADY) + entries("b", [5.0]))
        done = self.compare(path, path)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("0 slower, 0 unsure, 0 faster, 2 same", done.stdout)

    def test_units_are_converted(self):
        old = self.write("old.json", entries("a", self.STEADY))
        new = self.write("new.json", entries("a", [t / 1000 for t in self.STEADY], "ms"))
        self.assertIn("1 same", self.compare(old, new).stdout)

    def test_slower_fails_and_faster_does_not(self):
        old = self.write("old.json", entries("a", self.STEADY))
        new = self.write("new.json", entries("a", [1.1 * t for t in self.STEADY]))
        self.assertEqual(self.compare(old, new).returncode, 1)
        self.assertIn("1 slower", self.compare(old, new).stdout)
        self.assertEqual(self.compare(new, old).returncode, 0)
        self.assertIn("1 faster", self.compare(new, old).stdout)
        self.assertEqual(self.compare(old, new, "--threshold", "20").returncode, 0)

    def test_missing_new_and_failed_rows_are_told(self):
        old = self.write("old.json", entries("a", self.STEADY) + entries("b", self.STEADY))
        new = self.write("new.json", entries("a", self.STEADY) + entries("c", self.STEADY))
        done = self.compare(old, new)
        self.assertEqual(done.returncode, 1)
        self.assertIn("missing: b", done.stdout)
        self.assertIn("new: c", done.stdout)
        bad = self.write("bad.json", entries("a", self.STEADY) +
                         entries("b", [0], error_occurred=True, error_message="wrong: m [0]"))
        done = self.compare(old, bad)
        self.assertEqual(done.returncode, 1)
        self.assertIn("failed: b: wrong: m [0]", done.stdout)

    def test_what_the_machine_lost_is_no_rows_fault(self):
        old = self.write("old.json", entries("a", self.STEADY), fma_peak_float32_gflops="100")
        new = self.write("new.json", entries("a", [1.1 * t for t in self.STEADY]),
                         fma_peak_float32_gflops="91", threads="1")
        done = self.compare(old, new)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("9.9% lower", done.stdout)
        self.assertIn("threads differs: None / 1", done.stdout)

    def test_a_devices_drift_excuses_its_own_rows_alone(self):
        rows = ("adam/cpu_tiled/float32/parameters:1", "adam/cuda_vector/float32/parameters:1")
        for ceiling, blamed in (("cuda_clock_mhz", rows[0]), ("fma_peak_float32_gflops", rows[1])):
            old = self.write("old.json", sum((entries(row, self.STEADY) for row in rows), []),
                             **{ceiling: "100"})
            new = self.write("new.json", sum((entries(row, [1.1 * t for t in self.STEADY])
                                              for row in rows), []), **{ceiling: "91"})
            done = self.compare(old, new)
            self.assertEqual(done.returncode, 1)
            slower = [line for line in done.stdout.splitlines() if line.endswith("| slower  |")]
            self.assertEqual(len(slower), 1, done.stdout)
            self.assertIn(blamed, slower[0])

    def test_a_memory_that_was_faster_once_hides_nothing(self):
        old = self.write("old.json", entries("a", self.STEADY), memory_bandwidth_gbs="94")
        new = self.write("new.json", entries("a", [1.1 * t for t in self.STEADY]),
                         memory_bandwidth_gbs="61")
        self.assertEqual(self.compare(old, new).returncode, 1)

    def test_one_pair_of_runs_is_told_to_be_little(self):
        path = self.write("a.json", entries("a", self.STEADY))
        self.assertIn("one pair of runs", self.compare(path, path).stdout)
        self.assertNotIn("one pair of runs", self.compare(path, path, path, path).stdout)

    def test_folders_stand_for_their_results(self):
        self.write("results.json", entries("a", self.STEADY))
        self.assertEqual(self.compare(self.folder, self.folder).returncode, 0)

    def test_bad_input_is_one_line(self):
        good = self.write("good.json", entries("a", self.STEADY))
        empty = self.write("zero.json", entries("a", [0.0]))
        broken = self.folder / "broken.json"
        broken.write_text('{"context": {}, "benchmarks": [{"real_time": NaN}]}')
        for words, expected in (((good, self.folder / "nowhere.json"), "No such file"),
                                ((good, broken), "NaN is not JSON"),
                                ((good, empty), "expected a number above 0"),
                                ((self.write("none.json", []), good), "no row was timed"),
                                ((good, self.write("units.json", entries("a", [1], "fortnight"))),
                                 'time_unit: "fortnight"; expected one of ns, us, ms, s'),
                                ((good, self.write("list.json", None)), "benchmarks: null")):
            done = self.compare(*words)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertEqual(len(done.stderr.splitlines()), 1)
            self.assertIn(expected, done.stderr)
        self.assertEqual(self.compare(good).returncode, 2)


if __name__ == "__main__":
    unittest.main()
