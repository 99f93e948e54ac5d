#pragma once
// Programs with a planted bug, each beside its repaired twin. They are run as `PROGRAM bug`, which
// a check has to find, and as `PROGRAM fixed`, which has to stay silent; some take a size as well.

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "tests/vgpu/programs/program.cuh"

inline bool wants_bug(int argc, char** argv) {
  const std::string_view which = argc >= 2 ? argv[1] : "";
  if (which != "bug" && which != "fixed") {
    std::fprintf(stderr, "usage: %s bug|fixed [SIZE]\n", argv[0]);
    std::exit(2);
  }
  return which == "bug";
}
