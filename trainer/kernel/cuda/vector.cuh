// A few neighbouring values at once, and sums over a block of threads.
#pragma once
#include "quad.cuh"

// load_some and store_some are of V values, 4 or, of an array whose sizes allow no four, 1. With V = 4 the address of the
// first is a multiple of four values' size.
template <int V, typename T>
__device__ INLINE void load_some(float *to, const T *p, long long i) {
  if (V == 4) {
    Quad q = numbers(four(p + i));
    UNROLL for (int j = 0; j < V; j++) to[j] = q[j];
  } else {
    to[0] = one(p, i);
  }
}
template <int V, typename T>
__device__ INLINE void store_some(T *p, long long i, const float *v) {
  if (V == 4) {
    Quad q = zero_quad();
    UNROLL for (int j = 0; j < V; j++) q[j] = v[j];
    put_four(p + i, q);
  } else {
    store(p, i, v[0]);
  }
}

// block_sums adds N numbers of each of the block's T threads, always in the same order: the sums are room[0 … N-1] for all
// threads. room is shared memory for N·(T+1) doubles, of which nobody reads any more.
template <int N, int T>
__device__ INLINE void block_sums(double *room, const double *v) {
  static_assert(16 * N <= T && T % 16 == 0, "a block has too few threads for its sums");
  double *parts = room + N;
  UNROLL for (int q = 0; q < N; q++) parts[q * T + threadIdx.x] = v[q];
  __syncthreads();
  // Sixteen threads for each number: thread j adds those of j, j+16 …
  double sum = 0;
  int q = threadIdx.x / 16, j = threadIdx.x % 16;
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
