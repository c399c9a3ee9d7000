// What the kernels with a max-pooling share. The place of the largest of a 2x2 is a byte, 2·row + column.
#pragma once
#include "quad.cuh"

// beats tells whether v takes the place of best: NaN beats every number and is never beaten; the first of equals stays.
__device__ INLINE bool beats(float v, float best) { return best == best && (v > best || v != v); }

// at_place are those of four pooled numbers whose place this is, and 0 in place of the others. places are the four's, a byte
// each; place is the same byte four times.
__device__ INLINE Quad at_place(Quad q, word places, word place) {
  const word off = places ^ place;
  UNROLL for (int j = 0; j < 4; j++) q[j] = off & 0xffu << 8 * j ? 0 : q[j];
  return q;
}
