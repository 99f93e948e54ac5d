#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "verify/problem.h"

namespace siamese::bench {

/// The shapes at which an op is timed (ops by the names of op_name), smallest first within a form:
/// where one is too slow for a variant, the larger ones are as well. The quick sweep has the small
/// ones alone.
std::vector<verify::ProblemSpec> shapes(std::string_view op, bool quick);

/// Those of the shapes of these names that are of a form which the op is timed in, each once,
/// smallest first within a form. Adam, which has one shape, has it whatever is named. Throws
/// UsageError where a name is none, or one without a pair.
std::vector<verify::ProblemSpec> named_shapes(std::string_view op,
                                              const std::vector<std::string>& names,
                                              const Network& network);

/// How results name a shape of an op: "dense/points:256/pairs:128", "/trainings:128" behind where
/// there are several, the form with it because it cannot be told from the counts;
/// "parameters:44610" for adam, to which there is no more.
std::string shape_name(std::string_view op, const verify::ProblemSpec& spec);

/// The shape of an op and a network that has this name. Throws UsageError where none has.
verify::ProblemSpec parse_shape(std::string_view op, std::string_view text, const Network& network);

}  // namespace siamese::bench
