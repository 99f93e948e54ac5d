#!/usr/bin/env bash
# Configures the project the way machines unlike this one would, and reads what CMake says.
# Usage: run.sh no_nvcc | old_nvcc | native | presets | sanitizers | checksum | words
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
unset CUDACXX CUDA_PATH CUDAHOSTCXX

# The PATH without the folders that hold an nvcc.
path_without_nvcc() {
  local folder kept=()
  IFS=: read -ra folders <<<"$PATH"
  for folder in "${folders[@]}"; do
    [ -x "$folder/nvcc" ] || kept+=("$folder")
  done
  (IFS=: && printf '%s' "${kept[*]}")
}

expect() {
  grep -qE "$1" "$tree/log" && return
  cat "$tree/log"
  echo "expected a line with: $1"
  exit 1
}

case ${1:-} in
  no_nvcc)
    PATH=$(path_without_nvcc) cmake -S "$root" -B "$tree" -G Ninja >"$tree/log" 2>&1
    code=$?
    expect '^-- CUDA: off, because no nvcc was found on the PATH; building for the CPU alone$'
    exit "$code"
    ;;
  old_nvcc)
    nvcc=$(command -v nvcc) || { echo "skipped: no nvcc"; exit 0; }
    mkdir "$tree/bin"
    cat >"$tree/bin/nvcc" <<OLD
#!/bin/sh
case \$1 in --version) echo "Cuda compilation tools, release 12.0, V12.0.140" ;; *) exec "$nvcc" "\$@" ;; esac
OLD
    chmod +x "$tree/bin/nvcc"
    PATH=$tree/bin:$PATH cmake -S "$root" -B "$tree/build" -G Ninja >"$tree/log" 2>&1
    code=$?
    expect "^-- CUDA: off, because $tree/bin/nvcc is of CUDA 12.0, expected 13.0 or newer; building for the CPU alone$"
    exit "$code"
    ;;
  native)
    if command -v nvcc >/dev/null; then
      cmake -S "$root" -B "$tree" -G Ninja -DCMAKE_CUDA_ARCHITECTURES=native >"$tree/log" 2>&1 &&
        { cat "$tree/log"; echo "configured with architecture 'native'"; exit 1; }
      expect "CMAKE_CUDA_ARCHITECTURES is 'native'"
    else
      echo "skipped: no nvcc"
    fi
    ;;
  presets)
    cmake --list-presets=workflow -S "$root" >"$tree/log" 2>&1 || { cat "$tree/log"; exit 1; }
    for preset in release cpu debug asan tsan arm64; do expect "\"$preset\""; done
    ;;
  sanitizers)
    for preset in asan tsan; do
      cmake --preset "$preset" -S "$root" -B "$tree/$preset" >"$tree/log" 2>&1 ||
        { cat "$tree/log"; echo "preset $preset does not configure"; exit 1; }
    done
    ;;
  checksum)
    mkdir "$tree/package" "$tree/project"
    echo 'add_library(package INTERFACE)' >"$tree/package/CMakeLists.txt"
    tar -C "$tree" -czf "$tree/package.tar.gz" package
    right=$(sha256sum "$tree/package.tar.gz")
    codes=
    for sum in "${right%% *}" "$(printf '%064d' 0)"; do
      cat >"$tree/project/CMakeLists.txt" <<PROJECT
cmake_minimum_required(VERSION 3.25)
project(checksum CXX)
include($root/cmake/dependencies.cmake)
siamese_find_or_fetch(no_such_package 1 file://$tree/package.tar.gz $sum)
PROJECT
      cmake -S "$tree/project" -B "$tree/$sum" >"$tree/log" 2>&1
      codes+=$?
    done
    expect 'SHA256 hash of'
    [ "$codes" = 01 ] || { cat "$tree/log"; echo "exit codes $codes of a right and a wrong sum"; exit 1; }
    ;;
  words)
    for line in "adam" "--no-cuda adam" "-L tsan adam" "-R /fit adam" "-V adam" "-V -L tsan adam" \
      "--rerun-failed adam"; do
      read -ra words <<<"$line"
      timeout 20 "$root/tests/run" "${words[@]}" >"$tree/log" 2>&1
      [ $? -eq 2 ] || { cat "$tree/log"; echo "tests/run took: $line"; exit 1; }
      expect "^error: 'adam': expected an option, such as -R 'adam'; see --help$"
    done
    timeout 20 "$root/tests/run" $'a\x01\nb\x7f' >"$tree/log" 2>&1
    expect "^error: 'a\\\\x01\\\\x0ab\\\\x7f': expected an option"
    ;;
  *)
    echo "run.sh: expected no_nvcc, old_nvcc, native, presets, sanitizers, checksum or words, not '${1:-}'" >&2
    exit 2
    ;;
esac
