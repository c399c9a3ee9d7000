// The driver, its devices and contexts.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "fake.h"

std::mutex state;
std::set<CUcontext> contexts;

namespace {
thread_local CUcontext of_thread;
std::vector<int> visible;
bool ready;

// see fills visible by the variable that real drivers read: numbers, the list ending at the first that is none.
void see() {
  visible.clear();
  int n = (int)setting("SWEEP_FAKE_DEVICES", 1);
  const char *list = getenv("CUDA_VISIBLE_DEVICES");
  if (!list) {
    for (int i = 0; i < n; i++) visible.push_back(i);
    return;
  }
  for (const char *p = list; *p;) {
    char *end;
    long i;
    // A UUID of this driver's ends with its number.
    const char *comma = strchr(p, ',');
    size_t len = comma ? (size_t)(comma - p) : strlen(p);
    if ((strncmp(p, "GPU-", 4) == 0 || strncmp(p, "MIG-", 4) == 0) && len > 2) {
      i = strtol(std::string(p + len - 2, 2).c_str(), &end, 16);
      end = (char *)p + len;
    } else {
      i = strtol(p, &end, 10);
    }
    if (end == p || (*end && *end != ',') || i < 0 || i >= n) return;
    visible.push_back((int)i);
    p = *end ? end + 1 : end;
  }
}

bool device_ok(CUdevice d) { return d >= 0 && d < (int)visible.size(); }
}  // namespace

long setting(const char *name, long otherwise) {
  const char *s = getenv(name);
  return s && *s ? atol(s) : otherwise;
}
int devices() { return (int)visible.size(); }
long memory_of_device() { return setting("SWEEP_FAKE_MEMORY", 2L << 30); }
bool alive(CUcontext ctx) { return contexts.count(ctx) > 0; }

CUcontext current(CUresult *error) {
  *error = CUDA_SUCCESS;
  if (!ready) {
    *error = CUDA_ERROR_NOT_INITIALIZED;
  } else if (!of_thread) {
    *error = CUDA_ERROR_INVALID_CONTEXT;
  } else if (!alive(of_thread)) {
    *error = CUDA_ERROR_CONTEXT_IS_DESTROYED;
  } else {
    *error = of_thread->error;
  }
  return *error == CUDA_SUCCESS ? of_thread : nullptr;
}

EXPORT CUresult cuInit(unsigned) {
  std::lock_guard<std::mutex> l(state);
  see();
  if (long r = setting("SWEEP_FAKE_INIT", 0)) return (CUresult)r;
  if (visible.empty()) return CUDA_ERROR_NO_DEVICE;
  ready = true;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuDriverGetVersion(int *version) {
  *version = (int)setting("SWEEP_FAKE_VERSION", 13000);
  return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGetCount(int *count) {
  *count = devices();
  return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGet(CUdevice *device, int ordinal) {
  if (!device_ok(ordinal)) return CUDA_ERROR_INVALID_DEVICE;
  *device = ordinal;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGetName(char *name, int len, CUdevice d) {
  if (!device_ok(d)) return CUDA_ERROR_INVALID_DEVICE;
  snprintf(name, (size_t)len, "stand-in %d", visible[(size_t)d]);
  return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceTotalMem(size_t *bytes, CUdevice d) {
  if (!device_ok(d)) return CUDA_ERROR_INVALID_DEVICE;
  *bytes = (size_t)memory_of_device();
  return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGetUuid(CUuuid *u, CUdevice d) {
  if (!device_ok(d)) return CUDA_ERROR_INVALID_DEVICE;
  memset(u, 0xfa, sizeof *u);
  u->bytes[15] = (char)visible[(size_t)d];
  return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGetUuidMIG(CUuuid *u, CUdevice d) {
  CUresult r = cuDeviceGetUuid(u, d);
  if (r == CUDA_SUCCESS && setting("SWEEP_FAKE_MIG", 0)) u->bytes[0] = 0x16;
  return r;
}

static int compute(CUdevice d) { return d == 0 ? (int)setting("SWEEP_FAKE_COMPUTE", 90) : 90; }

EXPORT CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute a, CUdevice d) {
  if (!device_ok(d)) return CUDA_ERROR_INVALID_DEVICE;
  switch ((int)a) {
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: *value = compute(d) / 10; break;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: *value = compute(d) % 10; break;
    case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: *value = 132; break;
    case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK: *value = MAX_THREADS; break;
    case CU_DEVICE_ATTRIBUTE_WARP_SIZE: *value = 32; break;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK: *value = STATIC_SHARED; break;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN: *value = ALL_SHARED; break;
    default: *value = 0;
  }
  return CUDA_SUCCESS;
}

EXPORT CUresult cuCtxCreate(CUcontext *ctx, unsigned, CUdevice d) {
  std::lock_guard<std::mutex> l(state);
  if (!ready) return CUDA_ERROR_NOT_INITIALIZED;
  if (!device_ok(d)) return CUDA_ERROR_INVALID_DEVICE;
  of_thread = *ctx = new CUctx_st{d};
  contexts.insert(*ctx);
  return CUDA_SUCCESS;
}

EXPORT CUresult cuCtxDestroy(CUcontext ctx) {
  std::lock_guard<std::recursive_mutex> r(running);
  {
    std::lock_guard<std::mutex> l(state);
    if (!alive(ctx)) return CUDA_ERROR_INVALID_CONTEXT;
  }
  drain_all(ctx);
  std::lock_guard<std::mutex> l(state);
  give_all(ctx);
  for (auto s : ctx->streams) delete s;
  for (auto e : ctx->events) delete e;
  for (auto g : ctx->graphs) delete g;
  for (auto m : ctx->modules) {
    for (auto &f : m->functions) delete f.second;
    delete m;
  }
  contexts.erase(ctx);
  delete ctx;
  if (of_thread == ctx) of_thread = nullptr;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuCtxSetCurrent(CUcontext ctx) {
  std::lock_guard<std::mutex> l(state);
  if (ctx && !alive(ctx)) return CUDA_ERROR_INVALID_CONTEXT;
  of_thread = ctx;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuCtxGetCurrent(CUcontext *ctx) {
  std::lock_guard<std::mutex> l(state);
  *ctx = of_thread && alive(of_thread) ? of_thread : nullptr;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuCtxGetDevice(CUdevice *d) {
  std::lock_guard<std::mutex> l(state);
  CUresult e;
  CUcontext ctx = current(&e);
  if (ctx) *d = ctx->device;
  return e;
}

// Waiting for a context is waiting for its streams, of which none may be captured then, in whatever mode.
EXPORT CUresult cuCtxSynchronize(void) {
  CUresult e;
  CUcontext ctx;
  {
    std::lock_guard<std::mutex> l(state);
    if (!(ctx = current(&e)) || (e = forbidden()) != CUDA_SUCCESS) return e;
    for (auto s : ctx->streams) {
      if (!s->capture) continue;
      s->spoiled = true;
      e = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    }
    if (e != CUDA_SUCCESS) return e;
  }
  drain_all(ctx);
  std::lock_guard<std::mutex> l(state);
  return ctx->error;
}

#define RESULTS(X)                                                                                                       \
  X(SUCCESS, "no error") X(ERROR_INVALID_VALUE, "invalid argument") X(ERROR_OUT_OF_MEMORY, "out of memory")              \
  X(ERROR_NOT_INITIALIZED, "initialization error") X(ERROR_NO_DEVICE, "no CUDA-capable device is detected")              \
  X(ERROR_INVALID_DEVICE, "invalid device ordinal") X(ERROR_INVALID_IMAGE, "device kernel image is invalid")             \
  X(ERROR_INVALID_CONTEXT, "invalid device context") X(ERROR_INVALID_PTX, "a PTX JIT compilation failed")                \
  X(ERROR_INVALID_HANDLE, "invalid resource handle") X(ERROR_NOT_FOUND, "named symbol not found")                        \
  X(ERROR_NOT_READY, "device not ready") X(ERROR_ILLEGAL_ADDRESS, "an illegal memory access was encountered")            \
  X(ERROR_CONTEXT_IS_DESTROYED, "context is destroyed") X(ERROR_LAUNCH_FAILED, "unspecified launch failure")             \
  X(ERROR_STREAM_CAPTURE_UNSUPPORTED, "operation not permitted when stream is capturing")                                \
  X(ERROR_STREAM_CAPTURE_INVALIDATED, "operation failed due to a previous error during capture")                         \
  X(ERROR_STREAM_CAPTURE_UNMATCHED, "the capture was not initiated in this stream")                                      \
  X(ERROR_STREAM_CAPTURE_WRONG_THREAD, "attempt to terminate a thread-local capture sequence from another thread")       \
  X(ERROR_SYSTEM_NOT_READY, "system not yet initialized") X(ERROR_UNKNOWN, "unknown error")

EXPORT CUresult cuGetErrorName(CUresult error, const char **text) {
  switch (error) {
#define X(name, words) \
  case CUDA_##name: *text = "CUDA_" #name; return CUDA_SUCCESS;
    RESULTS(X)
#undef X
    default: *text = nullptr; return CUDA_ERROR_INVALID_VALUE;
  }
}

EXPORT CUresult cuGetErrorString(CUresult error, const char **text) {
  switch (error) {
#define X(name, words) \
  case CUDA_##name: *text = words; return CUDA_SUCCESS;
    RESULTS(X)
#undef X
    default: *text = nullptr; return CUDA_ERROR_INVALID_VALUE;
  }
}
