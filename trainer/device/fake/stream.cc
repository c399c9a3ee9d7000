// Streams, events, captured graphs, and the copies that are put into them.
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "fake.h"

std::recursive_mutex running;

void lose(CUcontext ctx, CUresult why) {
  if (ctx->error == CUDA_SUCCESS) ctx->error = why;
  for (auto s : ctx->streams) s->queue.clear();
}

CUresult enqueue(CUstream s, Op op) {
  if (s->capture) {
    s->capture->ops.push_back(std::move(op));
  } else {
    s->queue.push_back(std::move(op));
  }
  return CUDA_SUCCESS;
}

CUresult hurry(CUstream s) {
  if (s->eager && !s->capture) drain(s, nullptr);
  return CUDA_SUCCESS;
}

CUresult forbidden() {
  CUresult r = CUDA_SUCCESS;
  for (auto ctx : contexts) {
    for (auto s : ctx->streams) {
      if (!s->capture || s->mode == CU_STREAM_CAPTURE_MODE_RELAXED) continue;
      if (s->mode == CU_STREAM_CAPTURE_MODE_THREAD_LOCAL && s->owner != std::this_thread::get_id()) continue;
      s->spoiled = true;
      r = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    }
  }
  return r;
}

// step does the next piece of work of a stream; false: there is none.
static bool step(CUstream s) {
  Op op;
  {
    std::lock_guard<std::mutex> l(state);
    if (s->queue.empty()) return false;
    op = std::move(s->queue.front());
    s->queue.pop_front();
  }
  CUresult r = op();
  if (r != CUDA_SUCCESS) {
    std::lock_guard<std::mutex> l(state);
    lose(s->ctx, r);
  }
  return true;
}

void drain(CUstream s, Point *until) {
  std::lock_guard<std::recursive_mutex> r(running);
  while (!(until && until->done) && step(s)) {
  }
}

void drain_all(CUcontext ctx) {
  std::lock_guard<std::recursive_mutex> r(running);
  std::set<CUstream> all;
  {
    std::lock_guard<std::mutex> l(state);
    all = ctx->streams;
  }
  for (auto s : all) drain(s, nullptr);
}

namespace {

// usable is this thread's context if s is one of its streams.
CUcontext usable(CUstream s, CUresult *e) {
  CUcontext ctx = current(e);
  if (ctx && !ctx->streams.count(s)) {
    *e = CUDA_ERROR_INVALID_HANDLE;
    return nullptr;
  }
  return ctx;
}

// put enqueues work if the stream can be used.
CUresult put(CUstream s, bool valid, Op op) {
  CUresult e;
  {
    std::lock_guard<std::mutex> l(state);
    if (!usable(s, &e)) return e;
    if (!valid) return CUDA_ERROR_INVALID_VALUE;
    if ((e = enqueue(s, std::move(op))) != CUDA_SUCCESS) return e;
  }
  return hurry(s);
}

bool on_device(const void *p, size_t n) {
  std::lock_guard<std::mutex> l(state);
  CUresult e;
  CUcontext ctx = current(&e);
  return !ctx || inside(ctx, p, n, false);
}

bool on_host(const void *p, size_t n) {
  std::lock_guard<std::mutex> l(state);
  CUresult e;
  CUcontext ctx = current(&e);
  return !ctx || inside(ctx, p, n, true);
}

// Waiting for a stream is not possible while it is captured, and spoils the capture.
CUresult spoil(CUstream s) {
  if (!s->capture) return CUDA_SUCCESS;
  s->spoiled = true;
  return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
}

}  // namespace

// latency is what a device lets those wait who wait for it, so that work which nobody waits for lies in queues meanwhile.
static void latency(CUstream s) {
  if (!s->eager) usleep((useconds_t)setting("SWEEP_FAKE_LATENCY", 0) * 1000);
}

EXPORT CUresult cuStreamCreate(CUstream *s, unsigned flags) {
  std::lock_guard<std::mutex> l(state);
  CUresult e;
  CUcontext ctx = current(&e);
  if (!ctx) return e;
  bool eager = setting("SWEEP_FAKE_EAGER", 0) >> std::min(ctx->made++, 62u) & 1;
  *s = new CUstream_st{ctx, flags, eager};
  ctx->streams.insert(*s);
  return CUDA_SUCCESS;
}

EXPORT CUresult cuStreamDestroy(CUstream s) {
  CUresult e;
  {
    std::lock_guard<std::mutex> l(state);
    if (!usable(s, &e)) return e;
  }
  std::lock_guard<std::recursive_mutex> r(running);
  drain(s, nullptr);
  std::lock_guard<std::mutex> l(state);
  s->ctx->streams.erase(s);
  delete s->capture;
  delete s;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuStreamSynchronize(CUstream s) {
  CUresult e;
  CUcontext ctx;
  {
    std::lock_guard<std::mutex> l(state);
    if (!(ctx = usable(s, &e))) return e;
    if ((e = spoil(s)) != CUDA_SUCCESS || (e = forbidden()) != CUDA_SUCCESS) return e;
  }
  latency(s);
  drain(s, nullptr);
  std::lock_guard<std::mutex> l(state);
  return ctx->error;
}

EXPORT CUresult cuMemcpyHtoDAsync(CUdeviceptr dst, const void *src, size_t n, CUstream s) {
  return put(s, on_device((void *)dst, n) && on_host(src, n), [=] {
    memcpy((void *)dst, src, n);
    return CUDA_SUCCESS;
  });
}

EXPORT CUresult cuMemcpyDtoHAsync(void *dst, CUdeviceptr src, size_t n, CUstream s) {
  return put(s, on_host(dst, n) && on_device((void *)src, n), [=] {
    memcpy(dst, (void *)src, n);
    return CUDA_SUCCESS;
  });
}

EXPORT CUresult cuMemcpyDtoDAsync(CUdeviceptr dst, CUdeviceptr src, size_t n, CUstream s) {
  return put(s, on_device((void *)dst, n) && on_device((void *)src, n), [=] {
    memmove((void *)dst, (void *)src, n);
    return CUDA_SUCCESS;
  });
}

EXPORT CUresult cuMemsetD8Async(CUdeviceptr dst, unsigned char value, size_t n, CUstream s) {
  return put(s, on_device((void *)dst, n), [=] {
    memset((void *)dst, value, n);
    return CUDA_SUCCESS;
  });
}

EXPORT CUresult cuEventCreate(CUevent *e, unsigned) {
  std::lock_guard<std::mutex> l(state);
  CUresult r;
  CUcontext ctx = current(&r);
  if (!ctx) return r;
  *e = new CUevent_st{ctx, nullptr};
  ctx->events.insert(*e);
  return CUDA_SUCCESS;
}

EXPORT CUresult cuEventDestroy(CUevent e) {
  std::lock_guard<std::mutex> l(state);
  CUresult r;
  CUcontext ctx = current(&r);
  if (!ctx) return r;
  if (!ctx->events.erase(e)) return CUDA_ERROR_INVALID_HANDLE;
  delete e;
  return CUDA_SUCCESS;
}

static CUresult record(CUevent e, CUstream s) {
  std::lock_guard<std::mutex> l(state);
  CUresult r;
  CUcontext ctx = usable(s, &r);
  if (!ctx) return r;
  if (!ctx->events.count(e)) return CUDA_ERROR_INVALID_HANDLE;
  if ((r = spoil(s)) != CUDA_SUCCESS) return r;
  auto p = std::make_shared<Point>();
  p->stream = s;
  e->point = p;
  return enqueue(s, [p] {
    p->done = true;
    return CUDA_SUCCESS;
  });
}

EXPORT CUresult cuEventRecord(CUevent e, CUstream s) {
  CUresult r = record(e, s);
  return r == CUDA_SUCCESS ? hurry(s) : r;
}

// The work before a point is done by who waits for it; who asks does one piece.
static CUresult reach(CUevent e, bool wait) {
  std::shared_ptr<Point> p;
  CUcontext ctx;
  CUresult r;
  {
    std::lock_guard<std::mutex> l(state);
    if (!(ctx = current(&r))) return r;
    if (!ctx->events.count(e)) return CUDA_ERROR_INVALID_HANDLE;
    if ((r = forbidden()) != CUDA_SUCCESS) return r;
    p = e->point;
    if (!p) return CUDA_SUCCESS;
  }
  if (wait && !p->done) latency(p->stream);
  std::lock_guard<std::recursive_mutex> run(running);
  if (p->done) return CUDA_SUCCESS;
  if (wait) {
    drain(p->stream, p.get());
  } else {
    step(p->stream);
  }
  std::lock_guard<std::mutex> l(state);
  if (ctx->error != CUDA_SUCCESS) return ctx->error;
  return p->done ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY;
}

EXPORT CUresult cuEventSynchronize(CUevent e) { return reach(e, true); }
EXPORT CUresult cuEventQuery(CUevent e) { return reach(e, false); }

static CUresult wait_event(CUstream s, CUevent e) {
  std::lock_guard<std::mutex> l(state);
  CUresult r;
  CUcontext ctx = usable(s, &r);
  if (!ctx) return r;
  if (!ctx->events.count(e)) return CUDA_ERROR_INVALID_HANDLE;
  if ((r = spoil(s)) != CUDA_SUCCESS) return r;
  auto p = e->point;
  if (!p) return CUDA_SUCCESS;
  return enqueue(s, [p] {
    if (!p->done) drain(p->stream, p.get());
    return CUDA_SUCCESS;
  });
}

EXPORT CUresult cuStreamWaitEvent(CUstream s, CUevent e, unsigned) {
  CUresult r = wait_event(s, e);
  return r == CUDA_SUCCESS ? hurry(s) : r;
}

EXPORT CUresult cuStreamBeginCapture(CUstream s, CUstreamCaptureMode mode) {
  std::lock_guard<std::mutex> l(state);
  CUresult e;
  CUcontext ctx = usable(s, &e);
  if (!ctx) return e;
  if (s->capture) return CUDA_ERROR_ILLEGAL_STATE;
  s->capture = new CUgraph_st{ctx, {}};
  s->mode = mode;
  s->owner = std::this_thread::get_id();
  s->spoiled = false;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuStreamEndCapture(CUstream s, CUgraph *graph) {
  std::lock_guard<std::mutex> l(state);
  CUresult e;
  *graph = nullptr;
  if (!usable(s, &e)) return e;
  if (!s->capture) return CUDA_ERROR_STREAM_CAPTURE_UNMATCHED;
  if (s->mode != CU_STREAM_CAPTURE_MODE_RELAXED && s->owner != std::this_thread::get_id()) {
    return CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD;
  }
  CUgraph g = s->capture;
  s->capture = nullptr;
  if (s->spoiled) {
    delete g;
    return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
  }
  *graph = g;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuGraphDestroy(CUgraph g) {
  delete g;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuGraphInstantiateWithFlags(CUgraphExec *exec, CUgraph g, unsigned long long) {
  std::lock_guard<std::mutex> l(state);
  CUresult e;
  CUcontext ctx = current(&e);
  if (!ctx) return e;
  *exec = new CUgraphExec_st{ctx, g->ops};
  ctx->graphs.insert(*exec);
  return CUDA_SUCCESS;
}

static CUresult launch_graph(CUgraphExec g, CUstream s) {
  std::lock_guard<std::mutex> l(state);
  CUresult e;
  CUcontext ctx = usable(s, &e);
  if (!ctx) return e;
  if (!ctx->graphs.count(g)) return CUDA_ERROR_INVALID_HANDLE;
  if ((e = spoil(s)) != CUDA_SUCCESS) return e;
  for (auto &op : g->ops) enqueue(s, op);
  return CUDA_SUCCESS;
}

EXPORT CUresult cuGraphLaunch(CUgraphExec g, CUstream s) {
  CUresult r = launch_graph(g, s);
  return r == CUDA_SUCCESS ? hurry(s) : r;
}

EXPORT CUresult cuGraphExecDestroy(CUgraphExec g) {
  std::lock_guard<std::mutex> l(state);
  CUresult e;
  CUcontext ctx = current(&e);
  if (!ctx) return e;
  if (!ctx->graphs.erase(g)) return CUDA_ERROR_INVALID_HANDLE;
  delete g;
  return CUDA_SUCCESS;
}
