#pragma once

#include <map>
#include <memory>

#include "tests/vgpu/runtime/error.h"

namespace vgpu {

// Owns the objects behind the handles that a program holds, and knows a stale handle from a live
// one.
template <typename T>
class Handles {
 public:
  T& add(std::unique_ptr<T> object) {
    T& added = *object;
    objects_.emplace(&added, std::move(object));
    return added;
  }

  // Fails with the given error where the handle is not live.
  T& find(const T* handle, cudaError_t error = cudaErrorInvalidResourceHandle) const {
    const auto found = objects_.find(handle);
    require(found != objects_.end(), error);
    return *found->second;
  }

  void remove(const T& object) { objects_.erase(&object); }

  template <typename Visit>
  void for_each(Visit&& visit) const {
    for (const auto& [handle, object] : objects_) visit(*object);
  }

 private:
  std::map<const T*, std::unique_ptr<T>> objects_;
};

}  // namespace vgpu
