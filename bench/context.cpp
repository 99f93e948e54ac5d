#include "bench/context.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <fstream>

#include "bench/cublas_version.h"
#include "bench/generated/commit.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/openblas_library.h"
#include "kernels/device.h"
#include "model/adam.h"

namespace siamese::bench {
namespace {

std::string gigas(double per_second) { return fmt::format("{:.2f}", 1e-9 * per_second); }

std::string compiler() {
#ifdef __clang__
  return "clang " __clang_version__;
#else
  return "gcc " __VERSION__;
#endif
}

std::string operating_system() {
  utsname names{};
  if (uname(&names) != 0) return "unknown";
  return fmt::format("{} {} {}", names.sysname, names.release, names.machine);
}

std::map<std::string, std::string> describe(const CudaCeilings& ceilings) {
  return {
      {"cuda_peak_float32_gflops", gigas(ceilings.float32)},
      {"cuda_peak_tf32_gflops", gigas(ceilings.tf32)},
      {"cuda_peak_bf16_gflops", gigas(ceilings.bf16)},
      {"cuda_peak_float64_gflops", gigas(ceilings.float64)},
      {"cuda_l2_bytes", fmt::format("{:.0f}", ceilings.l2_bytes)},
      {"cuda_l2_bandwidth_gbs", gigas(ceilings.l2_bandwidth)},
      {"cuda_memory_bandwidth_gbs", gigas(ceilings.memory_bandwidth)},
      {"cuda_launch_us", fmt::format("{:.3f}", 1e6 * ceilings.launch_seconds)},
      {"cuda_graph_node_us", fmt::format("{:.3f}", 1e6 * ceilings.node_seconds)},
      {"cuda_clock_mhz", fmt::format("{:.0f}", 1e-6 * ceilings.clock_hertz)},
  };
}

// The word that the system has in a file, where it says anything: virtual machines mostly do not
// tell what is done with the clock.
std::string told_in(const char* path) {
  std::ifstream file(path);
  std::string word;
  return file >> word ? word : "not told";
}

}  // namespace

std::map<std::string, std::string> describe(const Options& options) {
  DeviceBackend& cuda = backend(Device::cuda);
  const std::optional<std::string> cuda_reason = cuda.why_unavailable();
  return {
      {"schema", "1"},
      {"sweep", !options.shapes.empty() ? "chosen"
                : options.quick         ? "quick"
                                        : "full"},
      {"network", options.network.name()},
      {"loss", name(options.loss)},
      {"adam", std::string(name(AdamForm::keras))},
      {"processor", backend(Device::cpu).description()},
      {"system", operating_system()},
      {"clock_governor", told_in("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")},
      {"cuda_device", cuda_reason ? *cuda_reason : cuda.description()},
      {"cuda_driver", told_in("/sys/module/nvidia/version")},
      {"cuda_compiler", SIAMESE_CUDA_COMPILER},
      {"cublas", cublas_version()},
      {"threads", fmt::format("{}", options.threads)},
      {"isa", std::string(name(chosen_isa()))},
      {"isa_of_ceilings", std::string(name(runnable_isas().back()))},
      {"openblas", describe_openblas()},
      {"compiler", compiler()},
      {"build_type", SIAMESE_BUILD_TYPE},
      {"flags", SIAMESE_FLAGS},
      {"kernel_flags", SIAMESE_KERNEL_FLAGS},
      {"commit", commit},
  };
}

std::map<std::string, std::string> describe(const Session& session) {
  const Ceilings& ceilings = session.ceilings;
  std::string bandwidth;
  for (const Bandwidth& level : ceilings.bandwidth) {
    bandwidth += fmt::format("{}{:.0f}:{}", bandwidth.empty() ? "" : " ", level.bytes,
                             gigas(level.bytes_per_second));
  }
  std::map<std::string, std::string> context{
      {"fma_peak_float32_one_core_gflops", gigas(ceilings.float32_one_core)},
      {"fma_peak_float32_gflops", gigas(ceilings.float32_all_cores)},
      {"fma_peak_float64_one_core_gflops", gigas(ceilings.float64_one_core)},
      {"fma_peak_float64_gflops", gigas(ceilings.float64_all_cores)},
      {"bandwidth_gbs_by_bytes", bandwidth},
      {"launch_us", fmt::format("{:.3f}", 1e6 * ceilings.launch_seconds)},
      {"patience", fmt::format("{:g}", session.options.patience)},
      {"ceiling_s", fmt::format("{:g}", session.options.ceiling_seconds)},
      {"row_cap_s", fmt::format("{:g}", session.row_cap_seconds)},
      {"reference_cap_s", fmt::format("{:g}", session.reference_cap_seconds)},
      {"memory_bandwidth_gbs", gigas(ceilings.bandwidth.back().bytes_per_second)},
  };
  context.merge(describe(session.options));
  if (session.cuda_ceilings) context.merge(describe(*session.cuda_ceilings));
  return context;
}

}  // namespace siamese::bench
