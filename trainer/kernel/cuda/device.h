// The CUDA compiler's side of sweep.cuh, without any header of NVIDIA's.
#pragma once
#define __device__ __attribute__((device))
#define __global__ __attribute__((global))
#define __shared__ __attribute__((shared))
// INLINE functions have no call: a call would cost the registers of all that lives across it.
#define INLINE inline __attribute__((always_inline))
// SHARED declares an array of a block's threads in common: count values of a type. All threads come to it, in one order.
#define SHARED(type, name, count) __attribute__((shared)) type name[count]

struct Index {
  unsigned x, y, z;
};
#define threadIdx (Index{(unsigned)__nvvm_read_ptx_sreg_tid_x(), 0, 0})
#define blockIdx (Index{(unsigned)__nvvm_read_ptx_sreg_ctaid_x(), (unsigned)__nvvm_read_ptx_sreg_ctaid_y(), 0})
#define BLOCK ((int)__nvvm_read_ptx_sreg_ntid_x())
#define DYNAMIC_SHARED(type, name) extern __attribute__((shared)) type name[]

// KERNEL(name, threads) begins a kernel over a Task called t, run by blocks of that many threads.
#define KERNEL(name, threads) KERNEL_OF(name, threads, Task)
// KERNEL_BESIDE is a kernel of which so many blocks shall fit on a multiprocessor at once: it bounds the registers.
#define KERNEL_BESIDE(name, threads, blocks) \
  extern "C" __global__ __attribute__((launch_bounds(threads, blocks))) void SUFFIX1(name, SUFFIX)(const Task *t)
#define KERNEL_OF(name, threads, type) \
  extern "C" __global__ __attribute__((launch_bounds(threads))) void SUFFIX1(name, SUFFIX)(const type *t)

__device__ inline float bits_float(unsigned u) { return __builtin_bit_cast(float, u); }
__device__ inline unsigned float_bits(float f) { return __builtin_bit_cast(unsigned, f); }
__device__ inline float fma_(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
__device__ inline float sqrt_(float x) { return __nvvm_sqrt_rn_f(x); }
__device__ inline double sqrt_(double x) { return __nvvm_sqrt_rn_d(x); }
