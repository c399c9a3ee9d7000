// Gradients of convolutions by their weights and their bias: for each tile of images a product of what the taps see, (pixels,
// side·side·ci), turned, by the gradient of the output, (pixels, co). Each makes partial sums of its own, which the step reduce
// adds.
#include "convfirst.cuh"
#include "epilogue.cuh"
#include "taps.cuh"

// bias_sums adds what each thread has of four columns, and writes the sums of columns n0 … of the tile's n.
template <class T, class B> __device__ INLINE void bias_sums(float *shared, const B &b, float *to, int n0, int n) {
  __syncthreads();
  *(Quad *)(shared + b.first * T::BN + b.row) = b.sum;
  __syncthreads();
  for (int i = threadIdx.x; i < T::BN; i += T::THREADS) {
    if (n0 + i >= n) continue;
    float sum = 0;
    for (int k = 0; k < B::STEP; k++) sum += shared[k * T::BN + i];
    to[n0 + i] = sum;
  }
}

// gradient makes partial sums of one tile of images: ref is the input, src the gradient by the output, POOL by the pooled
// values, with their places. ODD is for numbers of channels that are no multiples of 8.
template <class T, bool POOL, bool ODD> __device__ INLINE void gradient(const Task *t) {
  SHARED(Quad, shared, T::SHARED / 4);
  if (no_tile(t)) return;
  const Work piece = piece_tile(t);
  const Shape r = t->r, s = t->s;
  const int n = images(t->slots + piece.slot, piece.tile), rows = t->side * t->side * r.c, co = s.c;
  const int across = blocks_of(co, T::BN), m0 = blockIdx.x / across * T::BM, n0 = blockIdx.x % across * T::BN;
  if (m0 >= rows) return;
  const long long first = (long long)piece.tile * TILE, from = first * s.h * s.w * co;
  const value_t *x = value(t, piece.slot, t->ref) + first * r.h * r.w * r.c, *dy = value(t, piece.slot, t->src) + from;
  const int pixels = n * r.h * r.w;
  const bool bias = t->b != NONE && m0 == 0;

  typedef typename Choice<ODD, AcrossOnes<T, T::BM, Taps<T, T::BM, POOL, true>>, Across<T, T::BM, Taps<T, T::BM, POOL, false>>>::type A;
  typename A::Taken taps(x, r, t->side, pixels, m0);
  A a(taps);
  Rows<float> e{partial(t, piece.slot, piece.tile, t->w), nullptr, rows, co, m0, n0, IDENTITY};
  if constexpr (POOL) {
    Unfolded<T, T::BN, ODD> b(dy, bytes(t, piece.slot, t->arg) + from, pixels / 4, co, n0, bias);
    product<T>((float *)shared, a, b, pixels, e);
    if (bias) bias_sums<T>((float *)shared, b, partial(t, piece.slot, piece.tile, t->b), n0, co);
  } else {
    Summed<T, T::BN, ODD> b(dy, pixels, co, n0, bias);
    product<T>((float *)shared, a, b, pixels, e);
    if (bias) bias_sums<T>((float *)shared, b, partial(t, piece.slot, piece.tile, t->b), n0, co);
  }
}

typedef Tile<48, 16, 48, 8, 8, 16> By16;
typedef Tile<48, 32, 48, 8, 8, 8> By32;
typedef Tile<48, 64, 24, 8, 8, 4> By64;
typedef Tile<32, 16, 64, 8, 8, 32> OddBy16;
typedef Tile<32, 32, 64, 8, 8, 16> OddBy32;
typedef Tile<32, 64, 32, 8, 8, 8> OddBy64;

#define GRADIENT(name, tile, odd)                                                                           \
  KERNEL_BESIDE(conv_weights_##name, tile::THREADS, odd ? 1 : 2) { gradient<By<tile, odd>, false, odd>(t); }         \
  KERNEL_BESIDE(conv_pool_weights_##name, tile::THREADS, odd ? 1 : 2) { gradient<By<tile, odd>, true, odd>(t); }
GRADIENT(16, By16, false)
GRADIENT(32, By32, false)
GRADIENT(64, By64, false)
GRADIENT(16_odd, OddBy16, true)
GRADIENT(32_odd, OddBy32, true)
GRADIENT(64_odd, OddBy64, true)

KERNEL_BESIDE(conv_first1_weights, 2 * GROUPS, 6) { first_weights<1>(t); }
KERNEL_BESIDE(conv_first3_weights, 6 * GROUPS, 2) { first_weights<3>(t); }
