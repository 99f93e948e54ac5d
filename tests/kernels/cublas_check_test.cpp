#include <gtest/gtest.h>

#include <string>

#include "kernels/cublas/blas.h"
#include "model/error.h"

namespace siamese::cublas {
namespace {

TEST(CublasCheck, TellsTheCallTheErrorAndThePlace) {
  EXPECT_NO_THROW(check(CUBLAS_STATUS_SUCCESS, "cublasSgemm()", "here.cpp", 7));
  try {
    check(CUBLAS_STATUS_NOT_SUPPORTED, "cublasSgemm()", "here.cpp", 7);
    FAIL() << "no error";
  } catch (const Failure& error) {
    const std::string text = error.what();
    EXPECT_TRUE(text.starts_with("cublas: cublasSgemm(): CUBLAS_STATUS_NOT_SUPPORTED (")) << text;
    EXPECT_TRUE(text.ends_with("), at here.cpp:7")) << text;
  }
}

}  // namespace
}  // namespace siamese::cublas
