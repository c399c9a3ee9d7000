// Modules, their kernels, and launches.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "../../kernel/cuda/host.h"
#include "fake.h"
#include "races.h"

namespace {

std::map<std::string, Kernel> &kernels() {
  static std::map<std::string, Kernel> all;  // made by whoever comes first, in whatever order files are initialised
  return all;
}

// entry is what PTX has of a kernel of that name, up to the next one; empty: it declares none.
std::string entry(const std::string &ptx, const std::string &name) {
  const std::string word = ".entry";
  for (size_t at = ptx.find(word); at != std::string::npos; at = ptx.find(word, at + 1)) {
    size_t from = ptx.find_first_not_of(" \t\r\n", at + word.size());
    if (from == std::string::npos) break;
    if (ptx.compare(from, name.size(), name) == 0) {
      char next = from + name.size() < ptx.size() ? ptx[from + name.size()] : ' ';
      if (strchr(" \t\r\n({", next)) return ptx.substr(from, ptx.find(word, from) - from);
    }
  }
  return "";
}

// declared is the shared memory that a kernel's PTX declares: arrays of its own, and those of the module that it names.
long declared(const std::string &ptx, const std::string &name) {
  size_t from = ptx.find(".entry " + name + "(");
  if (from == std::string::npos) return 0;
  std::string body = ptx.substr(from, ptx.find("\n}", from) - from);
  long all = 0;
  for (size_t at = ptx.find(".shared .align"); at != std::string::npos; at = ptx.find(".shared .align", at + 1)) {
    int align, bits;
    long n;
    char array[1000];
    if (sscanf(ptx.c_str() + at, ".shared .align %d .b%d %999[^[][%ld]", &align, &bits, array, &n) != 4) continue;
    if (body.find(array) != std::string::npos) all += (n * bits / 8 + align - 1) / align * align;
  }
  return all;
}

long launches;      // since the program began
std::set<std::string> ran;  // kernels
long fail_at = -1;  // the launch that loses its context; -1: none does

}  // namespace

HostKernel::HostKernel(const char *name, int threads, void (*run)(const void *)) {
  if (!kernels().emplace(name, Kernel{name, threads, run}).second) {
    fprintf(stderr, "fake driver: there are two kernels called %s\n", name);
    abort();
  }
}

const Kernel *find_kernel(const std::string &name) {
  auto i = kernels().find(name);
  return i == kernels().end() ? nullptr : &i->second;
}

EXPORT CUresult cuModuleLoadDataEx(CUmodule *m, const void *image, unsigned n, CUjit_option *options, void **values) {
  std::lock_guard<std::mutex> l(state);
  CUresult e;
  CUcontext ctx = current(&e);
  if (!ctx || (e = forbidden()) != CUDA_SUCCESS) return e;
  std::string text = (const char *)image;
  if (!setting("SWEEP_FAKE_ANY_PTX", 0) && text.find(".version") == std::string::npos) {
    for (unsigned i = 0; i + 1 < n; i++) {
      if (options[i] == CU_JIT_ERROR_LOG_BUFFER && (size_t)values[i + 1] > 0) {
        snprintf((char *)values[i], (size_t)values[i + 1], "fake driver: the image is no PTX: it has no .version");
      }
    }
    return CUDA_ERROR_INVALID_PTX;
  }
  *m = new CUmod_st{ctx, text, {}};
  ctx->modules.insert(*m);
  return CUDA_SUCCESS;
}

EXPORT CUresult cuModuleLoadData(CUmodule *m, const void *image) {
  return cuModuleLoadDataEx(m, image, 0, nullptr, nullptr);
}

EXPORT CUresult cuModuleUnload(CUmodule m) {
  CUresult e;
  CUcontext ctx;
  {
    std::lock_guard<std::mutex> l(state);
    if (!(ctx = current(&e)) || (e = forbidden()) != CUDA_SUCCESS) return e;
  }
  drain_all(ctx);
  std::lock_guard<std::mutex> l(state);
  if (!ctx->modules.erase(m)) return CUDA_ERROR_INVALID_HANDLE;
  for (auto &f : m->functions) delete f.second;
  delete m;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuModuleGetFunction(CUfunction *f, CUmodule m, const char *name) {
  std::lock_guard<std::mutex> l(state);
  CUresult e;
  CUcontext ctx = current(&e);
  if (!ctx) return e;
  if (!ctx->modules.count(m)) return CUDA_ERROR_INVALID_HANDLE;
  const std::string code = entry(m->text, name);
  const bool lanes = setting("SWEEP_FAKE_LANES", 0) && code.find("mma.sync") != std::string::npos;
  const std::string own = lanes ? std::string(name) + "_lanes" : name;
  const Kernel *k = find_kernel(own);
  if (!k && races_checked) k = find_kernel(std::string(name) + "_lanes");
  if (!k) {
    fprintf(stderr, "fake driver: there is no kernel %s in the .cu files that it was made of\n", own.c_str());
    return CUDA_ERROR_NOT_FOUND;
  }
  if (!setting("SWEEP_FAKE_ANY_PTX", 0) && code.empty()) {
    fprintf(stderr, "fake driver: the module has no kernel %s: the PTX is older than the .cu file\n", name);
    return CUDA_ERROR_NOT_FOUND;
  }
  CUfunction &known = m->functions[name];
  if (!known) {
    long n = declared(m->text, name);
    known = new CUfunc_st{ctx, k, n, STATIC_SHARED - n};
  }
  *f = known;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuFuncSetAttribute(CUfunction f, CUfunction_attribute a, int value) {
  std::lock_guard<std::mutex> l(state);
  CUresult e;
  if (!current(&e)) return e;
  if (a != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES) return CUDA_SUCCESS;
  if (value < 0 || f->declared + value > ALL_SHARED) return CUDA_ERROR_INVALID_VALUE;
  f->shared = value;  // also where it was more
  return CUDA_SUCCESS;
}

EXPORT CUresult cuFuncGetAttribute(int *value, CUfunction_attribute a, CUfunction f) {
  *value = a == CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK ? f->kernel->threads : 0;
  return CUDA_SUCCESS;
}

static CUresult refuse(const Kernel *k, const char *what, long is, long may) {
  fprintf(stderr, "fake driver: launch of %s: %s is %ld, but may be %ld\n", k->name.c_str(), what, is, may);
  return CUDA_ERROR_INVALID_VALUE;
}

static CUresult launch(CUfunction f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared,
                       CUstream s, void **params) {
  std::lock_guard<std::mutex> l(state);
  CUresult e;
  CUcontext ctx = current(&e);
  if (!ctx) return e;
  if (!ctx->streams.count(s) || f->ctx != ctx) return CUDA_ERROR_INVALID_HANDLE;
  const Kernel *k = f->kernel;
  if (gx < 1 || gx > MAX_GRID_X) return refuse(k, "the grid's x", gx, MAX_GRID_X);
  if (gy < 1 || gy > MAX_GRID_Y) return refuse(k, "the grid's y", gy, MAX_GRID_Y);
  if (gz != 1) return refuse(k, "the grid's z", gz, 1);
  if (bx > MAX_THREADS || (int)bx != k->threads) return refuse(k, "the threads of a block", bx, k->threads);
  if (by != 1 || bz != 1) return refuse(k, "the block's y or z", by > 1 ? by : bz, 1);
  if (shared > f->shared) return refuse(k, "dynamic shared memory", shared, f->shared);
  void *argument = *(void **)params[0];
  return enqueue(s, [=]() -> CUresult {
    {
      std::lock_guard<std::mutex> l(state);
      if (launches++ == fail_at) {
        fail_at = -1;
        return (CUresult)setting("SWEEP_FAKE_FAIL_WITH", CUDA_ERROR_ILLEGAL_ADDRESS);
      }
      ran.insert(k->name);
    }
    timespec from, to;
    bool trace = setting("SWEEP_FAKE_TRACE", 0) != 0;
    if (trace) clock_gettime(CLOCK_MONOTONIC, &from);
    CUresult r = run_grid(k, argument, gx, gy, shared);
    if (trace) {
      clock_gettime(CLOCK_MONOTONIC, &to);
      fprintf(stderr, "fake driver: %-32s %4u x %3u blocks %9.3f ms\n", k->name.c_str(), gx, gy,
              (double)(to.tv_sec - from.tv_sec) * 1e3 + (double)(to.tv_nsec - from.tv_nsec) / 1e6);
    }
    if (!check_guards(ctx, ("kernel " + k->name).c_str()) && r == CUDA_SUCCESS) r = CUDA_ERROR_ILLEGAL_ADDRESS;
    return r;
  });
}

EXPORT CUresult cuLaunchKernel(CUfunction f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                               unsigned shared, CUstream s, void **params, void **) {
  CUresult r = launch(f, gx, gy, gz, bx, by, bz, shared, s, params);
  return r == CUDA_SUCCESS ? hurry(s) : r;
}

// sweep_fake_fail_after makes the n-th launch from now, the first being 1, lose its context; 0: none does.
EXPORT void sweep_fake_fail_after(long n) {
  std::lock_guard<std::mutex> l(state);
  fail_at = n > 0 ? launches + n - 1 : -1;
}

// sweep_fake_launches is how many kernels ran so far.
EXPORT long sweep_fake_launches(void) {
  std::lock_guard<std::mutex> l(state);
  return launches;
}

// sweep_fake_ran says whether a kernel ran so far, in whichever of its forms.
EXPORT int sweep_fake_ran(const char *name) {
  std::lock_guard<std::mutex> l(state);
  return ran.count(name) + ran.count(std::string(name) + "_lanes") > 0;
}

// The variable is read once, when the library is loaded.
static struct FromEnvironment {
  FromEnvironment() { sweep_fake_fail_after(setting("SWEEP_FAKE_FAIL_AFTER", 0)); }
} from_environment;
