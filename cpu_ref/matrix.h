#pragma once

#include <Eigen/Core>
#include <span>

namespace siamese::ref {

/// The reference's matrices: [rows, columns], row-major as everywhere in the project.
template <class T>
using RowMatrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

template <class T>
using RowVector = Eigen::Matrix<T, 1, Eigen::Dynamic>;

/// A matrix [rows, columns] over memory that somebody else owns, copied into scalar T.
template <class T, class Stored>
RowMatrix<T> load(const Stored* elements, Eigen::Index rows, Eigen::Index columns) {
  return Eigen::Map<const RowMatrix<Stored>>(elements, rows, columns).template cast<T>();
}

}  // namespace siamese::ref
