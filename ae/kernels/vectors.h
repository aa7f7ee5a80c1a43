// Vectors of float32, the nonlinearities of an LSTM, the matrix product, and loops over tiles and threads.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <type_traits>

#if defined(__AVX512F__)
constexpr int LANES = 16, ROWS = 6;  // 4 x 6 sums, 4 weights: 28 of 32 registers
#elif defined(__AVX__)
constexpr int LANES = 8, ROWS = 3;  // 4 x 3 sums, 16 registers
#elif defined(__aarch64__)
constexpr int LANES = 4, ROWS = 6;
#else
constexpr int LANES = 4, ROWS = 3;
#endif
constexpr int GATES = 4, PANEL = 128;  // steps of a weight gradient that stay in the L1 cache

typedef float Vec __attribute__((vector_size(LANES * 4)));
typedef float Unaligned __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef int IntVec __attribute__((vector_size(LANES * 4)));

static inline long padded(long n) { return (n + LANES - 1) / LANES * LANES; }
static inline Vec load(const float* from) { return *(const Unaligned*)from; }
static inline void store(float* to, Vec value) { *(Unaligned*)to = value; }

static inline Vec load_first(const float* from, long count) {
    if (count >= LANES) return load(from);
    Vec value = {};
    for (long lane = 0; lane < count; ++lane) value[lane] = from[lane];
    return value;
}

static inline void store_first(float* to, Vec value, long count) {
    if (count >= LANES) return store(to, value);
    for (long lane = 0; lane < count; ++lane) to[lane] = value[lane];
}

// Keeps NaN: a comparison with NaN is false.
static inline Vec clamped(Vec x, float most) {
    Vec high = Vec{} + most;
    x = x > high ? high : x;
    return x < -high ? -high : x;
}

// 1 / (1 + exp(-x)), with exp from Cephes' expf: 2^n times a polynomial of the rest, accurate to about 1 ulp.
static inline Vec sigmoid(Vec x) {
    x = -clamped(x, 87.0f);
    Vec shifted = x * 1.44269504088896341f + 12582912.0f;  // adding 1.5 * 2^23 puts n into the low bits
    Vec n = shifted - 12582912.0f;
    Vec r = x - n * 0.693359375f + n * 2.12194440e-4f;
    Vec p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    IntVec power = ((IntVec)shifted - 0x4B400000 + 127) << 23;
    return 1.0f / (1.0f + p * (Vec)power);
}

// A ratio of polynomials, as in Eigen's fast tanh: accurate to a few ulp, also for small x.
static inline Vec tanh_of(Vec x) {
    x = clamped(x, 7.90531110763549805f);
    Vec x2 = x * x;
    Vec p = x2 * -2.76076847742355e-16f + 2.00018790482477e-13f;
    p = p * x2 - 8.60467152213735e-11f;
    p = p * x2 + 5.12229709037114e-08f;
    p = p * x2 + 1.48572235717979e-05f;
    p = p * x2 + 6.37261928875436e-04f;
    p = p * x2 + 4.89352455891786e-03f;
    Vec q = x2 * 1.19825839466702e-06f + 1.18534705686654e-04f;
    q = q * x2 + 2.26843463243900e-03f;
    q = q * x2 + 4.89352518554385e-03f;
    return x * p / q;
}

// sums[c][r] += left[r * row + k * next] * right[k * step + c * LANES], summed over k: R x COLUMNS vectors.
template <int COLUMNS, int R>
static inline __attribute__((always_inline)) void multiply(Vec (&sums)[COLUMNS][R], const float* left, long row,
                                                           long next, const float* right, long step, long count) {
    for (long k = 0; k < count; ++k, left += next, right += step) {
        Vec weights[COLUMNS];
        for (int c = 0; c < COLUMNS; ++c) weights[c] = load(right + c * LANES);
        for (int r = 0; r < R; ++r)
            for (int c = 0; c < COLUMNS; ++c) sums[c][r] += left[r * row] * weights[c];
    }
}

// Calls body with the number of rows as a compile-time constant.
template <int R = ROWS, class Body>
static inline void with_rows(long rows, Body body) {
    if (rows == R) body(std::integral_constant<int, R>{});
    else if constexpr (R > 1) with_rows<R - 1>(rows, body);
}

// Splits n rows evenly, one part per thread: body(first row, rows). Threads synchronise once, at the end.
template <class Body>
static void for_parts(long n, int threads, Body body) {
    const long parts = std::min<long>(n, threads);
#pragma omp parallel for num_threads(parts) if (parts > 1)
    for (long part = 0; part < parts; ++part) {
        long first = part * n / parts;
        body(first, (part + 1) * n / parts - first);
    }
}

// Splits the n rows from `from` on into even tiles of at most ROWS: body(first row, rows as a constant).
template <class Body>
static void for_tiles(long from, long n, Body body) {
    const long tiles = (n + ROWS - 1) / ROWS;
    for (long tile = 0; tile < tiles; ++tile) {
        long first = tile * n / tiles;
        with_rows((tile + 1) * n / tiles - first, [&](auto rows) { body(from + first, rows); });
    }
}

// Splits n rows over the threads, and each part into tiles: body(first row, rows as a constant).
template <class Body>
static void for_tiles_of_parts(long n, int threads, Body body) {
    for_parts(n, threads, [&](long from, long rows) { for_tiles(from, rows, body); });
}

// Loops over columns, four vectors at a time and then the rest: body(column, vectors as a constant).
template <class Body>
static void for_columns(long columns, Body body) {
    long at = 0;
    for (; at + 4 * LANES <= columns; at += 4 * LANES) body(at, std::integral_constant<int, 4>{});
    long rest = (columns - at) / LANES;
    if (rest == 3) body(at, std::integral_constant<int, 3>{});
    if (rest == 2) body(at, std::integral_constant<int, 2>{});
    if (rest == 1) body(at, std::integral_constant<int, 1>{});
}
