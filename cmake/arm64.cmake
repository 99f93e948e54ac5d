# Cross-compiles for 64-bit Arm (NEON) on Debian or Ubuntu; tests run in QEMU's user mode.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
# Programs find /lib/ld-linux-aarch64.so.1 and the libraries of the packages for arm64.
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static)
