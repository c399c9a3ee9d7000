// Loaders of gemm.cuh for the gradients of a convolution's weights, whose k are the pixels of a tile's images.
#pragma once
#include "window.cuh"

// Taps is a source of Across: for each pixel, what the taps of the filters saw of x (images, h, w, c). Rows are (ky, kx,
// channel), as of the weights; four of them are of one tap, unless they are taken one by one (ONES). k are pixels in order, or
// BY_FOUR.
template <class T, int ROWS, bool BY_FOUR, bool ONES> struct Taps {
  typedef Raw Four;
  typedef value_t One;
  static const int UNIT = BY_FOUR ? 4 : 1, STEP = T::THREADS / (ONES ? ROWS : ROWS / 4), N = (T::BK + STEP - 1) / STEP;
  static_assert(STEP % UNIT == 0 && T::BK % UNIT == 0, "a thread has one of the places of each four");
  const value_t *x;
  int h, w, c, side, pixels, row;
  int dy, dx;              // from a pixel to what the tap sees
  bool beyond;             // the tap is none
  int step_y, step_x;      // from slab to slab, in pixels (or fours of them)
  int py, px;              // place in a four
  int at_y[N], at_x[N];    // where the thread's k of a slab stand, likewise

  __device__ INLINE Taps(const value_t *x_, Shape s, int side_, int pixels_, int first)
      : x(x_), h(s.h), w(s.w), c(s.c), side(side_), pixels(pixels_), row(first) {}

  // column says that row r, and with ONES false the three after it, are this thread's, and k its first of a slab.
  __device__ INLINE void column(int r, int k) {
    row += r;
    const int tap = row / c;
    dy = tap / side - side / 2;
    dx = tap % side - side / 2;
    beyond = tap >= side * side;
    py = BY_FOUR ? k / 2 % 2 : 0;
    px = BY_FOUR ? k % 2 : 0;
    const int gw = BY_FOUR ? w / 2 : w, gh = BY_FOUR ? h / 2 : h;
    step_x = T::BK / UNIT % gw;
    step_y = T::BK / UNIT / gw % gh;
    UNROLL for (int i = 0; i < N; i++) {
      const int u = (k + i * STEP) / UNIT;
      at_x[i] = u % gw;
      at_y[i] = u / gw % gh;
    }
    x += ((py + dy) * w + px + dx) * c + row % c;
  }
  // sees tells whether the tap sees anything at k, and where it is from x in pixels. It moves on to the next slab.
  __device__ INLINE bool sees(int k, int i, int *at) {
    const int gx = at_x[i], gy = at_y[i], y = (BY_FOUR ? 2 * gy : gy) + py + dy, xx = (BY_FOUR ? 2 * gx : gx) + px + dx;
    const int gw = BY_FOUR ? w / 2 : w, gh = BY_FOUR ? h / 2 : h;
    int nx = gx + step_x, ny = gy + step_y;
    if (nx >= gw) nx -= gw, ny++;
    at_x[i] = nx;
    at_y[i] = ny >= gh ? ny - gh : ny;
    // Fours come line by line of 2x2: the first pixel of number q, gx along its line, is 4·q - 2·gx.
    *at = BY_FOUR ? k / 4 * 4 - 2 * gx : k;
    return !beyond && k < pixels && (word)y < (word)h && (word)xx < (word)w;
  }
  __device__ INLINE Four four(int k, int i) {
    int at;
    return sees(k, i, &at) ? ::four(x + (long long)at * c) : Four{};
  }
  __device__ INLINE One one(int k, int i) {
    int at;
    return sees(k, i, &at) ? *(const GLOBAL One *)(x + (long long)at * c) : One{};
  }
  __device__ INLINE Quad numbers(const Four &f) const { return ::numbers(f); }
  __device__ INLINE float number(const One &v) const { return load(&v, 0); }
};

// some are the first n of p[0 … 3], all or none of them unless ODD.
template <bool ODD> __device__ INLINE Raw some(const value_t *p, int n) {
  if (ODD) return up_to_four(p, n, false);
  return n > 0 ? four(p) : Raw{};
}

// Summed is a loader of B: rows of values (k, n) from column n0 on; it adds up what its thread loads of four columns.
template <class T, int ROWS, bool ODD> struct Summed {
  static const int FOURS = ROWS / 4, STEP = T::THREADS / FOURS, N = (T::BK + STEP - 1) / STEP;
  static const bool ALONG = false;
  const value_t *p;
  int k, n, left, row, first;
  bool summing;
  Raw fours[N];
  Quad sum;

  __device__ INLINE Summed(const value_t *p_, int k_, int n_, int n0, bool summing_)
      : p(p_), k(k_), n(n_), row(threadIdx.x % FOURS * 4), first(threadIdx.x / FOURS), summing(summing_), sum(zero_quad()) {
    p += n0 + row;
    left = n - n0 - row;
  }
  __device__ INLINE bool mine(int i) const { return T::BK % STEP == 0 || first + i * STEP < T::BK; }
  __device__ INLINE void fetch(int at) {
    UNROLL for (int i = 0; i < N; i++) {
      const int to = at + first + i * STEP;
      if (mine(i)) fours[i] = to < k ? some<ODD>(p + to * n, left) : Raw{};
    }
  }
  __device__ INLINE void put(float *slab) {
    UNROLL for (int i = 0; i < N; i++) {
      if (!mine(i)) continue;
      const Quad q = numbers(fours[i]);
      Slab<T, ROWS>::across(slab, row, first + i * STEP, q);
      if (summing) sum += q;
    }
  }
};

// Unfolded is a loader of B: pooled values (fours of k, n) spread over the pixels of each four, at the places that arg names
// and 0 elsewhere, from column n0 on; it adds up what its thread loads of four columns.
template <class T, int ROWS, bool ODD> struct Unfolded {
  static const int FOURS = ROWS / 4, STEP = T::THREADS / FOURS, ALL = T::BK / 4, N = (ALL + STEP - 1) / STEP;
  static_assert(T::BK % 4 == 0, "a slab has whole fours of pixels");
  static const bool ALONG = false;
  const value_t *p;
  const byte *arg;
  int k, n, left, row, first;
  bool summing;
  Raw fours[N];
  word args[N];
  Quad sum;

  __device__ INLINE Unfolded(const value_t *p_, const byte *arg_, int k_, int n_, int n0, bool summing_)
      : p(p_), arg(arg_), k(k_), n(n_), row(threadIdx.x % FOURS * 4), first(threadIdx.x / FOURS), summing(summing_), sum(zero_quad()) {
    p += n0 + row;
    arg += n0 + row;
    left = n - n0 - row;
  }
  __device__ INLINE bool mine(int i) const { return ALL % STEP == 0 || first + i * STEP < ALL; }
  __device__ INLINE void fetch(int at) {
    UNROLL for (int i = 0; i < N; i++) {
      const int to = at / 4 + first + i * STEP;
      if (!mine(i)) continue;
      fours[i] = Raw{};
      args[i] = 0;
      if (to >= k) continue;
      fours[i] = some<ODD>(p + to * n, left);
      args[i] = ODD ? up_to_four_bytes(arg + to * n, left, false) : left > 0 ? *(const GLOBAL word *)(arg + to * n) : 0;
    }
  }
  __device__ INLINE void put(float *slab) {
    UNROLL for (int i = 0; i < N; i++) {
      if (!mine(i)) continue;
      const Quad q = numbers(fours[i]);
      UNROLL for (int place = 0; place < 4; place++) {
        Slab<T, ROWS>::across(slab, row, 4 * (first + i * STEP) + place, at_place(q, args[i], place * 0x01010101u));
      }
      if (summing) sum += q;
    }
  }
};
