// What the transposed convolutions read by gemm.cuh, and where they write. One that doubles the sides sends a pixel (y, x) of
// the smaller map to SIDE x SIDE pixels of the larger, from (2y-EDGE, 2x-EDGE) on: SIDE 2, EDGE 0; or SIDE 3, EDGE 1. Those
// before the larger map's first line or column do not exist. Pixels are the smaller map's, through all images of a tile.
//
// As in window.cuh there is a bit for each line of a tap, and for each column.
#pragma once
#include "epilogue.cuh"
#include "window.cuh"

// Divisor divides numbers up to a limit by one number: by a multiplication, where that gives the same.
struct Divisor {
  int d;
  word m;  // 2³² / d rounded up; 0: divide

  __device__ INLINE Divisor(int d_, int limit) : d(d_), m(d_ > 1 && (long long)d_ * limit < (1ll << 32) ? 0xffffffffu / d_ + 1 : 0) {}
  __device__ INLINE int of(int n) const { return m ? (int)((unsigned long long)n * m >> 32) : n / d; }
};

// Double is the larger map that belongs to a tile of the smaller.
template <int SIDE> struct Double {
  static const int EDGE = SIDE / 3;
  int h, w, c, pixels;  // of the smaller map; channels of the larger
  Divisor line, image;

  __device__ INLINE Double(Shape s, int c_, int n)
      : h(s.h), w(s.w), c(c_), pixels(n * s.h * s.w), line(s.w, pixels), image(s.h, n * s.h) {}
  // place is where pixel p's first tap stands, and which of its taps exist.
  __device__ INLINE Place place(int p) const {
    if (p >= pixels) return Place{0, 0};
    const int l = line.of(p), x = p - l * w;
    word mask = (1u << SIDE) - 1, columns = mask;
    if (EDGE && l == image.of(l) * h) mask &= ~1u;
    if (EDGE && x == 0) columns &= ~1u;
    return Place{((2 * l - EDGE) * 2 * w + 2 * x - EDGE) * c, mask | columns << 16};
  }
  __device__ INLINE int distance(int ty, int tx, int o) const { return (ty * 2 * w + tx) * c + o; }
};

// Scattered is a source along k: for each pixel what lies where it sends its taps, k being (tap, channel).
template <int SIDE> struct Scattered {
  typedef Place Row;
  typedef Raw Four;
  typedef value_t One;
  const value_t *v;
  Double<SIDE> map;
  int first, distance;
  word bits;
  Walk walk;

  __device__ INLINE Scattered(const value_t *v_, const Double<SIDE> &m, int first_)
      : v(v_), map(m), first(first_), distance(0), bits(0), walk(SIDE, m.c) {}
  __device__ INLINE Row row(int r) const { return map.place(first + r); }
  __device__ INLINE void seek(int k) {
    walk.to(k);
    distance = map.distance(walk.ky, walk.kx, walk.channel);
    bits = walk.bits();
  }
  __device__ INLINE Four four(const Row &r) const { return (r.mask & bits) == bits ? ::four(v + r.at + distance) : Four{}; }
  __device__ INLINE Quad numbers(const Four &f) const { return ::numbers(f); }
  __device__ INLINE One one(const Row &r) const { return (r.mask & bits) == bits ? v[r.at + distance] : One{}; }
  __device__ INLINE float number(const One &o) const { return load(&o, 0); }
};

// ScatteredColumns is the same as a source across, k being the pixel and columns (tap, channel). ODD is for a number of channels
// that is no multiple of 4.
template <int SIDE, bool ODD> struct ScatteredColumns {
  typedef Raw Four;
  static const int N = ODD ? 4 : 1;
  const value_t *v;
  Double<SIDE> map;
  int n, distance[N];
  word bits[N];

  __device__ INLINE ScatteredColumns(const value_t *v_, const Double<SIDE> &m, int first) : v(v_), map(m), n(first) {}
  __device__ INLINE void column(int r, int) {
    UNROLL for (int j = 0; j < N; j++) {
      const int at = n + r + j, tap = at / map.c;
      distance[j] = map.distance(tap / SIDE, tap % SIDE, at % map.c);
      bits[j] = 1u << tap / SIDE | 0x10000u << tap % SIDE;
      if (tap >= SIDE * SIDE) bits[j] = ~0u;
    }
  }
  __device__ INLINE Four four(int k, int) const {
    const Place p = map.place(k);
    if (!ODD) return (p.mask & bits[0]) == bits[0] ? ::four(v + p.at + distance[0]) : Four{};
    value_t some[4] = {};
    UNROLL for (int j = 0; j < N; j++)
      if ((p.mask & bits[j]) == bits[j]) some[j] = v[p.at + distance[j]];
    return gathered(some);
  }
  __device__ INLINE Quad numbers(const Four &f) const { return ::numbers(f); }
};

// Quarter is a source along k for the pixels (2y+py, 2x+px) of the larger map, of SIDE 3: the pixels that send them something
// are (y, x) and, where py or px is 1, the next ones below and to the right. k is (line, column, channel) of those.
struct Quarter {
  typedef Place Row;
  typedef Raw Four;
  typedef value_t One;
  const value_t *x;
  int h, w, pixels, first, py, px, distance;
  word bits;
  Walk walk;

  __device__ INLINE Quarter(const value_t *x_, Shape s, int n, int first_, int py_, int px_)
      : x(x_), h(s.h), w(s.w), pixels(n * s.h * s.w), first(first_), py(py_), px(px_), distance(0), bits(0), walk(px_ + 1, s.c) {}
  __device__ INLINE int k() const { return (py + 1) * (px + 1) * walk.c; }
  __device__ INLINE Row row(int r) const {
    const int p = first + r, line = p / w;
    if (p >= pixels) return Row{0, 0};
    const word below = py && line % h + 1 < h ? 2 : 0, right = px && p - line * w + 1 < w ? 2 : 0;
    return Row{p * walk.c, (1 | below) | (1 | right) << 16};
  }
  __device__ INLINE void seek(int k) {
    walk.to(k);
    distance = (walk.ky * w + walk.kx) * walk.c + walk.channel;
    bits = walk.bits();
  }
  __device__ INLINE Four four(const Row &r) const { return (r.mask & bits) == bits ? ::four(x + r.at + distance) : Four{}; }
  __device__ INLINE Quad numbers(const Four &f) const { return ::numbers(f); }
  __device__ INLINE One one(const Row &r) const { return (r.mask & bits) == bits ? x[r.at + distance] : One{}; }
  __device__ INLINE float number(const One &o) const { return load(&o, 0); }
};

// QuarterWeights is what those are multiplied by: a source across, of weights (ci, 3, 3, co).
struct QuarterWeights {
  typedef Quad Four;
  const float *f;
  int ci, co, n, py, px, end;
  bool whole;

  __device__ INLINE QuarterWeights(const float *f_, int ci_, int co_, int first, int py_, int px_)
      : f(f_), ci(ci_), co(co_), n(first), py(py_), px(px_), end((py_ + 1) * (px_ + 1) * ci_), whole(co_ % 4 == 0) {}
  __device__ INLINE void column(int r, int) { n += r; }
  __device__ INLINE Four four(int k, int) const {
    if (k >= end) return zero_quad();
    const int from = k / ci, y = from / (px + 1), x = from % (px + 1);
    // The pixel itself sends tap 1 to an even line and tap 2 to an odd one, the next one tap 0.
    const int ty = py + 1 - 2 * y, tx = px + 1 - 2 * x;
    return up_to_four(f + ((k - from * ci) * 9 + ty * 3 + tx) * co + n, co - n, whole);
  }
  __device__ INLINE Quad numbers(const Four &q) const { return q; }
};

// Doubled is an epilogue: act(C + bias) to the larger map. Columns are (corner, channel), up to end; all corners of 2x2, or one.
struct Doubled {
  value_t *to;
  const float *bias;  // null: there is none
  int w, c, rows, end, m0, n0, act;
  Divisor line;

  __device__ INLINE int place(int m, int corner) const {
    const int l = line.of(m);
    return ((2 * l + corner / 2) * 2 * w + 2 * (m - l * w) + corner % 2) * c;
  }
  __device__ INLINE void operator()(int m, int n4, const Quad (&sums)[4]) const {
    const int n = n0 + n4;
    if (n >= end || m0 + m >= rows) return;
    Quad v[4];
    if (c % 4 == 0) {
      const int corner = n / c, o = n - corner * c;
      const Quad b = bias ? ::four(bias + o) : zero_quad();
      UNROLL for (int i = 0; i < 4; i++) v[i] = sums[i] + b;
      activate_quads(act, v);
      UNROLL for (int i = 0; i < 4; i++)
        if (m0 + m + i < rows) put_four(to + place(m0 + m + i, corner) + o, v[i]);
      return;
    }
    UNROLL for (int i = 0; i < 4; i++) UNROLL for (int j = 0; j < 4; j++)
      v[i][j] = sums[i][j] + (bias && n + j < end ? one(bias, (n + j) % c) : 0);
    activate_quads(act, v);
    UNROLL for (int j = 0; j < 4; j++) {
      if (n + j >= end) continue;
      const int corner = (n + j) / c, o = n + j - corner * c;
      UNROLL for (int i = 0; i < 4; i++)
        if (m0 + m + i < rows) store(to, place(m0 + m + i, corner) + o, v[i][j]);
    }
  }
};
