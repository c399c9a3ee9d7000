// Pooling by the largest of 2x2, its reverse, and their gradients. arg holds, for each pooled value, which of the four it is:
// 2·row + column. A thread takes four channels of a pooled pixel where their number allows it, else one.
#include "pooled.cuh"
#include "tile.cuh"

#define THREADS 256

// Pooled says where the thread's pooled values lie in a tile, and the four places that they are pooled from: place[j] is that
// of 2·row + column = j.
struct Pooled {
  int at, place[4];
};

// pooled is where group i of V values of a tile of pooled images lies; shape is theirs.
template <int V>
__device__ INLINE Pooled pooled(int i, Shape shape) {
  int at = i * V, pixel = at / shape.c, c = at - pixel * shape.c;
  int row = pixel / shape.w, x = pixel - row * shape.w;  // rows of all images: an image has an even number of them before
  int wide = 2 * shape.w * shape.c;
  int first = 2 * row * wide + 2 * x * shape.c + c;
  return Pooled{at, {first, first + shape.c, first + wide, first + wide + shape.c}};
}

// over calls f for its thread's group of a tile of images pooled to this shape: with four values, or with one.
template <class Wide, class Single>
__device__ INLINE void over(int count, Shape shape, Wide wide, Single single) {
  int i = blockIdx.x * THREADS + threadIdx.x;
  if (shape.c % 4 == 0) {
    if (4 * i < count) wide(pooled<4>(i, shape));
    return;
  }
  // The grid has a thread for four values: those of a block are the block's own.
  UNROLL for (int j = 0; j < 4; j++) {
    int at = (blockIdx.x * 4 + j) * THREADS + threadIdx.x;
    if (at < count) single(pooled<1>(at, shape));
  }
}

// tile_bytes is where a tile of the bytes arg begins, one for each value of this shape.
__device__ INLINE byte *tile_bytes(const Task *t, Work p, Shape shape) {
  return bytes(t, p.slot, t->arg) + (long long)p.tile * TILE * shape.h * shape.w * shape.c;
}

// pool: dst and arg of src.
KERNEL(pool, THREADS) {
  if (no_tile(t)) return;
  Work p = piece_tile(t);
  int count, all;
  value_t *dst = tile_of(t, p, t->dst, t->d, &count);
  const value_t *src = tile_of(t, p, t->src, t->s, &all);
  byte *arg = tile_bytes(t, p, t->d);
  over(
      count, t->d,
      [&](Pooled q) {
        Quad best = numbers(four(src + q.place[0]));
        byte4 at = {0, 0, 0, 0};
        UNROLL for (int j = 1; j < 4; j++) {
          Quad v = numbers(four(src + q.place[j]));
          UNROLL for (int k = 0; k < 4; k++) {
            if (beats(v[k], best[k])) best[k] = v[k], at[k] = (byte)j;
          }
        }
        put_four(dst + q.at, best);
        *(byte4 *)(arg + q.at) = at;
      },
      [&](Pooled q) {
        float best = load(src, q.place[0]);
        byte at = 0;
        UNROLL for (int j = 1; j < 4; j++) {
          float v = load(src, q.place[j]);
          if (beats(v, best)) best = v, at = (byte)j;
        }
        store(dst, q.at, best);
        arg[q.at] = at;
      });
}

// unpool, and the gradient of pool: dst is src where arg says, 0 elsewhere.
KERNEL(unpool, THREADS) {
  if (no_tile(t)) return;
  Work p = piece_tile(t);
  int count, all;
  value_t *dst = tile_of(t, p, t->dst, t->d, &all);
  const value_t *src = tile_of(t, p, t->src, t->s, &count);
  const byte *arg = tile_bytes(t, p, t->s);
  over(
      count, t->s,
      [&](Pooled q) {
        Quad v = numbers(four(src + q.at));
        byte4 at = *(const byte4 *)(arg + q.at);
        UNROLL for (int j = 0; j < 4; j++) {
          Quad part;
          UNROLL for (int k = 0; k < 4; k++) part[k] = at[k] == j ? v[k] : 0;
          put_four(dst + q.place[j], part);
        }
      },
      [&](Pooled q) {
        float v = load(src, q.at);
        UNROLL for (int j = 0; j < 4; j++) store(dst, q.place[j], arg[q.at] == j ? v : 0);
      });
}

// unpool_grad: dst is what of src stands where arg says.
KERNEL(unpool_grad, THREADS) {
  if (no_tile(t)) return;
  Work p = piece_tile(t);
  int count, all;
  value_t *dst = tile_of(t, p, t->dst, t->d, &count);
  const value_t *src = tile_of(t, p, t->src, t->s, &all);
  const byte *arg = tile_bytes(t, p, t->d);
  over(
      count, t->d,
      [&](Pooled q) {
        byte4 at = *(const byte4 *)(arg + q.at);
        Quad v = numbers(four(src + q.place[0]));
        UNROLL for (int j = 1; j < 4; j++) {
          Quad w = numbers(four(src + q.place[j]));
          UNROLL for (int k = 0; k < 4; k++) v[k] = at[k] == j ? w[k] : v[k];
        }
        put_four(dst + q.at, v);
      },
      [&](Pooled q) {
        float v = load(src, q.place[0]);
        UNROLL for (int j = 1; j < 4; j++) {
          float w = load(src, q.place[j]);
          v = arg[q.at] == j ? w : v;
        }
        store(dst, q.at, v);
      });
}
