#pragma once

namespace siamese::bench {

/// While one exists, profilers that were told to wait for it (Nsight's --profile-from-start=off and
/// --capture-range=cudaProfilerApi, the virtual GPU's --counters-later) look at what runs.
/// Nothing in a build without CUDA.
class ProfiledRange {
 public:
  ProfiledRange();
  ProfiledRange(const ProfiledRange&) = delete;
  ProfiledRange& operator=(const ProfiledRange&) = delete;
  ~ProfiledRange();
};

}  // namespace siamese::bench
