// What the convolutions read by gemm.cuh: their windows as rows of a matrix, (pixels, side·side·channels), that is never made.
//
// A row is the window of one pixel; k is (ky, kx, channel), as in the weights. Of a row one keeps where its window begins and
// which of its lines and columns lie in the image, one bit each (sides to 15); of k, its distance from there and its bits.
#pragma once
#include "pooled.cuh"
#include "slab.cuh"

// The tiles of matrices that are by pixels, for so many columns, and how many of them a multiprocessor holds at once: as many as
// the registers of a tile and of the slab on its way allow.
struct Narrow : Tile<512, 16, 4, 8, 8> { static const int BLOCKS = 3; };  // at most 16
struct Middle : Tile<256, 32, 8, 8, 8> { static const int BLOCKS = 3; };  // at most 32
struct Wide : Tile<128, 64, 8, 8, 8> { static const int BLOCKS = 3; };

// A slab is whole when it lies within one tap: channels are a multiple of BK. Then all that depends on k is the same for all
// threads, and they read four numbers at a time; otherwise they read one number at a time.

// Walk goes over (ky, kx, channel) in order.
struct Walk {
  int side, c;
  int k, channel, kx, ky;

  __device__ INLINE Walk(int side_, int c_) : side(side_), c(c_), k(0), channel(0), kx(0), ky(0) {}
  __device__ INLINE void to(int at) {
    channel += at - k;
    k = at;
    while (channel >= c) {
      channel -= c;
      if (++kx == side) kx = 0, ky++;
    }
  }
  // Bits of the line and of the column; beyond the last window's end they are no window's.
  __device__ INLINE word bits() const { return 1u << ky | 0x10000u << kx; }
};

// AlongTap is AlongK for whole slabs. The source has
//
//   struct Row; Row row(int r, int k);  // what it needs of row r of the tile, which may be beyond the matrix, from its k on
//   void seek(int k);                   // a slab begins at k
//   Four four(const Row &);             // the row's four numbers of that slab
//   Quad numbers(const Four &);         // what they are; until then they may still be on their way
//
// On tensor cores slabs are longer: there a thread's own four are within one tap, and seek is to where they begin.
template <class T, int ROWS, class Source> struct AlongTap {
  static const bool ALONG = true;
  static const int ACROSS = T::BK / 4, STEP = T::THREADS / ACROSS, N = (ROWS + STEP - 1) / STEP;
  static_assert(T::BK % 4 == 0 && T::THREADS % ACROSS == 0, "threads share a slab evenly");
  Source &source;
  typename Source::Row rows[N];
  typename Source::Four fours[N];

  // own is a row of the calling thread, which has every STEP-th.
  __device__ INLINE static int own() { return threadIdx.x / ACROSS; }
  __device__ INLINE static int k() { return threadIdx.x % ACROSS * 4; }
  __device__ INLINE AlongTap(Source &s) : source(s) {
    UNROLL for (int i = 0; i < N; i++) rows[i] = source.row(own() + i * STEP, T::TENSOR ? 0 : k());
  }
  __device__ INLINE bool mine(int i) const { return ROWS % STEP == 0 || own() + i * STEP < ROWS; }
  __device__ INLINE void fetch(int at) {
    source.seek(T::TENSOR ? at + k() : at);
    UNROLL for (int i = 0; i < N; i++)
      if (mine(i)) fours[i] = source.four(rows[i]);
  }
  __device__ INLINE void put(float *slab) {
    UNROLL for (int i = 0; i < N; i++)
      if (mine(i)) Slab<T, ROWS>::along(slab, own() + i * STEP, k(), source.numbers(fours[i]));
  }
};

// inside are the bits of the lines (or columns) of a window around y that lie in 0 … h-1.
__device__ INLINE word inside(int y, int h, int side) {
  int low = side / 2 - y, high = h + side / 2 - y;
  low = low > 0 ? low : 0;
  high = high < side ? high : side;
  return (1u << high) - (1u << low);
}

// Pixel is one of the pixels of a tile's images: in order; or, of maps with even sides, four by four: those of each 2x2 in the
// order of a pooling's places, one 2x2 after the other.
struct Pixel {
  int image, y, x;
};
template <bool BY_FOUR> __device__ INLINE Pixel pixel_of(int m, int h, int w) {
  if (!BY_FOUR) {
    int line = m / w;
    return Pixel{line / h, line % h, m % w};
  }
  int q = m / 4, line = q / (w / 2);
  return Pixel{line / (h / 2), line % (h / 2) * 2 + m / 2 % 2, q % (w / 2) * 2 + m % 2};
}

struct Place {
  int at;     // of the window's first number, perhaps before the array
  word mask;  // 0: the row is beyond the last pixel
};

// Windows is a source of windows in x, (images, h, w, c).
template <bool BY_FOUR> struct Windows {
  typedef Place Row;
  typedef Raw Four;
  typedef value_t One;
  const value_t *x;
  int h, w, pixels, first, distance;
  word bits;
  Walk walk;

  __device__ INLINE Windows(const value_t *x_, Shape s, int side, int images, int first_)
      : x(x_), h(s.h), w(s.w), pixels(images * s.h * s.w), first(first_), distance(0), bits(0), walk(side, s.c) {}
  __device__ INLINE Row row(int r, int k = 0) const {
    const int m = first + r, p = walk.side / 2;
    if (m >= pixels) return Row{0, 0};
    const Pixel o = pixel_of<BY_FOUR>(m, h, w);
    return Row{((o.image * h + o.y - p) * w + o.x - p) * walk.c + k, inside(o.y, h, walk.side) | inside(o.x, w, walk.side) << 16};
  }
  __device__ INLINE void seek(int k) {
    walk.to(k);
    distance = (walk.ky * w + walk.kx) * walk.c + walk.channel;
    bits = walk.bits();
  }
  __device__ INLINE Four four(const Row &r) const {
    return (r.mask & bits) == bits ? ::four(x + r.at + distance) : Four{};
  }
  __device__ INLINE Quad numbers(const Four &f) const { return ::numbers(f); }
  __device__ INLINE One one(const Row &r) const { return (r.mask & bits) == bits ? *(const GLOBAL One *)(x + r.at + distance) : One{}; }
  __device__ INLINE float number(const One &v) const { return load(&v, 0); }
};

// Unpooled is a source of windows in the map (images, h, w, c) that is y, (images, h/2, w/2, c), at the places that arg names
// and 0 elsewhere. Its rows are by four, so that all of a thread's rows are at one place of their 2x2.
struct Unpooled {
  struct Four {
    Raw v;
    word arg;  // places are bytes
  };
  typedef Place Row;
  typedef float One;
  const value_t *y;
  const byte *arg;
  int h, w, pixels, first, distance, odd_y, odd_x;
  word bits, place;  // of the slab that was sought last; place four times
  Walk walk;

  // thread is a row of the calling thread, modulo 4.
  __device__ INLINE Unpooled(const value_t *y_, const byte *arg_, Shape full, int c, int side, int images, int first_, int thread)
      : y(y_), arg(arg_), h(full.h), w(full.w), pixels(images * full.h * full.w), first(first_), distance(0),
        odd_y((thread / 2 + side / 2) & 1), odd_x((thread + side / 2) & 1), bits(0), place(0), walk(side, c) {}
  __device__ INLINE Row row(int r, int k = 0) const {
    const int m = first + r, p = walk.side / 2;
    if (m >= pixels) return Row{0, 0};
    const Pixel o = pixel_of<true>(m, h, w);
    // Shifts round down, before the array too.
    const int at = ((o.image * (h / 2) + ((o.y - p) >> 1)) * (w / 2) + ((o.x - p) >> 1)) * walk.c + k;
    return Row{at, inside(o.y, h, walk.side) | inside(o.x, w, walk.side) << 16};
  }
  __device__ INLINE void seek(int k) {
    walk.to(k);
    const int py = odd_y + walk.ky, px = odd_x + walk.kx;
    distance = (py / 2 * (w / 2) + px / 2) * walk.c + walk.channel;
    place = ((py & 1) * 2 + (px & 1)) * 0x01010101u;
    bits = walk.bits();
  }
  __device__ INLINE Four four(const Row &r) const {
    if ((r.mask & bits) != bits) return Four{Raw{}, 0};
    const int at = r.at + distance;
    return Four{::four(y + at), *(const GLOBAL word *)(arg + at)};
  }
  __device__ INLINE Quad numbers(const Four &f) const { return at_place(::numbers(f.v), f.arg, place); }
  __device__ INLINE One one(const Row &r) const {
    if ((r.mask & bits) != bits) return 0;
    const int at = r.at + distance;
    return ((const GLOBAL byte *)arg)[at] == (place & 0xff) ? ::one(y, at) : 0;
  }
  __device__ INLINE float number(const One &v) const { return v; }
};

// Filters is a source of AlongTap: weights (ky, kx, ci, co) as a matrix of (ky, kx, co) from the last tap to the first, by ci,
// from ci first on.
struct Filters {
  typedef Quad Four;
  struct Row {
    int at;  // -1: beyond the last
  };
  const float *f;
  int ci, first, distance;
  Walk walk;

  __device__ INLINE Filters(const float *f_, int side, int ci_, int co, int first_)
      : f(f_), ci(ci_), first(first_), distance(0), walk(side, co) {}
  __device__ INLINE Row row(int r, int k) const { return Row{first + r < ci ? (first + r) * walk.c + k : -1}; }
  __device__ INLINE void seek(int k) {
    walk.to(k);
    distance = (walk.side * walk.side - 1 - walk.ky * walk.side - walk.kx) * ci * walk.c + walk.channel;
  }
  __device__ INLINE Four four(const Row &r) const { return r.at < 0 || walk.ky >= walk.side ? zero_quad() : ::four(f + r.at + distance); }
  __device__ INLINE Quad numbers(const Four &q) const { return q; }
};

// OddFilters are Filters of any co, as a source of Across.
struct OddFilters {
  typedef Quad Four;
  const float *f;
  int taps, ci, co, n;

  __device__ INLINE OddFilters(const float *f_, int side, int ci_, int co_, int first)
      : f(f_), taps(side * side), ci(ci_), co(co_), n(first) {}
  __device__ INLINE void column(int r, int) { n += r; }
  __device__ INLINE Four four(int k, int) const {
    Quad q = zero_quad();
    if (k >= taps * co) return q;
    const float *p = f + ((taps - 1 - k / co) * ci + n) * co + k % co;
    UNROLL for (int j = 0; j < 4; j++)
      if (n + j < ci) q[j] = one(p, j * co);
    return q;
  }
  __device__ INLINE Quad numbers(const Four &q) const { return q; }
};

// WholeColumns are Columns of floats whose rows are a multiple of 4.
struct WholeColumns {
  typedef Quad Four;
  const float *p;
  int k, n, first;

  __device__ INLINE WholeColumns(const float *p_, int k_, int n_, int first_) : p(p_), k(k_), n(n_), first(first_) {}
  __device__ INLINE void column(int r, int) {
    first += r;
    p += first;
  }
  __device__ INLINE Quad four(int at, int) const { return first < n && at < k ? ::four(p + at * n) : zero_quad(); }
  __device__ INLINE Quad numbers(const Quad &q) const { return q; }
};
