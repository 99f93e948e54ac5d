#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "model/matrix.h"

namespace siamese {

/// A table of numbers as a CSV file holds it.
struct CsvTable {
  std::vector<std::string> header;  ///< one name per column of the file; empty where it has none
  std::vector<std::string> labels;  ///< the first column where that is text; else empty
  Matrix<double> values;            ///< [rows, numeric columns], all finite
};

/// Reads a CSV of numbers in UTF-8, by these rules:
///  - cells are parted by semicolons, commas or tabs, the first of these that the first line has;
///    between semicolons a decimal comma is read as a point;
///  - a byte-order mark, CRLF line ends, spaces around cells, lines that begin with '#' and empty
///    lines at the end are passed over; cells may be quoted, "" being a quote;
///  - a first line with no number in it is the header, a name for every column;
///  - a first column whose first cell is text (no number, and not begun like one) holds labels,
///    names of places, say: any text that is not empty;
///  - every other cell is a finite number with a decimal point, whatever the locale, and every line
///    has as many cells as the first.
/// Throws Failure, one line with file, line and column (both from 1), where a rule is broken.
CsvTable read_csv(const std::filesystem::path& path);

/// The same from the bytes of a file; `file` names them in messages.
CsvTable parse_csv(std::string_view text, std::string_view file);

/// The table as text: header and labels where there are any, commas, LF, every number in the
/// shortest form that reads back to the same bits. parse_csv reads it back as the same table where
/// it has a row and all values are finite, no header name is a number, the first label neither is
/// one nor begins like one (labels "17", "Q" are read as numbers, and refused), and labels and
/// header names are UTF-8, not empty, and hold neither line breaks nor NUL.
std::string format_csv(const CsvTable& table);

}  // namespace siamese
