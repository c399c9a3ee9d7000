// Steps that take each value by itself: act, act.grad, add and copy. A thread takes four values.
#include "math.cuh"
#include "vector.cuh"

#define THREADS 256

// each calls f(i, four) for its thread's part of a tile of count values: four values from i on where there are as many, else
// one after another.
template <class F>
__device__ inline void each(int count, F f) {
  int i = (blockIdx.x * THREADS + threadIdx.x) * 4;
  if (i + 4 <= count) {
    f(i, true);
    return;
  }
  for (; i < count; i++) f(i, false);
}

// act: dst = act(src), or of dst where there is no src.
KERNEL(act, THREADS) {
  if (no_tile(t)) return;
  Work p = piece_tile(t);
  int count, act = t->act;
  value_t *dst = tile_of(t, p, t->dst, t->d, &count);
  const value_t *src = t->src == NONE ? dst : tile_of(t, p, t->src, t->s, &count);
  each(count, [&](int i, bool four) {
    if (!four) {
      store(dst, i, activate(act, load(src, i)));
      return;
    }
    vec4 v = load4(src, i);
    for (int j = 0; j < 4; j++) v[j] = activate(act, v[j]);
    store4(dst, i, v);
  });
}

// act_grad: dst is multiplied by the slope of act where its output is ref.
KERNEL(act_grad, THREADS) {
  if (no_tile(t)) return;
  Work p = piece_tile(t);
  int count, act = t->act;
  value_t *dst = tile_of(t, p, t->dst, t->d, &count);
  const value_t *ref = tile_of(t, p, t->ref, t->d, &count);
  each(count, [&](int i, bool four) {
    if (!four) {
      store(dst, i, activation_grad(act, load(dst, i), load(ref, i)));
      return;
    }
    vec4 d = load4(dst, i), y = load4(ref, i);
    for (int j = 0; j < 4; j++) d[j] = activation_grad(act, d[j], y[j]);
    store4(dst, i, d);
  });
}

// add: dst = act(src + ref).
KERNEL(add, THREADS) {
  if (no_tile(t)) return;
  Work p = piece_tile(t);
  int count, act = t->act;
  value_t *dst = tile_of(t, p, t->dst, t->d, &count);
  const value_t *a = tile_of(t, p, t->src, t->d, &count), *b = tile_of(t, p, t->ref, t->d, &count);
  each(count, [&](int i, bool four) {
    if (!four) {
      store(dst, i, activate(act, load(a, i) + load(b, i)));
      return;
    }
    vec4 v = load4(a, i) + load4(b, i);
    for (int j = 0; j < 4; j++) v[j] = activate(act, v[j]);
    store4(dst, i, v);
  });
}

// copy: dst = src. Both have the same values in the same order, though perhaps another shape.
KERNEL(copy, THREADS) {
  if (no_tile(t)) return;
  Work p = piece_tile(t);
  int count;
  value_t *dst = tile_of(t, p, t->dst, t->d, &count);
  const value_t *src = tile_of(t, p, t->src, t->d, &count);
  each(count, [&](int i, bool four) {
    if (four) {
      store4(dst, i, load4(src, i));
    } else {
      dst[i] = src[i];
    }
  });
}
