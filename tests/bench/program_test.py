"""siamese_bench as its users call it. SIAMESE_BENCH and SIAMESE_BENCH_PLANTED name the programs."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

PROGRAM = os.environ["SIAMESE_BENCH"]
STEP = os.environ["SIAMESE_STEP"]
PROFILE = os.environ["SIAMESE_PROFILE"]
BENCH = Path(__file__).resolve().parents[2] / "bench"
PLANTED = os.environ["SIAMESE_BENCH_PLANTED"]
sys.path[:0] = [str(BENCH), str(BENCH.parent / "tests")]

import signals  # noqa: E402
from reporting import merge  # noqa: E402

signals.hear_all()

ADAM = "--benchmark_filter=^adam/cpu_eigen/float32/"
PATIENCE = 600  # seconds for a call, most of them for ThreadSanitizer


def run(program, *words, **environment):
    return subprocess.run([program, *words], capture_output=True, text=True, timeout=PATIENCE,
                          env={**os.environ, **environment}, check=False)


def strict(text):
    def refuse(constant):
        raise ValueError(f"{constant} is not JSON")
    return json.loads(text, parse_constant=refuse)


# No row is cut short where the machine is busy or the build a sanitizer's; ceilings need not be right.
PATIENT = ("--patience=100", "--ceilings=0.2")


def quick(program, *words, **environment):
    """A quick run whose results come back as JSON, with the exit code."""
    patient = (word for word in PATIENT if not any(w.startswith(word.split("=")[0]) for w in words))
    result = run(program, "--quick", "--benchmark_format=json", *patient, *words, **environment)
    return result.returncode, strict(result.stdout)


def iterations(document):
    return [row for row in document["benchmarks"] if row["run_type"] == "iteration"]


class Usage(unittest.TestCase):
    def refused(self, *words, says, **environment):
        result = run(PROGRAM, *words, **environment)
        lines = [line for line in result.stderr.splitlines() if "left out" not in line]
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertEqual(len(lines), 1, result.stderr)
        self.assertIn(says, lines[0])
        self.assertEqual(result.stdout, "")

    def test_bad_input_is_one_line_and_exit_code_2(self):
        self.refused("--fast", says="--fast")
        self.refused("train_step", says="train_step")
        self.refused("--network", "11-x", says="'x'")
        self.refused("--network", "11-a\nb\x1b", says="'a\\nb\\x1b'")
        self.refused("--threads", os.fsdecode(b"\xff"), says="--threads: '\\xff'")
        self.refused("--resume", "/no\nwhere", says="/no\\nwhere")
        self.refused("--network", "100000-100000", says="parameters")
        self.refused("--loss", "taxicab", says="taxicab")
        self.refused("--loss", "chi_square", "--network", "3-2tanh", says="last layer is tanh")
        self.refused("--threads", "0", says="--threads")
        for threads in ("many", "1e30", "1.5", "4097", ""):
            self.refused("--threads", threads, says=f"--threads: '{threads}'; expected a whole number, 1 to 4096")
        for flag in ("--shape", "--network", "--loss", "--threads", "--patience", "--ceilings", "--resume"):
            self.refused(flag, says=f"{flag}: expected a value")
        for flag in ("filter", "min_time", "repetitions", "format", "out", "out_format", "time_unit"):
            self.refused(f"--benchmark_{flag}", says=f"expected --benchmark_{flag}=VALUE")
        self.refused("--benchmark_time_unit=fs", says="'fs'; expected ns, us, ms or s")
        self.refused("--benchmark_list_tests=x", says="'x'; expected true or false")
        self.refused("--resume", "/nowhere/results.json", says="/nowhere/results.json")
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            file.write('{"context": {}, "benchmarks": null}')
            file.flush()
            self.refused("--resume", file.name, says=f"{file.name}: expected JSON that siamese_bench wrote")
        self.refused("--benchmark_filter=nothing_is_called_this", says="nothing_is_called_this")
        self.refused("--benchmark_filter=((", says="((")
        self.refused("--benchmark_format=xml", says="xml")
        self.refused("--benchmark_repetitions=0", says="--benchmark_repetitions")
        self.refused("--benchmark_repetitions=1.5", says="--benchmark_repetitions")
        self.refused("--benchmark_min_time=nan", says="--benchmark_min_time")
        self.refused("--patience=0", says="--patience")
        self.refused("--shape", "dense/points:3/pairs:2", says="--shape: 'dense/points:3/pairs:2'; expected")
        self.refused("--shape", "all/points:0/pairs:0", says="expected a pair or more")
        for seconds in ("nan", "0", "-1", "1e5", ""):
            self.refused("--ceilings", seconds, says=f"--ceilings: '{seconds}'; expected a number above 0")
        self.refused("--benchmark_unknown", says="--benchmark_unknown")
        self.refused("--quick", says="SIAMESE_ISA", SIAMESE_ISA="mmx")

    def test_help_names_every_flag(self):
        result = run(PROGRAM, "--help")
        self.assertEqual(result.returncode, 0)
        for flag in ("--quick", "--network", "--loss", "--threads", "--patience", "--ceilings",
                     "--benchmark_filter"):
            self.assertIn(flag, result.stdout)

    def test_every_program_names_distances_and_criteria(self):
        for words in ((PROGRAM,), (STEP, "export"), (STEP, "serve"), (PROFILE,)):
            text = run(*words, "--help").stdout
            for name in ("LAYERS", "11-200relu", "sqeuclidean", "manhattan", "cosine", "squared", "huber"):
                self.assertIn(name, text, words)

    def test_an_unwritable_file_fails(self):
        result = run(PROGRAM, "--quick", ADAM, "--benchmark_out=/nowhere/results.json")
        self.assertEqual(result.returncode, 1)
        self.assertIn("siamese_bench: --benchmark_out: /nowhere/results.json: No such file", result.stderr)


class Results(unittest.TestCase):
    def test_filters_choose_rows_by_their_names(self):
        every = run(PROGRAM, "--quick", "--benchmark_list_tests").stdout.split()
        self.assertEqual(len(every), len(set(every)))
        shape = r"(parameters:\d+|(dense|indexed|all)/points:\d+/pairs:\d+(/trainings:\d+)?)"
        for row in every:
            self.assertRegex(row, rf"^\w+/cpu_\w+/float32/{shape}$")
        chosen = run(PROGRAM, "--quick", "--benchmark_list_tests",
                     "--benchmark_filter=pairs:128$").stdout.split()
        self.assertEqual(chosen, [row for row in every if row.endswith("pairs:128")])
        others = run(PROGRAM, "--quick", "--benchmark_list_tests",
                     "--benchmark_filter=-pairs:128$").stdout.split()
        self.assertEqual(others, [row for row in every if row not in chosen])

    def test_shapes_can_be_named(self):
        words = ("--shape", "indexed/points:20/pairs:37", "--shape=dense/points:6/pairs:3",
                 "--benchmark_filter=^pair_forward/cpu_eigen/float32/")
        code, document = quick(PROGRAM, *words, "--benchmark_repetitions=1")
        self.assertEqual((code, document["context"]["sweep"]), (0, "chosen"))
        self.assertEqual([row["name"].split("/", 3)[3] for row in iterations(document)],
                         ["dense/points:6/pairs:3", "indexed/points:20/pairs:37"])

    def test_rows_and_context_are_complete_and_strict(self):
        code, document = quick(PROGRAM, ADAM, "--network", "5-8relu-3linear", "--threads", "1")
        self.assertEqual(code, 0)
        rows = iterations(document)
        self.assertEqual(len(rows), 5)
        for row in rows:
            self.assertEqual(row["name"], "adam/cpu_eigen/float32/parameters:75")
            self.assertGreater(row["real_time"], 0)
            self.assertGreaterEqual(row["iterations"], 1)
            self.assertLess(row["error"], 1)
            for counter in ("FLOP/s", "bytes/s", "cold", "floor", "peak", "machine"):
                self.assertGreater(row[counter], 0)
            self.assertNotIn("pairs/s", row)
        context = document["context"]
        self.assertEqual(context["network"], "5-8relu-3linear")
        self.assertEqual(context["threads"], "1")
        self.assertEqual(context["rows"], "1")
        for key in ("loss", "processor", "compiler", "flags", "commit", "isa", "build_type", "cuda_driver"):
            self.assertTrue(context[key], key)
        for key, version in (("cuda_compiler", r"nvcc \d+\.\d+\.\d+, .*-O\d.*, for sm_\d+.*"),
                             ("cublas", r"\d+\.\d+\.\d+")):
            self.assertRegex(context[key], f"^({version}|none)$")
        self.assertEqual(context["cuda_compiler"] == "none", context["cublas"] == "none")
        for key in ("fma_peak_float32_gflops", "launch_us"):
            self.assertGreater(float(context[key]), 0, key)

    def test_counters_are_the_work_over_the_time(self):
        _, document = quick(PROGRAM, "--benchmark_filter=^distance_loss/cpu_eigen/float32/dense/"
                            "points:256/", "--loss", "manhattan/squared")
        for row in iterations(document):
            seconds = row["real_time"] * 1e-6
            self.assertAlmostEqual(row["pairs/s"] * seconds, 128, delta=1e-3)
            self.assertAlmostEqual(row["FLOP/s"] * seconds, 128 * (40 + 4), delta=1e-2)

    def test_patience_scales_what_a_row_may_take(self):
        _, document = quick(PROGRAM, "--benchmark_filter=^train_step/cpu_eigen/float32/dense/points:(256|16384)/",
                            "--patience=0.0001")
        small, large = (next(row for row in document["benchmarks"] if name in row["run_name"])
                        for name in ("points:256/", "points:16384/"))
        self.assertRegex(small["error_message"], "^skipped: a launch takes")  # it had to be tried
        self.assertRegex(large["error_message"], "^skipped: a launch would take")
        self.assertEqual([document["context"][key] for key in ("patience", "row_cap_s", "reference_cap_s")],
                         ["0.0001", "0.0003", "0.001"])

    def test_a_file_is_written_beside_the_progress(self):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "results.json")
            result = run(PROGRAM, "--quick", "--progress", *PATIENT, ADAM, f"--benchmark_out={file}",
                         "--benchmark_repetitions=2")
            self.assertEqual(result.returncode, 0)
            self.assertIn("[  1/1,", result.stdout)
            self.assertEqual(len(iterations(strict(file.read_text()))), 2)

    def test_ctrl_c_leaves_a_whole_file_that_is_gone_on_with(self):
        row_filter = "--benchmark_filter=float32/dense/points:256/"
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "results.json")
            with subprocess.Popen(
                    [PROGRAM, "--quick", "--progress", *PATIENT, f"--benchmark_out={file}",
                     row_filter],
                    stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
                process.stdout.readline()  # the first row
                process.send_signal(signal.SIGINT)
                process.stdout.read()
                self.assertEqual(process.wait(60), 130)
            document = strict(file.read_text())
            rows = {row["name"] for row in iterations(document)}
            self.assertGreaterEqual(len(rows), 1)
            self.assertLess(len(rows), int(document["context"]["rows"]))

            rest = Path(folder, "rest.json")
            row_filter = "--benchmark_filter=float32/(dense/points:256/|parameters:)"  # some more
            result = run(PROGRAM, "--quick", *PATIENT, row_filter, f"--benchmark_out={rest}",
                         "--resume", file)
            self.assertEqual(result.returncode, 0, result.stderr)
            others = {row["name"] for row in iterations(strict(rest.read_text()))}
            self.assertFalse(rows & others)
            joined = run(BENCH / "report", rest, "--begun", file)
            self.assertEqual(joined.returncode, 0, joined.stderr)
            document = strict(rest.read_text())
            self.assertEqual({row["name"] for row in iterations(document)}, rows | others)
            self.assertEqual(len(rows | others), int(document["context"]["rows"]))
            self.assertIn("every row", run(PROGRAM, "--quick", row_filter, "--resume",
                                           rest).stderr)

    def test_ctrl_c_leaves_out_a_row_with_repetitions_to_come(self):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "results.json")
            with subprocess.Popen(
                    [PLANTED, "--quick", "--progress", *PATIENT, f"--benchmark_out={file}",
                     "--benchmark_repetitions=50", "--benchmark_filter=^adam/cpu_(eigen|spins)/float32/"],
                    stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
                process.stdout.readline()  # the first row
                time.sleep(1)  # some repetitions of the second
                process.send_signal(signal.SIGINT)
                self.assertEqual(process.stdout.read(), "")
                self.assertEqual(process.wait(60), 130)
            document = strict(file.read_text())
            self.assertEqual({row["name"].split("/")[1] for row in document["benchmarks"]}, {"cpu_eigen"})
            self.assertEqual(len(iterations(document)), 50)

    def test_a_second_ctrl_c_does_not_wait(self):
        with subprocess.Popen([PLANTED, "--quick", "--benchmark_filter=^adam/cpu_hangs/"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
            self.assertIn("hanging\n", process.stderr)
            process.send_signal(signal.SIGINT)
            with self.assertRaises(subprocess.TimeoutExpired):
                process.wait(1)
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(10), -signal.SIGINT)

    def test_what_is_gone_on_with_must_be_alike(self):
        _, document = quick(PROGRAM, ADAM, "--benchmark_repetitions=1")
        with tempfile.TemporaryDirectory() as folder:
            file, rest = Path(folder, "results.json"), Path(folder, "rest.json")
            rest.write_text(json.dumps(document))
            for key in merge.SAME:
                other = {**document["context"], key: "other"}
                file.write_text(json.dumps({**document, "context": other}))
                done = run(PROGRAM, "--quick", "--resume", file)  # before anything is measured
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertIn(f"--resume: {key} is {document['context'][key]} now", done.stderr)
                joined = run(BENCH / "report", rest, "--begun", file)
                self.assertEqual(joined.returncode, 1)
                self.assertIn(key, joined.stderr)
            self.assertEqual(strict(rest.read_text()), document)

    def test_what_is_gone_on_with_is_not_written_over(self):
        _, document = quick(PROGRAM, ADAM, "--benchmark_repetitions=1")
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "results.json")
            file.write_text(json.dumps(document))
            done = run(PROGRAM, "--quick", "--resume", file, f"--benchmark_out={folder}/./results.json")
            self.assertEqual(done.returncode, 2)
            self.assertIn("--benchmark_out", done.stderr)
            self.assertEqual(strict(file.read_text()), document)

    def test_a_narrower_filter_does_not_make_a_run_complete(self):
        _, document = quick(PROGRAM, ADAM, "--benchmark_repetitions=1")
        document["context"]["rows"] = "50"
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "results.json")
            file.write_text(json.dumps(document))
            code, rest = quick(PROGRAM, "--benchmark_filter=^adam/cpu_tiled/float32/", f"--resume={file}")
            self.assertEqual((code, rest["context"]["rows"]), (0, "50"))

    def test_a_program_that_is_killed_leaves_the_rows_before(self):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "results.json")
            done = run(PLANTED, "--quick", *PATIENT, "--benchmark_filter=^adam/cpu_(eigen|killed)/float32/",
                       f"--benchmark_out={file}")
            self.assertEqual(done.returncode, -signal.SIGKILL)
            self.assertEqual({row["name"] for row in iterations(strict(file.read_text()))},
                             {"adam/cpu_eigen/float32/parameters:44610"})


class Planted(unittest.TestCase):
    def timed(self, variant, *words, **environment):
        return quick(PLANTED, f"--benchmark_filter=^adam/cpu_{variant}/float32/", *words, **environment)

    def refused(self, variant, when):
        code, document = self.timed(variant)
        self.assertEqual(code, 1)
        rows = iterations(document)
        self.assertEqual(len(rows), 1)
        self.assertTrue(rows[0]["error_occurred"])
        self.assertNotIn("FLOP/s", rows[0])
        self.assertTrue(rows[0]["error_message"].startswith(f"wrong {when} timing: "))
        return rows[0]["error_message"]

    def test_a_wrong_variant_is_not_timed(self):
        self.assertIn("[17]", self.refused("wrong", "before"))
        self.assertIn("nan", self.refused("nan", "before"))

    def test_what_the_timed_launches_left_is_verified(self):
        self.refused("tires", "after")

    def test_launches_that_do_nothing_are_found_whatever_one_before_them_left(self):
        code, document = quick(PLANTED, "--benchmark_filter=^pair_forward/cpu_rests/float32/dense/points:256/",
                               "--patience=1")  # what takes no time is timed for as long as it may
        row, = iterations(document)
        self.assertEqual(code, 1)
        self.assertRegex(row["error_message"], "^wrong after timing.*: .*nan")

    def test_a_row_ends_within_its_cap(self):
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder, "log")
            _, document = self.timed("sleeps", "--patience=1",  # 3 s, a launch 0.9
                                     SIAMESE_PLANTED_LOG=str(log))
            every = len(log.read_text().splitlines())  # also those that are in no result
        launches = 1 + sum(row["iterations"] + ("cold" in row) for row in iterations(document))
        self.assertGreater(launches, 1)
        self.assertLessEqual(launches, every)
        self.assertLessEqual(0.9 * every, 3)

    def test_a_spin_of_5_ms_is_measured(self):
        code, document = self.timed("spins")
        self.assertEqual(code, 0)
        for row in iterations(document):
            self.assertGreaterEqual(row["real_time"], 5000)  # us

    def test_a_slow_first_call_is_not_counted(self):
        begin = time.monotonic()
        code, document = self.timed("wakes", "--benchmark_min_time=0.001")
        self.assertGreaterEqual(time.monotonic() - begin, 0.2)
        self.assertEqual(code, 0)
        # One millisecond is asked for; with the first call counted, 200 would be in each.
        timed = [row["real_time"] * row["iterations"] for row in iterations(document)]
        self.assertLess(min(timed), 200e3)


class Sweep(unittest.TestCase):
    """bench/run in a tree of its own, where nothing is installed or built."""

    ADAM = "--benchmark_filter=^adam/cpu_{}/float32/"

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.tree = Path(folder.name)
        self.out = self.tree / "out"
        for name in ("bench", "cmake", "build/cpu/bench", "build/peers/bin", "path"):
            (self.tree / name).mkdir(parents=True)
        shutil.copy(BENCH / "run", self.tree / "bench")
        shutil.copy(BENCH.parent / "cmake/setup.sh", self.tree / "cmake")
        for name in ("report", "reporting", "peers"):
            (self.tree / "bench" / name).symlink_to(BENCH / name)
        for name, text in (("cmake", "cmake version 3.30.0"), ("dpkg-query", "install ok installed")):
            (self.tree / "path" / name).write_text(f"#!/bin/sh\necho '{text}'\n")
            (self.tree / "path" / name).chmod(0o755)
        (self.tree / "build/cpu/bench/siamese_bench").symlink_to(PLANTED)
        (self.tree / "build/cpu/bench/siamese_step").symlink_to(STEP)
        (self.tree / "build/peers/bin/python").symlink_to(sys.executable)
        shutil.copy(BENCH / "peers/requirements.txt", self.tree / "build/peers/installed")

    def start(self, *words):
        path = f"{self.tree}/path:{os.environ['PATH']}"
        return subprocess.Popen([self.tree / "bench/run", "--no-cuda", "--quick", *PATIENT, *words],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                env={**os.environ, "PATH": path}, start_new_session=True)

    def finish(self, process):
        """(exit code, what it said)"""
        with process:
            text = process.stdout.read()
            return process.wait(120), text

    def rows(self, folder):
        return {row["name"].split("/")[1] for row in
                iterations(strict((folder / "results.json").read_text()))}

    def wait_for(self, process, text):
        """What is told up to the line that has the text."""
        told = ""
        for line in process.stdout:
            told += line
            if text in line:
                return told
        self.fail(f"no '{text}'")

    def test_bad_words_are_refused_before_anything_is_built(self):
        for words, says in ((("--out", ""), "--out: expected a value"), (("--out=",), "--out: expected a value"),
                            (("--out",), "--out: expected a value"), (("--resume",), "--resume: expected a value"),
                            (("--resume=/nowhere",), "/nowhere has no results.json"),
                            (("--threads", "0"), "--threads: '0'"), (("--threads=many",), "--threads: 'many'"),
                            (("--patience", "x"), "--patience: 'x'"), (("--ceilings", "0"), "--ceilings: '0'"),
                            (("--patience=0.0",), "--patience: '0.0'"),
                            (("--network=foo",), "--network: 'foo'"), (("--loss", "a/b/c"), "--loss: 'a/b/c'"),
                            (("--shape", "dense"), "--shape: 'dense'"),
                            (("--two\nlines\x1b[2J",), r"--two\x0alines\x1b[2J: unknown argument"),
                            (("--fast",), "--fast: unknown argument")):
            code, text = self.finish(self.start(*words))
            self.assertEqual((code, len(text.splitlines())), (2, 1), text)
            self.assertIn(says, text)

    def test_every_loss_is_known(self):
        for loss in ("chi_square", "weighted_l1/squared", "cosine/contrastive_1_is_dissimilar:0.5"):
            code, text = self.finish(self.start("--out", self.out, "--loss", loss, "--benchmark_filter=nothing"))
            self.assertEqual(code, 2, text)
            self.assertIn("finds no row", text.splitlines()[-1])

    def test_what_the_program_refuses_is_told_before_it_measures(self):
        for words, says in ((("--loss", "l2"), "unknown distance 'l2'; expected one of"), (("--benchmark_filter=nothing",), "finds no row"),
                            (("--benchmark_time_unit=fs",), "'fs'"), (("--benchmark_fast",), "--benchmark_fast")):
            code, text = self.finish(self.start("--out", self.out, *words))
            self.assertEqual(code, 2, text)
            self.assertIn(says, text.splitlines()[-1])
            self.assertNotIn("verifying", text)
            self.assertEqual(list(self.tree.glob("*out*")), [])

    def test_a_whole_run_is_a_folder(self):
        code, text = self.finish(self.start("--out", self.out, self.ADAM.format("eigen")))
        self.assertEqual(code, 0, text)
        self.assertTrue((self.out / "report.html").exists())
        self.assertEqual([path.name for path in self.tree.glob("*out*")], ["out"])

    def test_a_crash_is_told_with_its_row_and_gone_on_after(self):
        code, text = self.finish(self.start("--out", self.out, self.ADAM.format("(eigen|killed)")))
        self.assertEqual(code, 1, text)
        self.assertIn("SIGKILL in the row adam/cpu_killed/float32/parameters:44610", text)
        partial = self.tree / "out-partial"
        self.assertEqual(self.rows(partial), {"cpu_eigen"})
        self.assertTrue((partial / "report.html").exists())

        code, text = self.finish(self.start("--resume", partial, self.ADAM.format("eigen|adam/cpu_wakes")))
        self.assertEqual(code, 0, text)
        self.assertEqual(self.rows(self.out), {"cpu_eigen", "cpu_wakes"})

    def test_any_signal_keeps_the_rows_so_far(self):
        for number, code in ((signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)):
            with self.subTest(number):
                out = self.tree / number.name
                process = self.start("--out", out, self.ADAM.format("(eigen|spins|wakes)"))
                self.wait_for(process, "adam/cpu_eigen")
                process.send_signal(number)  # to the script alone
                found, text = self.finish(process)
                self.assertEqual(found, code, text)
                partial = self.tree / f"{number.name}-partial"
                self.assertIn("cpu_eigen", self.rows(partial))
                self.assertNotIn("cpu_wakes", self.rows(partial))
                self.assertTrue((partial / "report.html").exists())

    def test_ctrl_c_before_the_first_row_writes_nothing(self):
        process = self.start("--out", self.out, self.ADAM.format("eigen"))
        self.wait_for(process, "verifying and timing")
        os.killpg(process.pid, signal.SIGINT)
        code, text = self.finish(process)
        self.assertEqual(code, 130, text)
        self.assertIn("nothing was written", text)
        self.assertEqual(list(self.tree.glob("*out*")), [])

    def test_ctrl_c_while_peers_are_timed_keeps_the_sweep(self):
        process = self.start("--out", self.out, "--peers", self.ADAM.format("eigen"))
        self.wait_for(process, "[1/")
        for _ in range(3):
            os.killpg(process.pid, signal.SIGINT)
            time.sleep(0.1)
        code, text = self.finish(process)
        self.assertEqual(code, 130, text)
        self.assertNotIn("Traceback", text)
        self.assertEqual(self.rows(self.out), {"cpu_eigen"})
        self.assertTrue((self.out / "report.html").exists())

    def test_what_peers_need_of_the_system_is_missed_before_anything_is_timed(self):
        (self.tree / "build/peers/installed").unlink()
        (self.tree / "path/dpkg-query").write_text(
            '#!/bin/sh\ncase "$*" in *python3-venv) exit 1 ;; *) echo "install ok installed" ;; esac\n')
        for name in ("sudo", "apt-get"):
            (self.tree / "path" / name).write_text("#!/bin/sh\nexit 1\n")
            (self.tree / "path" / name).chmod(0o755)
        code, text = self.finish(self.start("--out", self.out, "--peers", self.ADAM.format("eigen")))
        self.assertEqual(code, 1, text)
        self.assertIn("python3-venv", text.splitlines()[-1])
        self.assertNotIn("verifying", text)
        self.assertEqual(list(self.tree.glob("*out*")), [])

    def test_a_peer_that_cannot_be_installed_leaves_the_others(self):
        (self.tree / "build/peers/installed").unlink()
        log, python = self.tree / "installed", self.tree / "build/peers/bin/python"
        python.unlink()
        python.write_text(f'#!/bin/sh\ncase "$*" in *"-m pip"*) ;; *) exec {sys.executable} "$@" ;; esac\n'
                          f'for package; do :; done\necho "$package" >>{log}\n'
                          'case "$package" in jax*) exit 1 ;; esac\n')
        (self.tree / "path/python3").write_text("#!/bin/sh\n")
        for program in (python, self.tree / "path/python3"):
            program.chmod(0o755)
        process = self.start("--out", self.out, "--peers", self.ADAM.format("eigen"))
        wanted = [line for line in (BENCH / "peers/requirements.txt").read_text().splitlines()
                  if not line.startswith("#")]
        failed, = (package for package in wanted if package.startswith("jax"))
        self.wait_for(process, "installing PyTorch")
        told = self.wait_for(process, "[1/")
        os.killpg(process.pid, signal.SIGINT)
        self.finish(process)
        self.assertIn(f"gaps in the table: {failed}\n", told)
        self.assertEqual(log.read_text().splitlines(), wanted)
        self.assertFalse((self.tree / "build/peers/installed").exists())

    def test_peers_have_no_more_threads_than_asked_for(self):
        every = len(os.sched_getaffinity(0))
        for count in (1, every + 1):
            with self.subTest(count):
                process = self.start("--out", self.tree / f"out{count}", "--peers", "--threads", str(count),
                                     self.ADAM.format("eigen"))
                told = self.wait_for(process, "[1/").splitlines()[-1]
                os.killpg(process.pid, signal.SIGINT)
                self.finish(process)
                most = min(count, every)
                self.assertRegex(told, "threads: 1$" if most == 1 else f"threads: 1 and {most}$")

    def test_peers_that_cannot_be_timed_are_told_and_keep_the_sweep(self):
        step = self.tree / "build/cpu/bench/siamese_step"
        step.unlink()
        step.write_text("#!/bin/sh\nexit 1\n")
        step.chmod(0o755)
        code, text = self.finish(self.start("--out", self.out, "--peers", self.ADAM.format("eigen")))
        self.assertEqual(code, 1, text)
        self.assertIn("could not all be timed", text)
        self.assertEqual(self.rows(self.out), {"cpu_eigen"})

    def test_ctrl_c_while_the_report_is_made_changes_nothing(self):
        process = self.start("--out", self.out, self.ADAM.format("eigen"))
        self.wait_for(process, "making tables")
        for _ in range(3):
            os.killpg(process.pid, signal.SIGINT)
            time.sleep(0.1)
        code, text = self.finish(process)
        self.assertEqual(code, 0, text)
        self.assertTrue((self.out / "report.html").exists())

    def test_what_cannot_be_gone_on_with_is_refused_before_the_first_row(self):
        partial = self.tree / "out-partial"
        self.finish(self.start("--out", self.out, self.ADAM.format("(eigen|killed)")))
        before = (partial / "results.json").read_text()
        code, text = self.finish(self.start("--resume", partial, "--network=5-8relu-3linear"))
        self.assertEqual(code, 2, text)
        self.assertIn("network is 5-8relu-3linear now", text)
        self.assertNotIn("[  1/", text)
        self.assertEqual((partial / "results.json").read_text(), before)

        broken = before.replace('"time_unit": "us"', '"time_unit": "fortnight"')
        (partial / "results.json").write_text(broken)
        code, text = self.finish(self.start("--resume", partial, self.ADAM.format("wakes")))
        self.assertEqual(code, 2, text)
        self.assertIn("fortnight", text.splitlines()[-1])
        self.assertNotIn("[  1/", text)
        self.assertEqual((partial / "results.json").read_text(), broken)
        self.assertFalse(self.out.exists())

    def test_rows_that_cannot_be_joined_are_kept(self):
        partial = self.tree / "out-partial"
        self.finish(self.start("--out", self.out, self.ADAM.format("(eigen|killed)")))
        (self.tree / "bench/report").unlink()
        (self.tree / "bench/report").write_text(
            "import sys\nsys.exit('--begun' in sys.argv)\n")
        code, text = self.finish(self.start("--resume", partial, self.ADAM.format("wakes")))
        self.assertEqual(code, 1, text)
        rest, = self.tree.glob("out-rest-*")
        self.assertIn(str(rest), text)
        self.assertEqual(self.rows(rest), {"cpu_wakes"})
        self.assertEqual(self.rows(partial), {"cpu_eigen"})


if __name__ == "__main__":
    unittest.main()
