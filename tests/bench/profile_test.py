"""bench/profile with other programs in the profilers' places: what it asks of them, what it keeps, and what it
does where they cannot run."""

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

BENCH = Path(__file__).resolve().parents[2] / "bench"
ROW = "adam/cuda_vector/float32/parameters:44610"

# What bench/profile takes from the tree, as programs that only tell that they ran. A build fails where
# BROKEN names its target.
TREE = {
    "cmake/setup.sh": (BENCH.parent / "cmake/setup.sh").read_text() + """
git_commit() { echo 1234567; }
build_tree() { [[ " $* " != *" ${BROKEN:-none} "* ]] || fail "building failed"; }
""",
    "build/release/CMakeCache.txt": "CMAKE_CUDA_COMPILER:FILEPATH=/nvcc\n",
    "build/release/bench/siamese_profile": "#!/bin/sh\n",
    "build/release/bench/siamese_bench": f"""#!/bin/sh
case $1 in
  --benchmark_list_tests) i=0; echo {ROW}
     while [ $i -lt 20000 ]; do i=$((i + 1)); echo "another row, $i"; done ;;
  *) for word; do case $word in --benchmark_out=*) echo '{{}}' >"${{word#*=}}" ;; esac; done
     echo "timed $1" ;;
esac
""",
    "bench/profiling/count.py": """import sys
from pathlib import Path
words = sys.argv[1:]
Path(words[words.index("--out") + 1], "counts.md").write_text("counted " + words[-1])
""",
}

# What bench/profile runs besides: the PATH holds these alone, for a machine may have profilers.
TOOLS = "bash cat chmod date dirname grep ls mkdir mktemp mv realpath rm sh tee"

# Writes its words beside itself, and what it is told to export.
PROFILER = """#!/bin/sh
echo "$*" >>"$0.words"
while [ $# -gt 0 ]; do
  case $1 in
    --export) : >"$2.ncu-rep" ;;
    --output) : >"$2.nsys-rep" ;;
    --page | stats) echo "a summary" ;;
  esac
  shift
done
"""
UNREADABLE = PROFILER.replace("--page | stats) echo", "--page | stats) exit 1; echo")
FORBIDDEN = """#!/bin/sh
echo "==ERROR== ERR_NVGPUCTRPERM - The user does not have permission"
exit 1
"""


class Profile(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.path = self.root / "path"
        for name, text in TREE.items():
            self.write(self.root / name, text)
        shutil.copy(BENCH / "profile", self.root / "bench/profile")
        self.path.mkdir()
        for tool in TOOLS.split():
            (self.path / tool).symlink_to(shutil.which(tool))

    def write(self, path, text):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def on_path(self, **programs):
        self.write(self.path / "nvidia-smi", programs.pop("nvidia_smi", "#!/bin/sh\necho GPU 0\n"))
        for name, text in programs.items():
            self.write(self.path / name, text)

    def profile(self, *words, broken="none"):
        """The finished process, and the names in its folder."""
        done = subprocess.run([self.root / "bench/profile", *words, "--out", self.root / "out"],
                              capture_output=True, text=True, check=False,
                              env={"PATH": str(self.path), "BROKEN": broken})
        out = self.root / "out"
        return done, sorted(os.listdir(out)) if out.exists() else None

    def words(self, tool):
        return Path(f"{self.path / tool}.words").read_text().splitlines()

    def test_ncu_profiles_one_range_and_keeps_what_it_saw(self):
        self.on_path(ncu=PROFILER)
        done, files = self.profile("ncu", ROW)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(files, ["counts.md", "ncu.log", "profile.ncu-rep", "source.csv", "summary.txt",
                                 "timed.json", "timed.txt"])
        profiled, details, source = self.words("ncu")
        for option in ("--profile-from-start off", "--clock-control none", "--section=SpeedOfLight",
                       f"siamese_profile {ROW} --launches 1"):
            self.assertIn(option, profiled)
        self.assertIn("--page details", details)
        self.assertIn("--page source --csv", source)
        for told in ("a summary", "timed", "counting"):
            self.assertIn(told, done.stdout)

    def test_nsys_takes_the_launches_asked_for(self):
        self.on_path(nsys=PROFILER)
        done, files = self.profile("nsys", ROW, "--launches", "7")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(files, ["counts.md", "profile.nsys-rep", "summary.txt", "timed.json",
                                 "timed.txt"])
        profiled, _ = self.words("nsys")
        for option in ("--capture-range=cudaProfilerApi", "nvtx", f"siamese_profile {ROW} --launches 7"):
            self.assertIn(option, profiled)

    def test_a_profile_outlives_a_count_that_fails(self):
        self.on_path(ncu=PROFILER)
        done, files = self.profile("ncu", ROW, broken="vgpu-run")
        self.assertEqual(done.returncode, 1)
        self.assertIn("building failed", done.stderr)
        self.assertIn("profile.ncu-rep", files)
        self.assertNotIn("counts.md", files)

    def test_a_report_outlives_a_tool_that_cannot_read_it(self):
        for tool, report in (("ncu", "profile.ncu-rep"), ("nsys", "profile.nsys-rep")):
            with self.subTest(tool):
                self.on_path(**{tool: UNREADABLE})
                done, files = self.profile(tool, ROW)
                self.assertEqual(done.returncode, 1)
                self.assertIn(f"{tool} could not read its own report", done.stderr)
                self.assertIn(report, files)
                shutil.rmtree(self.root / "out")

    def test_a_row_beside_the_sweep_is_told_not_to_be_timed(self):
        self.on_path(ncu=PROFILER)
        done, files = self.profile("ncu", ROW.replace("44610", "44611"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("parameters:44611 is not timed", done.stderr)
        self.assertEqual(files, ["counts.md", "ncu.log", "profile.ncu-rep", "source.csv", "summary.txt"])

    def test_without_permission_the_row_is_timed_and_counted(self):
        self.on_path(ncu=FORBIDDEN)
        done, files = self.profile("ncu", ROW)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("NVreg_RestrictProfilingToAdminUsers=0", done.stderr)
        self.assertEqual(files, ["counts.md", "ncu.log", "timed.json", "timed.txt"])

    def test_without_a_profiler_the_row_is_timed_and_counted(self):
        self.on_path()
        done, files = self.profile("nsys", ROW)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("nsys is not on the PATH", done.stderr)
        self.assertEqual(files, ["counts.md", "timed.json", "timed.txt"])

    def test_without_a_gpu_the_row_is_counted(self):
        self.on_path(ncu=PROFILER, nvidia_smi="#!/bin/sh\nexit 9\n")
        done, files = self.profile("ncu", ROW)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("no NVIDIA GPU", done.stderr)
        self.assertEqual(files, ["counts.md"])

    def test_nothing_is_left_where_nothing_was_measured(self):
        self.on_path(nvidia_smi="#!/bin/sh\nexit 9\n")
        done, files = self.profile("nsys", ROW, broken="vgpu-run")
        self.assertEqual((done.returncode, files), (1, None))
        self.assertEqual([path.name for path in self.root.glob(".siamese-profile*")], [])


if __name__ == "__main__":
    unittest.main()
