#!/usr/bin/env bash
# Usage: isa_symbols.sh LIBRARY...
# Each libsiamese_simd_ISA.a is compiled for its instruction set. A function in it that other parts
# of a program may define too (a template's, an inline one's) is kept once by the linker, perhaps
# from here, and an older processor would then meet instructions that it does not have. So each such
# symbol must be this instruction set's own: its name has the set's in it.
set -uo pipefail
code=0
for library in "$@"; do
  isa=$(basename "$library" .a)
  isa=${isa#libsiamese_simd_}
  symbols=$(nm --defined-only "$library") || exit 1
  # Weak symbols but for the pointer to the language's one handler of exceptions, which is data.
  shared=$(awk '$2 ~ /^[WVu]$/ && $3 !~ /^DW\.ref\./ { print $3 }' <<<"$symbols" | grep -v "$isa")
  if [ -n "$shared" ]; then
    echo "$library defines what others may define too; expected names with '$isa':"
    c++filt <<<"$shared"
    code=1
  fi
done
exit "$code"
