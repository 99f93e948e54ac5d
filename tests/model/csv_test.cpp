#include "model/csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <clocale>
#include <limits>
#include <locale>

#include "model/error.h"
#include "model/file.h"
#include "tests/temporary_folder.h"

namespace siamese {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::ThrowsMessage;

/// One matrix [[1.5, -2], [3e-3, 4]] in the shapes that files come in.
struct Same {
  const char* name;
  const char* text;
};

void PrintTo(const Same& c, std::ostream* out) { *out << c.name; }

class CsvSame : public testing::TestWithParam<Same> {};

TEST_P(CsvSame, ReadsTheSameMatrix) {
  const CsvTable table = parse_csv(GetParam().text, "p.csv");
  EXPECT_EQ(table.values.rows, 2);
  EXPECT_EQ(table.values.columns, 2);
  EXPECT_EQ(table.values.elements, (std::vector<double>{1.5, -2, 3e-3, 4}));
}

INSTANTIATE_TEST_SUITE_P(
    Forms, CsvSame,
    testing::Values(
        Same{"plain", "1.5,-2\n3e-3,4\n"}, Same{"no_last_line_end", "1.5,-2\n3e-3,4"},
        Same{"byte_order_mark",
             "\xEF\xBB\xBF"
             "1.5,-2\n3e-3,4\n"},
        Same{"mark_and_header", "\xEF\xBB\xBFx,y\n1.5,-2\n3e-3,4\n"},
        Same{"crlf", "1.5,-2\r\n3e-3,4\r\n"}, Same{"crlf_header", "x,y\r\n1.5,-2\r\n3e-3,4\r\n"},
        Same{"blanks", " 1.5 ,\t-2\n 3e-3, 4 \n"}, Same{"empty_end", "1.5,-2\n3e-3,4\n\n \r\n"},
        Same{"comments", "# source: here\nx,y\n1.5,-2\n# between\n3e-3,4\n"},
        Same{"semicolons", "x;y\n1.5;-2\n3e-3;4\n"}, Same{"decimal_comma", "1,5;-2\n3e-3;4,0\n"},
        Same{"tabs", "x\ty\n1.5\t-2\n3e-3\t4\n"},
        Same{"quoted_numbers", "\"x\",\"y\"\n\"1.5\",\"-2\"\n3e-3,4\n"},
        Same{"header_with_blanks", "in km, in kg\n1.5,-2\n3e-3,4\n"},
        Same{"comment_in_latin_1", "# K\xF6ln\n1.5,-2\n3e-3,4\n"},
        Same{"header_in_utf_8", "K\xC3\xB6ln,m\xC2\xB2\n1.5,-2\n3e-3,4\n"},
        Same{"plus_signs", "+1.5,-2\n3e-3,+4\n"}, Same{"labels", "a,1.5,-2\nb,3e-3,4\n"},
        Same{"labels_and_header", "name,x,y\nQ,1.5,-2\n17,3e-3,4\n"}),
    [](const auto& info) { return info.param.name; });

struct Bad {
  const char* name;
  const char* text;
  const char* message;
};

void PrintTo(const Bad& c, std::ostream* out) { *out << c.name; }

class CsvBad : public testing::TestWithParam<Bad> {};

TEST_P(CsvBad, IsRefusedInOneLine) {
  EXPECT_THAT([] { parse_csv(GetParam().text, "p.csv"); },
              ThrowsMessage<Failure>(AllOf(HasSubstr(GetParam().message), Not(HasSubstr("\n")))));
}

INSTANTIATE_TEST_SUITE_P(
    Forms, CsvBad,
    testing::Values(
        Bad{"ragged_short", "1,2\n3\n", "p.csv, line 2: 1 cell; expected 2, as in the first line"},
        Bad{"ragged_long", "x,y\n1,2\n3,4,5\n", "p.csv, line 3: 3 cells; expected 2"},
        Bad{"ragged_header", "x,y,z\n1,2\n", "p.csv, line 2: 2 cells; expected 3"},
        Bad{"empty_cell", "1,2\n3,\n", "p.csv, line 2, column 2: empty cell; expected a number"},
        Bad{"empty_first_cell", "1,2\n,3\n", "p.csv, line 2, column 1: empty cell"},
        Bad{"nan", "x,y\n1,nan\n", "p.csv, line 2, column 2: 'nan'; expected a finite number"},
        Bad{"nan_row", "nan,nan\n1,2\n", "p.csv, line 1, column 1: 'nan'; expected a finite"},
        Bad{"infinity", "1,2\n3,-inf\n", "p.csv, line 2, column 2: '-inf'; expected a finite"},
        Bad{"overflow", "1,1e999\n", "p.csv, line 1, column 2: '1e999'; expected a finite number"},
        Bad{"na", "1,2\n3,NA\n", "p.csv, line 2, column 2: 'NA'; expected a finite number"},
        Bad{"decimal_comma_between_commas", "x,y\n1,5,2,5\n", "p.csv, line 2: 4 cells; expected 2"},
        Bad{"thousands", "1.234,5;2\n", "p.csv, line 1, column 1: '1.234,5'"},
        Bad{"text_in_the_middle", "1,2\nParis,3\n", "p.csv, line 2, column 1: 'Paris'; expected a"},
        Bad{"second_text_column", "a,b,1\n", "p.csv, line 1, column 2: 'b'; expected a finite"},
        Bad{"empty_label", "a,1\n,2\n", "p.csv, line 2, column 1: empty cell; expected a label"},
        Bad{"labels_alone", "name\nParis\n", "p.csv, line 2, column 1: 'Paris'; expected a number"},
        Bad{"index_column", ",x,y\n0,1,2\n", "p.csv, line 1, column 1: empty cell; expected a col"},
        Bad{"empty_line", "1,2\n\n3,4\n",
            "p.csv, line 2: empty line; expected one only at the end"},
        Bad{"open_quote", "\"Paris,1\n", "p.csv, line 1, column 1: a quote is not closed"},
        Bad{"after_quote", "\"a\"b,1\n", "p.csv, line 1, column 1: text follows a closing quote"},
        Bad{"control_characters", "1,\x01\n", "p.csv, line 1, column 2: '\\x01'; expected"},
        Bad{"old_line_ends", "1,2\r3,4\r", "p.csv, line 1, column 2: '2\\x0d3'; expected"},
        Bad{"utf_16",
            "\xFF\xFE"
            "1",
            "p.csv: looks like UTF-16; expected UTF-8"},
        Bad{"latin_1_name", "K\xF6ln,1\n", "p.csv, line 1, column 1: 'K\\xf6ln'; expected UTF-8"},
        Bad{"latin_1_header", "x,m\xB2\n1,2\n",
            "p.csv, line 1, column 2: 'm\\xb2'; expected UTF-8"},
        Bad{"blanks_for_separators", "0.25 0.49 0.44\n0.1 0.2 0.3\n",
            "p.csv, line 1, column 1: '0.25 0.49 0.44'; expected a finite number, and cells that "
            "are "
            "parted by commas, semicolons or tabs"},
        Bad{"blanks_below_a_header", "x y\n0.1 0.2\n",
            "p.csv, line 2, column 1: '0.1 0.2'; expected a finite number, and cells that are "
            "parted"},
        Bad{"blanks_after_names", "Bonn 0.1 0.2\nKiel 0.3 0.4\n",
            "p.csv, line 2, column 1: 'Kiel 0.3 0.4'; expected a number in a file of one column, "
            "and "
            "cells that are parted by commas, semicolons or tabs"},
        Bad{"nothing", "", "p.csv: no rows; expected at least one line of numbers"},
        Bad{"header_alone", "x,y\n", "p.csv: no rows"},
        Bad{"comments_alone", "# x\n\n", "p.csv: no rows"}),
    [](const auto& info) { return info.param.name; });

TEST(Csv, Utf16WithoutAMarkIsToldByItsZeroBytes) {
  using namespace std::string_view_literals;
  for (const std::string_view text : {"1\0,\0002\0\n\0"sv, "\0001\0,\0002\0\n"sv}) {
    EXPECT_THAT([text] { parse_csv(text, "p.csv"); },
                ThrowsMessage<Failure>("p.csv: looks like UTF-16; expected UTF-8"));
  }
}

TEST(Csv, KeepsHeaderAndLabels) {
  const CsvTable table = parse_csv("place,x\n\"Paris, \"\"le\"\" 7e\",1\nBonn,2\n", "p.csv");
  EXPECT_EQ(table.header, (std::vector<std::string>{"place", "x"}));
  EXPECT_EQ(table.labels, (std::vector<std::string>{"Paris, \"le\" 7e", "Bonn"}));
}

TEST(Csv, LongCellIsShortened) {
  EXPECT_THAT([] { parse_csv("1,2\n3," + std::string(1000, 'x') + "\n", "p.csv"); },
              ThrowsMessage<Failure>(HasSubstr("'" + std::string(40, 'x') + "..'; expected")));
}

TEST(Csv, RoundTripKeepsEveryBit) {
  CsvTable table;
  table.header = {"town", "x, scaled", "y"};
  table.labels = {" Paris ", "a \"b\"; c", "#d"};
  table.values = Matrix<double>(3, 2);
  table.values.elements = {0.1,
                           1.0 / 3.0,
                           -0.0,
                           std::numeric_limits<double>::denorm_min(),
                           std::numeric_limits<double>::max(),
                           41};
  const CsvTable again = parse_csv(format_csv(table), "p.csv");
  EXPECT_EQ(again.header, table.header);
  EXPECT_EQ(again.labels, table.labels);
  EXPECT_EQ(again.values.elements, table.values.elements);
  EXPECT_TRUE(std::signbit(again.values(1, 0)));
}

TEST(Csv, LocaleWithDecimalCommaChangesNothing) {
  struct CommaPoint : std::numpunct<char> {
    char do_decimal_point() const override { return ','; }
  };
  const std::locale before = std::locale::global(std::locale(std::locale(), new CommaPoint));
  const CsvTable table = parse_csv("1.5,2\n", "p.csv");
  const std::string text = format_csv(table);
  std::locale::global(before);
  EXPECT_EQ(table.values.elements, (std::vector<double>{1.5, 2}));
  EXPECT_EQ(text, "1.5,2\n");
}

TEST(Csv, ReadsFromAFileAndNamesIt) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "p.csv";
  write_file(path, "1,2\n3,x\n");
  EXPECT_THAT([&path] { read_csv(path); },
              ThrowsMessage<Failure>(HasSubstr("/p.csv, line 2, column 2: 'x'")));
}

}  // namespace
}  // namespace siamese
