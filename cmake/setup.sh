# shellcheck shell=bash
# What the scripts of tests/ and bench/ share: a fresh machine made ready, and a configured, built tree.
# Sourced with bash; the functions exit with one clear line where something cannot be done.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# shown TEXT...: one line that a terminal shows as it is, whatever a user's words in it hold.
shown() {
  local text="$*" code # quoted, for bash marks some control characters where it is not
  while [[ $text =~ [[:cntrl:]] ]]; do
    printf -v code '\\x%02x' "'${BASH_REMATCH[0]}"
    text=${text//"${BASH_REMATCH[0]}"/"$code"}
  done
  printf '%s' "$text"
}

say() { printf '\033[1m== %s\033[0m\n' "$(shown "$*")"; }

fail() {
  printf 'error: %s\n' "$(shown "$*")" >&2
  exit 1
}

# usage_error TEXT: the end, where a user's words cannot be.
usage_error() {
  printf 'error: %s; see --help\n' "$(shown "$*")" >&2
  exit 2
}

# The Debian package that gives each thing the build looks for.
needed_packages=(g++ cmake ninja-build libeigen3-dev libgtest-dev libgmock-dev libbenchmark-dev
  libcli11-dev nlohmann-json3-dev libfmt-dev libopenblas0-openmp python3 python3-matplotlib)

# What the preset arm64 needs beyond them, on a machine of another kind.
arm64_packages=(g++-aarch64-linux-gnu qemu-user-static libgtest-dev:arm64 libgmock-dev:arm64
  libbenchmark-dev:arm64 libfmt-dev:arm64 libgomp1:arm64 libopenblas0-openmp:arm64)

# require_packages PACKAGE...: installs those that are missing, as root or with sudo, telling which.
require_packages() {
  command -v dpkg-query >/dev/null ||
    fail "this is not Debian or Ubuntu; install what these packages hold, then configure with" \
      "'cmake --preset release': $*"
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
      missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  local as_root=() foreign=()
  for package in "${missing[@]}"; do
    [[ $package == *:arm64 ]] && foreign=(dpkg --add-architecture arm64)
  done
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null || ! sudo -v 2>/dev/null; then
      fail "these packages are missing and may not be installed from here; as root, run:" \
        "${foreign:+${foreign[*]} && apt-get update && }apt-get install -y ${missing[*]}"
    fi
    as_root=(sudo)
  fi
  say "installing what the build needs and is missing: ${missing[*]}"
  [ ${#foreign[@]} -eq 0 ] || "${as_root[@]}" "${foreign[@]}" || fail "failed: ${foreign[*]}"
  "${as_root[@]}" apt-get update -qq ||
    echo "apt-get update failed; trying with the package lists that are here" >&2
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
    --no-install-recommends "${missing[@]}" >/dev/null ||
    fail "apt-get could not install: ${missing[*]}"
}

# offer_packages PACKAGE...: the same for what tests can do without.
offer_packages() {
  (require_packages "$@") || say "going on without: $*; tests that need it are skipped"
}

require_cmake() {
  local version
  version=$(cmake --version | sed -n '1s/[^0-9]*//p')
  printf '3.25\n%s\n' "$version" | sort --version-sort --check=quiet ||
    fail "cmake is version $version; expected 3.25 or newer"
}

# What the tree was made of; -dirty marks changes that are in no commit.
git_commit() { git -C "$root" describe --always --dirty --tags 2>/dev/null || echo unknown; }

# configure_tree PRESET: a fresh machine made ready, and build/PRESET configured.
configure_tree() {
  require_packages "${needed_packages[@]}"
  [ "$1" != arm64 ] || require_packages "${arm64_packages[@]}"
  require_cmake
  cd "$root" || exit 1
  say "configuring build/$1"
  cmake --preset "$1" | { grep -E '^-- (CUDA|.*: (not )?installed)|[Ww]arning' || true; } ||
    fail "configuring build/$1 failed; see above"
}

# build_tree PRESET [TARGET...]: configures build/PRESET and builds it, with progress.
build_tree() {
  local preset=$1
  shift
  configure_tree "$preset"
  say "building build/$preset"
  cmake --build --preset "$preset" ${1:+--target "$@"} || fail "building build/$preset failed"
}

# Ctrl-C ends the commands that run and this script, with the exit code that shells expect.
trap 'echo; echo "interrupted" >&2; exit 130' INT
trap 'exit 143' TERM
