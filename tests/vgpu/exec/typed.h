#pragma once

#include <cstdint>

#include "tests/vgpu/exec/lanes.h"
#include "tests/vgpu/exec/program.h"
#include "tests/vgpu/exec/warp.h"
#include "tests/vgpu/ptx/types.h"

// Handlers as templates over an operation and a type. An operation is a struct with a call
// operator on lanes' values; a family picks the handler of a PTX type with one of the functions
// below.
namespace vgpu {

template <class Operation, class T, class To = T>
void run_unary(Warp& w, const Instruction& ins, LaneMask mask) {
  const T* a = row<T>(w, ins.a);
  set_lanes(row<To>(w, ins.to), mask,
            [=](std::uint32_t lane) { return static_cast<To>(Operation{}(a[lane])); });
}

template <class Operation, class T, class To = T>
void run_binary(Warp& w, const Instruction& ins, LaneMask mask) {
  const T* a = row<T>(w, ins.a);
  const T* b = row<T>(w, ins.b);
  set_lanes(row<To>(w, ins.to), mask,
            [=](std::uint32_t lane) { return static_cast<To>(Operation{}(a[lane], b[lane])); });
}

template <class Operation, class T>
void run_ternary(Warp& w, const Instruction& ins, LaneMask mask) {
  const T* a = row<T>(w, ins.a);
  const T* b = row<T>(w, ins.b);
  const T* c = row<T>(w, ins.c);
  set_lanes(row<T>(w, ins.to), mask, [=](std::uint32_t lane) {
    return static_cast<T>(Operation{}(a[lane], b[lane], c[lane]));
  });
}

// Makes a handler for the C++ type that a PTX integer type is: Pick has a static
// template function of<T>(). Null for types that are no integers.
template <class Pick>
Handler for_integer(ptx::Type type) {
  using ptx::Type;
  switch (type) {
    case Type::u16:
    case Type::b16:
      return Pick::template of<std::uint16_t>();
    case Type::u32:
    case Type::b32:
      return Pick::template of<std::uint32_t>();
    case Type::u64:
    case Type::b64:
      return Pick::template of<std::uint64_t>();
    case Type::s16:
      return Pick::template of<std::int16_t>();
    case Type::s32:
      return Pick::template of<std::int32_t>();
    case Type::s64:
      return Pick::template of<std::int64_t>();
    default:
      return nullptr;
  }
}

template <class Operation>
struct Unary {
  template <class T>
  static Handler of() {
    return run_unary<Operation, T>;
  }
};
template <class Operation>
struct Binary {
  template <class T>
  static Handler of() {
    return run_binary<Operation, T>;
  }
};
template <class Operation>
struct Ternary {
  template <class T>
  static Handler of() {
    return run_ternary<Operation, T>;
  }
};

}  // namespace vgpu
