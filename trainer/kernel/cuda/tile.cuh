// A tile of a value as a run of numbers, for the kernels that take each by itself: a thread takes four.
#pragma once
#include "quad.cuh"

// tile_of is where a tile of a value of a slot begins whose images have this shape; *count gets its number of values.
__device__ INLINE value_t *tile_of(const Task *t, Work p, int v, Shape shape, int *count) {
  const Slot *s = t->slots + p.slot;
  int size = shape.h * shape.w * channels(shape.c, s);
  *count = images(s, p.tile) * size;
  return value(t, p.slot, v) + (long long)p.tile * TILE * size;
}
