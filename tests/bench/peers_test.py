"""Other libraries beside this project: the files they get, how they are timed, the tables."""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

BENCH = Path(__file__).resolve().parents[2] / "bench"
sys.path[:0] = [str(BENCH), str(BENCH / "peers"), str(BENCH.parent / "tests")]

import landmarks  # noqa: E402
import measure  # noqa: E402
import numpy as np  # noqa: E402
import signals  # noqa: E402
from entries import CUDA_STEP, PEAK, PEERS, Peer  # noqa: E402
from measure import Runner, Time, Work  # noqa: E402
from problem import Problem, Wrong  # noqa: E402
from reporting import landmarks as landmarks_report  # noqa: E402
from reporting import peers, pictures, results, tables  # noqa: E402

signals.hear_all()

STEP = os.environ.get("SIAMESE_STEP", "")
SHAPE = "indexed/points:9/pairs:20"


class Measured(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        measure.SECONDS = 0.002
        measure.REST = 0.0
        self.arguments = argparse.Namespace(step=STEP, python=sys.executable,
                                            network="11-200relu-200relu-10sigmoid",
                                            loss="euclidean/absolute")

    def export(self, shape, *words):
        return subprocess.run([STEP, "export", shape, self.folder, *words], capture_output=True, text=True,
                              check=False)

    def script(self, name, text):
        """A peer of the test's own, found as the real ones are."""
        (self.folder / f"{name}_peer.py").write_text(text)

    def measure(self, *others, threads=(1,)):
        measure.HERE = self.folder
        self.assertEqual(self.export(SHAPE).returncode, 0)
        work = Work("cpu", "train_step", SHAPE, threads)
        problem = json.loads((self.folder / "problem.json").read_text())
        found = measure.measure_work(work, [Peer("tiled", ""), *others], self.folder, problem,
                                     self.arguments)
        return found, list(measure.rows_of(work, found, problem))

    def test_what_cannot_work_is_one_line_before_anything_is_measured(self):
        for step, out, code, says in (("/no/such", self.folder / "out", 1, "/no/such"),
                                      (STEP, Path("/no/folder/out"), 2, "/no/folder/out")):
            done = subprocess.run([sys.executable, BENCH / "peers" / "measure.py", "--step", step,
                                   "--python", sys.executable, "--out", out],
                                  capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, code)
            self.assertIn(says, done.stderr.splitlines()[-1])
            self.assertNotIn("Traceback", done.stderr)

    def test_ctrl_c_keeps_the_work_that_was_timed(self):
        out = self.folder / "peers.json"
        process = subprocess.Popen([sys.executable, BENCH / "peers" / "measure.py", "--step", STEP,
                                    "--python", sys.executable, "--out", out, "--shape", SHAPE,
                                    "--threads", "1", "--threads", "1", "--device", "cpu"],
                                   stderr=subprocess.PIPE, text=True)
        with process:
            lines = []
            for line in process.stderr:
                lines.append(line)
                if line.startswith("[2/2"):
                    process.send_signal(signal.SIGINT)
                    process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(60), 130)
        self.assertRegex(lines[0], "threads: 1$")
        self.assertRegex(lines[-1], "^measure: interrupted; 1 of 2 pieces of work were timed")
        cases, context = peers.load(out)
        self.assertEqual([case.op for case in cases], ["train_step"])
        self.assertRegex(peers.table("cpu", cases, context).note,
                         r"^Cut short, without fit indexed/points:30/pairs:435 on cpu, threads: 1\. Time of")

    def test_a_variant_is_timed_every_round(self):
        found, rows = self.measure()
        self.assertEqual(len(found[0][1]), measure.ROUNDS)
        self.assertTrue(all(time.seconds > 0 and time.cpu_seconds > 0 for time in found[0][1]))
        self.assertEqual(len(rows), measure.ROUNDS)
        self.assertIn("train_step/cpu_tiled/float32/indexed/points:9/pairs:20/threads:1",
                      rows[0]["name"])

    def test_long_steps_get_fewer_rounds(self):
        with mock.patch.object(measure, "LONG", 0):
            found, rows = self.measure()
        self.assertEqual((len(found[0][1]), len(rows)), (measure.FEWEST_ROUNDS,) * 2)

    def test_the_peak_is_served_beside_the_steps(self):
        found, rows = self.measure(PEAK)
        self.assertEqual([reason for _, _, _, reason in found], [None, None])
        of_step, of_peak = (min(time.seconds for time in times) for _, times, _, _ in found)
        self.assertLess(of_peak, of_step)
        self.assertEqual(rows[-1]["name"], f"train_step/cpu_peak/float32/{SHAPE}/threads:1")

    def test_each_count_of_threads_has_its_turn_in_every_round(self):
        log = self.folder / "log"
        self.script("writer", "import os, sys\nprint('{\"ready\": true}', flush=True)\n"
                    "cores = len(os.sched_getaffinity(0))\nfor line in sys.stdin:\n"
                    f"    print(cores, os.environ['OMP_NUM_THREADS'], file=open({str(log)!r}, 'a'))\n"
                    "    print('{\"seconds\": 1, \"cpu_seconds\": 1}', flush=True)\n")
        every = len(os.sched_getaffinity(0))
        if every == 1:
            self.skipTest("one core")
        _, rows = self.measure(Peer("writer", "writer"), threads=(1, every))
        turns = log.read_text().splitlines()[-2 * measure.ROUNDS:]
        self.assertEqual(turns, ["1 1", f"{every} {every}"] * measure.ROUNDS)
        self.assertEqual({tuple(row["threads_in_its_rounds"]) for row in rows}, {(1, every)})
        self.assertEqual({(row["threads"], row["name"].split(":")[-1]) for row in rows},
                         {(1, "1"), (every, str(every))})

    def test_a_peer_takes_as_many_steps_as_it_is_told(self):
        self.script("sleeper", "import sys\nprint('chatter')\nprint('{\"ready\": true}', flush=True)\n"
                    "for line in sys.stdin:\n    print('{\"seconds\": 0.001, \"cpu_seconds\": 0.002}', flush=True)\n")
        found, rows = self.measure(Peer("sleeper", "sleeper"))
        _, times, count, reason = found[1]
        self.assertEqual((times, count, reason), ([Time(0.001, 0.002)] * measure.ROUNDS, 2, None))
        self.assertEqual((rows[-1]["real_time"], rows[-1]["cpu_time"]), (1000, 2000))

    def test_the_processors_time_of_a_peer_is_that_of_its_threads(self):
        self.script("spinner", "import threading, time\nfrom serve import done, serve\n"
                    "def spin():\n"
                    "    end = time.thread_time() + 0.02\n"
                    "    while time.thread_time() < end: pass\n"
                    "def step():\n"
                    "    threads = [threading.Thread(target=spin) for _ in range(2)]\n"
                    "    for thread in threads: thread.start()\n"
                    "    for thread in threads: thread.join()\n"
                    "    time.sleep(0.1)\n"
                    "serve(lambda *_: (step, done))\n")
        found, _ = self.measure(Peer("spinner", "spinner",
                                     environment=(("PYTHONPATH", str(BENCH / "peers")),)))
        (_, ours, _, _), (_, spins, _, reason) = found
        self.assertEqual((len(spins), reason), (measure.ROUNDS, None))
        for time in spins:
            self.assertGreaterEqual(time.seconds, 0.1)
            self.assertGreaterEqual(time.cpu_seconds, 0.04)
            self.assertLess(time.cpu_seconds, 0.1)
        for time in ours:
            self.assertNotEqual(time.seconds, time.cpu_seconds)

    def test_what_is_missing_or_wrong_or_dies_is_a_gap_with_its_reason(self):
        self.script("wrong", "print('{\"error\": \"loss off by 1\"}', flush=True)\n")
        self.script("broken", "raise ImportError('no such library')\n")
        self.script("mortal", "import sys\nprint('{\"ready\": true}', flush=True)\nsys.stdin.readline()\n"
                    "print('{\"seconds\": 0.001, \"cpu_seconds\": 0.002}', flush=True)\nsys.exit('out of memory')\n")
        found, rows = self.measure(*(Peer(name, name) for name in ("wrong", "broken", "mortal")))
        reasons = {runner.peer.name: reason for runner, _, _, reason in found}
        self.assertEqual(reasons["tiled"], None)
        self.assertEqual(reasons["wrong"], "loss off by 1")
        self.assertIn("no such library", reasons["broken"])
        self.assertEqual(reasons["mortal"], "out of memory")
        self.assertEqual(sum(row.get("error_occurred", False) for row in rows), 3)

    def test_work_that_is_too_large_for_the_machine_is_a_gap_with_its_reason(self):
        work = Work("cpu", "train_step", "dense/points:10000000000/pairs:5000000000", (1, 2))
        rows = measure.measured_rows(work, self.arguments)
        self.assertEqual({row["name"] for row in rows},
                         {work.row(runner) for runner in work.runners(PEERS["cpu", "train_step"])})
        for row in rows:
            self.assertIn("its reference needs some", row["error_message"])
        with self.assertRaises(subprocess.CalledProcessError):
            measure.measured_rows(Work("cpu", "train_step", "ring/points:2/pairs:1", (1,)), self.arguments)

    def test_forms_of_one_name_are_told_apart_by_precision(self):
        self.script("echo", "import sys\nprint('{\"ready\": true}', flush=True)\n"
                    "seconds = {'float32': 0.002, 'bf16': 0.001}[sys.argv[3]]\n"
                    "for line in sys.stdin:\n"
                    "    print('{\"seconds\": %g, \"cpu_seconds\": 1}' % seconds, flush=True)\n")
        found, rows = self.measure(Peer("echo", "echo"), Peer("echo", "echo", precision="bf16"))
        self.assertEqual([times[0].seconds for _, times, _, _ in found[1:]], [0.002, 0.001])
        self.assertEqual(len({row["name"] for row in rows}), 3)

    def test_a_gradient_may_be_off_by_what_its_precision_rounds(self):
        self.assertEqual(self.export(SHAPE).returncode, 0)
        for precision, passes, fails in (("float32", 5e-5, 2e-4), ("tf32", 0.05, 0.1),
                                         ("bf16", 0.2, 0.3)):
            problem = Problem(self.folder, precision)

            def check(off):
                layers = problem._layers(problem.gradients.astype(np.float64) * (1 + off))
                problem.check(problem.loss, layers)

            check(passes)
            with self.assertRaises(Wrong, msg=precision):
                check(fails)

    def test_the_devices_are_those_that_can_be_used(self):
        done = subprocess.run([STEP, "devices"], capture_output=True, text=True, check=True)
        told = json.loads(done.stdout)
        self.assertEqual(list(told), ["cpu", "cuda"])
        self.assertTrue(told["cpu"]["usable"])
        self.assertNotEqual(told["cuda"]["is"], "")

    def test_problems_are_refused_in_one_line(self):
        for words in (("ring/points:2/pairs:1",), ("dense/points:-2/pairs:-1",),
                      (SHAPE, "--network", "11-"), (SHAPE, "--loss", "l3")):
            done = self.export(*words)
            self.assertEqual((done.returncode, done.stdout), (2, ""), words)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    def test_a_problem_that_would_not_fit_is_told_with_its_size(self):
        done = self.export("dense/points:10000000000/pairs:5000000000")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"^siamese_step: dense/\S+: its reference needs some \S+ GB")

    def test_the_files_say_what_a_step_is(self):
        self.assertEqual(self.export("all/points:7/pairs:21").returncode, 0)
        problem = json.loads((self.folder / "problem.json").read_text())
        self.assertEqual((problem["pairs"], problem["points"]), (21, 7))
        self.assertEqual([layer["outputs"] for layer in problem["layers"]], [200, 200, 10])
        self.assertTrue((self.folder / "coordinates.npy").exists())
        self.assertGreater(problem["loss"], 0)


    def test_the_context_tells_machine_and_build(self):
        context = measure.context_of(self.arguments, "--loss", "manhattan")
        self.assertEqual((context["schema"], context["loss"]), ("1", "manhattan/absolute"))
        self.assertLessEqual({"commit", "compiler", "processor", "isa", "date", "num_cpus"}, set(context))


class Landmarks(unittest.TestCase):
    """The landmark experiment from beginning to end, by ways of the test's own."""

    FOUND = {"points": [[0.0], [1.0], [3.0]], "test": [0, 2, 1], "predicted": [[0.0], [3.0], [2.0]],
             "trained_by": "hand", "process_seconds": 2.0, "training_seconds": 1.0}

    def runs(self, **ways):
        return list(landmarks.measured({name: lambda loss, seed, found=found: found(loss, seed)
                                        for name, found in ways.items()}, 3))

    def test_the_error_is_the_scripts(self):
        self.assertAlmostEqual(landmarks.error_per_point(self.FOUND), 2 / 3)  # 3, 1, 2 against 3, 2, 1

    def test_ways_run_in_turn_on_both_losses(self):
        runs = self.runs(a=lambda loss, seed: self.FOUND | {"process_seconds": 1.0 + seed},
                         b=lambda *_: self.FOUND)
        self.assertEqual([(run["name"], run["loss"], run["init_seed"]) for run in runs[:5]],
                         [("a", "as_written", 0), ("b", "as_written", 0), ("a", "euclidean", 0),
                          ("b", "euclidean", 0), ("a", "as_written", 1)])
        table = landmarks_report.table(runs)
        self.assertEqual(table.rows[0], ["as_written", "a", "hand", "3", "2 s (1 s to 3 s)",
                                         "1 s (1 s to 1 s)", "0.67 (0.67 to 0.67)"])
        self.assertEqual([row[:2] for row in table.rows],
                         [[loss, name] for loss in landmarks.LOSSES for name in "ab"])

    def test_what_ran_on_other_data_or_failed_has_no_row(self):
        def fails(*_):
            raise landmarks.Failed("no such library")

        others = ({"test": [0, 1, 2]}, {"points": [[0.0], [1.0], [3.0001]]},
                  {"points": [[0.0], [1.0], [3.0], [4.0]]})
        runs = self.runs(a=lambda *_: self.FOUND, b=lambda *_: self.FOUND | others[0],
                         c=lambda *_: self.FOUND | others[1], d=lambda *_: self.FOUND | others[2], e=fails)
        self.assertEqual([run.get("error_message") for run in runs[:5]],
                         [None, "its unseen points are others", "its points are others",
                          "its points are others", "no such library"])
        self.assertEqual({row[1] for row in landmarks_report.table(runs).rows}, {"a"})


    def test_what_says_no_json_at_its_end_has_no_row(self):
        for code in ("", "print('{}'); print('bye')"):
            with mock.patch.object(landmarks, "finished", lambda command, code=code: (
                    subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                                   check=True).stdout, 1.0)):
                with self.assertRaisesRegex(landmarks.Failed, "no JSON in its last line"):
                    landmarks.by_keras(sys.executable, "euclidean", 0)

    def test_ctrl_c_keeps_the_runs_that_are_done(self):
        with tempfile.TemporaryDirectory() as folder:
            program, out = Path(folder, "siamese_landmarks"), Path(folder, "landmarks.json")
            program.write_text("#!/bin/sh\necho no data >&2\nexit 1\n")
            slow = Path(folder, "python")
            slow.write_text("#!/bin/sh\ncase $1 in -c) exit ;; esac\nexec sleep 60\n")
            for script in (program, slow):
                script.chmod(0o755)
            with subprocess.Popen([sys.executable, BENCH / "peers" / "landmarks.py", "--program", program,
                                   "--step", STEP, "--python", slow, "--out", out],
                                  stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
                for line in process.stderr:
                    if line.startswith("[2/"):
                        process.send_signal(signal.SIGINT)
                        break
                self.assertEqual(process.wait(60), 130)
            run, = json.loads(out.read_text())["runs"]
            self.assertEqual((run["name"], run["error_message"]), ("siamese_landmarks", "no data"))


class Planned(unittest.TestCase):
    def told(self, usable):
        return {"cpu": {"usable": True, "is": "a CPU"},
                "cuda": {"usable": usable, "is": "a GPU" if usable else "no driver"}}

    def test_a_gpu_is_measured_where_there_is_one(self):
        self.assertEqual(measure.devices_of(None, self.told(False)), ["cpu"])
        self.assertEqual(measure.devices_of(None, self.told(True)), ["cpu", "cuda"])
        self.assertEqual(measure.devices_of("cuda", self.told(True)), ["cuda"])
        for wanted in ("cuda", "all"):
            with self.assertRaisesRegex(ValueError, "no driver"):
                measure.devices_of(wanted, self.told(False))

    def test_threads_are_an_axis_of_the_cpu_alone(self):
        names = [work.row(runner) for work in measure.all_work(["cpu", "cuda"], [SHAPE], [1, 2], 2)
                 for runner in work.runners([Peer("x", "x", precision="bf16")])]
        self.assertEqual(names[:2], [f"train_step/cpu_x/bf16/{SHAPE}/threads:{n}" for n in (1, 2)])
        self.assertEqual(names[-1], f"train_step/cuda_x/bf16/{SHAPE}")

    def test_peers_that_do_not_fit_beside_the_others_are_left_out(self):
        problem = {"form": "indexed", "points": 2000, "pairs": 1999000,
                   "layers": [{"outputs": 200}, {"outputs": 10}]}
        twice, unique = Peer("a", "a", ("twice",)), Peer("b", "b", ("unique",))
        self.assertAlmostEqual(measure.bytes_of(twice, problem),
                               4 * (3 * 2 * 1999000 * 210 + 6 * 1999000 * 10))
        every_pair = problem | {"form": "all"}
        self.assertEqual([measure.bytes_of(Peer("", script), every_pair) - 4 * 3 * 2000 * 210
                          for script in ("", "pytorch", "jax")],
                         [0, 4 * 6 * 1999000, 4 * 12 * 1999000 * 10])

        def left_out(memory, *peers):
            runners = [Runner(peer, 1) for peer in peers]
            found = measure.without_room(runners, problem, memory)
            return {runner.peer: reason for runner, reason in found.items()}

        self.assertEqual(left_out(12e9, twice, unique), {})
        reasons = left_out(12e9, twice, unique, once := Peer("c", "c", ("once",)))
        self.assertEqual(list(reasons), [once])
        self.assertIn("11 GB", reasons[once])
        self.assertEqual(list(left_out(1e9, twice, unique)), [twice])

    def test_threads_share_rounds_unless_that_would_leave_a_peer_out(self):
        problem = {"form": "dense", "points": 2000, "pairs": 1000, "layers": [{"outputs": 10}]}
        peer = Peer("a", "a", ("twice",))
        work = Work("cpu", "train_step", SHAPE, (1, 2))
        alone = [Work("cpu", "train_step", SHAPE, (count,)) for count in (1, 2)]
        need = measure.bytes_of(peer, problem)
        for memory, parts in ((2 * need, [work]), (1.5 * need, alone), (0.5 * need, [work])):
            self.assertEqual(measure.in_shared_rounds(work, [peer], problem, memory), parts)

    def test_no_two_peers_share_a_row(self):
        for entries in PEERS.values():
            self.assertEqual(len({(peer.name, peer.precision) for peer in entries}), len(entries))

    def test_every_peer_is_in_the_report(self):
        for (device, _), entries in PEERS.items():
            field = peers.FIELDS[device]
            unknown = [peer.name for peer in entries
                       if peer.name not in (*field.ours, field.peak)
                       and not peer.name.startswith(tuple(field.libraries))]
            self.assertEqual(unknown, [])

    def test_each_precision_on_the_gpu_has_one_of_ours(self):
        ours = peers.FIELDS["cuda"].ours
        self.assertEqual({peer.precision for peer in CUDA_STEP},
                         {peer.precision for peer in CUDA_STEP if peer.name in ours})


def rows(peer, microseconds, device="cpu", precision="float32", threads=1, **more):
    where = f"/threads:{threads}" if device == "cpu" else ""
    name = f"train_step/{device}_{peer}/{precision}/dense/points:256/pairs:128{where}"
    return [{"name": name, "run_name": name, "run_type": "iteration", "real_time": time,
             "time_unit": "us", **more} for time in microseconds]


class Reported(unittest.TestCase):
    def cases(self, runs):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            context = {"peers": "torch==1", "cuda_device": "some GPU"}
            json.dump({"context": context, "benchmarks": runs}, file)
            file.flush()
            return peers.load(file.name)

    def test_ratios_are_of_the_same_round_and_the_best_is_named(self):
        cases, context = self.cases(rows("tiled", [10, 30, 20]) + rows("pytorch", [60, 40, 50]) +
                                    rows("pytorch-once-fused", [30, 30, 30]))
        table = peers.table("cpu", cases, context)
        cells = dict(zip(table.header, table.rows[0]))
        self.assertEqual(cells["ours"], "20 us")
        self.assertEqual(cells["NumPy"], "-")
        self.assertEqual(cells["PyTorch"], "50 us (2.50x, 1.33 to 6.00)")
        self.assertEqual(cells["PyTorch, best"], "30 us (1.50x, 1.00 to 3.00) once-fused")
        self.assertIn("torch==1", tables.markdown(table) + table.note)

    def test_the_peak_is_that_of_the_same_round(self):
        cases, context = self.cases([{**row, "FLOP/s": 1e12 / row["real_time"]} for row in
                                     rows("peak", [8, 16, 24]) + rows("tiled", [10, 40, 30])])
        cells = dict(zip((table := peers.table("cpu", cases, context)).header, table.rows[0]))
        self.assertEqual(cells["GFLOP/s"], "33")
        self.assertEqual(cells["of the FMA peak"], "80%")  # 80, 40 and 80; of the medians 53

    def test_a_missing_library_is_a_visible_gap(self):
        cases, context = self.cases(rows("tiled", [10]) + rows(
            "jax", [0], error_occurred=True, error_message="No module named 'jax'"))
        table = peers.table("cpu", cases, context)
        cells = dict(zip(table.header, table.rows[0]))
        self.assertEqual((cells["JAX"], cells["JAX, best"]), ("-", "-"))
        self.assertIn("none: jax: No module named 'jax'", table.note)

    def test_each_library_is_told_with_the_threads_that_suit_it(self):
        cases, context = self.cases(
            rows("tiled", [10], threads=2) + rows("numpy", [80], threads=2) +
            rows("jax", [60], threads=2) + rows("tiled", [18]) + rows("peak", [9]) +
            rows("numpy", [70]) + rows("jax", [50]) + rows("jax-once", [65]))
        table = peers.table("cpu", peers.over_threads(cases), context)
        cells = dict(zip(table.header, table.rows[0]))
        self.assertEqual(len(table.rows), 1)
        self.assertEqual([cells[name] for name in ("threads", "ours", "NumPy", "JAX", "JAX, best")],
                         ["2", "10 us", "70 us (7.00x) 1t", "60 us (6.00x)", "50 us (5.00x) 1t"])

    def test_fewer_threads_are_compared_by_round_where_rounds_were_shared(self):
        for shared, cell in ((True, "40 us (2.00x, 1.00 to 5.00) 1t"), (False, "40 us (2.00x) 1t")):
            one, two = ({"threads": count, "threads_in_its_rounds": [1, 2] if shared else [count]}
                        for count in (1, 2))
            cases, context = self.cases(rows("tiled", [10, 30, 20], **two) +
                                        rows("jax", [60, 50, 70], **two) + rows("jax", [50, 30, 40], **one))
            table = peers.table("cpu", peers.over_threads(cases), context)
            self.assertEqual(dict(zip(table.header, table.rows[0]))["JAX, best"], cell)

    def test_a_gpu_is_apart_and_compared_within_a_precision(self):
        cases, context = self.cases(
            rows("tiled", [10]) + rows("pytorch", [20]) + rows("graph", [30], "cuda") +
            rows("cublas", [15], "cuda") + rows("pytorch-once-fused", [60], "cuda") +
            rows("fused", [5], "cuda", "bf16") + rows("wgmma", [4], "cuda", "bf16") +
            rows("cublas", [9], "cuda", "bf16") + rows("cublaslt_stored", [6], "cuda", "bf16") +
            rows("jax-unique", [8], "cuda", "bf16") +
            rows("mma", [0], "cuda", "tf32", error_occurred=True, error_message="too wide"))
        apart = peers.by_device(cases)
        self.assertEqual([len(mine) for mine in apart.values()], [1, 3])
        cuda = peers.table("cuda", apart["cuda"], context)
        self.assertEqual(cuda.header[:6],
                         ["work", "precision", "ours", "cuBLAS", "PyTorch", "PyTorch, best"])
        self.assertEqual([row[1:8] for row in cuda.rows], [
            ["float32", "30 us graph", "15 us (0.50x)", "-", "60 us (2.00x) once-fused", "-", "-"],
            ["bf16", "4 us wgmma", "6 us (1.50x) cublaslt_stored", "-", "-", "-",
             "8 us (2.00x) unique"],
            ["tf32", "-", "-", "-", "-", "-", "-"]])
        self.assertIn("none: mma tf32: too wide", cuda.note)
        self.assertIn("some GPU", cuda.note)
        loaded = results.Results("", {"cuda_device": "some GPU"}, [])
        self.assertEqual([name for name, _ in pictures.all_pictures(loaded, apart)],
                         ["peers", "peers_cuda"])

    def test_a_library_has_one_colour_of_its_own(self):
        headings = {heading for field in peers.FIELDS.values() for heading in field.libraries.values()}
        self.assertEqual({"ours", *headings}, set(pictures.COMPARED))
        self.assertLessEqual(len(pictures.COMPARED), len(pictures.COLOURS))
        cases, _ = self.cases(rows("tiled", [30]) + rows("jax", [60]) + rows("tiled", [20], threads=2) +
                              rows("jax", [40], threads=2))
        loaded = results.Results("", {}, [])
        of_ratios, = pictures.peers_picture(loaded, "cpu", cases).axes[:1]
        drawn = {line.get_color() for line in of_ratios.lines if len(line.get_xdata())}
        self.assertEqual(of_ratios.get_legend_handles_labels()[1], ["JAX"])  # the others have no point
        of_threads, = pictures.scaling_picture(loaded, cases).axes
        self.assertIn(of_threads.lines[1].get_color(), drawn)

    def test_threads_are_drawn_where_there_are_several(self):
        runs = rows("tiled", [30]) + rows("jax", [60]) + rows("jax-once", [50])
        more = (rows("tiled", [20], threads=2) + rows("jax-once", [40], threads=2) +
                rows("tiled", [10], threads=4))
        loaded = results.Results("", {}, [])
        cases, _ = self.cases(runs)
        self.assertIsNone(pictures.scaling_picture(loaded, cases))
        cases, _ = self.cases(more + runs)
        axis, = pictures.scaling_picture(loaded, cases).axes
        self.assertGreater(axis.lines[0].get_zorder(), axis.lines[1].get_zorder())
        ours, jax, proportion = [list(zip(*line.get_data())) for line in axis.lines]
        self.assertEqual(ours, [(1, 1.0), (2, 1.5), (4, 3.0)])
        self.assertEqual(jax, [(1, 1.0), (2, 1.25)])
        self.assertEqual(proportion, [(1, 1), (2, 2), (4, 4)])


if __name__ == "__main__":
    unittest.main()
