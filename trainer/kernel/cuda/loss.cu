// The losses of a training step with their gradients, and the comparison of an evaluation: kernel.Loss and kernel.Evaluate
// for each image, into Slot.image. A block of threads takes an image: blockIdx.x is its number within the piece's tile.
//
// Means are over the values of all of the unit's images. What a gradient's step would do next, the slope of the output
// activation, is done here (Task.act).
#include "loss.cuh"

#define LOSS_THREADS 128

// loss_image compares an image by MSE or MAE, V values at a time, and writes the gradient.
template <int V>
__device__ INLINE void loss_image(const Task *t, const Slot *s, const value_t *p, const value_t *ref, value_t *g, double *sums) {
  const Square with(s, t->s, t->crop_h, t->crop_w, t->act);
  for (int e = threadIdx.x * V; e < with.rows * with.row; e += LOSS_THREADS * V) {
    float ys[V], ts[V], gs[V];
    load_some<V>(ys, p, e);
    load_some<V>(ts, ref, e);
    with.compare<V>(gs, ys, ts, e, sums);
    store_some<V>(g, e, gs);
  }
}

KERNEL(loss, LOSS_THREADS) {
  if (no_tile(t)) return;
  Work piece = piece_tile(t);
  const Slot *s = t->slots + piece.slot;
  if ((int)blockIdx.x >= images(s, piece.tile) || s->loss == MSE_SSIM) return;
  SHARED(double, room, 3 * (LOSS_THREADS + 1));
  const int i = piece.tile * TILE + blockIdx.x, size = t->s.h * t->s.w * t->s.c;
  const value_t *p = value(t, piece.slot, t->src) + (long long)i * size;
  const value_t *ref = value(t, piece.slot, t->ref) + (long long)i * size;
  value_t *g = value(t, piece.slot, t->dst) + (long long)i * size;
  double sums[3] = {0, 0, 0};
  if (size % 4 == 0)
    loss_image<4>(t, s, p, ref, g, sums);
  else
    loss_image<1>(t, s, p, ref, g, sums);
  block_sums<3, LOSS_THREADS>(room, sums);
  if (threadIdx.x == 0) put_sums(s->image + i * IMAGE_SUMS, room[0], room[1], 0, room[2], room[0], room[1], 0);
}

__device__ INLINE Compared compared(const Task *t, const Slot *s, int slot, int i) {
  Compared a;
  const long long at = (long long)i * t->s.h * t->s.w * t->s.c;
  a.p = value(t, slot, t->src) + at;
  a.t = value(t, slot, t->ref) + at;
  a.g = 0;
  a.w = t->s.w;
  a.c = t->s.c;
  a.crop_h = t->crop_h;
  a.crop_w = t->crop_w;
  a.output = s->output;
  a.act = IDENTITY;
  a.clip = false;
  a.square = a.scale = 0;
  return a;
}

// windows_in is how many windows an image has.
__device__ INLINE double windows_in(const Task *t, int k) {
  return (double)(t->crop_h - k + 1) * (t->crop_w - k + 1) * t->s.c;
}

// SSIM_KERNEL is a kernel that compares images with SSIM by a function for one layout of the shared memory; so many of its blocks
// shall fit on a multiprocessor at once.
#define SSIM_KERNEL(name, compare, blocks)    \
  KERNEL_BESIDE(name, SSIM_THREADS, blocks) { \
    DYNAMIC_SHARED(float, memory);            \
    SHARED(float, window, SSIM_WINDOW);       \
    compare(t, memory, window);               \
  }

// loss_ssim_of is the loss of slots that have SSIM in it; others were served by loss.
template <typename L>
__device__ INLINE void loss_ssim_of(const Task *t, float *memory, float *window) {
  if (no_tile(t)) return;
  Work piece = piece_tile(t);
  const Slot *s = t->slots + piece.slot;
  if ((int)blockIdx.x >= images(s, piece.tile) || s->loss != MSE_SSIM) return;
  const int i = piece.tile * TILE + blockIdx.x, k = ssim_window(t->crop_h, t->crop_w);
  const int row = t->s.w * t->s.c, size = t->s.h * row, width = t->crop_w * t->s.c;
  const double windows = windows_in(t, k);
  ssim_taps(window, k);
  Taps<L::K> taps;
  taps.take(window, k);
  Compared a = compared(t, s, piece.slot, i);
  a.g = value(t, piece.slot, t->dst) + (long long)i * size;
  a.act = t->act;
  a.square = gradient_of(s, t->crop_h * width);
  a.scale = (float)(-(double)s->ssim_weight * (s->output == TANH ? 0.5 : 1.0) / (s->unit.n * windows));
  if (t->crop_h != t->s.h || width != row)
    for (int e = threadIdx.x; e < size; e += SSIM_THREADS)
      if (e / row >= t->crop_h || e % row >= width) store(a.g, e, 0);
  Comparison c = {};
  compare_image<L, true>(a, taps, memory, &c);
  double *room = (double *)memory, sums[4] = {c.se, c.ae, c.ssim, (double)c.within};
  block_sums<4, SSIM_THREADS>(room, sums);
  if (threadIdx.x == 0) {
    double ssim = room[2] / windows;
    put_sums(s->image + i * IMAGE_SUMS, room[0], room[1], ssim, room[3], room[0], room[1], ssim);
  }
}

SSIM_KERNEL(loss_whole, loss_ssim_of<Whole>, 4)
SSIM_KERNEL(loss_parted, loss_ssim_of<Parted>, 4)
SSIM_KERNEL(loss_small, loss_ssim_of<Small>, 4)

// evaluate_of compares an image without a gradient. Without an output activation values may leave 0 … 1, where no pixel is:
// the sums are then of what one sees, but those that the loss is of are of the values as they are.
template <typename L>
__device__ INLINE void evaluate_of(const Task *t, float *memory, float *window) {
  if (no_tile(t)) return;
  Work piece = piece_tile(t);
  const Slot *s = t->slots + piece.slot;
  if ((int)blockIdx.x >= images(s, piece.tile)) return;
  const int i = piece.tile * TILE + blockIdx.x, k = ssim_window(t->crop_h, t->crop_w);
  const double windows = windows_in(t, k);
  double *room = (double *)memory, *to = s->image + i * IMAGE_SUMS;
  ssim_taps(window, k);
  Taps<L::K> taps;
  taps.take(window, k);
  Compared a = compared(t, s, piece.slot, i);
  a.clip = s->output == IDENTITY;
  for (;;) {
    Comparison c = {};
    compare_image<L, false>(a, taps, memory, &c);
    double sums[7] = {c.se, c.ae, c.ssim, (double)c.within, c.raw_se, c.raw_ae, (double)c.outside};
    block_sums<7, SSIM_THREADS>(room, sums);
    const double ssim = room[2] / windows;
    const bool again = a.clip && s->loss == MSE_SSIM && room[6] > 0;  // SSIM of the values as they are is wanted too
    if (threadIdx.x == 0) {
      if (s->output != IDENTITY || a.clip) put_sums(to, room[0], room[1], ssim, room[3], room[4], room[5], ssim);
      else to[IMAGE_LOSS_SSIM] = ssim;
    }
    if (!again) return;
    a.clip = false;
    __syncthreads();
  }
}

SSIM_KERNEL(evaluate_whole, evaluate_of<Whole>, 3)
SSIM_KERNEL(evaluate_parted, evaluate_of<Parted>, 3)
SSIM_KERNEL(evaluate_small, evaluate_of<Small>, 3)
