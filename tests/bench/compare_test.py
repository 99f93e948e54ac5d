"""bench/compare on results made up here: known changes under known noise."""

import json
import os
import random
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

BENCH = Path(__file__).resolve().parents[2] / "bench"
sys.path.insert(0, str(BENCH))

from reporting import comparison  # noqa: E402

FIVE = comparison.Limits(slower=0.05, faster=0.05, same=0.05)


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
        self.assertEqual(comparison.change("a", [([1, 1, 1], [2, 2, 2])]).verdict(FIVE), "unsure")

    def test_identical_code_is_seldom_blamed(self):
        generator = random.Random(1)
        for spread, least_same in ((0.03, 500), (0.01, 1900)):
            verdicts = [comparison.change("a", [(noisy(generator, 1, spread, 5),
                                                 noisy(generator, 1, spread, 5))]).verdict(FIVE)
                        for _ in range(2000)]
            self.assertLess(verdicts.count("slower") + verdicts.count("faster"), 10)
            self.assertGreater(verdicts.count("same"), least_same)

    def test_a_tenth_is_found(self):
        generator = random.Random(2)
        verdicts = [comparison.change("a", [(noisy(generator, 1, 0.01, 5),
                                             noisy(generator, 1.1, 0.01, 5))]).verdict(FIVE)
                    for _ in range(500)]
        self.assertGreater(verdicts.count("slower"), 490)

    def test_an_outlier_of_eight_moves_nothing(self):
        old = [1.0, 1.001, 1.002, 1.003, 1.004, 1.005, 1.006, 1.007]
        self.assertEqual(comparison.change("a", [(old, [*old[:-1], 9.0])]).verdict(FIVE), "same")

    def test_a_change_that_one_pair_of_runs_has_alone_is_unsure(self):
        steady = [1.0, 1.01, 1.02, 1.0, 1.01]
        longer = [1.2 * time for time in steady]
        pairs = [(steady, longer), (steady, steady)]
        self.assertEqual(comparison.change("a", pairs).verdict(FIVE), "unsure")
        self.assertEqual(comparison.change("a", pairs[:1] * 2).verdict(FIVE), "slower")


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

    def twice(self, old, new, *words):
        """Two pairs of runs that are alike."""
        return self.compare(old, new, old, new, *words)

    def test_a_run_with_itself_is_the_same(self):
        path = self.write("a.json", entries("a", self.STEADY) + entries("b", [5.0]))
        for words in ((path, path), (path, path, path, path)):
            done = self.compare(*words)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertIn("0 slower, 0 unsure, 0 faster, 2 same", done.stdout)
        for kept in sorted((BENCH.parent / "results").glob("*/results.json")):
            done = self.compare(kept, kept)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertRegex(done.stdout, r"\n0 slower, \d+ unsure, 0 faster, \d+ same, 0 missing")

    def test_units_are_converted(self):
        old = self.write("old.json", entries("a", self.STEADY))
        new = self.write("new.json", entries("a", [t / 1000 for t in self.STEADY], "ms"))
        self.assertIn("1 same", self.compare(old, new).stdout)

    def test_slower_fails_and_faster_does_not(self):
        old = self.write("old.json", entries("a", self.STEADY))
        new = self.write("new.json", entries("a", [1.1 * t for t in self.STEADY]))
        self.assertEqual(self.twice(old, new).returncode, 1)
        self.assertIn("1 slower", self.twice(old, new).stdout)
        self.assertEqual(self.twice(new, old).returncode, 0)
        self.assertIn("1 faster", self.twice(new, old).stdout)
        self.assertEqual(self.twice(old, new, "--threshold", "20").returncode, 0)

    def test_a_row_of_a_disturbed_machine_is_unsure(self):
        old = self.write("old.json", entries("a", self.STEADY) + entries("b", self.STEADY, machine=0.95))
        for factor in (0.5, 1, 2):
            new = self.write("new.json", entries("a", [factor * t for t in self.STEADY], machine=0.7) +
                             entries("b", self.STEADY, machine=0.91))
            done = self.twice(old, new)
            self.assertEqual(done.returncode, 0, done.stdout)
            self.assertIn("0 slower, 1 unsure, 0 faster, 1 same", done.stdout)
            self.assertRegex(done.stdout, r"\| a .* \| 70% ")

    def test_one_pair_of_runs_shows_large_changes_alone(self):
        old = self.write("old.json", entries("a", self.STEADY))
        for factor, verdict in ((0.6, "1 faster"), (0.9, "1 unsure"), (1.001, "1 same"), (1.1, "1 unsure"),
                                (1.4, "1 slower")):
            new = self.write("new.json", entries("a", [factor * t for t in self.STEADY]))
            self.assertIn(verdict, self.compare(old, new).stdout)

    def test_runs_of_other_problems_are_refused(self):
        alike = {"network": "11-2", "loss": "euclidean/absolute", "adam": "keras", "threads": "2", "isa": "avx2"}
        old = self.write("old.json", entries("a", self.STEADY), **alike)
        for key in alike:
            new = self.write("new.json", entries("a", self.STEADY), **{**alike, key: "other"})
            for words in ((old, new), (old, old, old, new)):
                done = self.compare(*words)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertEqual(done.stderr.splitlines()[0],
                                 f"compare: {key} differs: {alike[key]} / other; expected runs of the same "
                                 "problem (--allow-different compares them all the same)")
            done = self.compare(old, new, "--allow-different")
            self.assertEqual(done.returncode, 0, done.stdout)
            self.assertIn(f"{key} differs: {alike[key]} / other", done.stdout)
        other_machine = self.write("new.json", entries("a", self.STEADY), **alike, processor="other")
        self.assertIn("processor differs: None / other", self.compare(old, other_machine).stdout)

    def test_missing_new_and_failed_rows_are_told(self):
        old = self.write("old.json", entries("a", self.STEADY) + entries("b", self.STEADY))
        new = self.write("new.json", entries("a", self.STEADY) + entries("c", self.STEADY))
        done = self.compare(old, new)
        self.assertEqual(done.returncode, 1)
        self.assertIn("missing: b", done.stdout)
        self.assertIn("new: c", done.stdout)
        self.assertEqual(self.compare(old, new, "--allow-new").returncode, 1)  # for the missing one
        more = self.write("more.json", entries("a", self.STEADY) + entries("b", self.STEADY) +
                          entries("c", self.STEADY))
        for words in ((old, more), (old, more, more, more)):
            done = self.compare(*words)
            self.assertEqual(done.returncode, 1)
            self.assertIn("2 same, 0 missing, 0 failed, 1 new", done.stdout)
            self.assertEqual(self.compare(*words, "--allow-new").returncode, 0)
        bad = self.write("bad.json", entries("a", self.STEADY) +
                         entries("b", [0], error_occurred=True, error_message="wrong: m [0]"))
        done = self.compare(old, bad)
        self.assertEqual(done.returncode, 1)
        self.assertIn("failed: b: wrong: m [0]", done.stdout)

    def refused(self, name, message):
        return entries(name, [0], error_occurred=True, error_message=message)

    def test_a_new_row_that_is_wrong_fails(self):
        old = self.write("old.json", entries("a", self.STEADY))
        for message, code, says in (("wrong: m [0]", 1, "failed: b: wrong: m [0]"),
                                    ("skipped: too long", 0, "new: b")):
            new = self.write("new.json", entries("a", self.STEADY) + self.refused("b", message))
            done = self.compare(old, new, "--allow-new")
            self.assertEqual(done.returncode, code, done.stdout)
            self.assertIn(says, done.stdout)
            self.assertEqual(self.compare(old, new).returncode, 1)
            self.assertEqual(self.compare(new, new).returncode, 0)

    def test_a_row_that_an_old_run_refused_is_told(self):
        old = self.write("old.json", entries("a", self.STEADY) + self.refused("b", "wrong: m [0]"))
        new = self.write("new.json", entries("a", self.STEADY) + entries("b", self.STEADY))
        done = self.compare(old, new)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("no partner: b: in an old run wrong: m [0]", done.stdout)
        self.assertIn("1 same, 0 missing, 0 failed, 0 new, 1 without a partner", done.stdout)

    def ceilings(self, factor, before, after, row="a"):
        """Two pairs of runs, the new ones' row longer by a factor, on a machine whose peak changed."""
        old = self.write("old.json", entries(row, self.STEADY), fma_peak_float32_gflops=before)
        new = self.write("new.json", entries(row, [factor * t for t in self.STEADY]),
                         fma_peak_float32_gflops=after)
        return self.twice(old, new)

    def test_what_the_machine_lost_is_no_rows_fault(self):
        done = self.ceilings(1.1, "100", "91")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("1 unsure", done.stdout)
        self.assertIn("9.9% lower", done.stdout)
        self.assertIn("1 slower", self.ceilings(1.25, "100", "91").stdout)
        self.assertIn("1 unsure", self.ceilings(0.9, "91", "100").stdout)
        self.assertIn("1 faster", self.ceilings(0.7, "91", "100").stdout)

    def test_on_a_machine_that_changed_nothing_is_the_same(self):
        self.assertIn("1 same", self.ceilings(1, "100", "98").stdout)
        for before, after in (("100", "70"), ("70", "100")):
            for factor in (1.001, 1.3):
                self.assertIn("0 same", self.ceilings(factor, before, after).stdout)

    def test_a_devices_drift_excuses_its_own_rows_alone(self):
        rows = ("adam/cpu_tiled/float32/parameters:1", "adam/cuda_vector/float32/parameters:1")
        for ceiling, blamed in (("cuda_clock_mhz", rows[0]), ("fma_peak_float32_gflops", rows[1])):
            old = self.write("old.json", sum((entries(row, self.STEADY) for row in rows), []),
                             **{ceiling: "100"})
            new = self.write("new.json", sum((entries(row, [1.1 * t for t in self.STEADY])
                                              for row in rows), []), **{ceiling: "91"})
            done = self.twice(old, new)
            self.assertEqual(done.returncode, 1)
            slower = [line for line in done.stdout.splitlines() if line.endswith("| slower  |")]
            self.assertEqual(len(slower), 1, done.stdout)
            self.assertIn(blamed, slower[0])

    def test_a_memory_that_was_faster_once_hides_nothing(self):
        old = self.write("old.json", entries("a", self.STEADY), memory_bandwidth_gbs="94")
        new = self.write("new.json", entries("a", [1.1 * t for t in self.STEADY]),
                         memory_bandwidth_gbs="61")
        self.assertEqual(self.twice(old, new).returncode, 1)

    def test_one_pair_of_runs_is_told_to_be_little(self):
        path = self.write("a.json", entries("a", self.STEADY))
        self.assertIn("one pair of runs", self.compare(path, path).stdout)
        self.assertNotIn("one pair of runs", self.compare(path, path, path, path).stdout)

    def test_a_row_that_fails_now_fails_although_it_had_failed_once(self):
        error = [{"name": "a", "run_type": "iteration", "error_occurred": True, "error_message": "wrong"}]
        good = self.write("good.json", entries("a", self.STEADY) + entries("b", self.STEADY))
        bad = self.write("bad.json", error + entries("b", self.STEADY))
        done = self.compare(good, bad, bad, bad)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("1 failed", done.stdout)
        self.assertEqual(self.compare(bad, bad, bad, bad).returncode, 0)

    def test_folders_stand_for_their_results(self):
        self.write("results.json", entries("a", self.STEADY))
        self.assertEqual(self.compare(self.folder, self.folder).returncode, 0)

    def test_bad_input_is_one_line(self):
        good = self.write("good.json", entries("a", self.STEADY))
        empty = self.write("zero.json", entries("a", [0.0]))
        broken = self.folder / "broken.json"
        broken.write_text('{"context": {}, "benchmarks": [{"real_time": NaN}]}')
        for words, expected in (((good, self.folder / "nowhere.json"), "No such file"),
                                ((good, self.folder / "no\nwhere\x1b"), "no\\nwhere\\x1b"),
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
        for words, expected in (((good,), "1 runs; expected pairs"),
                                ((good, good, "--two\nlines\x1b"), r"--two\nlines\x1b"),
                                ((good, good, "--threshold", "2\n3"), "2")):
            done = self.compare(*words)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn(expected, done.stderr.splitlines()[-1])


class Measured(unittest.TestCase):
    """Runs of siamese_bench itself, of a variant that spins for a time that is told."""

    def measure(self, folder, name, milliseconds):
        path = Path(folder, name)
        subprocess.run([os.environ["SIAMESE_BENCH_PLANTED"], "--quick", "--patience=100",
                        "--benchmark_filter=^adam/cpu_spins/float32/", f"--benchmark_out={path}"],
                       env={**os.environ, "SIAMESE_PLANTED_SPIN_MS": str(milliseconds)},
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        # It spins by the clock, which a machine that is busy with other tests does not slow down.
        document = json.loads(path.read_text())
        document["context"] = {key: value for key, value in document["context"].items()
                               if key not in comparison.CEILINGS["cpu"]}
        for run in document["benchmarks"]:
            run["machine"] = 1.0
        path.write_text(json.dumps(document))
        return path

    def test_a_slower_variant_is_found_and_a_run_equals_itself(self):
        with tempfile.TemporaryDirectory() as folder:
            pairs = [self.measure(folder, f"{index}.json", milliseconds)
                     for index, milliseconds in enumerate((8, 13, 8, 13))]
            done = subprocess.run([BENCH / "compare", *pairs], capture_output=True, text=True, check=False)
            # Other programs may hold a spin up, which leaves the verdict open and decides no test;
            # 13 ms for 8 are never the same or faster.
            self.assertRegex(done.stdout, r"1 slower, 0 unsure, 0 faster, 0 same|"
                                          r"0 slower, 1 unsure, 0 faster, 0 same", done.stderr)
            self.assertEqual(done.returncode, int("1 slower" in done.stdout))
            done = subprocess.run([BENCH / "compare", pairs[1], pairs[1]], capture_output=True, text=True,
                                  check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertRegex(done.stdout, "0 slower, . unsure, 0 faster, . same")


if __name__ == "__main__":
    unittest.main()
