// vgpu-run [OPTIONS] PROGRAM [ARGUMENTS...]: runs a CUDA program on the virtual GPU.

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/utf8.h"
#include "tests/vgpu/runtime/settings.h"
#include "tests/vgpu/runtime/status.h"

namespace {

constexpr int kExitUsage = 2;

constexpr std::string_view kHelp =
    R"(Usage: vgpu-run [OPTIONS] PROGRAM [ARGUMENTS...]
Runs a CUDA program, built by nvcc with -cudart shared and --compress-mode=none, on the CPU.

  --check=LIST      checks, of memory, init, race and sync, with commas between; or none
                    (default: memory,sync)
  --counters=FILE   write the counters of every launch to FILE, as JSON
  --counters-later  only of launches that run between cudaProfilerStart and cudaProfilerStop
  --seed=N          order of blocks, warps and unordered work (default: 0)
  --threads=N       CPU threads; 0 is one per core (default: 0)
  --watchdog=N      passes of loops, without a store, a barrier or an exit, after which a launch
                    counts as hung; 0 is what takes a minute or so (default: 0)
  --inject-errors   approximate functions err up to the bound that PTX states
  --multiprocessors=N, --shared-bytes=N, --capability=8.0
                    pose as a device with fewer, with less shared memory a block, and as one that
                    runs code of an earlier compute capability
  --no-relu-masks   pose as a cuBLASLt without products that leave relu's mask
  --no-relu-derivatives
                    pose as a cuBLASLt without products that read one
  --refuse-first-algorithm
                    pose as a cuBLASLt that refuses to launch the first algorithm it names
  --help            this text

The exit code is the program's own, 128 + N where signal N ended it, or where it was 0:
3 when a check reported anything, 2 when the program registered no device code.
)";

// One line on standard error.
template <typename... Values>
void complain(fmt::format_string<Values...> text, Values&&... values) {
  fmt::print(stderr, "vgpu-run: {}\n",
             siamese::escaped(fmt::format(text, std::forward<Values>(values)...)));
}

struct Options {
  std::string check, counters, seed, threads, watchdog, multiprocessors, shared_bytes, capability;
  bool counters_later = false;
  bool inject_errors = false;
  bool no_relu_masks = false;
  bool no_relu_derivatives = false;
  bool refuse_first_algorithm = false;
  bool help = false;
  std::vector<char*> command;  // ends with a null pointer
};

bool is_whole_number(const std::string& text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

// The text after "NAME=", where the argument begins so.
std::optional<std::string> value_of(std::string_view argument, std::string_view name) {
  if (!argument.starts_with(name) || !argument.substr(name.size()).starts_with('=')) return {};
  return std::string(argument.substr(name.size() + 1));
}

// Reads the command line; on bad input says so in one line and gives nothing.
std::optional<Options> parse(int argc, char** argv) {
  Options options;
  int i = 1;
  for (; i < argc && argv[i][0] == '-'; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--help") {
      options.help = true;
      return options;
    }
    if (argument == "--") {
      ++i;
      break;
    }
    vgpu::Checks ignored;
    if (const auto check = value_of(argument, "--check")) {
      if (check->empty() || !vgpu::parse_checks(*check, ignored)) {
        complain("{}: expected memory, init, race, sync or none", argument);
        return {};
      }
      options.check = *check;
    } else if (const auto counters = value_of(argument, "--counters")) {
      options.counters = *counters;
    } else if (const auto seed = value_of(argument, "--seed"); seed && is_whole_number(*seed)) {
      options.seed = *seed;
    } else if (const auto threads = value_of(argument, "--threads");
               threads && is_whole_number(*threads)) {
      options.threads = *threads;
    } else if (const auto passes = value_of(argument, "--watchdog");
               passes && is_whole_number(*passes)) {
      options.watchdog = *passes;
    } else if (const auto count = value_of(argument, "--multiprocessors");
               count && is_whole_number(*count)) {
      options.multiprocessors = *count;
    } else if (const auto bytes = value_of(argument, "--shared-bytes");
               bytes && is_whole_number(*bytes)) {
      options.shared_bytes = *bytes;
    } else if (const auto capability = value_of(argument, "--capability");
               capability && !capability->empty()) {
      options.capability = *capability;
    } else if (argument == "--counters-later") {
      options.counters_later = true;
    } else if (argument == "--inject-errors") {
      options.inject_errors = true;
    } else if (argument == "--no-relu-masks") {
      options.no_relu_masks = true;
    } else if (argument == "--no-relu-derivatives") {
      options.no_relu_derivatives = true;
    } else if (argument == "--refuse-first-algorithm") {
      options.refuse_first_algorithm = true;
    } else {
      complain("cannot understand {}; see vgpu-run --help", argument);
      return {};
    }
  }
  if (i >= argc) {
    complain("no program named; see vgpu-run --help");
    return {};
  }
  options.command.assign(argv + i, argv + argc);
  options.command.push_back(nullptr);
  return options;
}

// An empty file in the temporary folder that goes when this object does.
class StatusFile {
 public:
  StatusFile() : path_(std::filesystem::temp_directory_path() / "vgpu-run-XXXXXX") {
    const int descriptor = mkstemp(path_.data());
    if (descriptor < 0) {
      complain("cannot make {}: {}", path_, std::strerror(errno));
      std::exit(kExitUsage);
    }
    close(descriptor);
  }
  ~StatusFile() { unlink(path_.c_str()); }
  StatusFile(const StatusFile&) = delete;
  StatusFile& operator=(const StatusFile&) = delete;

  const std::string& path() const { return path_; }

  bool holds(std::string_view word) const {
    std::ifstream file(path_);
    for (std::string line; std::getline(file, line);) {
      if (line == word) return true;
    }
    return false;
  }

 private:
  std::string path_;
};

void set(const char* name, const std::string& value) {
  if (value.empty()) {
    unsetenv(name);
  } else {
    setenv(name, value.c_str(), 1);
  }
}

// Whether the processor runs the library that is built for AVX-512.
bool has_avx512() {
  return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
         __builtin_cpu_supports("avx512cd") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
         __builtin_cpu_supports("avx512vl") != 0;
}

// The stand-in libraries, which are built beside this program. They are loaded before the program's
// own, so that its search path does not matter.
std::string stand_ins() {
  const std::filesystem::path folder =
      std::filesystem::read_symlink("/proc/self/exe").parent_path();
  const std::filesystem::path runtime_folder = has_avx512() ? folder / "x86-64-v4" : folder;
  const std::array libraries = {runtime_folder / "libcudart.so.13", folder / "libcublas.so.13",
                                folder / "libcublasLt.so.13"};
  std::string list;
  for (const std::filesystem::path& library : libraries) {
    if (!list.empty()) list += ':';
    list += library.string();
  }
  if (const char* before = std::getenv("LD_PRELOAD"); before != nullptr && before[0] != '\0') {
    list += std::string(":") + before;
  }
  return list;
}

[[noreturn]] void become_program(const Options& options, const StatusFile& status) {
  set("VGPU_CHECK", options.check);
  set("VGPU_COUNTERS", options.counters);
  set("VGPU_COUNTERS_LATER", options.counters_later ? "1" : "");
  set("VGPU_SEED", options.seed);
  set("VGPU_THREADS", options.threads);
  set("VGPU_WATCHDOG", options.watchdog);
  set("VGPU_MULTIPROCESSORS", options.multiprocessors);
  set("VGPU_SHARED_BYTES", options.shared_bytes);
  set("VGPU_CAPABILITY", options.capability);
  set("VGPU_INJECT_ERRORS", options.inject_errors ? "1" : "");
  set("VGPU_NO_RELU_MASKS", options.no_relu_masks ? "1" : "");
  set("VGPU_NO_RELU_DERIVATIVES", options.no_relu_derivatives ? "1" : "");
  set("VGPU_REFUSE_FIRST_ALGORITHM", options.refuse_first_algorithm ? "1" : "");
  set("VGPU_STATUS", status.path());
  set("LD_PRELOAD", stand_ins());
  execvp(options.command[0], options.command.data());
  complain("cannot run {}: {}", options.command[0], std::strerror(errno));
  _exit(kExitUsage);
}

int run(const Options& options) {
  const StatusFile status;
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child < 0) {
    complain("cannot start a process: {}", std::strerror(errno));
    return kExitUsage;
  }
  if (child == 0) become_program(options, status);
  int state = 0;
  while (waitpid(child, &state, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(state)) {
    const int signal = WTERMSIG(state);
    complain("{} was ended by signal {} ({})", options.command[0], signal, strsignal(signal));
    return 128 + signal;
  }
  const int code = WEXITSTATUS(state);
  if (code != 0) return code;
  if (!status.holds(vgpu::kStatusUsed)) {
    complain("{} registered no device code: was it built with -cudart shared?", options.command[0]);
    return kExitUsage;
  }
  return status.holds(vgpu::kStatusReport) ? vgpu::kExitReported : 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::optional<Options> options = parse(argc, argv);
  if (!options) return kExitUsage;
  if (options->help) {
    fmt::print("{}", kHelp);
    return 0;
  }
  return run(*options);
}
