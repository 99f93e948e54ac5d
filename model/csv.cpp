#include "model/csv.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <optional>

#include "model/error.h"
#include "model/file.h"
#include "model/numbers.h"
#include "model/utf8.h"

namespace siamese {
namespace {

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
constexpr std::string_view blanks = " \t";

/// Where a message points to: "points.csv, line 3, column 2: ".
struct Place {
  std::string_view file;
  std::int64_t line;

  Failure failure(std::string_view what) const {
    return Failure(fmt::format("{}, line {}: {}", file, line, what));
  }
  Failure failure(std::size_t column, std::string_view what) const {
    return Failure(fmt::format("{}, line {}, column {}: {}", file, line, column + 1, what));
  }
};

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return blanks.find(c) != std::string_view::npos; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

// What an expectation adds where a cell has blanks in it, which may be meant as separators.
std::string_view separators_hint(std::string_view cell) {
  return cell.find_first_of(blanks) == std::string_view::npos
             ? ""
             : ", and cells that are parted by commas, semicolons or tabs";
}

char separator_of(std::string_view line) {
  bool quoted = false;
  bool comma = false;
  bool tab = false;
  for (const char c : line) {
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    if (c == ';') return ';';
    comma = comma || c == ',';
    tab = tab || c == '\t';
  }
  return tab && !comma ? '\t' : ',';
}

// One quoted cell from its opening quote on; `rest` is left behind the closing one.
std::string take_quoted(std::string_view& rest, const Place& place, std::size_t column) {
  std::string cell;
  rest.remove_prefix(1);
  while (true) {
    const std::size_t quote = rest.find('"');
    if (quote == std::string_view::npos) {
      throw place.failure(column, "a quote is not closed; expected '\"' before the line's end");
    }
    cell += rest.substr(0, quote);
    rest.remove_prefix(quote + 1);
    if (!rest.starts_with('"')) return cell;
    cell += '"';
    rest.remove_prefix(1);
  }
}

std::vector<std::string> split_cells(std::string_view line, char separator, const Place& place) {
  std::vector<std::string> cells;
  while (true) {
    std::size_t end = line.find(separator);
    const std::string_view start = trimmed(line.substr(0, end));
    if (start.starts_with('"')) {
      line.remove_prefix(line.find('"'));
      cells.push_back(take_quoted(line, place, cells.size()));
      end = line.find(separator);
      if (!trimmed(line.substr(0, end)).empty()) {
        throw place.failure(cells.size() - 1, "text follows a closing quote; expected a separator");
      }
    } else {
      cells.emplace_back(start);
    }
    if (end == std::string_view::npos) return cells;
    line.remove_prefix(end + 1);
  }
}

std::optional<double> number(std::string cell, char separator) {
  const bool decimal_comma =
      separator == ';' && std::ranges::count(cell, ',') == 1 && cell.find('.') == std::string::npos;
  if (decimal_comma) std::ranges::replace(cell, ',', '.');
  return parse_double(cell);
}

double finite_number(const std::string& cell, char separator, const Place& place,
                     std::size_t column) {
  if (cell.empty()) throw place.failure(column, "empty cell; expected a number");
  const auto value = number(cell, separator);
  if (!value || !std::isfinite(*value)) {
    throw place.failure(
        column, fmt::format("{}; expected a finite number{}", shown(cell), separators_hint(cell)));
  }
  return *value;
}

// Whether a cell is a number, or several with blanks between them.
bool has_numbers_alone(std::string_view cell, char separator) {
  while (true) {
    cell = trimmed(cell);
    const std::size_t end = cell.find_first_of(blanks);
    if (!number(std::string(cell.substr(0, end)), separator)) return false;
    if (end == std::string_view::npos) return true;
    cell.remove_prefix(end);
  }
}

// Reads a file line by line, the first lines deciding what the later ones must be.
class Parser {
 public:
  Parser(std::string_view text, std::string_view file) : rest_(text), place_{file, 0} {}

  CsvTable parse() {
    // Without a mark: every other byte of Latin text in UTF-16 is 0, and no text in UTF-8 has one.
    if (rest_.starts_with("\xFF\xFE") || rest_.starts_with("\xFE\xFF") ||
        rest_.find('\0') != std::string_view::npos) {
      throw Failure(fmt::format("{}: looks like UTF-16; expected UTF-8", place_.file));
    }
    if (rest_.starts_with(byte_order_mark)) rest_.remove_prefix(byte_order_mark.size());
    while (!rest_.empty()) {
      const std::string_view line = take_line();
      if (line.starts_with('#')) continue;
      if (trimmed(line).empty()) {
        if (trimmed_file_end()) break;
        throw place_.failure("empty line; expected one only at the end");
      }
      read_line(line);
    }
    if (table_.values.rows == 0) {
      throw Failure(fmt::format("{}: no rows; expected at least one line of numbers", place_.file));
    }
    return std::move(table_);
  }

 private:
  std::string_view take_line() {
    const std::size_t end = rest_.find('\n');
    std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    ++place_.line;
    return line;
  }

  bool trimmed_file_end() const {
    return rest_.find_first_not_of(" \t\r\n") == std::string_view::npos;
  }

  void read_line(std::string_view line) {
    const bool first_line = columns_ == 0;
    if (first_line) separator_ = separator_of(line);
    const std::vector<std::string> cells = split_cells(line, separator_, place_);
    const auto foreign = std::ranges::find_if_not(cells, is_utf8);
    if (foreign != cells.end()) {
      throw place_.failure(static_cast<std::size_t>(foreign - cells.begin()),
                           shown(*foreign) + "; expected UTF-8");
    }
    if (first_line) {
      columns_ = cells.size();
      const bool has_number = std::ranges::any_of(
          cells, [this](const std::string& cell) { return has_numbers_alone(cell, separator_); });
      if (!has_number) {
        read_header(cells);
        return;
      }
    }
    if (cells.size() != columns_) {
      throw place_.failure(fmt::format("{}; expected {}, as in the first line",
                                       counted(static_cast<std::int64_t>(cells.size()), "cell"),
                                       columns_));
    }
    read_row(cells);
  }

  void read_header(const std::vector<std::string>& cells) {
    const auto nameless = std::ranges::find(cells, std::string());
    if (nameless != cells.end()) {
      throw place_.failure(static_cast<std::size_t>(nameless - cells.begin()),
                           "empty cell; expected a column's name in the header");
    }
    table_.header = cells;
  }

  void read_row(const std::vector<std::string>& cells) {
    if (table_.values.rows == 0) {
      labelled_ = is_text(cells[0]);
      table_.values.columns = static_cast<std::int64_t>(columns_) - (labelled_ ? 1 : 0);
      if (table_.values.columns == 0) {
        throw place_.failure(0, fmt::format("{}; expected a number in a file of one column{}",
                                            shown(cells[0]), separators_hint(cells[0])));
      }
    }
    if (labelled_) {
      if (cells[0].empty()) throw place_.failure(0, "empty cell; expected a label");
      table_.labels.push_back(cells[0]);
    }
    for (std::size_t c = labelled_ ? 1 : 0; c < columns_; ++c) {
      table_.values.elements.push_back(finite_number(cells[c], separator_, place_, c));
    }
    ++table_.values.rows;
  }

  // Neither a number nor meant as one, like "1.234,5".
  bool is_text(const std::string& cell) const {
    constexpr std::string_view number_begins = "+-.,0123456789";
    return !cell.empty() && number_begins.find(cell[0]) == std::string_view::npos &&
           !number(cell, separator_);
  }

  std::string_view rest_;
  Place place_;
  char separator_ = ',';
  std::size_t columns_ = 0;  // cells of every line; 0 before the first
  bool labelled_ = false;
  CsvTable table_;
};

// A text cell, quoted where it must be to be read back as it is.
std::string text_cell(const std::string& text) {
  const bool plain = text.find_first_of(",;\t\"#") == std::string::npos && trimmed(text) == text;
  if (plain) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

}  // namespace

CsvTable parse_csv(std::string_view text, std::string_view file) {
  return Parser(text, file).parse();
}

CsvTable read_csv(const std::filesystem::path& path) {
  return parse_csv(read_file(path), path.string());
}

std::string format_csv(const CsvTable& table) {
  std::string text;
  for (std::size_t c = 0; c < table.header.size(); ++c) {
    text += c == 0 ? "" : ",";
    text += text_cell(table.header[c]);
  }
  if (!table.header.empty()) text += '\n';
  for (std::int64_t r = 0; r < table.values.rows; ++r) {
    const bool labelled = !table.labels.empty();
    if (labelled) text += text_cell(table.labels[static_cast<std::size_t>(r)]);
    for (std::int64_t c = 0; c < table.values.columns; ++c) {
      if (labelled || c > 0) text += ',';
      fmt::format_to(std::back_inserter(text), "{}", table.values(r, c));
    }
    text += '\n';
  }
  return text;
}

}  // namespace siamese
