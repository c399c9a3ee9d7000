// More sources of slab.cuh, and words for reading two values, and shared memory, at a time.
#pragma once
#include "slab.cuh"

typedef float Two __attribute__((vector_size(8)));

// two are p[0, 1]; p is at a multiple of their size.
__device__ INLINE Two two(const float *p) { return *(const GLOBAL Two *)p; }
__device__ INLINE Two two(const half_t *p) {
  word x = *(const GLOBAL word *)p;
  return Two{bits_float(x << 16), bits_float(x & 0xffff0000u)};
}

// shared_four are four values of shared memory, from a multiple of 16 bytes.
__device__ INLINE Quad shared_four(const float *p) { return *(const LOCAL Quad *)p; }

// gathered are four values as they lie in memory.
__device__ INLINE Quad gathered(const float (&v)[4]) { return Quad{v[0], v[1], v[2], v[3]}; }
__device__ INLINE Pair gathered(const half_t (&v)[4]) { return Pair{v[0] | (word)v[1] << 16, v[2] | (word)v[3] << 16}; }

// Columns is a source of Across: n columns of a matrix (k, n) of V in memory, from column first on; R is four of them.
template <class V, class R> struct Columns {
  typedef R Four;
  const V *p;
  int k, n, first;
  bool whole;  // every row is at a multiple of four

  __device__ INLINE Columns(const V *p_, int k_, int n_, int first_) : p(p_), k(k_), n(n_), first(first_), whole(n_ % 4 == 0) {}
  __device__ INLINE void column(int r, int) {
    first += r;
    p += first;
  }
  __device__ INLINE Four four(int at, int) const {
    return at < k ? up_to_four(p + (long long)at * n, n - first, whole) : Four{};
  }
  __device__ INLINE Quad numbers(const Four &q) const { return ::numbers(q); }
};

// column_sums adds the rows of a matrix (n, width), width columns from first on, of which the block has COLUMNS: into sums.
// Groups of threads, one thread a column, take every GROUPS-th row; their sums are added in order. shared has as many floats as
// there are threads.
template <int THREADS, int COLUMNS>
__device__ INLINE void column_sums(float *sums, const value_t *v, int n, int width, int first, float *shared) {
  const int GROUPS = THREADS / COLUMNS, column = (int)threadIdx.x % COLUMNS, group = (int)threadIdx.x / COLUMNS;
  const bool mine = first + column < width;
  float sum = 0;
  if (mine) {
    UNROLL_BY(8)
    for (int i = group; i < n; i += GROUPS) sum += one(v, (long long)i * width + first + column);
  }
  shared[threadIdx.x] = sum;
  __syncthreads();
  if (group > 0 || !mine) return;
  for (int g = 1; g < GROUPS; g++) sum += shared[g * COLUMNS + column];
  store(sums, first + column, sum);
}
