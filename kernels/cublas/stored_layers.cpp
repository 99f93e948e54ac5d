#include "kernels/cublas/stored_layers.h"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kernels/cublas/choice.h"
#include "kernels/cublas/elementwise.h"
#include "kernels/cublas/lt.h"
#include "kernels/cublas/lt_layers.h"
#include "kernels/cublas/stored_rows.h"
#include "kernels/cublas/trial.h"
#include "kernels/cuda/backward_workspace.h"
#include "kernels/cuda/captured.h"
#include "kernels/cuda/check.h"
#include "kernels/cuda/launch.h"
#include "kernels/multiples.h"
#include "model/parameters.h"

namespace siamese::cublas {
namespace {

using Stored = Buffer<__nv_bfloat16>;

/// h_l, and the parameters that it is computed with. For X, which is h_0, there are none.
struct StoredLayer {
  std::int64_t width;
  std::int64_t pitch;
  Stored h;                    // [n, pitch]; E is not stored
  Stored image;                // [pitch below + 1, pitch], as launch_store_parameters leaves it
  Buffer<std::uint32_t> mask;  // of a hidden layer with relu
};

/// What a step's passes share.
struct Workspace {
  std::shared_ptr<const Lt> lt = std::make_shared<const Lt>();
  std::vector<StoredLayer> layers;  // h_0, h_1, ..
  Stored dz;                        // of the layer at hand and of the one below, [n, pitch]
  Stored previous;
  Buffer<float> gradient;           // of the layer at hand, where its own place will not do
  std::vector<Buffer<float>> rows;  // as they are asked for

  Workspace(const Network& network, std::int64_t n, std::int64_t step) {
    constexpr std::int64_t pack = 8;  // elements of 16 bytes
    const auto padded = [](std::int64_t width, std::int64_t multiple) {
      return round_up(width + 1, multiple);  // a 1 behind
    };
    const auto stored = [](std::int64_t count) { return Stored(Device::cuda, count); };
    const std::int64_t inputs = network.input_width();
    layers.push_back({inputs, padded(inputs, pack), stored(n * padded(inputs, pack)), {}, {}});
    std::int64_t widest = 0;
    std::int64_t most_gradients = 0;
    for (const Layer& layer : network.layers()) {
      const bool last = &layer == &network.layers().back();
      const bool masked = !last && layer.activation == Activation::relu;
      const std::int64_t below = layers.back().pitch;
      const std::int64_t pitch = padded(layer.outputs, last ? pack : step);
      Stored image = stored((below + 1) * pitch);
      layers.push_back(
          {layer.outputs, pitch, stored(last ? 0 : n * pitch), std::move(image),
           Buffer<std::uint32_t>(Device::cuda, masked ? n * mask_bits(pitch) / 32 : 0)});
      widest = std::max(widest, pitch);
      most_gradients = std::max(most_gradients, (layer.inputs + 1) * pitch);
    }
    dz = stored(n * widest);
    previous = stored(n * widest);
    gradient = Buffer<float>(Device::cuda, most_gradients);
  }

  /// For z or dh [n, pitch] on the way to what is stored, which seldom are as wide as h.
  float* some_rows(std::int64_t count) {
    if (rows.empty() || rows.back().size() < count) rows.emplace_back(Device::cuda, count);
    return rows.back().data();
  }
};

/// X and all parameters rounded and stored.
Launch plan_rounding(const PairForwardArgs<float>& args, const Workspace& workspace) {
  std::vector<ParametersImage> images;
  for (std::size_t l = 1; l < workspace.layers.size(); ++l) {
    const Layer& shape = args.network->layers()[l - 1];
    const StoredLayer& layer = workspace.layers[l];
    images.push_back({view(shape, args.parameters), shape.inputs, shape.outputs, layer.image.data(),
                      workspace.layers[l - 1].pitch, layer.pitch});
  }
  const StoredLayer& input = workspace.layers.front();
  return [=, h = input.h.data(), d = input.width, pitch = input.pitch](Stream stream) {
    launch_store_input(args.points, d, args.x, h, pitch, cuda::cuda_stream(stream));
    launch_store_parameters(images, cuda::cuda_stream(stream));
  };
}

std::vector<Launch> plan_forward(const PairForwardArgs<float>& args, Workspace& workspace) {
  std::vector<Launch> launches;
  const std::int64_t n = args.points;
  if (n == 0) return launches;
  launches.push_back(plan_rounding(args, workspace));
  for (std::size_t l = 1; l < workspace.layers.size(); ++l) {
    const Layer& shape = args.network->layers()[l - 1];
    const StoredLayer& below = workspace.layers[l - 1];
    const StoredLayer& layer = workspace.layers[l];
    const std::int64_t pitch = layer.pitch;
    __nv_bfloat16* const h = layer.h.data();
    const bool masked = layer.mask.size() > 0;
    float* const z = masked ? nullptr : workspace.some_rows(n * pitch);
    const LtOperands product{{below.h.data(), n, below.pitch, below.pitch},
                             Read::plain,
                             {layer.image.data(), below.pitch, pitch, pitch},
                             Read::plain,
                             masked ? LtResult(h, pitch) : LtResult(z, pitch)};
    if (masked) {
      const __nv_bfloat16* const bias_row = layer.image.data() + below.pitch * pitch;
      add_masked_relu(launches, workspace.lt, Precision::bf16, product, bias_row,
                      layer.mask.data());
      continue;
    }
    launches.push_back(plan_product(workspace.lt, Precision::bf16, product, {}));
    const bool last = l + 1 == workspace.layers.size();
    launches.emplace_back([=, bias = view(shape, args.parameters).bias](Stream s) {
      if (last) {
        launch_embeddings(n, shape, z, pitch, bias, args.embeddings, cuda::cuda_stream(s));
      } else {
        launch_store_activations(n, shape, z, bias, h, pitch, cuda::cuda_stream(s));
      }
    });
  }
  return launches;
}

/// Adds the product [dW; db] = [h, 1]^T dz, [width below + 1, width] in float32. A place whose rows
/// do not begin at multiples of 16 bytes gets it by a copy.
void add_gradient(std::vector<Launch>& launches, const Workspace& workspace, std::int64_t n,
                  const StoredLayer& below, const StoredLayer& layer, const __nv_bfloat16* dz,
                  float* place) {
  const std::int64_t rows = below.width + 1;
  const auto plan = [&](const LtResult& to) {
    return plan_product(workspace.lt, Precision::bf16,
                        {{below.h.data(), n, rows, below.pitch},
                         Read::transposed,
                         {dz, n, layer.width, layer.pitch},
                         Read::plain,
                         to},
                        {});
  };
  if (layer.width % 4 == 0 && alignment(place) >= 16) {
    launches.push_back(plan({place, layer.width}));
    return;
  }
  float* const aside = workspace.gradient.data();
  launches.push_back(plan({aside, layer.pitch}));
  const auto bytes = [](std::int64_t floats) {
    return static_cast<std::size_t>(floats) * sizeof(float);
  };
  launches.emplace_back([=, width = bytes(layer.width), pitch = bytes(layer.pitch)](Stream s) {
    SIAMESE_CHECK_CUDA(cudaMemcpy2DAsync(place, width, aside, pitch, width,
                                         static_cast<std::size_t>(rows), cudaMemcpyDeviceToDevice,
                                         cuda::cuda_stream(s)));
  });
}

std::vector<Launch> plan_backward(const PairBackwardArgs<float>& args, Workspace& workspace) {
  const std::int64_t n = args.points;
  if (n == 0) {
    return {[args](Stream s) { cuda::clear_gradients(args, cuda::cuda_stream(s)); }};
  }
  __nv_bfloat16* dz = workspace.dz.data();
  __nv_bfloat16* previous = workspace.previous.data();
  std::vector<Launch> launches{[=, pitch = workspace.layers.back().pitch](Stream s) {
    launch_store_last_dz(args, dz, pitch, cuda::cuda_stream(s));
  }};
  for (std::size_t l = workspace.layers.size() - 1; l > 0; --l) {
    const StoredLayer& layer = workspace.layers[l];
    const StoredLayer& below = workspace.layers[l - 1];
    const Layer& shape = args.network->layers()[l - 1];
    add_gradient(launches, workspace, n, below, layer, dz, view(shape, args.gradients).weights);
    if (l == 1) break;  // nobody needs the gradient by X
    const auto product = [&](const LtResult& to) {
      return LtOperands{{dz, n, layer.pitch, layer.pitch},
                        Read::plain,
                        {layer.image.data(), below.pitch, layer.pitch, layer.pitch},
                        Read::transposed,
                        to};
    };
    std::optional<Launch> masked;
    if (below.mask.size() > 0) {
      masked = find_product(workspace.lt, Precision::bf16, product({previous, below.pitch}),
                            {.kind = CUBLASLT_EPILOGUE_DRELU, .mask = below.mask.data()});
    }
    if (masked) {
      launches.push_back(std::move(*masked));
    } else {
      float* const dh = workspace.some_rows(n * below.pitch);
      launches.push_back(
          plan_product(workspace.lt, Precision::bf16, product({dh, below.pitch}), {}));
      launches.emplace_back([=, shape_below = args.network->layers()[l - 2], h = below.h.data(),
                             pitch = below.pitch, to = previous](Stream s) {
        launch_store_dz(n, shape_below, dh, h, to, pitch, cuda::cuda_stream(s));
      });
    }
    std::swap(dz, previous);
  }
  return launches;
}

/// Arguments like given ones, with numbers of their own.
class TrialArgs {
 public:
  TrialArgs(const PairForwardArgs<float>& forward, const PairBackwardArgs<float>& backward)
      : x_(Device::cuda, trial_numbers(forward.points * forward.network->input_width())),
        parameters_(Device::cuda, trial_numbers(forward.network->parameter_count())),
        gradient_(Device::cuda, trial_numbers(forward.points * forward.network->embedding_width())),
        embeddings_(Device::cuda, gradient_.size()),
        gradients_(Device::cuda, parameters_.size()),
        forward_(forward),
        backward_(backward) {
    forward_.x = backward_.x = x_.data();
    forward_.parameters = backward_.parameters = parameters_.data();
    forward_.embeddings = embeddings_.data();
    backward_.embeddings = embeddings_.data();
    backward_.gradient = gradient_.data();
    backward_.gradients = gradients_.data();
  }

  /// Both passes, replayed as a graph.
  Launch plan(std::int64_t step) const {
    const cuda::LayerLaunches layers = plan_stored_layers(forward_, backward_, step);
    return cuda::captured([layers](Stream stream) {
      layers.forward(stream);
      layers.backward(stream);
    });
  }

 private:
  Buffer<float> x_;
  Buffer<float> parameters_;
  Buffer<float> gradient_;
  Buffer<float> embeddings_;
  Buffer<float> gradients_;
  PairForwardArgs<float> forward_;
  PairBackwardArgs<float> backward_;
};

}  // namespace

cuda::LayerLaunches plan_stored_layers(const PairForwardArgs<float>& forward,
                                       const PairBackwardArgs<float>& backward, std::int64_t step) {
  const auto workspace = std::make_shared<Workspace>(*forward.network, forward.points, step);
  return {in_turn(plan_forward(forward, *workspace), workspace),
          in_turn(plan_backward(backward, *workspace), workspace)};
}

std::int64_t fastest_step(const PairForwardArgs<float>& forward,
                          const PairBackwardArgs<float>& backward,
                          const std::function<float(const Launch&)>& milliseconds) {
  const TrialArgs args(forward, backward);
  std::array<Launch, hidden_steps.size()> launches;
  std::ranges::transform(hidden_steps, launches.begin(),
                         [&](std::int64_t step) { return args.plan(step); });
  const Trials trials{.candidates = launches.size(),
                      .runs =
                          [&](std::size_t i) {
                            milliseconds(launches[i]);  // the first run of a graph takes longer
                            return true;
                          },
                      .time = [&](std::size_t i) { return milliseconds(launches[i]); }};
  return hidden_steps.at(choose(trials).value());
}

std::int64_t chosen_step(const PairForwardArgs<float>& forward,
                         const PairBackwardArgs<float>& backward) {
  const TrialStream stream;
  if (forward.points == 0 || !stream.has_clock()) return hidden_steps.front();
  static Findings<std::pair<std::string, std::int64_t>, std::int64_t> findings;
  return findings.get({forward.network->name(), forward.points}, [&] {
    return fastest_step(forward, backward,
                        [&](const Launch& launch) { return stream.milliseconds(launch); });
  });
}

}  // namespace siamese::cublas
