// Dropout: the bits that say which values a step keeps, and the values and gradients under them.
#include "math.cuh"
#include "tile.cuh"

#define THREADS 256

// drop_row is how many bytes the bits of a row of an image take: each row starts a byte.
__device__ inline int drop_row(Shape shape, const Slot *s) { return (shape.w * channels(shape.c, s) + 7) / 8; }

// drop_mask: the bits dst of values of shape d, by the threshold and the stream of dst. A thread makes four bytes, each of
// its own block of random bits: all ones where nothing is dropped.
KERNEL(drop_mask, THREADS) {
  if (no_tile(t)) return;
  Work p = piece_tile(t);
  const Slot *s = t->slots + p.slot;
  int size = t->d.h * drop_row(t->d, s), first = p.tile * TILE * size, count = images(s, p.tile) * size;
  word threshold = (word)t->rates[p.slot * t->nvalues + t->dst];
  byte *dst = bytes(t, p.slot, t->dst) + first;
  int i = (blockIdx.x * THREADS + threadIdx.x) * 4;
  word four = 0xffffffffu;
  if (threshold > 0) {
    four = 0;
    for (int j = 0; j < 4 && i + j < count; j++) {
      Bits b = philox(t->stream + (word)(first + i + j), s->unit.drop + 2, s->unit.drop);
      UNROLL for (int k = 0; k < 8; k++) {
        word bits = b.w[k / 2] >> (16 * (k % 2)) & 0xffff;
        if (bits >= threshold) four |= 1u << (8 * j + k);
      }
    }
  }
  if (i + 4 <= count) {
    *(word *)(dst + i) = four;
    return;
  }
  for (int j = 0; i + j < count; j++) dst[i + j] = (byte)(four >> (8 * j));
}

// drop: dst is src where the bits arg say keep, scaled so that the expectation stays, else 0, also of an infinite src. Where
// nothing is dropped it is src.
KERNEL(drop, THREADS) {
  if (no_tile(t)) return;
  Work p = piece_tile(t);
  const Slot *s = t->slots + p.slot;
  int count, threshold = t->rates[p.slot * t->nvalues + t->arg];
  value_t *dst = tile_of(t, p, t->dst, t->d, &count);
  const value_t *src = tile_of(t, p, t->src, t->d, &count);
  int i = (blockIdx.x * THREADS + threadIdx.x) * 4;
  if (i >= count || (threshold == 0 && dst == src)) return;
  word keep = 0xf;
  if (threshold > 0) {
    int wide = t->d.w * channels(t->d.c, s), stride = drop_row(t->d, s);
    int row = i / wide, x = i - row * wide;
    const byte *bits = bytes(t, p.slot, t->arg) + ((long long)p.tile * TILE * t->d.h + row) * stride;
    keep = 0;
    UNROLL for (int j = 0; j < 4; j++) {
      if (i + j < count) keep |= (word)(bits[x / 8] >> (x % 8) & 1) << j;
      if (++x == wide) x = 0, bits += stride;
    }
  }
  float scale = 65536.0f / (65536 - threshold);  // as rounded from the double that kernel.DropScale divides
  Quad v = numbers(up_to_four(src + i, count - i, true));
  UNROLL for (int j = 0; j < 4; j++) v[j] = keep >> j & 1 ? v[j] * scale : 0;
  put_up_to_four(dst + i, v, count - i, true);
}
