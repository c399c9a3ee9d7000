// The images of a unit, out of a set of bytes.
#include "vector.cuh"

#define THREADS 256

// pixel_value is b/255, rounded once: the quotient by the reciprocal is one rounding away, and its remainder exact.
__device__ inline float pixel_value(byte b) {
  const float inverse = 1.0f / 255;
  float q = (float)b * inverse;
  return fma_(fma_(-q, 255, (float)b), inverse, q);
}

// gather: dst holds the unit's images as pixel/255, those that are marked turned left to right; zeros right and below where
// dst's sides are larger than the images'.
KERNEL(gather, THREADS) {
  if (no_tile(t)) return;
  Work p = piece_tile(t);
  const Slot *s = t->slots + p.slot;
  const Unit *u = &s->unit;
  int count;
  value_t *dst = tile_of(t, p, t->dst, t->d, &count);
  int h = t->image.h, w = t->image.w, c = t->d.c, wide = t->d.w, high = t->d.h;
  int i = (blockIdx.x * THREADS + threadIdx.x) * 4;
  if (i >= count) return;
  int pixel = i / c, k = i - pixel * c, row = pixel / wide, x = pixel - row * wide, n = row / high, y = row - n * high;
  vec4 v = {0, 0, 0, 0};
  const byte *from = 0;
  bool flip = false;
  for (int j = 0; j < 4 && i + j < count; j++) {
    if (from == 0) {
      int image = u->order[u->first + p.tile * TILE + n];
      from = u->pixels + (long long)image * h * w * c;
      flip = u->flips != 0 && u->flips[image] == 1;
    }
    if (y < h && x < w) v[j] = pixel_value(from[(y * w + (flip ? w - 1 - x : x)) * c + k]);
    // The next value's channel, column, row and image.
    if (++k < c) continue;
    k = 0;
    if (++x < wide) continue;
    x = 0;
    if (++y < high) continue;
    y = 0, n++, from = 0;
  }
  if (i + 4 <= count) {
    store4(dst, i, v);
    return;
  }
  for (int j = 0; i + j < count; j++) store(dst, i + j, v[j]);
}
