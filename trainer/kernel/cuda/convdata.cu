// Gradients of convolutions by their input: with the taps from last to first, again windows by filters, of the gradient by the
// output; behind a pooling, of that by the pooled values, read as if it were already spread over the full map.
//
// Where the plan multiplies the result by the slope of the activation that made the input, act and ref say so, and it is done here.
#include "epilogue.cuh"
#include "window.cuh"

// Scattered is Sloped for rows that are by four, into the pixels of (images, h, w, n).
struct Scattered {
  value_t *to;
  const value_t *y;
  int rows, h, w, n, m0, n0, act;

  __device__ INLINE void operator()(int m, int n4, const Quad (&c)[4]) const {
    const int at = n0 + n4, left = n - at;
    if (left <= 0 || m0 + m >= rows) return;
    const Pixel o = pixel_of<true>(m0 + m, h, w);
    const long long p = ((long long)(o.image * h + o.y) * w + o.x) * n + at;
    UNROLL for (int i = 0; i < 4; i++) {
      const long long to_i = p + (i / 2 * w + i % 2) * n;
      put_gradient(to + to_i, y + to_i, act, c[i], left, n % 4 == 0);
    }
  }
};

// backward makes dst (images, h, w, ci) of src (images, h, w, co), or POOL (images, h/2, w/2, co) with its places. ODD is for
// numbers of channels that are no multiples of 8.
template <class T, bool POOL, bool ODD> __device__ INLINE void backward(const Task *t) {
  SHARED(Quad, shared, T::SHARED / 4);
  if (no_tile(t)) return;
  const Work piece = piece_tile(t);
  const Shape d = t->d, s = t->s;
  const int n = images(t->slots + piece.slot, piece.tile), rows = n * d.h * d.w, across = blocks_of(d.c, T::BN);
  const int m0 = blockIdx.x / across * T::BM, n0 = blockIdx.x % across * T::BN;
  if (m0 >= rows) return;
  const long long first = (long long)piece.tile * TILE, from = first * s.h * s.w * s.c;
  const value_t *dy = value(t, piece.slot, t->src) + from;
  const long long into = first * d.h * d.w * d.c;
  value_t *to = value(t, piece.slot, t->dst) + into;
  const value_t *y = outputs(t, piece.slot) + into;
  const float *w = weight(t, piece.slot, t->w);
  const int k = t->side * t->side * s.c;

  typedef typename Choice<ODD, OddFilters, Filters>::type FiltersOf;
  FiltersOf filters(w, t->side, d.c, s.c, n0);
  typename Choice<ODD, Across<T, T::BN, FiltersOf>, AlongTap<T, T::BN, FiltersOf>>::type b(filters);
  if constexpr (POOL) {
    typedef typename Choice<ODD, OneByOne<T, T::BM, Unpooled>, AlongTap<T, T::BM, Unpooled>>::type A;
    Unpooled windows(dy, bytes(t, piece.slot, t->arg) + from, d, s.c, t->side, n, m0, A::own());
    A a(windows);
    Scattered e{to, y, rows, d.h, d.w, d.c, m0, n0, t->act};
    product<T>((float *)shared, a, b, k, e);
  } else {
    typedef Windows<false> Source;
    Source windows(dy, s, t->side, n, m0);
    typename Choice<ODD, OneByOne<T, T::BM, Source>, AlongTap<T, T::BM, Source>>::type a(windows);
    Sloped e{to, y, rows, d.c, m0, n0, t->act};
    product<T>((float *)shared, a, b, k, e);
  }
}

// One block less at once than forward: the slope takes registers too.
#define BACKWARD(name, tile)                                                                            \
  KERNEL_BESIDE(conv_data_##name, tile::THREADS, OnTensor<tile>::BLOCKS - 1) { backward<OnTensor<tile>, false, false>(t); }                \
  KERNEL_BESIDE(conv_data_##name##_odd, tile::THREADS, tile::BLOCKS - 1) { backward<tile, false, true>(t); }           \
  KERNEL_BESIDE(conv_pool_data_##name, tile::THREADS, OnTensor<tile>::BLOCKS - 1) { backward<OnTensor<tile>, true, false>(t); }            \
  KERNEL_BESIDE(conv_pool_data_##name##_odd, tile::THREADS, tile::BLOCKS - 1) { backward<tile, true, true>(t); }
BACKWARD(16, Narrow)
BACKWARD(32, Middle)
BACKWARD(64, Wide)
