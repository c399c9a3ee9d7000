// Transposed convolutions that double the sides: 2x2 with stride 2 (kernel.ConvT), and 3x3 with stride 2, padding 1 and output
// padding 1 (kernel.ConvT3). x is (n, h, w, ci), y (n, 2h, 2w, co), weights (ci, side, side, co). A piece of work is a tile of
// images; blockIdx.x one tile of a matrix. Those to one or three channels by 2x2 have kernels of their own: convt_thin.cuh.
#include "columns.cuh"
#include "convt_taps.cuh"
#include "convt_thin.cuh"
#include "epilogue.cuh"

typedef Tile<128, 64, 8, 8, 8> Broad;  // of more than 32 columns
typedef Tile<128, 32, 8, 8, 4> Slim;   // of fewer
typedef Tile<64, 64, 16, 8, 8, 2> Large;  // weights: of more than 32 input channels
typedef Tile<32, 64, 16, 4, 8, 4> Small;  // of fewer

// Loader is how a source along k is read: by four, or one by one where the channels are no multiple of 4.
template <class T, class S, bool ODD> struct Loader : Choice<ODD, OneByOne<T, T::BM, S>, AlongK<T, T::BM, S>> {};

template <class T, int SIDE, bool ODD> __device__ INLINE void convt_forward(const Task *t) {
  SHARED(Quad, shared, T::SHARED / 4);
  if (no_tile(t)) return;
  const Work piece = piece_tile(t);
  const int n = images(t->slots + piece.slot, piece.tile), co = t->d.c, corners = SIDE == 2 ? 1 : 4;
  const int columns = SIDE == 2 ? 4 * co : co, across = blocks_of(columns, T::BN);
  const int corner = blockIdx.x % corners, col = blockIdx.x / corners % across * T::BN;
  const int row = blockIdx.x / corners / across * T::BM, rows = n * t->s.h * t->s.w;
  if (row >= rows) return;
  const long long pixels = (long long)piece.tile * TILE * t->s.h * t->s.w;
  const value_t *x = value(t, piece.slot, t->src) + pixels * t->s.c;
  const float *w = linear_weight(t, piece.slot);
  const int first = SIDE == 2 ? 0 : corner * co;
  Doubled e{value(t, piece.slot, t->dst) + pixels * 4 * co, linear_bias(t, piece.slot), t->s.w, co, rows, first + columns, row,
            first + col, t->act, Divisor(t->s.w, rows)};
  if constexpr (SIDE == 2) {
    typedef Transposed<value_t, Raw> Source;
    Source source(x, rows, t->s.c, row);
    Columns<float, Quad> weights(w, t->s.c, columns, col);
    AlongK<T, T::BM, Source> a(source);
    Across<T, T::BN, Columns<float, Quad>> b(weights);
    product<T>((float *)shared, a, b, t->s.c, e);
  } else {
    Quarter source(x, t->s, n, row, corner / 2, corner % 2);
    QuarterWeights weights(w, t->s.c, co, col, corner / 2, corner % 2);
    typename Loader<T, Quarter, ODD>::type a(source);
    Across<T, T::BN, QuarterWeights> b(weights);
    product<T>((float *)shared, a, b, source.k(), e);
  }
}

// dx of dy, times the slope of act where it made x.
template <class T, int SIDE, bool ODD> __device__ INLINE void convt_data(const Task *t) {
  SHARED(Quad, shared, T::SHARED / 4);
  if (no_tile(t)) return;
  const Work piece = piece_tile(t);
  const int n = images(t->slots + piece.slot, piece.tile), ci = t->d.c, co = t->s.c, across = blocks_of(ci, T::BN);
  const int col = blockIdx.x % across * T::BN, row = blockIdx.x / across * T::BM, rows = n * t->d.h * t->d.w;
  if (row >= rows) return;
  const long long pixels = (long long)piece.tile * TILE * t->d.h * t->d.w;
  Double<SIDE> map(t->d, co, n);
  Scattered<SIDE> source(value(t, piece.slot, t->src) + pixels * 4 * co, map, row);
  Transposed<float, Quad> weights(weight(t, piece.slot, t->w), ci, SIDE * SIDE * co, col);
  Sloped e{value(t, piece.slot, t->dst) + pixels * ci, outputs(t, piece.slot) + pixels * ci, rows, ci, row, col, t->act};
  typename Loader<T, Scattered<SIDE>, ODD>::type a(source);
  AlongK<T, T::BN, Transposed<float, Quad>> b(weights);
  product<T>((float *)shared, a, b, SIDE * SIDE * co, e);
}

// A tile's share of dw and db, of x and dy. The first blocks make the bias's.
template <class T, int SIDE, bool ODD> __device__ INLINE void convt_weights(const Task *t) {
  SHARED(Quad, shared, T::SHARED / 4);
  if (no_tile(t)) return;
  const Work piece = piece_tile(t);
  const int n = images(t->slots + piece.slot, piece.tile), ci = t->r.c, co = t->s.c, columns = SIDE * SIDE * co;
  const int across = blocks_of(columns, T::BN), x = (int)blockIdx.x - blocks_of(co, BIAS_COLUMNS);
  const int row = x / across * T::BM, col = x % across * T::BN, pixels = n * t->r.h * t->r.w;
  const long long first = (long long)piece.tile * TILE * t->r.h * t->r.w;
  const value_t *dy = value(t, piece.slot, t->src) + first * 4 * co;
  if (x < 0) {
    if (t->b == NONE) return;
    float *db = partial(t, piece.slot, piece.tile, t->b);
    column_sums<T::THREADS>(db, dy, 4 * pixels, co, (int)blockIdx.x * BIAS_COLUMNS, (float *)shared);
    return;
  }
  if (row >= ci) return;
  Double<SIDE> map(t->r, co, n);
  Columns<value_t, Raw> xs(value(t, piece.slot, t->ref) + first * ci, pixels, ci, row);
  ScatteredColumns<SIDE, ODD> dys(dy, map, col);
  Rows<float> e{partial(t, piece.slot, piece.tile, t->w), nullptr, ci, columns, row, col, IDENTITY};
  Across<T, T::BM, Columns<value_t, Raw>> a(xs);
  Across<T, T::BN, ScatteredColumns<SIDE, ODD>> b(dys);
  product<T>((float *)shared, a, b, pixels, e);
}

#define THIN_KERNELS(co)                          \
  KERNEL_BESIDE(convt_thin##co, THIN, 3) {        \
    if (no_tile(t)) return;                       \
    SHARED(Quad, values, THIN * co);              \
    SHARED(Quad, ws, THIN_CHUNK * co);            \
    thin_forward<co>(t, piece_tile(t), (float *)values, (float *)ws); \
  }                                               \
  KERNEL(convt_thin##co##_data, THIN) {           \
    if (no_tile(t)) return;                       \
    SHARED(Quad, values, THIN * co);              \
    SHARED(Quad, ws, THIN_CHUNK * co);            \
    thin_data<co>(t, piece_tile(t), (float *)values, (float *)ws); \
  }                                               \
  KERNEL(convt_thin##co##_weights, THIN) {        \
    if (no_tile(t)) return;                       \
    SHARED(float, red, THIN / 2 * 17 * co);       \
    thin_weights<co>(t, piece_tile(t), red);      \
  }

#define FORWARD(name, side, odd)                                                                \
  KERNEL(convt##name##_wide, Broad::THREADS) { convt_forward<By<Broad, odd>, side, odd>(t); }       \
  KERNEL(convt##name##_narrow, Slim::THREADS) { convt_forward<By<Slim, odd>, side, odd>(t); }
#define GRADIENTS(side, odd, suffix)                                                                              \
  KERNEL(convt##side##_data_wide##suffix, Broad::THREADS) { convt_data<By<Broad, odd>, side, odd>(t); }               \
  KERNEL(convt##side##_data_narrow##suffix, Slim::THREADS) { convt_data<By<Slim, odd>, side, odd>(t); }         \
  KERNEL(convt##side##_weights_large##suffix, Large::THREADS) { convt_weights<By<Large, odd>, side, odd>(t); }      \
  KERNEL(convt##side##_weights_small##suffix, Small::THREADS) { convt_weights<By<Small, odd>, side, odd>(t); }

THIN_KERNELS(1)
THIN_KERNELS(3)
FORWARD(2, 2, false)
FORWARD(3, 3, false)
FORWARD(3_odd, 3, true)
GRADIENTS(2, false, )
GRADIENTS(2, true, _odd)
GRADIENTS(3, false, )
GRADIENTS(3, true, _odd)
