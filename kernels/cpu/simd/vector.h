#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

// Vectors of GCC and Clang (the vector_size attribute), as wide as the build's instruction set has
// them. Everything here has internal linkage: each instruction set's build has its own.

namespace siamese {
namespace {

#if defined(__AVX512F__)
constexpr int vector_bytes = 64;
#elif defined(__AVX2__)
constexpr int vector_bytes = 32;
#else
constexpr int vector_bytes = 16;
#endif

template <class T, int bytes>
struct VectorOf {
  typedef T type __attribute__((vector_size(bytes)));
};

template <class T>
using Vector = typename VectorOf<T, vector_bytes>::type;

/// The vector of half the size, for the last columns of a matrix.
template <class T>
using HalfVector = typename VectorOf<T, vector_bytes / 2>::type;

/// Elements of a vector.
template <class T>
constexpr int lanes = vector_bytes / static_cast<int>(sizeof(T));

/// Loads from any address.
template <class T, class V = Vector<T>>
inline V load(const T* from) {
  V v;
  __builtin_memcpy(&v, from, sizeof(V));
  return v;
}

template <class T, class V>
inline void store(T* to, V v) {
  __builtin_memcpy(to, &v, sizeof(V));
}

template <class T, class V = Vector<T>>
inline V broadcast(T value) {
  return value - V{};  // keeps -0
}

/// f(0), .., f(count - 1) with compile-time arguments, so that arrays of vectors stay in registers.
template <int count, class F>
inline void repeat(const F& f) {
  [&]<int... i>(std::integer_sequence<int, i...>) { (f(std::integral_constant<int, i>{}), ...); }
  (std::make_integer_sequence<int, count>{});
}

inline float square_root(float x) { return __builtin_sqrtf(x); }
inline double square_root(double x) { return __builtin_sqrt(x); }

/// Lane by lane; both compilers make one instruction of it.
template <class T>
inline Vector<T> square_root(Vector<T> x) {
  Vector<T> root;
  for (int i = 0; i < lanes<T>; ++i) root[i] = square_root(x[i]);
  return root;
}

template <class T>
inline Vector<T> absolute(Vector<T> x) {
  return x < T(0) ? -x : x;
}

/// -1, 0 or 1; NaN stays NaN.
template <class T>
inline Vector<T> sign(Vector<T> x) {
  return x > T(0) ? broadcast(T(1)) : (x < T(0) ? broadcast(T(-1)) : x);
}

/// x where begin <= lane < end, 0 in the other lanes.
template <class T>
inline Vector<T> only_lanes(Vector<T> x, std::int64_t begin, std::int64_t end) {
  using Lane = std::conditional_t<sizeof(T) == sizeof(float), std::int32_t, std::int64_t>;
  const auto lane = []<int... i>(std::integer_sequence<int, i...>) {
    return typename VectorOf<Lane, vector_bytes>::type{i...};
  }
  (std::make_integer_sequence<int, lanes<T>>{});
  return lane >= static_cast<Lane>(begin) && lane < static_cast<Lane>(end) ? x : Vector<T>{};
}

/// x0 y0 x1 y1 .. of the lower halves, and of the upper halves.
template <class V, int... i>
inline V zip_low(V x, V y, std::integer_sequence<int, i...>) {
  return __builtin_shufflevector(x, y, (i / 2 + (i % 2) * static_cast<int>(sizeof...(i)))...);
}
template <class V, int... i>
inline V zip_high(V x, V y, std::integer_sequence<int, i...>) {
  constexpr int n = sizeof...(i);
  return __builtin_shufflevector(x, y, (n / 2 + i / 2 + (i % 2) * n)...);
}

/// x0 + x1, x2 + x3, .. and then the same of y.
template <class V, int... i>
inline V add_neighbours(V x, V y, std::integer_sequence<int, i...>) {
  return __builtin_shufflevector(x, y, (2 * i)...) + __builtin_shufflevector(x, y, (2 * i + 1)...);
}

/// The transpose of `size` vectors of `size` lanes: log2(size) rounds of the perfect shuffle.
template <int size, int round = 1, class V>
[[gnu::flatten]] inline void transpose(V (&rows)[size]) {
  constexpr std::make_integer_sequence<int, size> all;
  V next[size];
  repeat<size / 2>([&](auto i) {
    next[2 * i] = zip_low(rows[i], rows[i + size / 2], all);
    next[2 * i + 1] = zip_high(rows[i], rows[i + size / 2], all);
  });
  repeat<size>([&](auto i) { rows[i] = next[i]; });
  if constexpr (2 * round < size) transpose<size, 2 * round>(rows);
}

/// Lane i of the result is the sum of the lanes of rows[i].
template <int size, int count = size, class V>
[[gnu::flatten]] inline V sum_lanes(V (&rows)[size]) {
  if constexpr (count == 1) {
    return rows[0];
  } else {
    constexpr std::make_integer_sequence<int, size> all;
    repeat<count / 2>([&](auto i) { rows[i] = add_neighbours(rows[2 * i], rows[2 * i + 1], all); });
    return sum_lanes<size, count / 2>(rows);
  }
}

constexpr std::int64_t round_up(std::int64_t value, std::int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace
}  // namespace siamese
