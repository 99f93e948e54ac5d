#!/usr/bin/env python3
"""Calls siamese_landmarks as its users do, with good and with bad input.

    cli_test.py PROGRAM [CLASS..]
"""

import fcntl
import json
import math
import os
import pty
import re
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import signals  # noqa: E402

signals.hear_all()

PROGRAM = sys.argv.pop(1)
PLACES = Path(__file__).parents[2] / "landmarks" / "data" / "places.csv"
QUICK = ["--epochs", "2"]
PATIENCE = 600  # seconds for a call, most of them for ThreadSanitizer
DATA_FILES = {"points.csv", "points.npy", "features.csv", "pairs.csv", "split.csv", "loss.csv",
              "predictions.csv", "predictions.npy", "aligned.csv", "summary.json"}


def strict(text):
    """JSON with no NaN or Infinity in it."""
    def refuse(name):
        raise ValueError(f"{name} is no JSON")
    return json.loads(text, parse_constant=refuse)


class ProgramTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.out = self.folder / "out"

    def call(self, *arguments, **options):
        return subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True,
                              timeout=PATIENCE, check=False, **options)

    def succeed(self, *arguments, **options):
        done = self.call(*arguments, **options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def refuse(self, code, message, *arguments, **options):
        """One line on standard error with the message in it, the exit code, and no file left."""
        before = sorted(self.folder.rglob("*"))
        done = self.call(*arguments, **options)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertTrue(done.stderr.startswith("siamese_landmarks: "), done.stderr)
        self.assertIn(message, done.stderr)
        self.assertEqual(sorted(self.folder.rglob("*")), before)

    def write(self, name, content):
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def first_cells(self, name):
        lines = (self.out / name).read_text(encoding="utf-8").splitlines()
        return [line.split(",")[0] for line in lines]


class Experiment(ProgramTest):
    def test_default_is_the_original_experiment(self):
        text = self.succeed("--out", self.out)
        self.assertEqual(self.first_cells("points.csv")[1], "0.6027633760716439")
        summary = strict((self.out / "summary.json").read_text(encoding="utf-8"))
        self.assertEqual(summary["training"]["network"], "11-200relu-200relu-10sigmoid")
        self.assertEqual(summary["training"]["parameters"], 44610)
        self.assertEqual(summary["training"]["pairs"], 435)
        self.assertEqual(summary["training"]["loss"], "as_written")
        test = summary["test"]
        self.assertAlmostEqual(test["random"]["error_per_point"], 1.5, delta=0.05)
        self.assertLess(test["multilateration"]["error_per_point"], 1e-12)
        # "Underwhelming": no better than random coordinates, though the loss fell.
        self.assertGreater(test["network"]["error_per_point"], 1.3)
        self.assertLess(summary["training"]["last_loss"], summary["training"]["first_loss"] / 2)
        for row in ("network", "random coordinates", "multilateration", "correlation"):
            self.assertIn(row, text)
        split = (self.out / "split.csv").read_text(encoding="utf-8").splitlines()
        self.assertEqual(split[:3], ["part,point", "train,18", "train,11"])
        self.assertEqual(split[31], "test,27")
        self.assertEqual(len((self.out / "pairs.csv").read_text().splitlines()), 436)
        self.assertEqual(len((self.out / "loss.csv").read_text().splitlines()), 101)

    def test_equal_seeds_give_equal_files(self):
        texts = []
        for name in ("a", "b"):
            self.succeed(*QUICK, "--out", self.folder / name, "--variant", "reference")
            texts.append((self.folder / name / "predictions.csv").read_text())
        self.assertEqual(*texts)

    def test_seeds_change_what_they_name(self):
        first = {}
        for name, seeds in (("a", []), ("b", ["--init-seed", 1]), ("c", ["--seed", 1])):
            self.out = self.folder / name
            self.succeed(*QUICK, *seeds, "--out", self.out)
            first[name] = self.first_cells("points.csv")[1], self.first_cells("predictions.csv")[1]
        self.assertEqual(first["a"][0], first["b"][0])
        self.assertNotEqual(first["a"][1], first["b"][1])
        self.assertNotEqual(first["a"][0], first["c"][0])

    def test_all_pairs_of_more_points_learns(self):
        self.succeed("--points", 60, "--dim", 2, "--landmarks", 4, "--all-pairs", "--epochs", 300,
                     "--out", self.out)
        summary = strict((self.out / "summary.json").read_text(encoding="utf-8"))
        self.assertEqual(summary["training"]["pair_form"], "all")
        self.assertLess(summary["test"]["network"]["error_per_pair"], 0.1)
        self.assertFalse((self.out / "pairs.csv").exists())

    def test_every_loss_runs(self):
        for loss in ("as_written", "sqeuclidean", "euclidean/squared", "manhattan/huber:0.5",
                     "cosine", "chi_square/huber:0.5", "weighted_l1"):
            self.succeed(*QUICK, "--loss", loss)
        self.succeed(*QUICK, "--loss", "weighted_l1/squared", "--all-pairs")
        self.succeed(*QUICK, "--loss", "sqeuclidean", "--target", "squared_distance")

    def test_multilateration_says_when_it_is_not_exact(self):
        self.assertIn("not exact here: it takes 11 landmarks that span all dimensions; these span 2",
                      self.succeed(*QUICK, "--landmarks", 3))

    def test_progress_tells_the_time_left(self):
        done = self.call("--epochs", 20, "--variant", "reference")
        self.assertRegex(done.stderr, r"(?m)^epoch \d+ of 20: loss \d\.\d+, \d+ (s|min) left$")

    def test_a_bar_redraws_itself_in_one_row_of_a_terminal(self):
        for columns in (200, 80, 50, 0):  # 0: a terminal that does not tell
            with self.subTest(columns=columns):
                terminal, end = pty.openpty()
                fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
                with os.fdopen(terminal, "rb", 0) as shown:
                    process = subprocess.Popen([PROGRAM, "--epochs", "1000", "--loss", "euclidean"],
                                               stdout=subprocess.DEVNULL, stderr=end)
                    os.close(end)
                    text = b""
                    try:
                        while part := shown.read(1 << 16):
                            text += part
                    except OSError:  # the other end is closed
                        pass
                self.assertEqual(process.wait(60), 0)
                first, *rows = text.decode().rstrip("\r\n").split("\r")
                self.assertEqual(first, "")
                self.assertNotIn("\n", "".join(rows))
                for row in rows:
                    self.assertTrue(row.endswith("\033[K"), row)
                    self.assertLess(len(row) - len("\033[K"), columns or 80)
                if columns != 50:
                    self.assertRegex(rows[-1], r"^\[#{10,40}\] 100%  epoch 1000 of 1000  loss \d\.\d+  0 s left")

    def test_what_is_not_there_is_not_told_as_a_number(self):
        # Of two unseen points there is one pair, which nothing can be related to.
        text = self.succeed(*QUICK, "--points", 5, "--landmarks", 1, "--out", self.out)
        self.assertIn("Network: there is but one pair, and nothing to relate it to.", text)
        summary = strict((self.out / "summary.json").read_text(encoding="utf-8"))
        self.assertEqual([summary["test"][row]["correlation"] for row in
                          ("network", "random", "multilateration")], [None] * 3)

    def test_help_and_version(self):
        self.assertIn("--all-pairs", self.succeed("--help"))
        self.assertRegex(self.succeed("--version"), r"^siamese_landmarks \d+\.\d+\.\d+\n$")


class Data(ProgramTest):
    ROWS = [(0.0, 0.0), (4.0, 0.0), (0.0, 2.0), (4.0, 2.0), (1.0, 1.0), (3.0, 0.5), (2.0, 2.0)]

    def test_csv_with_names(self):
        lines = ["place,x,y"] + [f"town {i},{x},{y}" for i, (x, y) in enumerate(self.ROWS)]
        data = self.write("towns.csv", "\n".join(lines) + "\n")
        text = self.succeed(*QUICK, "--landmarks", 3, "--data", data, "--unit", "km",
                            "--out", self.out)
        self.assertIn("divided by 4", text)
        self.assertIn("in km", text)
        self.assertEqual(self.first_cells("points.csv")[:2], ["name", "town 0"])
        summary = strict((self.out / "summary.json").read_text(encoding="utf-8"))
        self.assertEqual(summary["data"]["divided_by"], 4.0)
        self.assertLess(summary["test"]["multilateration"]["error_per_pair"], 1e-12)
        self.check_distances(1)

    def check_distances(self, power):
        """features.csv and the targets of pairs.csv are those of ROWS, in their unit."""
        features = [line.split(",")[1:] for line in
                    (self.out / "features.csv").read_text().splitlines()[1:]]
        for row, point in zip(features, self.ROWS, strict=True):
            for cell, landmark in zip(row, self.ROWS):
                self.assertAlmostEqual(float(cell), math.dist(point, landmark))
        pairs = [line.split(",") for line in (self.out / "pairs.csv").read_text().splitlines()[1:]]
        self.assertEqual(len(pairs), 10)
        for first, second, target in pairs:
            self.assertAlmostEqual(float(target),
                                   math.dist(self.ROWS[int(first)], self.ROWS[int(second)]) ** power)

    def test_targets_are_in_the_users_unit(self):
        data = self.write("towns.csv", "\n".join(f"town {i},{x},{y}" for i, (x, y) in
                                                 enumerate(self.ROWS)))
        self.succeed(*QUICK, "--landmarks", 3, "--data", data, "--target", "squared_distance",
                     "--loss", "sqeuclidean", "--out", self.out)
        self.check_distances(2)

    def test_pairs_are_written_in_pieces_without_a_seam(self):
        self.succeed("--epochs", 1, "--points", 500, "--batch", 70000, "--loss", "euclidean", "--out", self.out)
        lines = (self.out / "pairs.csv").read_text().splitlines()
        self.assertEqual(len(lines), 1 + 375 * 374 // 2)
        self.assertEqual([len(line.split(",")) for line in lines], [3] * len(lines))
        self.assertEqual(len(set(lines)), len(lines))
        self.assertEqual([line for line in lines if "first" in line], lines[:1])

    def test_name_in_capitals(self):
        data = self.write("TOWNS.CSV", "\n".join(f"{x},{y}" for x, y in self.ROWS))
        self.assertIn("7 points in 2 dimensions, beginning with 1 landmark; 5 train, 2 test",
                      self.succeed("--epochs", 1, "--landmarks", 1, "--data", data))

    def test_mark_crlf_semicolons_and_decimal_commas_are_the_same_points(self):
        plain = "\n".join(f"{x},{y}" for x, y in self.ROWS)
        other = "\r\n".join(f"{x};{y}".replace(".", ",") for x, y in self.ROWS)
        texts = []
        for name, content in (("a", plain), ("b", "\ufeff" + other)):
            data = self.write(name + ".csv", content)
            self.out = self.folder / name
            self.succeed(*QUICK, "--landmarks", 3, "--data", data, "--out", self.out)
            texts.append((self.out / "points.csv").read_text())
        self.assertEqual(*texts)

    def test_npy_that_it_wrote_itself(self):
        self.succeed(*QUICK, "--out", self.out)
        again = self.folder / "again"
        self.succeed(*QUICK, "--data", self.out / "points.npy", "--out", again)
        self.assertEqual((self.out / "points.csv").read_text(), (again / "points.csv").read_text())

    def test_places(self):
        self.succeed("--data", PLACES, "--all-pairs", "--epochs", 5, "--out", self.out)
        self.assertEqual(self.first_cells("points.csv")[:2], ["name", "Andorra"])
        self.assertEqual(len(self.first_cells("points.csv")), 313)

    def test_name_of_a_file_that_is_no_utf8(self):
        data = self.write(os.fsdecode(b"K\xf6ln.csv"), "\n".join(f"{x},{y}" for x, y in self.ROWS))
        self.succeed(*QUICK, "--landmarks", 3, "--data", data, "--out", self.out, errors="replace")
        summary = strict((self.out / "summary.json").read_text(encoding="utf-8"))
        self.assertTrue(summary["data"]["source"].endswith("K\ufffdln.csv"), summary["data"])

    def test_bad_files(self):
        five = "1,2\n3,4\n5,6\n7,8\n"
        cases = [
            ("bad.csv", five + "9,nan\n", 1, "bad.csv, line 5, column 2: 'nan'; expected a finite"),
            ("bad.csv", five + "9\n", 1, "bad.csv, line 5: 1 cell; expected 2"),
            ("bad.csv", five + "9,\n", 1, "bad.csv, line 5, column 2: empty cell"),
            ("bad.csv", "", 1, "bad.csv: no rows"),
            ("bad.csv", b"K\xf6ln,1,2\n", 1, "line 1, column 1: 'K\\xf6ln'; expected UTF-8"),
            ("few.csv", five, 1, "few.csv': points: 4; expected at least 5"),
            ("far.csv", five + "-1e308,0\n1e308,0\n", 1, "far.csv': points: coordinates differ by inf"),
            ("few.csv", five + "9,10\n", 1, "landmarks: 11; expected 1 to 5"),
            ("bad.npy", b"\x93NUMPY\x01\x00\x10\x00{'descr': '<f8'", 1, "header is cut off"),
            ("bad.npy", "1,2\n", 1, "bad.npy: no NPY file"),
            ("bad.txt", five, 1, "bad.txt'; expected a name that ends in .csv or .npy"),
        ]
        for name, content, code, message in cases:
            with self.subTest(name=name, message=message):
                self.refuse(code, message, "--data", self.write(name, content), "--out", self.out)
        self.refuse(1, "none.csv': No such file", "--data", self.folder / "none.csv")
        (self.folder / "d.csv").mkdir()
        self.refuse(1, "expected a regular file", "--data", self.folder / "d.csv")


class Output(ProgramTest):
    def test_writes_what_it_says(self):
        self.succeed(*QUICK, "--out", self.out / "deep" / "er")
        names = {p.name for p in (self.out / "deep" / "er").iterdir()}
        self.assertEqual({n for n in names if not n.endswith((".png", ".svg"))}, DATA_FILES)

    def require_matplotlib(self):
        if subprocess.run(["/usr/bin/python3", "-c", "import matplotlib"], capture_output=True,
                          check=False).returncode != 0:
            self.skipTest("matplotlib is not installed")

    def test_pictures(self):
        self.require_matplotlib()
        for dimensions, drawn in ((2, {"loss", "distances", "map"}), (10, {"loss", "distances"})):
            out = self.folder / str(dimensions)
            text = self.succeed(*QUICK, "--dim", dimensions, "--out", out)
            self.assertIn("pictures in", text)
            pictures = {p.stem: p for p in out.glob("*.png")}
            self.assertEqual(set(pictures), drawn)
            for path in pictures.values():
                self.assertEqual(path.read_bytes()[:8], b"\x89PNG\r\n\x1a\n")
                self.assertIn("<svg", path.with_suffix(".svg").read_text(encoding="utf-8"))

    @staticmethod
    def words(path):
        """The texts of a picture, which matplotlib writes beside their outlines."""
        return re.findall("<!-- (.*) -->", path.read_text(encoding="utf-8"))

    def test_pictures_show_a_users_words_as_they_are(self):
        self.require_matplotlib()
        rows = "\n".join(f"a$b_{i}$,{math.cos(i)},{math.sin(i) * 0.6},{math.sin(i) * 0.8}" for i in range(30))
        text = self.succeed(*QUICK, "--landmarks", 3, "--data", self.write("towns.csv", rows),
                            "--unit", "$_$", "--out", self.out)
        self.assertIn("pictures in", text)
        self.assertIn("True distance ($_$)", self.words(self.out / "distances.svg"))
        self.assertTrue(any(re.fullmatch(r"a\$b_\d+\$", word) for word in self.words(self.out / "map.svg")))

    def test_a_curve_of_one_epoch_is_a_mark(self):
        self.require_matplotlib()
        for epochs, marks in ((1, True), (2, False)):
            out = self.folder / str(epochs)
            self.succeed("--epochs", epochs, "--out", out)
            curve = (out / "loss.svg").read_text(encoding="utf-8").split("stroke: #0072b2")
            self.assertEqual(len(curve) > 2, marks)

    def test_a_name_like_an_option_is_no_option_of_the_pictures(self):
        self.require_matplotlib()
        self.assertIn("pictures in -x", self.succeed(*QUICK, "--out=-x", cwd=self.folder))
        self.assertTrue((self.folder / "-x/loss.png").exists())

    def test_no_pictures(self):
        self.assertNotIn("pictures", self.succeed(*QUICK, "--no-pictures", "--out", self.out))
        self.assertEqual({p.name for p in self.out.iterdir()}, DATA_FILES)

    def test_letters_that_no_font_has_are_told_in_one_line(self):
        self.require_matplotlib()
        names = "".join(f"\U000E0100\uE000{i},{i % 5},{i * i % 7}\n" for i in range(12))
        done = self.call(*QUICK, "--landmarks", 3, "--data", self.write("names.csv", names), "--unit", "\uE001",
                         "--out", self.out)
        self.assertEqual(done.returncode, 0, done.stderr)
        told = [line for line in done.stderr.splitlines() if not line.startswith("epoch")]
        self.assertEqual(told, ["pictures.py: some letters are in none of the fonts here, and are drawn as boxes"])

    def test_what_is_no_folder_of_a_run_gets_no_pictures_and_one_line(self):
        self.require_matplotlib()
        done = subprocess.run(["/usr/bin/python3", PLACES.parents[1] / "pictures.py", "no\nsuch\x1b"],
                              capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout, done.stderr.count("\n")), (1, "", 1), done.stderr)
        self.assertIn(r"pictures.py: 'no\nsuch\x1b': ", done.stderr)

    def test_without_matplotlib_everything_else_is_written(self):
        self.write("matplotlib.py", "raise ImportError('no matplotlib here')")
        done = self.call(*QUICK, "--out", self.out,
                         env={**os.environ, "PYTHONPATH": str(self.folder)})
        self.assertEqual(done.returncode, 0)
        self.assertIn("pictures.py: no matplotlib here; expected the package python3-matplotlib",
                      done.stderr)
        self.assertIn("no pictures", done.stdout)
        self.assertEqual({p.name for p in self.out.iterdir()}, DATA_FILES)

    def test_a_folder_that_is_there_is_refused_and_left_alone(self):
        self.succeed(*QUICK, "--out", self.out)
        before = {p.name: p.read_bytes() for p in self.out.iterdir()}
        message = f"--out '{self.out}': it is there already; expected a new folder"
        self.refuse(2, message, *QUICK, "--out", self.out, "--seed", 1)
        self.refuse(2, message, "--all-pairs", "--epochs", 2, "--out", f"{self.out}/")
        self.assertEqual({p.name: p.read_bytes() for p in self.out.iterdir()}, before)
        self.refuse(2, "file'", *QUICK, "--out", self.write("file", ""))
        self.refuse(2, "--out '.'", *QUICK, "--out", ".")

    def test_unwritable_folder(self):
        self.refuse(1, "cannot write folder '/proc/x'", "--out", "/proc/x")
        file = self.write("file", "")
        self.refuse(1, "file/d'", "--out", file / "d")

    def test_full_disk(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

        done = self.call(*QUICK, "--out", self.out, preexec_fn=limit, restore_signals=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stderr.splitlines()[-1],
                         r"^siamese_landmarks: cannot write '.*': File too large$")
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_full_standard_output(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([PROGRAM, *QUICK], stdout=full, stderr=subprocess.PIPE, text=True,
                                  timeout=PATIENCE, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("siamese_landmarks: cannot write to standard output", done.stderr)


class BadInput(ProgramTest):
    CASES = [
        (["--loss", "hinge"], ": --loss: unknown distance 'hinge'; expected one of sqeuclidean,"),
        (["--loss", "euclidean/cubed"], "criterion 'cubed'; expected absolute, squared or huber,"),
        (["--loss", "euclidean/contrastive:1"],
         "--loss 'euclidean/contrastive:1': criterion 'contrastive'; expected absolute, squared or "
         "huber, for the targets here are distances, and not marks of similar and dissimilar pairs"),
        (["--loss", "euclidean/huber:-1"], "expected a number of 1e-18 to 1e+18"),
        (["--loss", "euclidean/contrastive_1_is_dissimilar"], "expected absolute, squared or hub"),
        (["--loss", "euclidean/logistic_1_is_similar"], "expected absolute, squared or huber"),
        (["--target", "area"], "--target 'area'; expected distance or squared_distance"),
        (["--variant", "warp9"], "variant 'warp9' is unknown; expected one of reference"),
        (["--points", "4"], "--points 4; expected 5 to"),
        (["--points", "-5"], "--points -5; expected 5 to"),
        (["--points", "10"], "--landmarks 11; expected at most the 10 of --points"),
        (["--points", "1000000000000"], "GB of this machine's memory"),
        (["--points", "9223372036854775807"], "GB of this machine's memory"),
        (["--points", "1000000000000", "--all-pairs"], "GB of this machine's memory"),
        (["--points", "1e12"], "--points: '1e12'; expected an integer"),
        (["--points", "99999999999999999999"], "--points: '99999999999999999999'; expected an int"),
        (["--points", ""], "--points"),
        (["--data", ""], "--data: ''; expected a value"),
        (["--variant", ""], "--variant: ''; expected a value"),
        (["--out", "--no-pictures"], "--out: '--no-pictures'; expected a value"),
        (["--landmarks", "0"], "--landmarks 0; expected 1 to"),
        (["--landmarks", "42"], "--landmarks 42; expected at most the 41"),
        (["--dim", "0"], "--dim 0; expected 1 to"),
        (["--dim", "1000000000000"], "GB of this machine's memory"),
        (["--epochs", "0"], "--epochs 0; expected 1 to"),
        (["--epochs", "-1"], "--epochs -1; expected 1 to"),
        (["--batch", "0"], "--batch 0; expected 1 to"),
        (["--seed", "-1"], "--seed -1; expected 0 to 4294967295"),
        (["--seed", "4294967296"], "--seed 4294967296; expected 0 to 4294967295"),
        (["--init-seed", "-1"], "--init-seed -1; expected 0 to"),
        (["--learning-rate", "0"], "--learning-rate 0; expected a positive number"),
        (["--learning-rate", "nan"], "--learning-rate nan; expected a positive number"),
        (["--learning-rate", "fast"], "--learning-rate: 'fast'; expected a positive number"),
        (["--all-pairs", "--loss", "as_written"], "--all-pairs with --loss as_written"),
        (["--all-pairs", "--batch", "3"], "--all-pairs"),
        (["--all-pairs", "--target", "squared_distance"], "--all-pairs with --target"),
        (["--data", "x.csv", "--points", "50"], "--data"),
        (["--unit", os.fsdecode(b"\xff")], "--unit '\\xff'; expected UTF-8"),
        (["--variant", "a\nb"], "variant 'a\\nb' is unknown"),
        (["--loss", "a\nb"], "unknown distance 'a\\nb'"),
        (["--points", "1\n2"], "--points: '1\\n2'; expected an integer"),
        (["--target", os.fsdecode(b"\xff")], "--target '\\xff'; expected distance"),
        (["--bogus"], "--bogus"),
        (["extra"], "extra"),
        (["--epochs"], "--epochs"),
    ]

    def test_usage_is_refused_in_one_line(self):
        for arguments, message in self.CASES:
            with self.subTest(arguments=arguments):
                self.refuse(2, message, "--out", self.out, *arguments)

    def test_a_file_name_is_shown_in_one_line(self):
        self.refuse(1, "cannot read 'x\\x1b[2Jy\\n.csv'", "--data", "x\x1b[2Jy\n.csv")

    def test_training_that_got_nowhere_is_reported(self):
        text = self.succeed("--learning-rate", "1e30", "--epochs", 3, "--out", self.out)
        summary = strict((self.out / "summary.json").read_text(encoding="utf-8"))["training"]
        self.assertGreater(summary["last_loss"], summary["random_loss"])
        self.assertRegex(text, r"\nwarning   that is not below the 0\.\d+ of random coordinates: the "
                               r"training diverged or was too short")
        self.assertNotIn("warning", self.succeed("--epochs", 50, "--loss", "euclidean"))

    def test_diverging_training_is_reported(self):
        done = self.call("--learning-rate", "1e300", "--loss", "euclidean/squared",
                         "--variant", "reference", "--out", self.out)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stderr, r"training: the loss is (-?nan|inf) in epoch \d+")
        self.assertFalse(self.out.exists())


    def test_training_whose_last_update_diverged_is_reported(self):
        for variant in ((), ("--variant", "reference")):
            with self.subTest(variant=variant):
                done = self.call("--epochs", 1, "--batch", 435, "--loss", "euclidean",
                                 "--learning-rate", "1e308", "--out", self.out, *variant)
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertIn("siamese_landmarks: training: it left a network whose outputs are not finite;",
                              done.stderr.splitlines()[-1])
                self.assertNotIn("Error of the distances", done.stdout)
                self.assertEqual(list(self.folder.iterdir()), [])


class Interruption(ProgramTest):
    def start(self, *arguments, **options):
        """A run that has told what it is about to do."""
        process = subprocess.Popen([PROGRAM, *map(str, arguments)],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
        self.assertIn("data", process.stdout.readline())
        return process

    def expect_stopped(self, process):
        _, errors = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 130)
        self.assertIn("siamese_landmarks: stopped, as asked; nothing was written", errors)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_signals_leave_nothing(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(signal=number):
                process = self.start("--epochs", 1000000, "--out", self.out)
                time.sleep(0.3)
                self.assertTrue((self.folder / ".out.writing").exists())
                process.send_signal(number)
                self.expect_stopped(process)

    def test_a_killed_run_is_in_the_way_of_none(self):
        process = self.start("--epochs", 1000000, "--out", self.out)
        message = f"--out '{self.out}': another run is writing it, in '{self.folder}/.out.writing'"
        self.refuse(2, message, *QUICK, "--out", self.out)
        process.kill()
        process.communicate(timeout=60)
        self.succeed(*QUICK, "--no-pictures", "--out", self.out)
        self.assertEqual([p.name for p in self.folder.iterdir()], ["out"])
        self.assertEqual({p.name for p in self.out.iterdir()}, DATA_FILES)

    def test_it_is_heard_after_the_training_too(self):
        process = self.start("--points", 16000, "--all-pairs", "--epochs", 1)
        self.assertIn("epoch 1 of 1", process.stderr.readline())
        time.sleep(0.1)  # of the second that predicting and measuring take
        process.send_signal(signal.SIGINT)
        self.expect_stopped(process)

    def test_at_the_pictures_it_keeps_the_files(self):
        self.write("matplotlib.py", "import time\nprint('drawing', flush=True)\ntime.sleep(60)\n")
        process = self.start(*QUICK, "--out", self.out, start_new_session=True,
                             env={**os.environ, "PYTHONPATH": str(self.folder)})
        while process.stdout.readline() != "drawing\n":
            self.assertIsNone(process.poll())
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 130)
        self.assertEqual(errors.splitlines()[-1], "siamese_landmarks: stopped, as asked, at the pictures; "
                                                  f"{self.out} has all else")
        self.assertNotIn("Traceback", errors)
        self.assertEqual({p.name for p in self.out.iterdir()}, DATA_FILES)

    def test_what_nohup_ignores_is_ignored(self):
        def ignore():
            for number in (signal.SIGHUP, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)

        process = self.start("--epochs", 1000000, "--out", self.out, preexec_fn=ignore)
        for number in (signal.SIGHUP, signal.SIGINT):
            process.send_signal(number)
        with self.assertRaises(subprocess.TimeoutExpired):
            process.wait(1)
        process.send_signal(signal.SIGTERM)
        self.expect_stopped(process)


class CompareLosses(ProgramTest):
    SCRIPT = PLACES.parents[1] / "compare_losses.py"

    def compare(self, *words):
        return subprocess.run([sys.executable, self.SCRIPT, *map(str, words)], capture_output=True,
                              text=True, timeout=PATIENCE, check=False)

    def program(self, text):
        path = self.write("program", text)
        path.chmod(0o755)
        return path

    def test_tables_and_time_left(self):
        done = self.compare(self.program(f'#!/bin/sh\nexec "{PROGRAM}" "$@" --epochs 2\n'), 2, 1)
        self.assertEqual(done.returncode, 0, done.stderr)
        small, large = done.stdout.split("\n\n")
        self.assertRegex(small.splitlines()[2],
                         r"^\| `--loss as_written` \| [\d.]+ \| [\d.]+ to [\d.]+ \| [\d.]+ \| "
                         r"-?[\d.]+ \| 1.5\d \|$")
        self.assertEqual([row.split(" | ")[1] for row in large.splitlines()[2:]],
                         ["1,225", "7,750", "124,750"])
        progress = done.stderr.splitlines()
        self.assertEqual(len(progress), 4 * 2 + 3)
        self.assertTrue(progress[0].startswith("[41 points: run 1/8, ? left]"), progress[0])
        self.assertRegex(progress[7], r"^\[41 points: run 8/8, \d+ (s|min) left\] --loss euclidean")

    def test_bad_usage_is_one_line(self):
        for words, message in [
            ([], "expected PROGRAM"),
            ([PROGRAM, 1, 1, 1], "expected PROGRAM"),
            (["/nonexist"], "PROGRAM '/nonexist'; expected the built siamese_landmarks"),
            ([self.folder], "expected the built siamese_landmarks"),
            (["two\nlines\x1b"], r"PROGRAM 'two\nlines\x1b'; expected"),
            ([PROGRAM, 0], "INITIALISATIONS '0'; expected a whole number of at least 1"),
            ([PROGRAM, "x"], "INITIALISATIONS 'x'"),
            ([PROGRAM, 1, -1], "LARGE_INITIALISATIONS '-1'"),
        ]:
            with self.subTest(words=words):
                done = self.compare(*words)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
                self.assertIn(message, done.stderr)
                self.assertEqual(done.stdout, "")

    def test_runs_that_fail_are_told(self):
        for text, message in [("#!/bin/sh\necho no luck >&2; exit 1\n", "no luck"),
                              ("#!/bin/sh\nkill -9 $$\n", "exit code -9"),
                              ("#!/bin/sh\n", "expected siamese_landmarks"),
                              ("", "Exec format error")]:
            with self.subTest(message=message):
                done = self.compare(self.program(text))
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertIn(message, done.stderr.splitlines()[-1])
                self.assertEqual(done.stdout, "")


class Places(ProgramTest):
    TAB = ("# comment\n"
           "AD\t+4230+00131\tEurope/Andorra\n"
           "US\t+404251-0740023\tAmerica/New_York\tEastern (most areas)\n")

    def places(self, *words):
        return subprocess.run([sys.executable, PLACES.with_name("places.py"), *map(str, words)],
                              capture_output=True, text=True, timeout=PATIENCE, check=False)

    def test_names_the_release_it_converts(self):
        self.write("tzdata.zi", "# version 2031x\n# more\n")
        done = self.places(self.out, self.write("zone1970.tab", self.TAB))
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        *head, andorra, new_york = self.out.read_text(encoding="utf-8").splitlines()
        self.assertIn("release 2031x", "".join(head))
        self.assertEqual([andorra, new_york], ["Andorra,0.737019,0.019514,0.675590",
                                               "New York,0.208844,-0.728634,0.652286"])
        with open(PLACES, encoding="utf-8") as shipped:
            self.assertEqual(head, [re.sub(r"release \w+", "release 2031x", next(shipped).rstrip())
                                    for _ in head])

    def test_bad_input_is_one_line_and_writes_nothing(self):
        shipped = PLACES.read_bytes()
        tab = self.write("zone1970.tab", self.TAB)
        cases = [([], 2, "expected CSV [TAB]"), (["--bogus"], 2, "expected CSV [TAB]"),
                 ([self.out, tab], 1, "tzdata.zi: No such file")]
        for zi, content, message in [
            ("# nothing", self.TAB, "tzdata.zi, line 1; expected '# version'"),
            ("", self.TAB, "tzdata.zi, line 1; expected"),
            ("# version 1", "AD\t+4230\tEurope/Andorra\n", "zone1970.tab, line 1; expected countries"),
            ("# version 1", b"\xff", "zone1970.tab: no UTF-8"),
        ]:
            folder = self.folder / str(len(cases))
            folder.mkdir()
            self.write(f"{folder.name}/tzdata.zi", zi)
            cases.append(([self.out, self.write(f"{folder.name}/zone1970.tab", content)], 1, message))
        for words, code, message in cases:
            with self.subTest(message=message):
                done = self.places(*words)
                self.assertEqual(done.returncode, code, done.stderr)
                self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
                self.assertIn(message, done.stderr)
                self.assertFalse(self.out.exists())
        self.write("tzdata.zi", "# version 1\n")
        done = self.places(self.folder, tab)
        self.assertEqual((done.returncode, done.stderr),
                         (1, f"places.py: {self.folder}: Is a directory\n"))
        self.assertEqual(PLACES.read_bytes(), shipped)
        self.assertIn("places.py CSV [TAB]", self.places("--help").stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
