// Finds the driver's library when it is first asked for and fills the table that the trampolines jump through.

//go:build gpu && linux && amd64

#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bind.h"
#include "cuda.h"

int sweep_cuda_unready(void) { return CUDA_ERROR_NOT_INITIALIZED; }
static int no_device(void) { return CUDA_ERROR_NO_DEVICE; }
static int not_found(void) { return CUDA_ERROR_NOT_FOUND; }

static sweep_cuda found = {.init = -1};
static void *library;
static CUresult (*device_count)(int *);

// Hidden as the trampolines are: the driver that is loaded calls its own.
#define HIDDEN __attribute__((visibility("hidden")))

// cu calls this before main and ends the process where it does not succeed: it always does, and the driver is loaded later,
// by who needs it.
HIDDEN CUresult cuInit(unsigned int flags) {
  (void)flags;
  return CUDA_SUCCESS;
}

// A machine without a driver, or with one that cannot be initialised, has no devices; that is no error.
HIDDEN CUresult cuDeviceGetCount(int *count) {
  if (device_count && found.init == CUDA_SUCCESS) return device_count(count);
  *count = 0;
  return CUDA_SUCCESS;
}

static int try(const char *path) {
  library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library) {
    snprintf(found.path, sizeof found.path, "%s", path);
    return 1;
  }
  const char *text = dlerror();
  size_t n = strlen(found.reason);
  snprintf(found.reason + n, sizeof found.reason - n, "%s%s", n ? "; " : "", text ? text : path);
  return 0;
}

static void load(void) {
  const char *only = getenv("SWEEP_LIBCUDA");
  if (only && *only) {
    try(only);
  } else if (!try("libcuda.so.1")) {
    try("/usr/local/nvidia/lib64/libcuda.so.1"); // where containers mount it without telling the loader
  }
  CUresult (*init)(unsigned int) = library ? (CUresult(*)(unsigned int))dlsym(library, "cuInit") : NULL;
  if (library && !init) {
    snprintf(found.reason, sizeof found.reason, "%s has no cuInit: it is no driver of CUDA", found.path);
    found.path[0] = 0;
  }
  if (init) {
    CUresult (*version)(int *) = (CUresult(*)(int *))dlsym(library, "cuDriverGetVersion");
    if (version) version(&found.version);
    found.init = init(0);
  }
  for (int i = 0; i < sweep_cuda_count; i++) {
    void *at = init ? dlsym(library, sweep_cuda_names[i]) : NULL;
    if (init && !at) found.missing++;
    // A driver that cannot be initialised can still name its results, that of cuInit above all.
    int names = strncmp(sweep_cuda_names[i], "cuGetError", 10) == 0;
    if (found.init != CUDA_SUCCESS && !(at && names)) {
      sweep_cuda_at[i] = (void *)no_device;
    } else {
      sweep_cuda_at[i] = at ? at : (void *)not_found;
    }
    if (strcmp(sweep_cuda_names[i], "cuDeviceGetCount") == 0) device_count = (CUresult(*)(int *))at;
  }
}

const sweep_cuda *sweep_cuda_load(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, load);
  return &found;
}

void *sweep_cuda_symbol(const char *name) { return library ? dlsym(library, name) : NULL; }
const char *sweep_cuda_name(int n) { return n >= 0 && n < sweep_cuda_count ? sweep_cuda_names[n] : NULL; }
int sweep_cuda_found(int n) {
  return n >= 0 && n < sweep_cuda_count && library && dlsym(library, sweep_cuda_names[n]) != NULL;
}
