// The images of a unit, out of a set of bytes.
#include "tile.cuh"

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
  int h = t->crop_h, w = t->crop_w, c = t->d.c, wide = t->d.w, high = t->d.h;
  int i = (blockIdx.x * THREADS + threadIdx.x) * 4;
  if (i >= count) return;
  int pixel = i / c, k = i - pixel * c, row = pixel / wide, x = pixel - row * wide, n = row / high, y = row - n * high;
  Quad v = zero_quad();
  UNROLL for (int j = 0; j < 4; j++) {
    if (i + j < count && y < h && x < w) {
      int image = u->order[u->first + p.tile * TILE + n];
      bool flip = u->flips != 0 && u->flips[image] == 1;
      v[j] = pixel_value(u->pixels[(((long long)image * h + y) * w + (flip ? w - 1 - x : x)) * c + k]);
    }
    // The next value's channel, column, row and image.
    if (++k == c) k = 0, x++;
    if (x == wide) x = 0, y++;
    if (y == high) y = 0, n++;
  }
  put_up_to_four(dst + i, v, count - i, true);
}
