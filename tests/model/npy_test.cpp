#include "model/npy.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>

#include "model/error.h"
#include "model/file.h"
#include "tests/golden/golden.h"
#include "tests/temporary_folder.h"

namespace siamese {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::ThrowsMessage;

// --- Files that NumPy itself wrote (tests/golden/npy_files.py) -----------------------------------

class NpyGolden : public testing::TestWithParam<const char*> {};

TEST_P(NpyGolden, ReadsWhatNumpyWrote) {
  const Matrix<double> matrix =
      read_npy(golden_folder() / "npy" / (std::string(GetParam()) + ".npy"));
  EXPECT_EQ(matrix.rows, 3);
  EXPECT_EQ(matrix.columns, 2);
  EXPECT_EQ(matrix.elements, (std::vector<double>{1, 2, 3, 4, 5, 100}));
}

INSTANTIATE_TEST_SUITE_P(Types, NpyGolden,
                         testing::Values("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4",
                                         "u8", "f2_big", "f4_big", "f8_big", "i2_big", "i4_big",
                                         "i8_big", "u8_big", "f8_fortran", "f4_big_fortran",
                                         "version2", "version3"));

TEST(Npy, OneDimensionBecomesAColumn) {
  const Matrix<double> matrix = read_npy(golden_folder() / "npy" / "one_dimension.npy");
  EXPECT_EQ(matrix.rows, 3);
  EXPECT_EQ(matrix.columns, 1);
  EXPECT_EQ(matrix.elements, (std::vector<double>{1, 2, 3}));
}

TEST(Npy, HalvesOfEveryKind) {
  const Matrix<double> matrix = read_npy(golden_folder() / "npy" / "halves.npy");
  EXPECT_EQ(matrix.elements,
            (std::vector<double>{0, 0x1p-24, 0x1.ff8p-15, 0x1p-14, 1.0009765625, -2.5, 65504}));
}

struct Refused {
  const char* file;
  const char* message;
};

void PrintTo(const Refused& c, std::ostream* out) { *out << c.file; }

class NpyRefused : public testing::TestWithParam<Refused> {};

TEST_P(NpyRefused, IsNamed) {
  EXPECT_THAT([] { read_npy(golden_folder() / "npy" / (std::string(GetParam().file) + ".npy")); },
              ThrowsMessage<Failure>(AllOf(HasSubstr(std::string(GetParam().file) + ".npy: "),
                                           HasSubstr(GetParam().message), Not(HasSubstr("\n")))));
}

INSTANTIATE_TEST_SUITE_P(
    Types, NpyRefused,
    testing::Values(Refused{"complex", "type '<c16'; expected floats"},
                    Refused{"boolean", "type '|b1'; expected floats"},
                    Refused{"string", "type '<U3'; expected floats"},
                    Refused{"structured", "a structured type; expected an array of plain numbers"},
                    Refused{"scalar", "shape (); expected one or two dimensions"},
                    Refused{"three_dimensions", "shape (2, 1, 3); expected one or two dimensions"},
                    Refused{"nan", "row 1, column 0 (from 0): nan; expected a finite number"},
                    Refused{"infinite_fortran",
                            "row 0, column 1 (from 0): -inf; expected a finite"},
                    Refused{"integer_too_large", "row 0, column 0 (from 0): an integer beyond"}));

// --- Files that nobody should have written -------------------------------------------------------

std::string npy(std::string_view header, std::string_view body, char version = 1) {
  std::string bytes = "\x93NUMPY";
  bytes += version;
  bytes += '\0';
  bytes += static_cast<char>(header.size());
  bytes += '\0';
  if (version > 1) bytes += std::string(2, '\0');
  return bytes + std::string(header) + std::string(body);
}

std::string header_of(std::string_view type, std::string_view order, std::string_view shape) {
  return fmt::format("{{'descr': '{}', 'fortran_order': {}, 'shape': {}, }}\n", type, order, shape);
}

const std::string six_bytes = "abcdef";
const std::string full = npy(header_of("|u1", "False", "(3, 2)"), six_bytes);

struct Lie {
  const char* name;
  std::string bytes;
  const char* message;
};

void PrintTo(const Lie& c, std::ostream* out) { *out << c.name; }

class NpyLie : public testing::TestWithParam<Lie> {};

TEST_P(NpyLie, IsRefusedInOneLine) {
  EXPECT_THAT([] { parse_npy(GetParam().bytes, "p.npy"); },
              ThrowsMessage<Failure>(AllOf(HasSubstr("p.npy: "), HasSubstr(GetParam().message),
                                           Not(HasSubstr("\n")))));
}

INSTANTIATE_TEST_SUITE_P(
    Forms, NpyLie,
    testing::Values(
        Lie{"empty", "", "no NPY file"}, Lie{"text", "1,2\n3,4\n5,6\n", "no NPY file"},
        Lie{"zip", "PK\x03\x04 and more", "no NPY file"},
        Lie{"version_0", npy("", "", 0), "NPY version 0; expected 1, 2 or 3"},
        Lie{"version_9", npy("", "", 9), "NPY version 9; expected 1, 2 or 3"},
        Lie{"cut_in_length", npy("", "", 2).substr(0, 10), "the NPY header is cut off"},
        Lie{"cut_in_header", full.substr(0, 40), "the NPY header is cut off"},
        Lie{"cut_in_body", full.substr(0, full.size() - 1),
            "shape (3, 2) of '|u1' does not fit the body; expected 6 bytes, found 5"},
        Lie{"long_body", full + "g", "expected 6 bytes, found 7"},
        Lie{"wrong_shape", npy(header_of("|u1", "False", "(3, 3)"), six_bytes),
            "expected 9 bytes, found 6"},
        Lie{"overflowing_shape",
            npy(header_of("<f8", "False", "(4611686018427387904, 4)"), six_bytes),
            "expected more than 2^63 bytes"},
        Lie{"overflow_to_fit", npy(header_of("<f8", "False", "(2305843009213693952, 8)"), ""),
            "expected more than 2^63 bytes, found 0"},
        Lie{"huge_extent", npy(header_of("<f8", "False", "(99999999999999999999, 1)"), six_bytes),
            "expected a count"},
        Lie{"negative_extent", npy(header_of("|u1", "False", "(-3, 2)"), six_bytes), "'-3, 2)"},
        Lie{"fractional_extent", npy(header_of("|u1", "False", "(3.0, 2)"), six_bytes),
            "expected ')' before '.0, 2)"},
        Lie{"order_of_neither", npy(header_of("|u1", "None", "(3, 2)"), six_bytes),
            "fortran_order is neither True nor False"},
        Lie{"unknown_type", npy(header_of("<f3", "False", "(3, 2)"), six_bytes), "type '<f3'"},
        Lie{"no_byte_order", npy(header_of("|f2", "False", "(3, 1)"), six_bytes), "type '|f2'"},
        Lie{"empty_type", npy(header_of("", "False", "(3, 2)"), six_bytes), "type ''"},
        Lie{"missing_key", npy("{'descr': '|u1', 'shape': (3, 2)}", six_bytes),
            "expected the keys descr, fortran_order and shape"},
        Lie{"unknown_key", npy("{'descr': '|u1', 'x': 1}", six_bytes), "key 'x' is unknown"},
        Lie{"key_twice", npy("{'descr': '|u1', 'descr': '|u1'}", six_bytes), "there twice"},
        Lie{"no_dictionary", npy("import os", six_bytes), "expected '{' before 'import os'"},
        Lie{"open_string", npy("{'descr", six_bytes), "a string has no end"},
        Lie{"text_behind", npy(header_of("|u1", "False", "(3, 2)") + "x", six_bytes),
            "text follows the dictionary"}),
    [](const auto& info) { return info.param.name; });

// No elements, and so many rows that walking them would not end.
TEST(Npy, EmptyArrays) {
  const Matrix<double> matrix =
      parse_npy(npy(header_of("<f8", "False", "(4611686018427387904, 0)"), ""), "p.npy");
  EXPECT_EQ(matrix.columns, 0);
  EXPECT_TRUE(matrix.elements.empty());
}

TEST(Npy, HeadersThatOtherProgramsWrite) {
  const std::string header = R"({"shape":(3,2),"fortran_order":True,"descr":"|u1"})";
  EXPECT_EQ(parse_npy(npy(header, "\1\2\3\4\5\6"), "p.npy").elements,
            (std::vector<double>{1, 4, 2, 5, 3, 6}));
}

TEST(Npy, RoundTripKeepsEveryBit) {
  Matrix<double> matrix(2, 3);
  matrix.elements = {0.1,
                     -0.0,
                     1.0 / 3.0,
                     std::numeric_limits<double>::denorm_min(),
                     std::numeric_limits<double>::max(),
                     5};
  const std::string bytes = format_npy(matrix);
  EXPECT_EQ((bytes.size() - 6 * sizeof(double)) % 64, 0U) << "the body is aligned";
  const Matrix<double> again = parse_npy(bytes, "p.npy");
  EXPECT_EQ(again.rows, 2);
  EXPECT_EQ(again.columns, 3);
  EXPECT_TRUE(std::ranges::equal(std::as_bytes(std::span(again.elements)),
                                 std::as_bytes(std::span(matrix.elements))))
      << "not the same bits";
}

// numpy.save of the same array wrote these bytes.
TEST(Npy, WritesWhatNumpyWrites) {
  Matrix<double> matrix(3, 2);
  matrix.elements = {1, 2, 3, 4, 5, 100};
  EXPECT_EQ(format_npy(matrix), read_file(golden_folder() / "npy" / "f8.npy"));
}

}  // namespace
}  // namespace siamese
