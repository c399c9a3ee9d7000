// Steps that take each value by itself: act, act.grad, add and copy. A thread takes four values.
#include "math.cuh"
#include "tile.cuh"

#define THREADS 256

// act: dst = act(src), or of dst where there is no src.
KERNEL(act, THREADS) {
  if (no_tile(t)) return;
  Work p = piece_tile(t);
  int count, act = t->act, i = (blockIdx.x * THREADS + threadIdx.x) * 4;
  value_t *dst = tile_of(t, p, t->dst, t->d, &count);
  const value_t *src = t->src == NONE ? dst : tile_of(t, p, t->src, t->d, &count);
  if (i >= count) return;
  Quad v = numbers(up_to_four(src + i, count - i, true));
  UNROLL for (int j = 0; j < 4; j++) v[j] = activate(act, v[j]);
  put_up_to_four(dst + i, v, count - i, true);
}

// act_grad: dst is multiplied by the slope of act where its output (its input, where act keeps that) is ref.
KERNEL(act_grad, THREADS) {
  if (no_tile(t)) return;
  Work p = piece_tile(t);
  int count, act = t->act, i = (blockIdx.x * THREADS + threadIdx.x) * 4;
  value_t *dst = tile_of(t, p, t->dst, t->d, &count);
  const value_t *ref = tile_of(t, p, t->ref, t->d, &count);
  if (i >= count) return;
  Quad v = numbers(up_to_four(dst + i, count - i, true)), y = numbers(up_to_four(ref + i, count - i, true));
  UNROLL for (int j = 0; j < 4; j++) v[j] = activation_grad(act, v[j], y[j]);
  put_up_to_four(dst + i, v, count - i, true);
}

// add: dst = act(src + ref).
KERNEL(add, THREADS) {
  if (no_tile(t)) return;
  Work p = piece_tile(t);
  int count, act = t->act, i = (blockIdx.x * THREADS + threadIdx.x) * 4;
  value_t *dst = tile_of(t, p, t->dst, t->d, &count);
  const value_t *a = tile_of(t, p, t->src, t->d, &count), *b = tile_of(t, p, t->ref, t->d, &count);
  if (i >= count) return;
  Quad v = numbers(up_to_four(a + i, count - i, true)) + numbers(up_to_four(b + i, count - i, true));
  UNROLL for (int j = 0; j < 4; j++) v[j] = activate(act, v[j]);
  put_up_to_four(dst + i, v, count - i, true);
}

// copy: dst = src. Both have the same values in the same order, though perhaps another shape.
KERNEL(copy, THREADS) {
  if (no_tile(t)) return;
  Work p = piece_tile(t);
  int count, i = (blockIdx.x * THREADS + threadIdx.x) * 4;
  value_t *dst = tile_of(t, p, t->dst, t->d, &count);
  const value_t *src = tile_of(t, p, t->src, t->d, &count);
  if (i >= count) return;
  put_up_to_four(dst + i, numbers(up_to_four(src + i, count - i, true)), count - i, true);
}
