// Four values at once, for the kernels that memory bounds, and sums of a block of threads.
#pragma once
#include "sweep.cuh"

typedef float vec4 __attribute__((vector_size(16)));

// load4 and store4 are load and store of values i … i+3; i is a multiple of 4, and so is the place of p in values.
__device__ inline vec4 load4(const float *p, long long i) { return *(const vec4 *)(p + i); }
__device__ inline void store4(float *p, long long i, vec4 v) { *(vec4 *)(p + i) = v; }

typedef word word2 __attribute__((vector_size(8)));
__device__ inline vec4 load4(const half_t *p, long long i) {
  word2 u = *(const word2 *)(p + i);
  return vec4{bits_float(u[0] << 16), bits_float(u[0] & 0xffff0000u), bits_float(u[1] << 16), bits_float(u[1] & 0xffff0000u)};
}
__device__ inline void store4(half_t *p, long long i, vec4 v) {
  *(word2 *)(p + i) = word2{to_half(v[0]) | (word)to_half(v[1]) << 16, to_half(v[2]) | (word)to_half(v[3]) << 16};
}

// tile_of is where a tile of a value of a slot begins whose images have this shape; *count gets its number of values.
__device__ inline value_t *tile_of(const Task *t, Work p, int v, Shape shape, int *count) {
  const Slot *s = t->slots + p.slot;
  int size = shape.h * shape.w * channels(shape.c, s);
  *count = images(s, p.tile) * size;
  return value(t, p.slot, v) + (long long)p.tile * TILE * size;
}

// tree_sum adds n values of each thread of shared memory, one for each of count threads, count a power of two: the sum is in
// x[0]. All threads of the block come here, after a barrier; what it reads was written before.
__device__ inline void tree_sum(double *x, int count) {
  for (int half = count / 2; half > 0; half /= 2) {
    if ((int)threadIdx.x < half) x[threadIdx.x] += x[threadIdx.x + half];
    __syncthreads();
  }
}
