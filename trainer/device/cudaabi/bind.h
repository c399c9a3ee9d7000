// What bind.c (the trampolines) and load.c (who finds the driver) share, and what Go calls.

//go:build gpu && linux && amd64

#ifndef SWEEP_BIND_H
#define SWEEP_BIND_H

extern const char *const sweep_cuda_names[];
extern const int sweep_cuda_count;
extern void *sweep_cuda_at[] __attribute__((visibility("hidden")));
int sweep_cuda_unready(void);

// sweep_cuda is what was found when the driver was looked for.
typedef struct {
  char path[1024];   // the library as it was asked for, empty: none could be loaded
  char reason[2048]; // what dlopen said of each place
  int init;          // result of the driver's cuInit, -1: not called
  int version;       // of CUDA that the driver serves, 1000·major + 10·minor
  int missing;       // functions that the driver lacks
} sweep_cuda;

// sweep_cuda_load looks for the driver, once; later calls return the same. SWEEP_LIBCUDA names the only place to look at.
const sweep_cuda *sweep_cuda_load(void);
// sweep_cuda_symbol finds a function of the library that was loaded that this program has no prototype of; NULL: there is none.
void *sweep_cuda_symbol(const char *name);
// sweep_cuda_name is the n-th function that is called, sweep_cuda_found whether the driver has it.
const char *sweep_cuda_name(int n);
int sweep_cuda_found(int n);

#endif
