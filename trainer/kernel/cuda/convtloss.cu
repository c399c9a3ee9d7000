// The transposed convolution 2x2 to one or three channels that ends a decoder, with the loss of what it gives: of slots whose
// loss is MSE or MAE the output goes nowhere, but the gradient before the output's activation is written, and the images' sums.
// Slots with SSIM get the output, which the step loss then takes.
//
// It is for maps of which a block's patch has whole images: src is x, ref the target and arg the gradient, both (n, 2h, 2w, CO),
// dst the output.
#include "convt_thin.cuh"
#include "loss.cuh"

// held is v as a value of the map holds it: the loss is of what a step of its own would read.
__device__ INLINE float held(float v) {
#if PRECISION == BF16
  return bits_float((word)to_half(v) << 16);
#else
  return v;
#endif
}

template <int CO>
__device__ INLINE void thin_loss(const Task *t, float *values, float *ws, double *room) {
  const Work piece = piece_tile(t);
  const Slot *s = t->slots + piece.slot;
  const Patch patch(t->s, images(s, piece.tile));
  if (patch.nrows <= 0) return;
  thin_values<CO>(t, piece, patch, values, ws);
  if (s->loss == MSE_SSIM) {
    thin_store<CO>(t, piece, patch, values);
    return;
  }
  const int h = t->s.h, first = piece.tile * TILE + patch.row / h, size = 4 * h * t->s.w * CO;
  const Square with(s, t->d, t->crop_h, t->crop_w, t->act);
  const value_t *ref = value(t, piece.slot, t->ref) + (long long)first * size;
  value_t *g = value(t, piece.slot, t->arg) + (long long)first * size;
  for (int i = 0; i * h < patch.nrows; i++) {
    double sums[3] = {0, 0, 0};
    for (int e = 4 * (int)threadIdx.x; e < size; e += 4 * THIN) {
      const Quad y = shared_four(values + i * size + e);
      float ys[4] = {held(y[0]), held(y[1]), held(y[2]), held(y[3])}, ts[4], gs[4];
      load_some<4>(ts, ref, (long long)i * size + e);
      with.compare<4>(gs, ys, ts, e, sums);
      store_some<4>(g, (long long)i * size + e, gs);
    }
    block_sums<3, THIN>(room, sums);
    if (threadIdx.x == 0) put_sums(s->image + (first + i) * IMAGE_SUMS, room[0], room[1], 0, room[2], room[0], room[1], 0);
    __syncthreads();
  }
}

#define THIN_LOSS(co)                        \
  KERNEL_BESIDE(convt_thin##co##_loss, THIN, 2) {      \
    if (no_tile(t)) return;                  \
    SHARED(Quad, values, THIN * co);         \
    SHARED(Quad, ws, THIN_CHUNK * co);       \
    SHARED(double, room, 3 * (THIN + 1));    \
    thin_loss<co>(t, (float *)values, (float *)ws, room); \
  }

THIN_LOSS(1)
THIN_LOSS(3)
