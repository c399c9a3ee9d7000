// Memory of the device and pinned memory of the host: pages of the process with guards around them.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "fake.h"

namespace {

constexpr size_t PAGE = 4096, ALIGN = 256;
constexpr unsigned char POISON = 0xFF, GUARD = 0xA5;

// Piece is an allocation: it ends as close to a page that cannot be touched as its alignment allows. What is left between, and
// as much as ALIGN before it, is filled with GUARD.
struct Piece {
  CUcontext ctx;
  bool pinned;
  unsigned char *map, *at;
  size_t mapped, bytes;
};

std::map<const unsigned char *, Piece> pieces;  // by at
std::map<int, size_t> taken;                    // of each device

size_t up(size_t n, size_t to) { return (n + to - 1) / to * to; }

// touched counts the bytes of a guard that were written.
size_t touched(const unsigned char *p, size_t n) {
  size_t k = 0;
  for (size_t i = 0; i < n; i++) k += p[i] != GUARD;
  return k;
}

size_t behind(const Piece &p) { return p.map + p.mapped - PAGE - (p.at + p.bytes); }

bool whole(const Piece &p, const char *who) {
  size_t before = touched(p.at - ALIGN, ALIGN), after = touched(p.at + p.bytes, behind(p));
  if (before + after == 0) return true;
  fprintf(stderr, "fake driver: %s wrote %zu bytes %s an allocation of %zu bytes\n", who, before + after,
          before ? "before the start of" : "past the end of", p.bytes);
  memset(p.at - ALIGN, GUARD, ALIGN);
  memset(p.at + p.bytes, GUARD, behind(p));
  return false;
}

void release(const Piece &p) {
  if (!p.pinned) taken[p.ctx->device] -= p.bytes;
  munmap(p.map, p.mapped);
}

}  // namespace

CUresult take(CUcontext ctx, size_t bytes, bool pinned, void **out) {
  if (bytes == 0) return CUDA_ERROR_INVALID_VALUE;
  size_t limit = (size_t)memory_of_device();
  if (bytes > ((size_t)1 << 46) || (!pinned && bytes > (size_t)setting("SWEEP_FAKE_LARGEST", (long)limit))) return CUDA_ERROR_OUT_OF_MEMORY;
  if (!pinned && (taken[ctx->device] + bytes > limit)) return CUDA_ERROR_OUT_OF_MEMORY;
  Piece p;
  p.ctx = ctx, p.pinned = pinned, p.bytes = bytes;
  size_t room = up(up(bytes, ALIGN) + ALIGN, PAGE);
  p.mapped = room + 2 * PAGE;
  void *m = mmap(nullptr, p.mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (m == MAP_FAILED) return CUDA_ERROR_OUT_OF_MEMORY;
  p.map = (unsigned char *)m;
  mprotect(p.map, PAGE, PROT_NONE);
  mprotect(p.map + p.mapped - PAGE, PAGE, PROT_NONE);
  p.at = p.map + PAGE + room - up(bytes, ALIGN);
  memset(p.at - ALIGN, GUARD, ALIGN);
  memset(p.at, POISON, bytes);
  memset(p.at + bytes, GUARD, behind(p));
  if (!pinned) taken[ctx->device] += bytes;
  pieces[p.at] = p;
  *out = p.at;
  return CUDA_SUCCESS;
}

CUresult give(void *at, bool pinned) {
  auto i = pieces.find((unsigned char *)at);
  if (i == pieces.end() || i->second.pinned != pinned) return CUDA_ERROR_INVALID_VALUE;
  bool ok = whole(i->second, "somebody");
  CUcontext ctx = i->second.ctx;
  release(i->second);
  pieces.erase(i);
  if (!ok) lose(ctx, CUDA_ERROR_ILLEGAL_ADDRESS);
  return ok ? CUDA_SUCCESS : CUDA_ERROR_ILLEGAL_ADDRESS;
}

void give_all(CUcontext ctx) {
  for (auto i = pieces.begin(); i != pieces.end();) {
    if (i->second.ctx == ctx) {
      release(i->second);
      i = pieces.erase(i);
    } else {
      ++i;
    }
  }
}

bool inside(CUcontext ctx, const void *p, size_t bytes, bool pinned) {
  auto at = (const unsigned char *)p;
  auto i = pieces.upper_bound(at);
  if (i == pieces.begin()) return false;
  const Piece &q = (--i)->second;
  return q.ctx == ctx && q.pinned == pinned && at + bytes <= q.at + q.bytes && at + bytes >= at;
}

size_t used(int device) { return taken[device]; }

bool check_guards(CUcontext ctx, const char *who) {
  std::lock_guard<std::mutex> l(state);
  bool ok = true;
  for (auto &i : pieces) {
    if (i.second.ctx == ctx && !whole(i.second, who)) ok = false;
  }
  return ok;
}

std::string nearest(const void *p) {
  auto at = (const unsigned char *)p;
  char text[200];
  auto after = pieces.upper_bound(at);
  if (after != pieces.begin()) {
    auto before = std::prev(after);
    const Piece &q = before->second;
    if (at < q.at + q.bytes + (1 << 20)) {
      snprintf(text, sizeof text, "%td bytes into an allocation of %zu bytes", at - q.at, q.bytes);
      return text;
    }
  }
  if (after != pieces.end() && after->second.at - at < (1 << 20)) {
    snprintf(text, sizeof text, "%td bytes before an allocation of %zu bytes", after->second.at - at, after->second.bytes);
    return text;
  }
  return (size_t)at < PAGE ? "next to a null pointer" : "in no allocation";
}

EXPORT CUresult cuMemGetInfo(size_t *free, size_t *total) {
  std::lock_guard<std::mutex> l(state);
  CUresult e;
  CUcontext ctx = current(&e);
  if (!ctx) return e;
  *total = (size_t)memory_of_device();
  *free = *total - used(ctx->device);
  return CUDA_SUCCESS;
}

EXPORT CUresult cuMemAlloc(CUdeviceptr *ptr, size_t bytes) {
  std::lock_guard<std::mutex> l(state);
  CUresult e;
  CUcontext ctx = current(&e);
  void *p = nullptr;
  if (ctx) e = forbidden();
  if (e == CUDA_SUCCESS) e = take(ctx, bytes, false, &p);
  *ptr = (CUdeviceptr)p;
  return e;
}

EXPORT CUresult cuMemAllocHost(void **p, size_t bytes) {
  std::lock_guard<std::mutex> l(state);
  CUresult e;
  CUcontext ctx = current(&e);
  if (ctx) e = forbidden();
  if (e == CUDA_SUCCESS) e = take(ctx, bytes, true, p);
  return e;
}

// Freeing waits for all that may still use the memory, as a driver does.
static CUresult free_piece(void *p, bool pinned) {
  CUresult e;
  CUcontext ctx;
  {
    std::lock_guard<std::mutex> l(state);
    if (!(ctx = current(&e)) || (e = forbidden()) != CUDA_SUCCESS) return e;
  }
  drain_all(ctx);
  std::lock_guard<std::mutex> l(state);
  if (!(ctx = current(&e))) return e;
  return give(p, pinned);
}

EXPORT CUresult cuMemFree(CUdeviceptr ptr) { return free_piece((void *)ptr, false); }
EXPORT CUresult cuMemFreeHost(void *p) { return free_piece(p, true); }
