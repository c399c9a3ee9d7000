// Four numbers at a time: how kernels read and write memory in runs of 16 bytes.
#pragma once
#include "sweep.cuh"

// GLOBAL says that a pointer is to the device's memory, not to a block's: the loads are then of the faster kind.
// LOCAL says that it is to a block's own.
// UNROLL repeats a loop of a constant count in line, so that its arrays are registers; UNROLL_BY so many times; ROLLED not at all.
#ifdef HOST
#define GLOBAL
#define LOCAL
#define UNROLL
#define UNROLL_BY(n)
#define ROLLED
#else
#define GLOBAL __attribute__((address_space(1)))
#define LOCAL __attribute__((address_space(3)))
#define UNROLL_BY(n) UNROLL_TEXT(unroll n)
#define UNROLL_TEXT(text) _Pragma(#text)
#define ROLLED _Pragma("nounroll")
#define UNROLL _Pragma("clang loop unroll(full)")
#endif

typedef float Quad __attribute__((vector_size(16)));
typedef float Two __attribute__((vector_size(8)));
typedef word Pair __attribute__((vector_size(8)));
typedef byte byte4 __attribute__((vector_size(4)));

// Raw is what four values are as they lie in memory: they are loaded long before they are used, and take no room until then.
#if PRECISION == BF16
typedef Pair Raw;
#else
typedef Quad Raw;
#endif

__device__ INLINE Quad zero_quad() { return Quad{0, 0, 0, 0}; }

// four are p[0 … 3]; p is at a multiple of their size.
__device__ INLINE Quad four(const float *p) { return *(const GLOBAL Quad *)p; }
__device__ INLINE Pair four(const half_t *p) { return *(const GLOBAL Pair *)p; }
__device__ INLINE Quad numbers(Quad q) { return q; }
__device__ INLINE Quad numbers(Pair p) {
  return Quad{bits_float(p[0] << 16), bits_float(p[0] & 0xffff0000u), bits_float(p[1] << 16), bits_float(p[1] & 0xffff0000u)};
}
__device__ INLINE void put_four(float *p, Quad q) { *(GLOBAL Quad *)p = q; }
__device__ INLINE void put_four(half_t *p, Quad q) {
  *(GLOBAL Pair *)p = Pair{(word)to_half(q[0]) | (word)to_half(q[1]) << 16, (word)to_half(q[2]) | (word)to_half(q[3]) << 16};
}

// shared_four are four values of shared memory, from a multiple of 16 bytes.
__device__ INLINE Quad shared_four(const float *p) { return *(const LOCAL Quad *)p; }

// gathered are four values as they lie in memory.
__device__ INLINE Quad gathered(const float (&v)[4]) { return Quad{v[0], v[1], v[2], v[3]}; }
__device__ INLINE Pair gathered(const half_t (&v)[4]) { return Pair{v[0] | (word)v[1] << 16, v[2] | (word)v[3] << 16}; }

// two are p[0, 1]; p is at a multiple of their size.
__device__ INLINE Two two(const float *p) { return *(const GLOBAL Two *)p; }
__device__ INLINE Two two(const half_t *p) {
  word x = *(const GLOBAL word *)p;
  return Two{bits_float(x << 16), bits_float(x & 0xffff0000u)};
}

// one is p[i], as load gives it, by the faster kind of load.
__device__ INLINE float one(const float *p, long long i) { return ((const GLOBAL float *)p)[i]; }
__device__ INLINE float one(const half_t *p, long long i) { return bits_float((word)((const GLOBAL half_t *)p)[i] << 16); }

// up_to_four are the first n of p[0 … 3], n from 0 on; the others are 0. whole says that p is at a multiple of their size.
__device__ INLINE Quad up_to_four(const float *p, int n, bool whole) {
  if (whole && n >= 4) return four(p);
  Quad q = zero_quad();
  UNROLL for (int i = 0; i < 4; i++)
    if (i < n) q[i] = one(p, i);
  return q;
}
__device__ INLINE Pair up_to_four(const half_t *p, int n, bool whole) {
  if (whole && n >= 4) return four(p);
  word h[4] = {0, 0, 0, 0};
  UNROLL for (int i = 0; i < 4; i++)
    if (i < n) h[i] = ((const GLOBAL half_t *)p)[i];
  return Pair{h[0] | h[1] << 16, h[2] | h[3] << 16};
}

// up_to_four_bytes are the same of bytes, the first of them lowest.
__device__ INLINE word up_to_four_bytes(const byte *p, int n, bool whole) {
  if (whole && n >= 4) return *(const GLOBAL word *)p;
  word w = 0;
  UNROLL for (int i = 0; i < 4; i++)
    if (i < n) w |= (word)((const GLOBAL byte *)p)[i] << 8 * i;
  return w;
}

// put_up_to_four writes the first n of four numbers.
template <class V> __device__ INLINE void put_up_to_four(V *p, Quad q, int n, bool whole) {
  if (whole && n >= 4) {
    put_four(p, q);
    return;
  }
  UNROLL for (int i = 0; i < 4; i++)
    if (i < n) store(p, i, q[i]);
}
