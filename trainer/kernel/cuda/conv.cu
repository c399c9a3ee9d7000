// Convolutions with an odd side, stride 1 and same padding, as products of matrices (gemm.cuh). Weights
// are (ky, kx, ci, co). A piece of work is a tile of images, blockIdx.x one tile of the matrix: along pixels, and within them
// along channels.
#include "epilogue.cuh"
#include "pooled.cuh"
#include "window.cuh"

// Pooled is the epilogue of rows that are by four: the largest of each four after the bias, the first of equals, NaN being
// larger than every number; then the activation.
struct Pooled {
  value_t *to;
  byte *arg;
  const float *bias;
  int rows, n, m0, n0, act;

  __device__ INLINE void operator()(int m, int n4, const Quad (&c)[4]) const {
    const int at = n0 + n4, left = n - at;
    if (left <= 0 || m0 + m >= rows) return;
    const bool whole = n % 4 == 0;
    const Quad b = bias ? up_to_four(bias + at, left, whole) : zero_quad();
    Quad best[1] = {c[0] + b};
    word places = 0;
    UNROLL for (int i = 1; i < 4; i++) {
      const Quad v = c[i] + b;
      UNROLL for (int j = 0; j < 4; j++) {
        const bool larger = beats(v[j], best[0][j]);
        best[0][j] = larger ? v[j] : best[0][j];
        places = larger ? (places & ~(0xffu << 8 * j)) | (word)i << 8 * j : places;
      }
    }
    activate_quads(act, best);
    const long long p = (long long)((m0 + m) / 4) * n + at;
    put_up_to_four(to + p, best[0], left, whole);
    if (whole && left >= 4) {
      *(GLOBAL word *)(arg + p) = places;
      return;
    }
    UNROLL for (int j = 0; j < 4; j++)
      if (j < left) arg[p + j] = (byte)(places >> 8 * j);
  }
};

// forward is the convolution of a tile of images, POOL followed by a max-pooling 2x2. ODD is for numbers of channels
// that are no multiples of 8.
template <class T, bool POOL, bool ODD> __device__ INLINE void forward(const Task *t) {
  SHARED(Quad, shared, T::SHARED / 4);
  if (no_tile(t)) return;
  const Work piece = piece_tile(t);
  const Slot *slot = t->slots + piece.slot;
  const Shape s = t->s;
  const int n = images(slot, piece.tile), co = t->d.c, rows = n * s.h * s.w, across = blocks_of(co, T::BN);
  const int m0 = blockIdx.x / across * T::BM, n0 = blockIdx.x % across * T::BN;
  if (m0 >= rows) return;
  const long long first = (long long)piece.tile * TILE;
  const float *w, *bias;
  if (t->fold != NONE) {
    w = slot->folded + t->fold;
    bias = slot->folded + t->fold_bias;
  } else {
    w = weight(t, piece.slot, t->w);
    bias = t->b == NONE ? nullptr : weight(t, piece.slot, t->b);
  }
  typedef Windows<POOL> Source;
  Source windows(value(t, piece.slot, t->src) + first * s.h * s.w * s.c, s, t->side, n, m0);
  const int k = t->side * t->side * s.c;
  typedef typename Choice<ODD, Columns<float, Quad>, WholeColumns>::type Matrix;
  Matrix matrix(w, k, co, n0);
  Across<T, T::BN, Matrix> b(matrix);
  value_t *to = value(t, piece.slot, t->dst) + first * t->d.h * t->d.w * co;
  typename Choice<ODD, OneByOne<T, T::BM, Source>, AlongTap<T, T::BM, Source>>::type a(windows);
  if constexpr (POOL) {
    Pooled e{to, bytes(t, piece.slot, t->arg) + first * t->d.h * t->d.w * co, bias, rows, co, m0, n0, t->act};
    product<T>((float *)shared, a, b, k, e);
  } else {
    Rows<value_t> e{to, bias, rows, co, m0, n0, t->act};
    product<T>((float *)shared, a, b, k, e);
  }
}

#define FORWARD(name, tile)                                                                \
  KERNEL_BESIDE(conv_##name, tile::THREADS, OnTensor<tile>::BLOCKS) { forward<OnTensor<tile>, false, false>(t); }                   \
  KERNEL_BESIDE(conv_##name##_odd, tile::THREADS, tile::BLOCKS - 1) { forward<tile, false, true>(t); }              \
  KERNEL_BESIDE(conv_pool_##name, tile::THREADS, OnTensor<tile>::BLOCKS) { forward<OnTensor<tile>, true, false>(t); }               \
  KERNEL_BESIDE(conv_pool_##name##_odd, tile::THREADS, tile::BLOCKS - 1) { forward<tile, true, true>(t); }
FORWARD(16, Narrow)
FORWARD(32, Middle)
FORWARD(64, Wide)
