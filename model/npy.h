#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "model/matrix.h"

namespace siamese {

/// Reads an array of one or two dimensions from NumPy's NPY format, versions 1, 2 and 3: floats of
/// 16, 32 and 64 bits and integers of 8 to 64 bits, of either byte order, in C or Fortran order.
/// An array [n] becomes [n, 1]. Throws Failure, one line that names the file and the fault, for
/// anything else: another type, more dimensions, a header that the body does not bear out, a number
/// that is not finite (with its row and column, from 0 as in NumPy) or an integer that a double
/// cannot hold.
/// Source of the format: NumPy enhancement proposal 1, "A simple file format for NumPy arrays".
Matrix<double> read_npy(const std::filesystem::path& path);

/// The same from the bytes of a file; `file` names them in messages.
Matrix<double> parse_npy(std::string_view bytes, std::string_view file);

/// The matrix as an NPY file, version 1: float64, little-endian, C order.
std::string format_npy(const Matrix<double>& matrix);

}  // namespace siamese
