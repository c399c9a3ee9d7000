// The sums of a matrix's columns, which are the gradient of a bias.
#pragma once
#include "quad.cuh"

#define BIAS_COLUMNS 32  // that one block sums

// column_sums adds the rows of a matrix (n, width), of which the block has BIAS_COLUMNS from first on: into sums.
// Groups of threads, one thread a column, take every GROUPS-th row; their sums are added in order. shared has as many floats as
// there are threads.
template <int THREADS>
__device__ INLINE void column_sums(float *sums, const value_t *v, int n, int width, int first, float *shared) {
  const int GROUPS = THREADS / BIAS_COLUMNS, column = (int)threadIdx.x % BIAS_COLUMNS, group = (int)threadIdx.x / BIAS_COLUMNS;
  const bool mine = first + column < width;
  float sum = 0;
  if (mine) {
    UNROLL_BY(8)
    for (int i = group; i < n; i += GROUPS) sum += one(v, (long long)i * width + first + column);
  }
  shared[threadIdx.x] = sum;
  __syncthreads();
  if (group > 0 || !mine) return;
  for (int g = 1; g < GROUPS; g++) sum += shared[g * BIAS_COLUMNS + column];
  store(sums, first + column, sum);
}
