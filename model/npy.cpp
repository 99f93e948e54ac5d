#include "model/npy.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "model/error.h"
#include "model/file.h"
#include "model/utf8.h"

namespace siamese {
namespace {

constexpr std::string_view magic = "\x93NUMPY";
constexpr std::size_t header_alignment = 64;

static_assert(std::endian::native == std::endian::little, "writes and swaps assume little-endian");

/// What a header says: numpy.dtype's letters, the order of the elements, the extents.
struct Header {
  std::string type;  ///< "<f8", ">i4", "|u1"
  bool fortran_order = false;
  std::vector<std::int64_t> shape;
};

Failure failure(std::string_view file, std::string_view what) {
  return Failure(fmt::format("{}: {}", file, what));
}

// The header is a Python dictionary of three known keys; this reads that and nothing more.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, std::string_view file) : text_(text), file_(file) {}

  Header parse() {
    Header header;
    bool has_type = false;
    bool has_order = false;
    bool has_shape = false;
    expect('{');
    while (!take('}')) {
      const std::string key = string();
      expect(':');
      if (key == "descr" && !std::exchange(has_type, true)) {
        header.type = type();
      } else if (key == "fortran_order" && !std::exchange(has_order, true)) {
        header.fortran_order = boolean();
      } else if (key == "shape" && !std::exchange(has_shape, true)) {
        header.shape = shape();
      } else {
        throw bad(fmt::format("key {} is unknown or there twice", shown(key)));
      }
      if (!take(',')) {
        expect('}');
        break;
      }
    }
    skip_blanks();
    if (at_ != text_.size()) throw bad("text follows the dictionary");
    if (!has_type || !has_order || !has_shape) {
      throw bad("expected the keys descr, fortran_order and shape");
    }
    return header;
  }

 private:
  Failure bad(std::string_view what) const {
    return failure(file_, fmt::format("NPY header: {}", what));
  }

  void skip_blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  bool take(char c) {
    skip_blanks();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool take(std::string_view word) {
    skip_blanks();
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  void expect(char c) {
    if (!take(c)) throw bad(fmt::format("expected '{}' before {}", c, shown(text_.substr(at_))));
  }

  std::string string() {
    const char quote = take('"') ? '"' : '\'';
    if (quote == '\'') expect('\'');
    const std::size_t end = text_.find(quote, at_);
    if (end == std::string_view::npos) throw bad("a string has no end");
    std::string value(text_.substr(at_, end - at_));
    at_ = end + 1;
    return value;
  }
  std::string type() {
    skip_blanks();
    if (text_.substr(at_).starts_with('[')) {
      throw failure(file_, "a structured type; expected an array of plain numbers");
    }
    return string();
  }
  bool boolean() {
    if (take("True")) return true;
    if (take("False")) return false;
    throw bad("fortran_order is neither True nor False");
  }
  std::vector<std::int64_t> shape() {
    std::vector<std::int64_t> extents;
    expect('(');
    while (!take(')')) {
      extents.push_back(extent());
      if (take(',')) continue;
      expect(')');
      break;
    }
    return extents;
  }
  std::int64_t extent() {
    skip_blanks();
    std::int64_t value = 0;
    const char* const first = text_.data() + at_;
    const auto [end, error] = std::from_chars(first, text_.data() + text_.size(), value);
    if (error != std::errc{} || value < 0) {
      throw bad(
          fmt::format("{} in shape; expected a count of 0 to 2^63 - 1", shown(text_.substr(at_))));
    }
    at_ += static_cast<std::size_t>(end - first);
    return value;
  }

  std::string_view text_;
  std::string_view file_;
  std::size_t at_ = 0;
};

template <class T>
T load(const char* bytes, bool swapped) {
  std::array<char, sizeof(T)> copy;
  std::memcpy(copy.data(), bytes, sizeof(T));
  if (swapped) std::ranges::reverse(copy);
  return std::bit_cast<T>(copy);
}

// IEEE binary16: 1 sign, 5 exponent (bias 15) and 10 mantissa bits.
double half_to_double(std::uint16_t half) {
  const int exponent = (half >> 10U) & 0x1FU;
  const int mantissa = half & 0x3FFU;
  double value = 0;
  if (exponent == 0) {
    value = std::ldexp(mantissa, -24);  // zero and subnormal
  } else if (exponent == 31) {
    value = mantissa == 0 ? HUGE_VAL : std::numeric_limits<double>::quiet_NaN();
  } else {
    value = std::ldexp(mantissa + 1024, exponent - 25);
  }
  return (half & 0x8000U) != 0 ? -value : value;
}

// An integer as a double, or nothing where that would round it.
template <class Integer>
std::optional<double> exact(Integer value) {
  constexpr std::int64_t limit = std::int64_t{1} << 53;
  if constexpr (sizeof(Integer) == 8) {
    if (value > static_cast<Integer>(limit)) return std::nullopt;
    if constexpr (std::is_signed_v<Integer>) {
      if (value < -limit) return std::nullopt;
    }
  }
  return static_cast<double>(value);
}

/// Reads one element; nothing where a double cannot hold it.
using Load = std::optional<double> (*)(const char* bytes, bool swapped);

struct ElementType {
  std::string_view name;  ///< numpy.dtype's letters behind the byte order
  std::size_t size;
  Load load;
};

template <class Integer>
constexpr ElementType integer_type(std::string_view name) {
  return {name, sizeof(Integer), [](const char* bytes, bool swapped) {
            return exact(siamese::load<Integer>(bytes, swapped));
          }};
}

constexpr std::array element_types{
    ElementType{"f2", 2,
                [](const char* bytes, bool swapped) -> std::optional<double> {
                  return half_to_double(load<std::uint16_t>(bytes, swapped));
                }},
    ElementType{"f4", 4,
                [](const char* bytes, bool swapped) -> std::optional<double> {
                  return load<float>(bytes, swapped);
                }},
    ElementType{"f8", 8,
                [](const char* bytes, bool swapped) -> std::optional<double> {
                  return load<double>(bytes, swapped);
                }},
    integer_type<std::int8_t>("i1"),
    integer_type<std::int16_t>("i2"),
    integer_type<std::int32_t>("i4"),
    integer_type<std::int64_t>("i8"),
    integer_type<std::uint8_t>("u1"),
    integer_type<std::uint16_t>("u2"),
    integer_type<std::uint32_t>("u4"),
    integer_type<std::uint64_t>("u8"),
};

const ElementType& find_type(const std::string& name, std::string_view file) {
  const bool has_order =
      !name.empty() && std::string_view("<>|=").find(name[0]) != std::string::npos;
  for (const ElementType& type : element_types) {
    const bool order_matters = type.size > 1;
    if (has_order && name.substr(1) == type.name && !(order_matters && name[0] == '|')) return type;
  }
  throw failure(file, fmt::format("type {}; expected floats of 16, 32 or 64 bits or integers of "
                                  "8 to 64 bits, such as '<f8'",
                                  shown(name)));
}

// Splits a file into the header's text and the body.
struct Parts {
  std::string_view header;
  std::string_view body;
};

Parts split(std::string_view bytes, std::string_view file) {
  if (!bytes.starts_with(magic) || bytes.size() < magic.size() + 4) {
    throw failure(file, "no NPY file; expected it to begin with \\x93NUMPY and a version");
  }
  const int version = static_cast<unsigned char>(bytes[magic.size()]);
  if (version < 1 || version > 3) {
    throw failure(file, fmt::format("NPY version {}; expected 1, 2 or 3", version));
  }
  const std::size_t length_at = magic.size() + 2;
  const std::size_t length_size = version == 1 ? 2 : 4;
  const std::size_t header_at = length_at + length_size;
  if (bytes.size() < header_at) throw failure(file, "the NPY header is cut off");
  const std::size_t length = version == 1 ? load<std::uint16_t>(bytes.data() + length_at, false)
                                          : load<std::uint32_t>(bytes.data() + length_at, false);
  if (length > bytes.size() - header_at) {
    throw failure(file, fmt::format("the NPY header is cut off: {} bytes announced, {} there",
                                    length, bytes.size() - header_at));
  }
  return {bytes.substr(header_at, length), bytes.substr(header_at + length)};
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  return fmt::format("({}{})", fmt::join(shape, ", "), shape.size() == 1 ? "," : "");
}

// Rows and columns of a shape whose elements fill the body exactly.
Matrix<double> empty_matrix(const Header& header, std::size_t element_size, std::size_t body_size,
                            std::string_view file) {
  const std::vector<std::int64_t>& shape = header.shape;
  if (shape.empty() || shape.size() > 2) {
    throw failure(file, fmt::format("shape {}; expected one or two dimensions", shape_text(shape)));
  }
  const std::int64_t rows = shape[0];
  const std::int64_t columns = shape.size() == 2 ? shape[1] : 1;
  std::int64_t bytes = 0;
  const bool overflow = __builtin_mul_overflow(rows, columns, &bytes) ||
                        __builtin_mul_overflow(bytes, element_size, &bytes);
  if (overflow || static_cast<std::size_t>(bytes) != body_size) {
    throw failure(file,
                  fmt::format("shape {} of '{}' does not fit the body; expected {} bytes, "
                              "found {}",
                              shape_text(shape), header.type,
                              overflow ? "more than 2^63" : fmt::format("{}", bytes), body_size));
  }
  return {rows, columns};
}

}  // namespace

Matrix<double> parse_npy(std::string_view bytes, std::string_view file) {
  const Parts parts = split(bytes, file);
  const Header header = HeaderParser(parts.header, file).parse();
  const ElementType& type = find_type(header.type, file);
  const bool swapped = header.type[0] == '>';

  Matrix<double> matrix = empty_matrix(header, type.size, parts.body.size(), file);
  const auto count = static_cast<std::int64_t>(matrix.elements.size());
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t row = header.fortran_order ? i % matrix.rows : i / matrix.columns;
    const std::int64_t column = header.fortran_order ? i / matrix.rows : i % matrix.columns;
    const char* const element = parts.body.data() + static_cast<std::size_t>(i) * type.size;
    const std::optional<double> value = type.load(element, swapped);
    if (!value || !std::isfinite(*value)) {
      throw failure(
          file, fmt::format("row {}, column {} (from 0): {}; expected a finite number", row, column,
                            value ? fmt::format("{}", *value)
                                  : "an integer beyond 2^53, which would be rounded"));
    }
    matrix(row, column) = *value;
  }
  return matrix;
}

Matrix<double> read_npy(const std::filesystem::path& path) {
  return parse_npy(read_file(path), path.string());
}

std::string format_npy(const Matrix<double>& matrix) {
  std::string header =
      fmt::format("{{'descr': '<f8', 'fortran_order': False, 'shape': ({}, {}), }}", matrix.rows,
                  matrix.columns);
  const std::size_t before = magic.size() + 4;  // magic, version, length
  const std::size_t used = before + header.size() + 1;
  header.append((header_alignment - used % header_alignment) % header_alignment, ' ');
  header += '\n';

  std::string bytes(magic);
  bytes += '\x01';
  bytes += '\x00';
  bytes += static_cast<char>(header.size() & 0xFFU);
  bytes += static_cast<char>(header.size() >> 8U);
  bytes += header;
  bytes.append(reinterpret_cast<const char*>(matrix.data()),
               matrix.elements.size() * sizeof(double));
  return bytes;
}

}  // namespace siamese
