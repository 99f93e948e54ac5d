// Stand-ins for the calls of cuBLASLt that are in use: column-major products with epilogues,
// computed by Eigen in stream order. Other calls are missing, so that the loader names them.
#include <cublasLt.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/vgpu/cublas/gemm.h"

struct cublasLtContext {};

namespace vgpu {
namespace {

// The descriptors, as they lie in the caller's opaque storage.
struct MatmulDescriptor {
  cublasComputeType_t compute;
  cudaDataType_t scale;
  std::int32_t pointer_mode;
  std::int32_t transpose_a, transpose_b, transpose_c;
  std::uint32_t epilogue;
  std::int32_t bias_type;  // -1: the output's
  const void* bias;
  std::int64_t bias_stride;
  void* mask;
  std::int64_t mask_ld;
  std::int64_t mask_stride;
  std::int32_t multiprocessors;  // a hint
};
static_assert(sizeof(MatmulDescriptor) <= sizeof(cublasLtMatmulDescOpaque_t));

struct MatrixLayout {
  std::uint32_t type;
  std::int32_t order;
  std::uint64_t rows, cols;
  std::int64_t ld;
  std::int32_t batches;
  std::int64_t stride;
};
static_assert(sizeof(MatrixLayout) <= sizeof(cublasLtMatrixLayoutOpaque_t));

// What a search for algorithms is told.
struct Preference {
  std::uint64_t workspace;
  std::uint32_t alignment_a, alignment_b, alignment_c, alignment_d;  // bytes
};
static_assert(sizeof(Preference) <= sizeof(cublasLtMatmulPreferenceOpaque_t));

// An algorithm as it lies in the caller's storage: which it is, and what it relies on.
struct Algorithm {
  std::int32_t number;
  std::uint32_t alignment_a, alignment_b, alignment_c, alignment_d;  // bytes
};
static_assert(sizeof(Algorithm) <= sizeof(cublasLtMatmulAlgo_t));

// An opaque descriptor's contents.
template <typename Contents, typename Opaque>
Contents load(const Opaque* opaque) {
  Contents contents;
  std::memcpy(&contents, opaque->data, sizeof contents);
  return contents;
}

template <typename Contents, typename Opaque>
void store(Opaque* opaque, const Contents& contents) {
  std::memcpy(opaque->data, &contents, sizeof contents);
}

cublasStatus_t refuse(const char* what, int which) {
  fmt::print(stderr, "vgpu: {} {} is not supported by the stand-in\n", what, which);
  return CUBLAS_STATUS_NOT_SUPPORTED;
}

// Where an attribute of a descriptor lies in it.
struct Field {
  void* address = nullptr;
  std::size_t bytes = 0;
};

template <typename T>
Field field(T& member) {
  return {&member, sizeof member};
}

Field field_of(MatmulDescriptor& d, cublasLtMatmulDescAttributes_t attribute) {
  switch (attribute) {
    case CUBLASLT_MATMUL_DESC_COMPUTE_TYPE:
      return field(d.compute);
    case CUBLASLT_MATMUL_DESC_SCALE_TYPE:
      return field(d.scale);
    case CUBLASLT_MATMUL_DESC_POINTER_MODE:
      return field(d.pointer_mode);
    case CUBLASLT_MATMUL_DESC_TRANSA:
      return field(d.transpose_a);
    case CUBLASLT_MATMUL_DESC_TRANSB:
      return field(d.transpose_b);
    case CUBLASLT_MATMUL_DESC_TRANSC:
      return field(d.transpose_c);
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
      return field(d.epilogue);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
      return field(d.bias);
    case CUBLASLT_MATMUL_DESC_BIAS_BATCH_STRIDE:
      return field(d.bias_stride);
    case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE:
      return field(d.bias_type);
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER:
      return field(d.mask);
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD:
      return field(d.mask_ld);
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_BATCH_STRIDE:
      return field(d.mask_stride);
    case CUBLASLT_MATMUL_DESC_SM_COUNT_TARGET:
      return field(d.multiprocessors);
    default:
      return {};
  }
}

Field field_of(MatrixLayout& layout, cublasLtMatrixLayoutAttribute_t attribute) {
  switch (attribute) {
    case CUBLASLT_MATRIX_LAYOUT_TYPE:
      return field(layout.type);
    case CUBLASLT_MATRIX_LAYOUT_ORDER:
      return field(layout.order);
    case CUBLASLT_MATRIX_LAYOUT_ROWS:
      return field(layout.rows);
    case CUBLASLT_MATRIX_LAYOUT_COLS:
      return field(layout.cols);
    case CUBLASLT_MATRIX_LAYOUT_LD:
      return field(layout.ld);
    case CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT:
      return field(layout.batches);
    case CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET:
      return field(layout.stride);
    default:
      return {};
  }
}

Field field_of(Preference& preference, cublasLtMatmulPreferenceAttributes_t attribute) {
  switch (attribute) {
    case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES:
      return field(preference.workspace);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES:
      return field(preference.alignment_a);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES:
      return field(preference.alignment_b);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES:
      return field(preference.alignment_c);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES:
      return field(preference.alignment_d);
    default:
      return {};
  }
}

template <typename Contents, typename Opaque, typename Attribute>
cublasStatus_t set_attribute(Opaque* opaque, Attribute attribute, const void* value,
                             std::size_t bytes, const char* what) {
  if (opaque == nullptr || value == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  auto contents = load<Contents>(opaque);
  const Field target = field_of(contents, attribute);
  if (target.address == nullptr) return refuse(what, attribute);
  if (target.bytes != bytes) return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(target.address, value, bytes);
  store(opaque, contents);
  return CUBLAS_STATUS_SUCCESS;
}

template <typename Contents, typename Opaque, typename Attribute>
cublasStatus_t get_attribute(const Opaque* opaque, Attribute attribute, void* value,
                             std::size_t bytes, std::size_t* written, const char* what) {
  if (opaque == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  auto contents = load<Contents>(opaque);
  const Field source = field_of(contents, attribute);
  if (source.address == nullptr) return refuse(what, attribute);
  if (bytes == 0 && written == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  if (written != nullptr) *written = source.bytes;
  if (bytes == 0) return CUBLAS_STATUS_SUCCESS;
  if (value == nullptr || bytes != source.bytes) return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(value, source.address, bytes);
  return CUBLAS_STATUS_SUCCESS;
}

// The epilogue's parts. False for one that is not computed.
bool set_parts(Epilogue& epilogue, std::uint32_t which) {
  switch (which) {
    case CUBLASLT_EPILOGUE_DEFAULT:
      return true;
    case CUBLASLT_EPILOGUE_BIAS:
      epilogue.bias = true;
      return true;
    case CUBLASLT_EPILOGUE_RELU:
      epilogue.relu = true;
      return true;
    case CUBLASLT_EPILOGUE_RELU_BIAS:
      epilogue.relu = epilogue.bias = true;
      return true;
    case CUBLASLT_EPILOGUE_RELU_AUX:
      epilogue.relu = epilogue.store_mask = true;
      return true;
    case CUBLASLT_EPILOGUE_RELU_AUX_BIAS:
      epilogue.relu = epilogue.store_mask = epilogue.bias = true;
      return true;
    case CUBLASLT_EPILOGUE_DRELU:
      epilogue.apply_mask = true;
      return true;
    case CUBLASLT_EPILOGUE_DRELU_BGRAD:
      epilogue.apply_mask = epilogue.gradient_of_d = true;
      return true;
    case CUBLASLT_EPILOGUE_BGRADA:
      epilogue.gradient_of_a = true;
      return true;
    case CUBLASLT_EPILOGUE_BGRADB:
      epilogue.gradient_of_b = true;
      return true;
    default:
      return false;
  }
}

DeviceMatrix matrix(const void* address, const MatrixLayout& layout) {
  return {address, static_cast<cudaDataType>(layout.type), static_cast<std::int64_t>(layout.rows),
          static_cast<std::int64_t>(layout.cols), layout.ld};
}

struct Matrices {
  const void *a, *b, *c, *d;
  cublasLtMatrixLayout_t layout_a, layout_b, layout_c, layout_d;
};

// What the descriptors say as one product, all but alpha and beta.
cublasStatus_t describe(const MatmulDescriptor& descriptor, const Matrices& matrices, Gemm& gemm) {
  for (const auto* layout :
       {matrices.layout_a, matrices.layout_b, matrices.layout_c, matrices.layout_d}) {
    if (layout == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  }
  const auto a = load<MatrixLayout>(matrices.layout_a);
  const auto b = load<MatrixLayout>(matrices.layout_b);
  const auto c = load<MatrixLayout>(matrices.layout_c);
  const auto d = load<MatrixLayout>(matrices.layout_d);
  for (const MatrixLayout& layout : {a, b, c, d}) {
    if (layout.order != CUBLASLT_ORDER_COL) return refuse("matrix order", layout.order);
    if (layout.batches != d.batches) return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (descriptor.scale != CUDA_R_32F) return refuse("scale type", descriptor.scale);
  if (descriptor.transpose_c != CUBLAS_OP_N) return CUBLAS_STATUS_NOT_SUPPORTED;
  gemm.transpose_a = static_cast<cublasOperation_t>(descriptor.transpose_a);
  gemm.transpose_b = static_cast<cublasOperation_t>(descriptor.transpose_b);
  gemm.compute = descriptor.compute;
  gemm.a = matrix(matrices.a, a);
  gemm.b = matrix(matrices.b, b);
  gemm.c = matrix(matrices.c, c);
  gemm.d = matrix(matrices.d, d);
  gemm.stride_a = a.stride;
  gemm.stride_b = b.stride;
  gemm.stride_c = c.stride;
  gemm.stride_d = d.stride;
  gemm.batches = d.batches;

  Epilogue& epilogue = gemm.epilogue;
  if (!set_parts(epilogue, descriptor.epilogue)) {
    return refuse("epilogue", static_cast<int>(descriptor.epilogue));
  }
  const std::int64_t length = epilogue.gradient_of_b ? gemm.n() : gemm.m();
  const auto bias_type =
      descriptor.bias_type < 0 ? gemm.d.type : static_cast<cudaDataType>(descriptor.bias_type);
  epilogue.bias_vector = {descriptor.bias, bias_type, length, 1, std::max<std::int64_t>(1, length)};
  epilogue.bias_stride = descriptor.bias_stride;
  epilogue.mask = descriptor.mask;
  epilogue.mask_ld = descriptor.mask_ld;
  epilogue.mask_stride = descriptor.mask_stride;
  return check(gemm);
}

// There are two algorithms, which do the same.
constexpr int kAlgorithms = 2;

// Uses no workspace, and is as demanding of alignment as it was allowed to be.
cublasLtMatmulHeuristicResult_t algorithm(int number, const Preference& preference) {
  cublasLtMatmulHeuristicResult_t result{};
  result.state = CUBLAS_STATUS_SUCCESS;
  result.wavesCount = 1.0F;
  store(&result.algo, Algorithm{number, preference.alignment_a, preference.alignment_b,
                                preference.alignment_c, preference.alignment_d});
  return result;
}

bool leaves_mask(std::uint32_t epilogue) {
  return epilogue == CUBLASLT_EPILOGUE_RELU_AUX || epilogue == CUBLASLT_EPILOGUE_RELU_AUX_BIAS;
}

bool reads_mask(std::uint32_t epilogue) {
  return epilogue == CUBLASLT_EPILOGUE_DRELU || epilogue == CUBLASLT_EPILOGUE_DRELU_BGRAD;
}

// Whether to pose as another library, by what the environment says.
bool poses(const char* name) {
  const char* const variable = std::getenv(name);
  return variable != nullptr && *variable != '\0';
}

// As one without products that leave relu's mask, or that read one.
bool lacks(std::uint32_t epilogue) {
  return (leaves_mask(epilogue) && poses("VGPU_NO_RELU_MASKS")) ||
         (reads_mask(epilogue) && poses("VGPU_NO_RELU_DERIVATIVES"));
}

// As one whose first algorithm is named, but refuses to be launched.
bool poses_without_first() { return poses("VGPU_REFUSE_FIRST_ALGORITHM"); }

bool aligned(const char* name, const void* address, std::uint32_t bytes) {
  if (bytes != 0 && reinterpret_cast<std::uintptr_t>(address) % bytes == 0) return true;
  fmt::print(stderr,
             "vgpu: cublasLtMatmul: {} is at {}; its algorithm was chosen for multiples of {}\n",
             name, fmt::ptr(address), bytes);
  return false;
}

}  // namespace
}  // namespace vgpu

using vgpu::MatmulDescriptor;
using vgpu::MatrixLayout;
using vgpu::Preference;

extern "C" {

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  if (handle == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  *handle = new cublasLtContext;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}

const char* cublasLtGetStatusName(cublasStatus_t status) { return vgpu::status_name(status); }
const char* cublasLtGetStatusString(cublasStatus_t status) { return vgpu::status_text(status); }
std::size_t cublasLtGetVersion() { return CUBLAS_VERSION; }
std::size_t cublasLtGetCudartVersion() { return CUDART_VERSION; }

cublasStatus_t cublasLtMatmulDescInit_internal(cublasLtMatmulDesc_t descriptor, std::size_t size,
                                               cublasComputeType_t compute, cudaDataType_t scale) {
  if (descriptor == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  if (size < sizeof *descriptor) return CUBLAS_STATUS_ALLOC_FAILED;
  MatmulDescriptor contents{};
  contents.compute = compute;
  contents.scale = scale;
  contents.transpose_a = contents.transpose_b = contents.transpose_c = CUBLAS_OP_N;
  contents.epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  contents.bias_type = -1;
  vgpu::store(descriptor, contents);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* descriptor,
                                        cublasComputeType_t compute, cudaDataType_t scale) {
  if (descriptor == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  *descriptor = new cublasLtMatmulDescOpaque_t;
  return cublasLtMatmulDescInit_internal(*descriptor, sizeof **descriptor, compute, scale);
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t descriptor) {
  delete descriptor;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t descriptor,
                                              cublasLtMatmulDescAttributes_t attribute,
                                              const void* value, std::size_t bytes) {
  return vgpu::set_attribute<MatmulDescriptor>(descriptor, attribute, value, bytes,
                                               "matmul descriptor attribute");
}

cublasStatus_t cublasLtMatmulDescGetAttribute(cublasLtMatmulDesc_t descriptor,
                                              cublasLtMatmulDescAttributes_t attribute, void* value,
                                              std::size_t bytes, std::size_t* written) {
  return vgpu::get_attribute<MatmulDescriptor>(descriptor, attribute, value, bytes, written,
                                               "matmul descriptor attribute");
}

cublasStatus_t cublasLtMatrixLayoutInit_internal(cublasLtMatrixLayout_t layout, std::size_t size,
                                                 cudaDataType type, std::uint64_t rows,
                                                 std::uint64_t cols, std::int64_t ld) {
  if (layout == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  if (size < sizeof *layout) return CUBLAS_STATUS_ALLOC_FAILED;
  MatrixLayout contents{};
  contents.type = type;
  contents.order = CUBLASLT_ORDER_COL;
  contents.rows = rows;
  contents.cols = cols;
  contents.ld = ld;
  contents.batches = 1;
  vgpu::store(layout, contents);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType type,
                                          std::uint64_t rows, std::uint64_t cols, std::int64_t ld) {
  if (layout == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  *layout = new cublasLtMatrixLayoutOpaque_t;
  return cublasLtMatrixLayoutInit_internal(*layout, sizeof **layout, type, rows, cols, ld);
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  delete layout;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout,
                                                cublasLtMatrixLayoutAttribute_t attribute,
                                                const void* value, std::size_t bytes) {
  return vgpu::set_attribute<MatrixLayout>(layout, attribute, value, bytes,
                                           "matrix layout attribute");
}

cublasStatus_t cublasLtMatrixLayoutGetAttribute(cublasLtMatrixLayout_t layout,
                                                cublasLtMatrixLayoutAttribute_t attribute,
                                                void* value, std::size_t bytes,
                                                std::size_t* written) {
  return vgpu::get_attribute<MatrixLayout>(layout, attribute, value, bytes, written,
                                           "matrix layout attribute");
}

cublasStatus_t cublasLtMatmulPreferenceInit_internal(cublasLtMatmulPreference_t preference,
                                                     std::size_t size) {
  if (preference == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  if (size < sizeof *preference) return CUBLAS_STATUS_ALLOC_FAILED;
  vgpu::store(preference, Preference{0, 256, 256, 256, 256});
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
  if (preference == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  *preference = new cublasLtMatmulPreferenceOpaque_t;
  return cublasLtMatmulPreferenceInit_internal(*preference, sizeof **preference);
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  delete preference;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attribute,
                                                    const void* value, std::size_t bytes) {
  return vgpu::set_attribute<Preference>(preference, attribute, value, bytes,
                                         "matmul preference attribute");
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(
    cublasLtHandle_t handle, cublasLtMatmulDesc_t descriptor, cublasLtMatrixLayout_t layout_a,
    cublasLtMatrixLayout_t layout_b, cublasLtMatrixLayout_t layout_c,
    cublasLtMatrixLayout_t layout_d, cublasLtMatmulPreference_t preference, int requested,
    cublasLtMatmulHeuristicResult_t* results, int* returned) {
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (descriptor == nullptr || preference == nullptr || requested <= 0 || results == nullptr ||
      returned == nullptr) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  *returned = 0;
  const auto contents = vgpu::load<MatmulDescriptor>(descriptor);
  if (vgpu::lacks(contents.epilogue)) return CUBLAS_STATUS_NOT_SUPPORTED;
  vgpu::Gemm gemm;
  const cublasStatus_t status = vgpu::describe(
      contents, {nullptr, nullptr, nullptr, nullptr, layout_a, layout_b, layout_c, layout_d}, gemm);
  if (status != CUBLAS_STATUS_SUCCESS) return status;
  *returned = std::min(requested, vgpu::kAlgorithms);
  for (int i = 0; i < *returned; ++i) {
    results[i] = vgpu::algorithm(i, vgpu::load<Preference>(preference));
  }
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t descriptor,
                              const void* alpha, const void* a, cublasLtMatrixLayout_t layout_a,
                              const void* b, cublasLtMatrixLayout_t layout_b, const void* beta,
                              const void* c, cublasLtMatrixLayout_t layout_c, void* d,
                              cublasLtMatrixLayout_t layout_d,
                              const cublasLtMatmulAlgo_t* algorithm, void*, std::size_t,
                              cudaStream_t stream) {
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (descriptor == nullptr || alpha == nullptr || beta == nullptr) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  const auto contents = vgpu::load<MatmulDescriptor>(descriptor);
  vgpu::Gemm gemm;
  const cublasStatus_t status =
      vgpu::describe(contents, {a, b, c, d, layout_a, layout_b, layout_c, layout_d}, gemm);
  if (status != CUBLAS_STATUS_SUCCESS) return status;
  if (algorithm != nullptr) {
    const auto wants = vgpu::load<vgpu::Algorithm>(algorithm);
    if (wants.number == 0 && vgpu::poses_without_first()) return CUBLAS_STATUS_NOT_SUPPORTED;
    const bool all =
        vgpu::aligned("A", a, wants.alignment_a) && vgpu::aligned("B", b, wants.alignment_b) &&
        vgpu::aligned("C", c, wants.alignment_c) && vgpu::aligned("D", d, wants.alignment_d);
    if (!all) return CUBLAS_STATUS_INVALID_VALUE;
  }
  switch (contents.pointer_mode) {
    case CUBLASLT_POINTER_MODE_HOST:
      gemm.alpha.value = *static_cast<const float*>(alpha);
      gemm.beta.value = *static_cast<const float*>(beta);
      if (gemm.beta.value != 0 && c == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
      break;
    case CUBLASLT_POINTER_MODE_DEVICE:
      gemm.alpha.device = alpha;
      gemm.beta.device = beta;
      break;
    default:
      return vgpu::refuse("pointer mode", contents.pointer_mode);
  }
  return vgpu::enqueue(gemm, stream, "cublasLtMatmul");
}

}  // extern "C"
