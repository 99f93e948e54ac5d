#include "landmarks/geometry.h"

#include <Eigen/Dense>

#include "model/landmark_data.h"

namespace siamese::landmarks {
namespace {

using RowMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Eigen::Map<const RowMatrix> as_eigen(const Matrix<double>& matrix) {
  return {matrix.data(), matrix.rows, matrix.columns};
}

Matrix<double> from_eigen(const RowMatrix& eigen) {
  Matrix<double> matrix(eigen.rows(), eigen.cols());
  Eigen::Map<RowMatrix>(matrix.data(), matrix.rows, matrix.columns) = eigen;
  return matrix;
}

RowMatrix centred(const RowMatrix& rows, const Eigen::RowVectorXd& centre) {
  return rows.rowwise() - centre;
}

}  // namespace

Multilateration multilaterate(const Matrix<double>& landmarks, const Matrix<double>& distances) {
  // With the landmarks' mean as the origin, the least solution is the one nearest to it.
  const Eigen::RowVectorXd centre = as_eigen(landmarks).colwise().mean();
  const RowMatrix l = centred(as_eigen(landmarks), centre);
  const Eigen::VectorXd norms = l.rowwise().squaredNorm();
  const RowMatrix squares = as_eigen(distances).array().square();

  RowMatrix right = -squares;                   // [n, k]
  right.colwise() += squares.rowwise().mean();  // - (d_k^2 - mean d^2)
  right.rowwise() += (norms.array() - norms.mean()).matrix().transpose();

  Eigen::CompleteOrthogonalDecomposition<Eigen::MatrixXd> solver;
  solver.setThreshold(1e-10);
  solver.compute(2.0 * l);
  const RowMatrix x = solver.solve(right.transpose()).transpose();
  return {from_eigen(x.rowwise() + centre), solver.rank()};
}

Matrix<double> align(const Matrix<double>& moving, const Matrix<double>& target,
                     std::span<const std::int64_t> rows) {
  const Matrix<double> moving_rows = select_rows(moving, rows);
  const Matrix<double> target_rows = select_rows(target, rows);
  const Eigen::RowVectorXd moving_centre = as_eigen(moving_rows).colwise().mean();
  const Eigen::RowVectorXd target_centre = as_eigen(target_rows).colwise().mean();
  const Eigen::MatrixXd covariance = centred(as_eigen(moving_rows), moving_centre).transpose() *
                                     centred(as_eigen(target_rows), target_centre);
  const Eigen::JacobiSVD<Eigen::MatrixXd> svd(covariance,
                                              Eigen::ComputeFullU | Eigen::ComputeFullV);
  const Eigen::MatrixXd turn = svd.matrixU() * svd.matrixV().transpose();
  const RowMatrix turned = centred(as_eigen(moving), moving_centre) * turn;
  return from_eigen(turned.rowwise() + target_centre);
}

}  // namespace siamese::landmarks
