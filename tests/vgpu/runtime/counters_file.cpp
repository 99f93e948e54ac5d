#include "tests/vgpu/runtime/counters_file.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "tests/vgpu/check/names.h"

namespace vgpu {
namespace {

// Names of kernels hold no control characters; quotes and backslashes occur in template arguments.
std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + '"';
}

std::string json(const Dim3& d) { return fmt::format("[{}, {}, {}]", d.x, d.y, d.z); }

std::string json(const Traffic& traffic) {
  const double per_request = traffic.requests == 0 ? 0.0
                                                   : static_cast<double>(traffic.sectors) /
                                                         static_cast<double>(traffic.requests);
  return fmt::format(
      R"({{"requests": {}, "bytes": {}, "sectors": {}, "sectors_per_request": {:.6g}}})",
      traffic.requests, traffic.bytes, traffic.sectors, per_request);
}

// An object with one member for each value of an enumeration.
template <typename Enumeration, std::size_t count>
std::string json(const std::array<std::uint64_t, count>& values) {
  std::string members;
  for (std::size_t i = 0; i < count; ++i) {
    members += fmt::format("{}{}: {}", i == 0 ? "" : ", ",
                           quoted(name(static_cast<Enumeration>(i))), values[i]);
  }
  return "{" + members + "}";
}

}  // namespace

void CountersFile::add(const Launch& launch, const Counters& c) {
  const KernelInfo& kernel = info(*launch.kernel);
  const auto threads = static_cast<std::uint32_t>(launch.block.count());
  std::string text =
      fmt::format("  {{\"launch\": {}, \"kernel\": {}, \"symbol\": {},\n", launches_.size(),
                  quoted(in_cpp(kernel.name)), quoted(kernel.name));
  text +=
      fmt::format("   \"grid\": {}, \"block\": {}, \"cluster\": {}, \"cooperative\": {},\n",
                  json(launch.grid), json(launch.block), json(launch.cluster), launch.cooperative);
  text += fmt::format(
      "   \"static_shared_bytes\": {}, \"dynamic_shared_bytes\": {}, \"local_bytes\": {}, "
      "\"parameter_bytes\": {}, \"resident_blocks_ignoring_registers\": {},\n",
      kernel.static_shared_bytes, launch.dynamic_shared_bytes, kernel.local_bytes,
      kernel.parameter_bytes, resident_blocks(kernel, threads, launch.dynamic_shared_bytes));
  text += "   \"thread_instructions\": " + json<InstructionClass>(c.thread_instructions) + ",\n";
  text += "   \"warp_instructions\": " + json<InstructionClass>(c.warp_instructions) + ",\n";
  text += "   \"flops\": " + json<Precision>(c.flops) + ",\n";
  text += "   \"instructions_by_line\": {";
  const char* separator = "";
  for (const auto& [place, warps] : c.instruction_lines) {
    text += fmt::format("{}{}: {}", separator, quoted(place), warps);
    separator = ", ";
  }
  text += "},\n";
  const std::pair<const char*, const Traffic&> spaces[] = {
      {"global_load", c.global_load},     {"global_store", c.global_store},
      {"global_atomic", c.global_atomic}, {"local_load", c.local_load},
      {"local_store", c.local_store},     {"shared_load", c.shared_load},
      {"shared_store", c.shared_store},   {"shared_atomic", c.shared_atomic}};
  for (const auto& [space, traffic] : spaces) {
    text += fmt::format("   \"{}\": {},\n", space, json(traffic));
  }
  text += fmt::format(
      "   \"shared_passes\": {}, \"bank_conflicts\": {}, \"bank_conflicts_by_line\": {{",
      c.shared_passes, c.bank_conflicts);
  separator = "";
  for (const auto& [place, line] : c.shared_lines) {
    text += fmt::format(R"({}{}: {{"requests": {}, "passes": {}, "conflicts": {}}})", separator,
                        quoted(place), line.requests, line.passes, line.conflicts);
    separator = ", ";
  }
  text += fmt::format("}},\n   \"divergent_branches\": {}, \"barriers\": {}}}",
                      c.divergent_branches, c.barriers);
  launches_.push_back(std::move(text));
}

bool CountersFile::write() const {
  const std::string temporary = path_ + ".part";
  std::FILE* file = std::fopen(temporary.c_str(), "w");
  bool ok = file != nullptr;
  if (ok) {
    std::string text = "[";
    for (std::size_t i = 0; i < launches_.size(); ++i)
      text += (i == 0 ? "\n" : ",\n") + launches_[i];
    text += "\n]\n";
    ok = std::fwrite(text.data(), 1, text.size(), file) == text.size();
    ok = std::fclose(file) == 0 && ok;
    ok = ok && std::rename(temporary.c_str(), path_.c_str()) == 0;
  }
  if (!ok)
    fmt::print(stderr, "vgpu: cannot write counters to {}: {}\n", path_, std::strerror(errno));
  return ok;
}

}  // namespace vgpu
