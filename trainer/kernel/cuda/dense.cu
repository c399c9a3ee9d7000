// Dense layers: y (n, out) = act(x (n, in)·w (in, out) + b), of a whole slot's unit at once. in or out may be the slot's own
// latent size: a launch has the blocks that the greatest needs, those beyond a slot's matrix leave.
#include "columns.cuh"
#include "epilogue.cuh"
#include "linear.cuh"
#include "slab.cuh"

typedef OnTensor<Tile<64, 32, 16, 4, 4>> DenseTile;          // forward and data: few blocks at small batches otherwise
typedef OnTensor<Tile<64, 64, 16, 8, 4>> DenseWeightsTile;   // weights: the sum runs over images only, there are many numbers

__device__ static inline int width(Shape s, const Slot *slot) { return s.h * s.w * channels(s.c, slot); }

KERNEL(dense, DenseTile::THREADS) {
  if (no_slot(t)) return;
  int slot = piece_slot(t).slot;
  const Slot *s = t->slots + slot;
  int n = s->unit.n, in = width(t->s, s), out = width(t->d, s);
  int across = blocks_of(out, DenseTile::BN), row = (int)blockIdx.x / across * DenseTile::BM;
  if (row >= n) return;
  SHARED(Quad, slabs, DenseTile::SHARED / 4);
  int col = (int)blockIdx.x % across * DenseTile::BN;
  Transposed<value_t, Raw> x(value(t, slot, t->src), n, in, row);
  Columns<float, Quad> w(linear_weight(t, slot), in, out, col);
  AlongK<DenseTile, DenseTile::BM, Transposed<value_t, Raw>> a(x);
  Across<DenseTile, DenseTile::BN, Columns<float, Quad>> b(w);
  Rows<value_t> to = {value(t, slot, t->dst), linear_bias(t, slot), n, out, row, col, t->act};
  product<DenseTile>((float *)slabs, a, b, in, to);
}

// dx (n, in) = dy (n, out)·wᵀ, times the slope of act where it made x.
KERNEL(dense_data, DenseTile::THREADS) {
  if (no_slot(t)) return;
  int slot = piece_slot(t).slot;
  const Slot *s = t->slots + slot;
  int n = s->unit.n, in = width(t->d, s), out = width(t->s, s);
  int across = blocks_of(in, DenseTile::BN), row = (int)blockIdx.x / across * DenseTile::BM;
  if (row >= n) return;
  SHARED(Quad, slabs, DenseTile::SHARED / 4);
  int col = (int)blockIdx.x % across * DenseTile::BN;
  Transposed<value_t, Raw> dy(value(t, slot, t->src), n, out, row);
  Transposed<float, Quad> w(weight(t, slot, t->w), in, out, col);
  AlongK<DenseTile, DenseTile::BM, Transposed<value_t, Raw>> a(dy);
  AlongK<DenseTile, DenseTile::BN, Transposed<float, Quad>> b(w);
  Sloped to = {value(t, slot, t->dst), outputs(t, slot), n, in, row, col, t->act};
  product<DenseTile>((float *)slabs, a, b, out, to);
}

// dw (in, out) = xᵀ·dy and db, the whole sum of the unit's images, into the gradient itself. The first blocks make the bias's.
KERNEL_BESIDE(dense_weights, DenseWeightsTile::THREADS, 4) {
  if (no_slot(t)) return;
  int slot = piece_slot(t).slot;
  const Slot *s = t->slots + slot;
  int n = s->unit.n, in = width(t->r, s), out = width(t->s, s);
  int across = blocks_of(out, DenseWeightsTile::BN), x = (int)blockIdx.x - blocks_of(out, BIAS_COLUMNS);
  if (x >= across * blocks_of(in, DenseWeightsTile::BM)) return;
  SHARED(Quad, slabs, DenseWeightsTile::SHARED / 4);
  const value_t *dy = value(t, slot, t->src);
  if (x < 0) {
    column_sums<DenseWeightsTile::THREADS>(grad(t, slot, t->b), dy, n, out, (int)blockIdx.x * BIAS_COLUMNS, (float *)slabs);
    return;
  }
  int row = x / across * DenseWeightsTile::BM, col = x % across * DenseWeightsTile::BN;
  Columns<value_t, Raw> xs(value(t, slot, t->ref), n, in, row), dys(dy, n, out, col);
  Across<DenseWeightsTile, DenseWeightsTile::BM, Columns<value_t, Raw>> a(xs);
  Across<DenseWeightsTile, DenseWeightsTile::BN, Columns<value_t, Raw>> b(dys);
  Rows<float> to = {grad(t, slot, t->w), nullptr, in, out, row, col, IDENTITY};
  product<DenseWeightsTile>((float *)slabs, a, b, n, to);
}
