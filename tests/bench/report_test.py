"""bench/report on results made up here, whose tables can be computed by hand."""

import csv
import io
import json
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import matplotlib

BENCH = Path(__file__).resolve().parents[2] / "bench"
sys.path.insert(0, str(BENCH))

from reporting import files, html, page, results, tables  # noqa: E402


def run(name, time, unit="us", **more):
    return {"name": name, "run_name": name, "run_type": "iteration", "repetitions": 3,
            "iterations": 10, "real_time": time, "cpu_time": time, "time_unit": unit, **more}


def row(name, times, rung, unit="us"):
    counters = {"label": f"rung {rung}", "FLOP/s": 2e9, "bytes/s": 1e9, "floor": 0.25,
                "peak": 12.5, "error": 0.5, "machine": 0.99, "cold": 123e-6}
    return [run(name, time, unit, **counters) for time in times]


def document(runs, **context):
    context = {"date": "2026-01-02T03:04:05+00:00", "network": "11-200relu-10", "threads": "2",
               "schema": "1", "processor": "Some CPU, 2 threads", "build_type": "Release", "isa": "avx2",
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

    def test_each_row_shows_its_floor_and_the_ratio_to_it(self):
        table, = tables.op_tables(self.load(LADDER))
        cells = [dict(zip(table.header, row)) for row in table.rows]
        self.assertEqual([(row["time"], row["floor"], row["floor / time"]) for row in cells],
                         [("90 us", "22.5 us", "0.250"), ("30 us", "7.5 us", "0.250"),
                          ("800 us", "200 us", "0.250")])
        bad = run(NAMES[0].format("bad"), 0, error_occurred=True, error_message="wrong")
        table, = tables.op_tables(self.load([bad]))
        self.assertEqual(len(table.rows[0]), len(table.header))

    def test_errors_and_disturbed_rows_are_visible(self):
        wrong = run(NAMES[0].format("bad"), 0, error_occurred=True, error_message="wrong: m [0]")
        noisy = row(NAMES[1].format("noisy"), [1, 2, 3], 1)
        for repetition in noisy:
            repetition["machine"] = 0.5
        text = tables.report_text(self.load([wrong] + noisy))
        self.assertIn("wrong: m [0]", text)
        self.assertIn("machine at 50% of its peak", text)

    def test_a_machine_just_below_its_mark_does_not_stand_at_it(self):
        slow = [{**repetition, "machine": 0.8996} for repetition in LADDER[:3]]
        text = tables.report_text(self.load(slow))
        self.assertIn("below 90%", text)
        self.assertIn("machine at 89% of its peak", text)

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
        self.assertAlmostEqual(float(lines[1]["floor_s"]), 7.5e-6)
        self.assertEqual(lines[1]["pairs"], "128")
        self.assertEqual((lines[1]["name"], lines[1]["iterations"], lines[1]["time_unit"], lines[1]["label"]),
                         (NAMES[0].format("fast"), "10", "us", "rung 1"))
        self.assertAlmostEqual(float(lines[1]["real_time"]), 30)
        self.assertAlmostEqual(float(lines[1]["cpu_time"]), 30)

    def test_csv_begins_as_google_benchmarks_does(self):
        failed = run(NAMES[0].format("bad"), 0, error_occurred=True, error_message="wrong")
        lines = tables.csv_text(self.load([failed])).splitlines()
        self.assertTrue(lines[0].startswith("name,iterations,real_time,cpu_time,time_unit,bytes_per_second,"
                                            "items_per_second,label,error_occurred,error_message,op,"))
        self.assertTrue(lines[1].startswith(f"{failed['name']},,,,,,,,true,wrong,train_step,"), lines[1])

    def test_too_few_repetitions_are_remarked_on(self):
        for count, remarked in ((3, True), (4, False)):
            text = tables.report_text(self.load(row(NAMES[0].format("a"), [80] * count, 0)))
            self.assertEqual("too few repetitions" in text, remarked)

    def test_rows_that_failed_are_told_before_any_number(self):
        failed = run(NAMES[0].format("bad"), 0, error_occurred=True, error_message="out of memory")
        skipped = run(NAMES[0].format("long"), 0, error_occurred=True, error_message="skipped: too long")
        self.assertEqual(list(tables.warnings(self.load([failed, skipped, *LADDER]))),
                         ["1 rows failed and have no times; their remarks say why."])

    def test_the_machine_and_correctness_are_told(self):
        text = tables.report_text(self.load(LADDER, fma_peak_float64_gflops="77", openblas="none here",
                                            caches=[{"type": "Data", "level": 1, "size": 49152}]))
        for part in ("32 KiB: 400 GB/s, 256 MiB: 20 GB/s", "L1 data 48 KiB", " 77 ", "none here",
                     "## Correctness"):
            self.assertIn(part, text)

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

    def test_a_kept_report_that_is_no_longer_made_so_is_found(self):
        loaded, run = self.load(LADDER), Path(self.folder.name)
        self.assertEqual(self.report(self.file, "--out", run).returncode, 0)
        for draw in (False, True):
            self.assertEqual(list(page.stale(run, loaded, draw)), [])

        def changed(name, old, new):
            """What is stale, told without and with drawing, once a file is another."""
            before = (run / name).read_text()
            self.assertIn(old, before)
            (run / name).write_text(before.replace(old, new))
            found = [list(page.stale(run, loaded, draw)) for draw in (False, True)]
            (run / name).write_text(before)
            return found

        for name, old in (("report.md", "3.00x"), ("results.csv", "train_step"), ("report.html", "3.00x")):
            self.assertEqual(changed(name, old, "2.99x"), [[name]] * 2)
        self.assertEqual(changed("report.html", ">slow</text>", ">tiled</text>"), [[], ["report.html"]])
        self.assertEqual(changed("roofline.svg", "<svg", "<svg "), [[], ["roofline.svg"]])
        clip = re.search(r"p[0-9a-f]{10}", (run / "roofline.svg").read_text())[0]
        self.assertEqual(changed("roofline.svg", clip, "p0123456789"), [[], []])  # by another processor
        self.assertEqual(changed("report.html", f"Matplotlib v{matplotlib.__version__}", "Matplotlib v0.1"),
                         [[], []])  # another one made them
        (run / "report.html").write_text(html.without_figures((run / "report.html").read_text()))
        self.assertEqual(list(page.stale(run, loaded, True)), ["report.html"])

    @unittest.skipIf(shutil.which("node") is None, "no node found")
    def test_columns_sort_by_what_a_reader_sees(self):
        functions = html.SCRIPT[:html.SCRIPT.index("for (const button")]
        for column in (["900 ns", "80 us", "1.5 ms", "2 s"], ["0.99x", "1.04x", "1.32x", "12.00x"],
                       ["1.2e-05", "0.5", "13.81", "1,024"], ["9.5%", "31.5%"],
                       ["942 us (1.90x)", "1 ms (0.90x) unique", "1.06 ms (2.13x)"],
                       ["44,610 parameters", "dense 256 points / 128 pairs", "dense 2,048 points / 1,024 pairs",
                        "dense 16,384 points / 8,192 pairs", "indexed 30 points / 128 pairs",
                        "indexed 30 points / 435 pairs", "indexed 30 points / 435 pairs, 128 trainings"],
                       ["cuda mma", "cuda mma bf16", "tiled"]):
            mixed = ["", *reversed(column), "-"]
            script = (functions + f"const column = {json.dumps(mixed)};\n"
                      "console.log(JSON.stringify([false, true].map("
                      "down => [...column].sort((a, b) => compare(a, b, down)))))")
            done = subprocess.run(["node", "-e", script],
                                  capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(json.loads(done.stdout), [[*column, "", "-"], [*reversed(column), "", "-"]])

    def test_columns_that_a_phone_has_no_room_for_wrap(self):
        table = tables.Table("t", ["variant", "shape", "time"], [["a", "x" * 24, "1 s"], ["b", "x" * 25, "2 s"]])
        text = html.page("t", "", [], [("t", [table], {})])
        self.assertEqual(text.count("<td class=long>x"), 2)
        self.assertEqual(text.count("<td>"), 4)

    def test_a_folder_stands_for_its_results(self):
        self.load(LADDER)
        self.assertEqual(self.report(self.folder.name).stdout, self.report(self.file).stdout)
        self.refused("No such file", Path(self.folder.name, "..", "none"))

    def test_bad_peers_are_one_line(self):
        self.load(LADDER)
        peers = self.file.with_name("peers.json")
        step = run("train_step/cpu_tiled/float32/dense/points:2/pairs:1/threads:1", 1)
        for rows, says in (([{}], "benchmarks[0]: run_name: null"), ([1], "benchmarks[0]: 1"),
                           (None, "benchmarks: null"), ([run("a", 1)], "'a' is no name"),
                           ([{**step, "real_time": "long"}], 'real_time: "long"')):
            peers.write_text(json.dumps({"context": {}, "benchmarks": rows}))
            self.refused(says, self.file)

    def test_what_standard_output_does_not_take(self):
        self.load(LADDER)
        for words in (("report", self.file), ("compare", self.file, self.file)):
            with subprocess.Popen([BENCH / words[0], *words[1:]], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True) as process:
                process.stdout.close()  # a reader that has seen enough
                self.assertEqual((process.stderr.read(), process.wait()), ("", 1))
            with open("/dev/full", "w") as full:
                done = subprocess.run([BENCH / words[0], *words[1:]], stdout=full, stderr=subprocess.PIPE,
                                      text=True, check=False)
            self.assertEqual((done.stderr, done.returncode),
                             (f"{words[0]}: standard output: No space left on device\n", 1))

    def test_a_file_that_cannot_be_written_whole_leaves_nothing(self):
        path = Path(self.folder.name, "a.json")
        path.write_text("before")
        with mock.patch("os.fsync", side_effect=OSError(28, "no space")), \
                self.assertRaises(OSError) as caught:
            files.write(path, "after")
        self.assertEqual(caught.exception.filename, str(path))
        self.assertEqual({each.name: each.read_text() for each in path.parent.iterdir()}, {"a.json": "before"})

    def test_a_report_that_fails_leaves_no_folder(self):
        self.load(LADDER)
        self.file.with_name("peers.json").write_text("{}")
        out = Path(self.folder.name, "out")
        self.refused("peers.json", self.file, "--out", out)
        self.file.with_name("peers.json").unlink()
        self.refused("results.json: Not a directory", self.file, "--out", self.file)
        self.assertEqual(list(Path(self.folder.name).iterdir()), [self.file])
        self.assertEqual(self.report(self.file, "--no-pictures", "--out", out).returncode, 0)
        self.assertEqual(self.report(self.file, "--no-pictures", "--out", out).returncode, 0)  # again
        self.assertEqual({path.name for path in out.iterdir()},
                         {"report.html", "report.md", "results.csv"})

    def test_an_error_without_a_message_is_one(self):
        row, = self.load([run(NAMES[0].format("bad"), 0, error_occurred=True)]).rows
        self.assertEqual(row.error, "failed")

    def test_fifteen_variants_are_drawn_apart(self):
        from reporting import pictures
        looks = {tuple(sorted(pictures._style(index).items())) for index in range(15)}
        self.assertEqual(len(looks), 15)

    def refused(self, says, *words):
        done = self.report(*words)
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn(says, done.stderr)

    def test_bad_files_are_one_line_and_exit_code_1(self):
        one = LADDER[0]
        without_rate = {key: value for key, value in one.items() if key != "FLOP/s"}
        for text, says in (("{", "results.json"), ("[]", "expected 'context'"),
                           ("", "empty; expected results of a benchmark"),
                           ("[" * 100000, "recursion"),
                           ('{"context": {}, "benchmarks": [NaN]}', "NaN is not JSON"),
                           ('{"context": {}, "benchmarks": []}', "no schema"),
                           ('{"context": 1, "benchmarks": []}', "context: 1; expected an object"),
                           ('{"context": {}, "benchmarks": null}', "benchmarks: null; expected a list"),
                           ('{"context": {}, "benchmarks": [1]}', "benchmarks[0]: 1; expected a run"),
                           ('{"context": {}, "benchmarks": [{}]}', "run_name: null; expected a row's name"),
                           (json.dumps(document([run("a/b", 1)])), "'a/b'"),
                           (json.dumps(document([one], schema="99")), 'schema: "99"; expected "1"'),
                           (json.dumps(document([one], rows="many")), 'rows: "many"; expected a count'),
                           (json.dumps(document([one], threads=[])), "threads: []; expected text"),
                           (json.dumps(document([one], processor=7)), "processor: 7; expected text"),
                           (json.dumps(document([one], bandwidth_gbs_by_bytes="4:")), "bandwidth_gbs_by_bytes"),
                           (json.dumps(document([one], bandwidth_gbs_by_bytes="4")), "expected BYTES:GB/s"),
                           (json.dumps(document([without_rate])), "FLOP/s: null; expected a number"),
                           *((json.dumps(document([{**one, key: value}])), f"{key}: {json.dumps(value)}; expected")
                             for key, value in (("real_time", "1"), ("real_time", None), ("real_time", 0),
                                                ("real_time", -1), ("real_time", True), ("real_time", 1e308),
                                                ("peak", 1e308), ("machine", -1e308),
                                                ("time_unit", "fortnight"), ("error", "small"),
                                                ("label", 3), ("run_name", 4))),
                           (json.dumps(document([{**one, "real_time": 10 ** 400}])), "real_time: 1000")):
            self.file.write_text(text)
            self.refused(says, self.file)
        self.refused("no\\nrows.json: No such file", Path(self.folder.name, "no\nrows.json"))
        self.assertIn("No such file", self.report(Path(self.folder.name, "none.json")).stderr)
        self.assertEqual(self.report().returncode, 2)


if __name__ == "__main__":
    unittest.main()
