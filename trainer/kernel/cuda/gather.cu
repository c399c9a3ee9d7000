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
// dst's sides are larger than the images'. A block takes a part of one image, a thread four values.
KERNEL(gather, THREADS) {
  if (no_tile(t)) return;
  const Work p = piece_tile(t);
  const Slot *s = t->slots + p.slot;
  const Unit *u = &s->unit;
  const int c = t->d.c, wide = t->d.w * c, size = t->d.h * wide, row = t->crop_w * c;  // values
  const int parts = (size + 4 * THREADS - 1) / (4 * THREADS), n = blockIdx.x / parts;
  const int i = ((blockIdx.x - n * parts) * THREADS + threadIdx.x) * 4, left = size - i;
  if (n >= images(s, p.tile) || left <= 0) return;
  const int at = p.tile * TILE + n, image = u->order[u->first + at];
  const byte *from = u->pixels + (long long)image * t->crop_h * row;
  const bool flip = u->flips != 0 && u->flips[image] == 1, same = t->crop_h == t->d.h && row == wide;
  value_t *dst = value(t, p.slot, t->dst) + (long long)at * size + i;
  const bool whole = size % 4 == 0;
  Quad v = zero_quad();
  if (same && !flip && whole && (unsigned long long)from % 4 == 0) {
    const byte4 four = *(const GLOBAL byte4 *)(from + i);
    UNROLL for (int j = 0; j < 4; j++) v[j] = pixel_value(four[j]);
  } else {
    int y = i / wide, x = i - y * wide, k = x % c;  // x counts values, k channels
    UNROLL for (int j = 0; j < 4; j++) {
      if (j < left && y < t->crop_h && x < row) v[j] = pixel_value(from[y * row + (flip ? row - c - x + 2 * k : x)]);
      if (++k == c) k = 0;
      if (++x == wide) x = 0, y++;
    }
  }
  put_up_to_four(dst, v, left, whole);
}
