#pragma once

namespace siamese::bench {

/// siamese_bench with the variants that are registered in the program. Exit code: 0; 1 where a
/// variant was wrong or something failed; 2 for usage; 130 where Ctrl-C ended it, the results that
/// it had written complete.
int run_program(int argc, char** argv);

}  // namespace siamese::bench
