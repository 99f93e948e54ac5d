#include "tests/vgpu/check/names.h"

#include <cxxabi.h>

#include <cctype>
#include <cstdlib>
#include <memory>

namespace vgpu {
namespace {

bool in_a_name(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$' || c == '.';
}

std::string demangled(const std::string& name) {
  // Without the prefix it would be read as a type: a kernel `f` as float.
  if (!name.starts_with("_Z")) return name;
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> text(
      abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status), std::free);
  return status == 0 ? text.get() : name;
}

}  // namespace

std::string in_cpp(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    std::size_t end = 0;
    while (end < text.size() && in_a_name(text[end])) ++end;
    result += demangled(std::string(text.substr(0, end)));
    if (end < text.size()) result += text[end++];
    text.remove_prefix(end);
  }
  return result;
}

}  // namespace vgpu
