// The host compiler's side of sweep.cuh: the kernels as functions that the driver stand-in for tests runs, a thread of a
// block being a fiber and blocks running on all cores.
#pragma once
#include <math.h>
#include <stdint.h>
#include <string.h>

#define __device__
#define __global__
#define INLINE inline
// SHARED takes the array from the block's memory, which the stand-in fills with NaN before a block: what no thread wrote is
// found. Every thread comes to the same declarations in the same order, and so finds the same arrays.
#define SHARED(type, name, count) type *name = (type *)host_shared(sizeof(type) * (count))
#define DYNAMIC_SHARED(type, name) type *name = (type *)host_dynamic

struct Index {
  unsigned x, y, z;
};
// Each thread of the system that runs blocks has its own; they are read often.
#define HOST_LOCAL thread_local __attribute__((tls_model("initial-exec")))
extern HOST_LOCAL Index host_thread, host_block;
extern HOST_LOCAL int host_threads;    // of a block
extern HOST_LOCAL void *host_dynamic;  // dynamic shared memory
void *host_shared(long bytes);
extern "C" void host_sync();  // every thread of the block comes here before any goes on

// Instructions that a warp executes together: see fake/lanes.h.
enum { BAR_WARP, LDMATRIX, LDMATRIX_TRANS, MMA };
// HostLane is what a thread shows the others of its warp when they execute an instruction together: which, and six words.
struct HostLane {
  int instruction;
  unsigned words[6];
};
// host_warp shows it: when all 32 threads of the warp have come to the same instruction, each gets what all of them showed, in
// order, to read until it comes here again.
const HostLane *host_warp(const HostLane &mine);
// host_blame ends the launch for what this thread did.
extern "C" [[noreturn]] void host_blame(const char *what);
// host_in_shared says whether bytes are in the block's shared memory.
extern "C" bool host_in_shared(const void *p, long bytes);

#define threadIdx host_thread
#define blockIdx host_block
#define BLOCK host_threads
#define __syncthreads() host_sync()

// HostKernel enters a kernel into the stand-in's table before main begins. Those of a module with LANES have names of their own,
// beside the others.
#ifdef LANES
#define HOST_NAME(name) name "_lanes"
#else
#define HOST_NAME(name) name
#endif
struct HostKernel {
  HostKernel(const char *name, int threads, void (*run)(const void *));
};

#define TEXT2(x) #x
#define TEXT1(x) TEXT2(x)
#define KERNEL(name, threads) KERNEL_OF(name, threads, Task)
#define KERNEL_BESIDE(name, threads, blocks) KERNEL_OF(name, threads, Task)
#define KERNEL_OF(name, threads, type)                                                                             \
  static void SUFFIX1(name, SUFFIX)(const type *);                                                                 \
  static HostKernel SUFFIX1(host_##name, SUFFIX)(HOST_NAME(TEXT1(SUFFIX1(name, SUFFIX))), threads,                  \
                                                 (void (*)(const void *))SUFFIX1(name, SUFFIX));                   \
  static void SUFFIX1(name, SUFFIX)(const type *t)

inline float bits_float(unsigned u) {
  float f;
  memcpy(&f, &u, 4);
  return f;
}
inline unsigned float_bits(float f) {
  unsigned u;
  memcpy(&u, &f, 4);
  return u;
}
inline float fma_(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
inline float sqrt_(float x) { return sqrtf(x); }
inline double sqrt_(double x) { return sqrt(x); }
