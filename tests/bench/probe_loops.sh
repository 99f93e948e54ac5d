#!/usr/bin/env bash
# Usage: probe_loops.sh OBJDUMP LIBRARY...
# The ceilings count 12 multiply-adds a round of each type. A compiler that can tell what becomes of
# some of them leaves those out, and the peak is then told too high: in each libsiamese_probe_ISA.a
# both loops must have all of theirs.
set -uo pipefail
objdump=$1
expected=24
code=0
for library in "${@:2}"; do
  text=$("$objdump" --disassemble --no-show-raw-insn "$library") || exit 1
  found=$(grep -cE '\s(vfn?madd|fmla|mulp[sd]|vmulp[sd])' <<<"$text")
  if [ "$found" -ne "$expected" ]; then
    echo "$library: $found multiply-adds on vectors; expected $expected, 12 for each type"
    code=1
  fi
done
exit "$code"
