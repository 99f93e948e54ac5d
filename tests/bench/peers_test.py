"""Other libraries beside this project: the files they get, how they are timed, the table."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

BENCH = Path(__file__).resolve().parents[2] / "bench"
sys.path[:0] = [str(BENCH), str(BENCH / "peers")]

import measure  # noqa: E402
from measure import Peer  # noqa: E402
from reporting import peers, tables  # noqa: E402

STEP = os.environ.get("SIAMESE_STEP", "")
SHAPE = "indexed/points:9/pairs:20"


class Measured(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        measure.SECONDS = 0.002
        self.arguments = argparse.Namespace(step=STEP, python=sys.executable,
                                            network="11-200relu-200relu-10sigmoid",
                                            loss="euclidean/absolute")

    def export(self, shape, *words):
        return subprocess.run([STEP, "export", shape, self.folder, *words], capture_output=True, text=True,
                              check=False)

    def script(self, name, text):
        """A peer of the test's own, found as the real ones are."""
        (self.folder / f"{name}_peer.py").write_text(text)

    def measure(self, *others):
        measure.HERE = self.folder
        self.assertEqual(self.export(SHAPE).returncode, 0)
        found = measure.measure_shape("train_step", SHAPE, [Peer("tiled", ""), *others], 1,
                                      self.folder, self.arguments)
        problem = json.loads((self.folder / "problem.json").read_text())
        return found, list(measure.rows_of("train_step", SHAPE, 1, found, problem))

    def test_a_variant_is_timed_every_round(self):
        found, rows = self.measure()
        self.assertEqual(len(found[0][1]), measure.ROUNDS)
        self.assertTrue(all(seconds > 0 for seconds in found[0][1]))
        self.assertEqual(len(rows), measure.ROUNDS)
        self.assertIn("train_step/cpu_tiled/float32/indexed/points:9/pairs:20/threads:1",
                      rows[0]["name"])

    def test_a_peer_takes_as_many_steps_as_it_is_told(self):
        self.script("sleeper", "import sys\nprint('chatter')\nprint('{\"ready\": true}', flush=True)\n"
                    "for line in sys.stdin:\n    print('{\"seconds\": 0.001}', flush=True)\n")
        found, _ = self.measure(Peer("sleeper", "sleeper"))
        _, times, count, reason = found[1]
        self.assertEqual((times, count, reason), ([0.001] * measure.ROUNDS, 2, None))

    def test_what_is_missing_or_wrong_or_dies_is_a_gap_with_its_reason(self):
        self.script("wrong", "print('{\"error\": \"loss off by 1\"}', flush=True)\n")
        self.script("broken", "raise ImportError('no such library')\n")
        self.script("mortal", "import sys\nprint('{\"ready\": true}', flush=True)\nsys.stdin.readline()\n"
                    "print('{\"seconds\": 0.001}', flush=True)\nsys.exit('out of memory')\n")
        found, rows = self.measure(*(Peer(name, name) for name in ("wrong", "broken", "mortal")))
        reasons = {peer.name: reason for peer, _, _, reason in found}
        self.assertEqual(reasons["tiled"], None)
        self.assertEqual(reasons["wrong"], "loss off by 1")
        self.assertIn("no such library", reasons["broken"])
        self.assertEqual(reasons["mortal"], "out of memory")
        self.assertEqual(sum(row.get("error_occurred", False) for row in rows), 3)

    def test_problems_are_refused_in_one_line(self):
        for words in (("ring/points:2/pairs:1",), ("dense/points:-2/pairs:-1",),
                      (SHAPE, "--network", "11-"), (SHAPE, "--loss", "l3")):
            done = self.export(*words)
            self.assertEqual((done.returncode, done.stdout), (2, ""), words)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    def test_the_files_say_what_a_step_is(self):
        self.assertEqual(self.export("all/points:7/pairs:21").returncode, 0)
        problem = json.loads((self.folder / "problem.json").read_text())
        self.assertEqual((problem["pairs"], problem["points"]), (21, 7))
        self.assertEqual([layer["outputs"] for layer in problem["layers"]], [200, 200, 10])
        self.assertTrue((self.folder / "coordinates.npy").exists())
        self.assertGreater(problem["loss"], 0)


def rows(peer, microseconds, **more):
    name = f"train_step/cpu_{peer}/float32/dense/points:256/pairs:128/threads:1"
    return [{"name": name, "run_name": name, "run_type": "iteration", "real_time": time,
             "time_unit": "us", **more} for time in microseconds]


class Reported(unittest.TestCase):
    def cases(self, runs):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump({"context": {"peers": "torch==1"}, "benchmarks": runs}, file)
            file.flush()
            return peers.load(file.name)

    def test_ratios_are_of_medians_and_the_best_is_named(self):
        cases, context = self.cases(rows("tiled", [10, 30, 20]) + rows("pytorch", [60, 40, 50]) +
                                    rows("pytorch-once-fused", [30, 30, 30]))
        table = peers.table(cases, context)
        self.assertEqual(table.rows[0][2:7], ["20 us", "-", "-", "50 us (2.50x)",
                                              "30 us (1.50x) once-fused"])
        self.assertIn("torch==1", tables.markdown(table) + table.note)

    def test_a_missing_library_is_a_visible_gap(self):
        cases, context = self.cases(rows("tiled", [10]) + rows(
            "jax", [0], error_occurred=True, error_message="No module named 'jax'"))
        table = peers.table(cases, context)
        self.assertEqual(table.rows[0][7:9], ["-", "-"])
        self.assertIn("none: jax: No module named 'jax'", table.note)


if __name__ == "__main__":
    unittest.main()
