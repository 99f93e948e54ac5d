#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace siamese {

/// A dense matrix [rows, columns], row-major, that owns its elements.
template <class T>
struct Matrix {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::vector<T> elements;

  Matrix() = default;
  Matrix(std::int64_t rows_, std::int64_t columns_)
      : rows(rows_), columns(columns_), elements(static_cast<std::size_t>(rows_ * columns_)) {}

  T& operator()(std::int64_t row, std::int64_t column) {
    return elements[static_cast<std::size_t>(row * columns + column)];
  }
  const T& operator()(std::int64_t row, std::int64_t column) const {
    return elements[static_cast<std::size_t>(row * columns + column)];
  }
  std::span<T> row(std::int64_t index) {
    return std::span(elements).subspan(static_cast<std::size_t>(index * columns),
                                       static_cast<std::size_t>(columns));
  }
  std::span<const T> row(std::int64_t index) const {
    return std::span(elements).subspan(static_cast<std::size_t>(index * columns),
                                       static_cast<std::size_t>(columns));
  }
  T* data() { return elements.data(); }
  const T* data() const { return elements.data(); }
};

}  // namespace siamese
