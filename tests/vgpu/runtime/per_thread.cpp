// The entry points of programs that are compiled with --default-stream per-thread: the same calls,
// where the null stream means the calling thread's own.
#include <cuda_runtime_api.h>

#include <cstddef>

namespace {

cudaStream_t own(cudaStream_t stream) { return stream == nullptr ? cudaStreamPerThread : stream; }

// The end of a call that returns when its work is done.
cudaError_t finished(cudaError_t error) {
  return error != cudaSuccess ? error : cudaStreamSynchronize(cudaStreamPerThread);
}

}  // namespace

// NOLINTBEGIN(bugprone-reserved-identifier): the names are nvcc's
extern "C" cudaError_t __cudaLaunchKernel(cudaKernel_t, dim3, dim3, void**, std::size_t,
                                          cudaStream_t);

extern "C" cudaError_t __cudaLaunchKernel_ptsz(cudaKernel_t kernel, dim3 grid, dim3 block,
                                               void** arguments, std::size_t shared,
                                               cudaStream_t stream) {
  return __cudaLaunchKernel(kernel, grid, block, arguments, shared, own(stream));
}
// NOLINTEND(bugprone-reserved-identifier)

extern "C" cudaError_t cudaLaunchKernel_ptsz(const void* function, dim3 grid, dim3 block,
                                             void** arguments, std::size_t shared,
                                             cudaStream_t stream) {
  return cudaLaunchKernel(function, grid, block, arguments, shared, own(stream));
}

extern "C" cudaError_t cudaLaunchKernelExC_ptsz(const cudaLaunchConfig_t* config,
                                                const void* function, void** arguments) {
  if (config == nullptr) return cudaLaunchKernelExC(config, function, arguments);
  cudaLaunchConfig_t own_config = *config;
  own_config.stream = own(config->stream);
  return cudaLaunchKernelExC(&own_config, function, arguments);
}

extern "C" cudaError_t cudaLaunchCooperativeKernel_ptsz(const void* function, dim3 grid, dim3 block,
                                                        void** arguments, std::size_t shared,
                                                        cudaStream_t stream) {
  return cudaLaunchCooperativeKernel(function, grid, block, arguments, shared, own(stream));
}

extern "C" cudaError_t cudaLaunchHostFunc_ptsz(cudaStream_t stream, cudaHostFn_t function,
                                               void* data) {
  return cudaLaunchHostFunc(own(stream), function, data);
}

extern "C" cudaError_t cudaStreamAddCallback_ptsz(cudaStream_t stream,
                                                  cudaStreamCallback_t callback, void* data,
                                                  unsigned int flags) {
  return cudaStreamAddCallback(own(stream), callback, data, flags);
}

extern "C" cudaError_t cudaMallocAsync_ptsz(void** pointer, std::size_t bytes,
                                            cudaStream_t stream) {
  return cudaMallocAsync(pointer, bytes, own(stream));
}

extern "C" cudaError_t cudaMallocFromPoolAsync_ptsz(void** pointer, std::size_t bytes,
                                                    cudaMemPool_t pool, cudaStream_t stream) {
  return cudaMallocFromPoolAsync(pointer, bytes, pool, own(stream));
}

extern "C" cudaError_t cudaFreeAsync_ptsz(void* pointer, cudaStream_t stream) {
  return cudaFreeAsync(pointer, own(stream));
}

extern "C" cudaError_t cudaMemcpy_ptds(void* to, const void* from, std::size_t bytes,
                                       cudaMemcpyKind kind) {
  return finished(cudaMemcpyAsync(to, from, bytes, kind, cudaStreamPerThread));
}

extern "C" cudaError_t cudaMemcpyAsync_ptsz(void* to, const void* from, std::size_t bytes,
                                            cudaMemcpyKind kind, cudaStream_t stream) {
  return cudaMemcpyAsync(to, from, bytes, kind, own(stream));
}

extern "C" cudaError_t cudaMemcpy2D_ptds(void* to, std::size_t to_pitch, const void* from,
                                         std::size_t from_pitch, std::size_t width,
                                         std::size_t height, cudaMemcpyKind kind) {
  return finished(
      cudaMemcpy2DAsync(to, to_pitch, from, from_pitch, width, height, kind, cudaStreamPerThread));
}

extern "C" cudaError_t cudaMemcpy2DAsync_ptsz(void* to, std::size_t to_pitch, const void* from,
                                              std::size_t from_pitch, std::size_t width,
                                              std::size_t height, cudaMemcpyKind kind,
                                              cudaStream_t stream) {
  return cudaMemcpy2DAsync(to, to_pitch, from, from_pitch, width, height, kind, own(stream));
}

extern "C" cudaError_t cudaMemcpy3D_ptds(const cudaMemcpy3DParms* parameters) {
  return finished(cudaMemcpy3DAsync(parameters, cudaStreamPerThread));
}

extern "C" cudaError_t cudaMemcpy3DAsync_ptsz(const cudaMemcpy3DParms* parameters,
                                              cudaStream_t stream) {
  return cudaMemcpy3DAsync(parameters, own(stream));
}

extern "C" cudaError_t cudaMemcpyToSymbol_ptds(const void* symbol, const void* from,
                                               std::size_t bytes, std::size_t offset,
                                               cudaMemcpyKind kind) {
  return finished(cudaMemcpyToSymbolAsync(symbol, from, bytes, offset, kind, cudaStreamPerThread));
}

extern "C" cudaError_t cudaMemcpyToSymbolAsync_ptsz(const void* symbol, const void* from,
                                                    std::size_t bytes, std::size_t offset,
                                                    cudaMemcpyKind kind, cudaStream_t stream) {
  return cudaMemcpyToSymbolAsync(symbol, from, bytes, offset, kind, own(stream));
}

extern "C" cudaError_t cudaMemcpyFromSymbol_ptds(void* to, const void* symbol, std::size_t bytes,
                                                 std::size_t offset, cudaMemcpyKind kind) {
  return finished(cudaMemcpyFromSymbolAsync(to, symbol, bytes, offset, kind, cudaStreamPerThread));
}

extern "C" cudaError_t cudaMemcpyFromSymbolAsync_ptsz(void* to, const void* symbol,
                                                      std::size_t bytes, std::size_t offset,
                                                      cudaMemcpyKind kind, cudaStream_t stream) {
  return cudaMemcpyFromSymbolAsync(to, symbol, bytes, offset, kind, own(stream));
}

extern "C" cudaError_t cudaMemset_ptds(void* to, int value, std::size_t bytes) {
  return cudaMemsetAsync(to, value, bytes, cudaStreamPerThread);
}

extern "C" cudaError_t cudaMemsetAsync_ptsz(void* to, int value, std::size_t bytes,
                                            cudaStream_t stream) {
  return cudaMemsetAsync(to, value, bytes, own(stream));
}

extern "C" cudaError_t cudaMemset2D_ptds(void* to, std::size_t pitch, int value, std::size_t width,
                                         std::size_t height) {
  return cudaMemset2DAsync(to, pitch, value, width, height, cudaStreamPerThread);
}

extern "C" cudaError_t cudaMemset2DAsync_ptsz(void* to, std::size_t pitch, int value,
                                              std::size_t width, std::size_t height,
                                              cudaStream_t stream) {
  return cudaMemset2DAsync(to, pitch, value, width, height, own(stream));
}

extern "C" cudaError_t cudaMemPrefetchAsync_ptsz(const void* pointer, std::size_t bytes,
                                                 cudaMemLocation location, unsigned int flags,
                                                 cudaStream_t stream) {
  return cudaMemPrefetchAsync(pointer, bytes, location, flags, own(stream));
}

extern "C" cudaError_t cudaEventRecord_ptsz(cudaEvent_t event, cudaStream_t stream) {
  return cudaEventRecord(event, own(stream));
}

extern "C" cudaError_t cudaEventRecordWithFlags_ptsz(cudaEvent_t event, cudaStream_t stream,
                                                     unsigned int flags) {
  return cudaEventRecordWithFlags(event, own(stream), flags);
}

extern "C" cudaError_t cudaStreamWaitEvent_ptsz(cudaStream_t stream, cudaEvent_t event,
                                                unsigned int flags) {
  return cudaStreamWaitEvent(own(stream), event, flags);
}

extern "C" cudaError_t cudaStreamSynchronize_ptsz(cudaStream_t stream) {
  return cudaStreamSynchronize(own(stream));
}

extern "C" cudaError_t cudaStreamQuery_ptsz(cudaStream_t stream) {
  return cudaStreamQuery(own(stream));
}

extern "C" cudaError_t cudaStreamGetFlags_ptsz(cudaStream_t stream, unsigned int* flags) {
  return cudaStreamGetFlags(own(stream), flags);
}

extern "C" cudaError_t cudaStreamGetPriority_ptsz(cudaStream_t stream, int* priority) {
  return cudaStreamGetPriority(own(stream), priority);
}

extern "C" cudaError_t cudaStreamGetId_ptsz(cudaStream_t stream, unsigned long long* id) {
  return cudaStreamGetId(own(stream), id);
}

extern "C" cudaError_t cudaStreamGetDevice_ptsz(cudaStream_t stream, int* device) {
  return cudaStreamGetDevice(own(stream), device);
}

extern "C" cudaError_t cudaStreamBeginCapture_ptsz(cudaStream_t stream,
                                                   cudaStreamCaptureMode mode) {
  return cudaStreamBeginCapture(own(stream), mode);
}

extern "C" cudaError_t cudaStreamEndCapture_ptsz(cudaStream_t stream, cudaGraph_t* graph) {
  return cudaStreamEndCapture(own(stream), graph);
}

extern "C" cudaError_t cudaStreamIsCapturing_ptsz(cudaStream_t stream,
                                                  cudaStreamCaptureStatus* status) {
  return cudaStreamIsCapturing(own(stream), status);
}

extern "C" cudaError_t cudaStreamGetCaptureInfo_ptsz(cudaStream_t stream,
                                                     cudaStreamCaptureStatus* status,
                                                     unsigned long long* id, cudaGraph_t* graph,
                                                     const cudaGraphNode_t** dependencies,
                                                     const cudaGraphEdgeData** edges,
                                                     std::size_t* count) {
  return cudaStreamGetCaptureInfo(own(stream), status, id, graph, dependencies, edges, count);
}

extern "C" cudaError_t cudaGraphLaunch_ptsz(cudaGraphExec_t executable, cudaStream_t stream) {
  return cudaGraphLaunch(executable, own(stream));
}

extern "C" cudaError_t cudaGraphUpload_ptsz(cudaGraphExec_t executable, cudaStream_t stream) {
  return cudaGraphUpload(executable, own(stream));
}
