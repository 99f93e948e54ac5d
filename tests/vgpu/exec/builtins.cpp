#include "tests/vgpu/exec/builtins.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstring>
#include <string>

#include "tests/vgpu/exec/access.h"
#include "tests/vgpu/exec/lanes.h"
#include "tests/vgpu/exec/warp.h"

namespace vgpu {
namespace {

constexpr std::uint64_t kMaxString = 1 << 16;

template <class T>
T parameter(Warp& w, const ParameterArea& area, std::uint32_t lane) {
  T value;
  std::memcpy(&value, w.rows + area.offset + std::size_t{lane} * area.bytes, sizeof value);
  return value;
}

// What a generic address holds, checked like a load of the lane's.
template <class T>
T load(Warp& w, std::uint32_t lane, std::uint64_t address) {
  const std::byte* at = resolve_range(w, LaneMask{1} << lane, AddressSpace::generic, address,
                                      sizeof(T), AccessKind::load, sizeof(T));
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

std::string load_string(Warp& w, std::uint32_t lane, std::uint64_t address) {
  std::string text;
  while (text.size() < kMaxString) {
    const char c = load<char>(w, lane, address + text.size());
    if (c == '\0') break;
    text += c;
  }
  return text;
}

// The arguments of a printf: each at a multiple of its size.
class Arguments {
 public:
  Arguments(Warp& w, std::uint32_t lane, std::uint64_t address)
      : w_(w), lane_(lane), address_(address) {}

  template <class T>
  T next() {
    offset_ = (offset_ + sizeof(T) - 1) / sizeof(T) * sizeof(T);
    const T value = load<T>(w_, lane_, address_ + offset_);
    offset_ += sizeof(T);
    ++taken_;
    return value;
  }
  std::string string() { return load_string(w_, lane_, next<std::uint64_t>()); }
  [[nodiscard]] std::int32_t taken() const { return taken_; }

 private:
  Warp& w_;
  std::uint32_t lane_;
  std::uint64_t address_;
  std::uint64_t offset_ = 0;
  std::int32_t taken_ = 0;
};

template <class T>
std::string printed(const std::string& format, T value) {
  char text[512];
  // The format is one conversion that was taken apart and found to fit the value's type.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  const int length = std::snprintf(text, sizeof text, format.c_str(), value);
#pragma GCC diagnostic pop
  return length < 0 ? std::string()
                    : std::string(text, std::min<std::size_t>(static_cast<std::size_t>(length),
                                                              sizeof text - 1));
}

std::string format_device(const std::string& format, Arguments& arguments) {
  std::string out;
  std::size_t at = 0;
  while (at < format.size()) {
    if (format[at] != '%') {
      out += format[at++];
      continue;
    }
    std::string spec = "%";
    ++at;
    bool wide = false;
    while (at < format.size() && std::strchr("-+ #0123456789.*hlLzjt", format[at]) != nullptr) {
      const char c = format[at++];
      if (c == '*') {
        spec += std::to_string(arguments.next<std::int32_t>());
      } else if (std::strchr("hlLzjt", c) != nullptr) {
        wide = wide || c == 'l' || c == 'j' || c == 'z' || c == 't';
      } else {
        spec += c;
      }
    }
    const char conversion = at < format.size() ? format[at++] : '%';
    switch (conversion) {
      case 'd':
      case 'i':
      case 'u':
      case 'x':
      case 'X':
      case 'o':
        out += wide ? printed(spec + "ll" + conversion, arguments.next<long long>())
                    : printed(spec + conversion, arguments.next<int>());
        break;
      case 'c':
        out += printed(spec + conversion, arguments.next<int>());
        break;
      case 'e':
      case 'E':
      case 'f':
      case 'F':
      case 'g':
      case 'G':
      case 'a':
      case 'A':
        out += printed(spec + conversion, arguments.next<double>());
        break;
      case 'p': {
        const std::string text = fmt::format("{:#x}", arguments.next<std::uint64_t>());
        out += printed(spec + 's', text.c_str());
        break;
      }
      case 's': {
        const std::string text = arguments.string();
        out += printed(spec + conversion, text.c_str());
        break;
      }
      default:
        out += conversion;
        break;
    }
  }
  return out;
}

void print(const Warp& w, const std::string& text) {
  const auto& sink = w.worker->launch->options->print;
  if (sink) {
    sink(text);
  } else {
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
  }
}

// int vprintf(const char* format, void* arguments): how many arguments the format takes, or -1
// where there is none.
void run_vprintf(Warp& w, LaneMask mask, const std::vector<ParameterArea>& parameters,
                 const std::vector<ParameterArea>& returns) {
  for_lanes(mask, [&](std::uint32_t lane) {
    const auto format = parameter<std::uint64_t>(w, parameters.at(0), lane);
    std::int32_t result = -1;
    if (format != 0) {
      Arguments arguments(w, lane, parameter<std::uint64_t>(w, parameters.at(1), lane));
      print(w, format_device(load_string(w, lane, format), arguments));
      result = arguments.taken();
    }
    if (!returns.empty()) {
      std::memcpy(w.rows + returns[0].offset + std::size_t{lane} * returns[0].bytes, &result,
                  sizeof result);
    }
  });
}

// void __assertfail(message, file, line, function, character size)
void run_assertfail(Warp& w, LaneMask mask, const std::vector<ParameterArea>& parameters,
                    const std::vector<ParameterArea>&) {
  std::string first;
  for_lanes(mask, [&](std::uint32_t lane) {
    const auto text = [&](std::size_t i) {
      return load_string(w, lane, parameter<std::uint64_t>(w, parameters.at(i), lane));
    };
    const std::string message = fmt::format("{}:{}: {}: assertion `{}` failed; {}", text(1),
                                            parameter<std::uint32_t>(w, parameters.at(2), lane),
                                            text(3), text(0), describe_thread(w, lane));
    w.worker->launch->options->reports->add(ReportKind::assertion, message);
    if (first.empty()) first = message;
  });
  throw Fault{FaultKind::assertion, first};
}

}  // namespace

const Builtin* find_builtin(std::string_view name) {
  static constexpr Builtin kBuiltins[] = {{"vprintf", run_vprintf},
                                          {"__assertfail", run_assertfail}};
  for (const Builtin& b : kBuiltins) {
    if (b.name == name) return &b;
  }
  return nullptr;
}

}  // namespace vgpu
