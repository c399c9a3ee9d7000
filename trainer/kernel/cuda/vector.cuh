// Four values at once, and sums over a block of threads.
#pragma once
#include "sweep.cuh"

// INLINE functions are part of their kernel whatever their size: what they are given stays in registers.
#define INLINE __attribute__((always_inline)) inline

// Four are four values that lie side by side.
struct Four {
  float x[4];
};

typedef float Floats4 __attribute__((vector_size(16), may_alias));
typedef half_t Halves4 __attribute__((vector_size(8), may_alias));

// load4 reads values i … i+3, whose address is a multiple of four values.
__device__ INLINE Four load4(const float *p, long long i) {
  Floats4 v = *(const Floats4 *)(p + i);
  return Four{{v[0], v[1], v[2], v[3]}};
}
__device__ INLINE Four load4(const half_t *p, long long i) {
  Halves4 v = *(const Halves4 *)(p + i);
  return Four{{bits_float((word)v[0] << 16), bits_float((word)v[1] << 16), bits_float((word)v[2] << 16), bits_float((word)v[3] << 16)}};
}
__device__ INLINE void store4(float *p, long long i, Four v) { *(Floats4 *)(p + i) = Floats4{v.x[0], v.x[1], v.x[2], v.x[3]}; }
__device__ INLINE void store4(half_t *p, long long i, Four v) {
  *(Halves4 *)(p + i) = Halves4{to_half(v.x[0]), to_half(v.x[1]), to_half(v.x[2]), to_half(v.x[3])};
}

// load_some and store_some are of V values, 1 or 4: those of an array whose length allows no four take one at a time.
template <int V, typename T>
__device__ INLINE void load_some(float *to, const T *p, long long i) {
  if (V == 4) {
    Four v = load4(p, i);
    for (int j = 0; j < V; j++) to[j] = v.x[j];
  } else {
    to[0] = load(p, i);
  }
}
template <int V, typename T>
__device__ INLINE void store_some(T *p, long long i, const float *v) {
  if (V == 4) {
    Four f;
    for (int j = 0; j < V; j++) f.x[j] = v[j];
    store4(p, i, f);
  } else {
    store(p, i, v[0]);
  }
}

// block_sums adds N numbers of each of the block's T threads, a multiple of 16, always in the same order: the sums are
// room[0 … N-1] for all threads. room is shared memory for N·(T+1) doubles, of which nobody reads any more.
template <int N, int T>
__device__ INLINE void block_sums(double *room, const double *v) {
  double *parts = room + N;
  for (int q = 0; q < N; q++) parts[q * T + threadIdx.x] = v[q];
  __syncthreads();
  // Sixteen threads for each number: thread j adds j, j+16 …
  double sum = 0;
  int q = threadIdx.x / 16, j = threadIdx.x % 16;
  static_assert(16 * N <= T, "a block has too few threads for its sums");
  if (q < N)
    for (int i = j; i < T; i += 16) sum += parts[q * T + i];
  __syncthreads();
  if (q < N) parts[q * 16 + j] = sum;
  __syncthreads();
  if (threadIdx.x < N) {
    double all = 0;
    for (int i = 0; i < 16; i++) all += parts[threadIdx.x * 16 + i];
    room[threadIdx.x] = all;
  }
  __syncthreads();
}
