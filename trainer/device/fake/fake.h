// A stand-in for libcuda.so.1, for tests on machines without a GPU: the kernels of trainer/kernel/cuda compiled for the host
// (HOST, see host.h) behind the functions of the driver that the device package calls.
//
// It is stricter than a driver. Work is done when somebody waits for it, never before: who reads too early, or changes pinned
// memory too early, finds what was there. A driver may as well do work at once, so streams can be made to (SWEEP_FAKE_EAGER):
// who forgets that one stream waits for another is found by one of the two. Memory is filled with 0xFF, which as a float is
// NaN, and has guards that are looked at after each launch; a kernel that reads or writes outside of it loses its context with 700, and a line on standard error
// says which kernel, block, thread and address. Barriers that some threads of a block miss, shared arrays that they do not
// all declare, and launches beyond a GPU's limits are errors, too. Built with RACES it also tells of threads that touch the same
// memory with no barrier between them: see races.h.
//
// Variables:
//   SWEEP_FAKE_DEVICES [1]          how many devices
//   SWEEP_FAKE_COMPUTE [90]         ten times the compute capability of the first
//   SWEEP_FAKE_MIG=1                they are MIG instances
//   SWEEP_FAKE_MEMORY [2147483648]  bytes of each
//   SWEEP_FAKE_LARGEST [all]        bytes that can be had in one piece
//   SWEEP_FAKE_VERSION [13000]      of CUDA
//   SWEEP_FAKE_INIT [0]             what cuInit returns
//   SWEEP_FAKE_REVERSE=1            blocks and threads run last to first
//   SWEEP_FAKE_THREADS [cores, 8]   threads of the system that run blocks, at most 8 by default; 1: blocks run in order
//   SWEEP_FAKE_EAGER=mask           streams of a context that do their work at once; bit 0 is the first that was made
//   SWEEP_FAKE_LATENCY [0]          milliseconds that a wait for another stream takes at least
//   SWEEP_FAKE_ANY_PTX=1            kernels are found whether or not the module names them
//   SWEEP_FAKE_LANES=1              functions that are found from then on make their products by the instructions of tensor
//                                   cores (lanes.h) where their PTX does
//   SWEEP_FAKE_FAIL_AFTER=n         the n-th launch loses its context
//   SWEEP_FAKE_FAIL_WITH [700]      the result that it is lost by
//   SWEEP_FAKE_TRACE=1              each launch and its time on standard error
#pragma once
#include <cuda.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#define EXPORT extern "C" __attribute__((visibility("default")))

// Limits of a block and a grid, of every GPU since 9.0.
enum : long {
  MAX_THREADS = 1024,
  MAX_GRID_X = 2147483647,
  MAX_GRID_Y = 65535,
  STATIC_SHARED = 48 << 10,  // that a kernel may declare, or be given at launch without being asked for
  ALL_SHARED = 227 << 10,
};

// What the stand-in has for a block: bytes of a thread's stack, and of shared memory, with what nobody owns behind each array.
constexpr long GAP = 64;
constexpr int MAX_ARRAYS = 256;
constexpr size_t HOST_STACK = 256 << 10, HOST_SHARED = ALL_SHARED + MAX_ARRAYS * (GAP + 16) + 4096;

// Kernel is a kernel of the host's, as KERNEL entered it.
struct Kernel {
  std::string name;
  int threads;
  void (*run)(const void *);
};
const Kernel *find_kernel(const std::string &name);

// An Op is work in a queue; it returns what its context ends with, or CUDA_SUCCESS.
typedef std::function<CUresult()> Op;

// Point is a place in a queue, which an event stands for.
struct Point {
  CUstream stream;
  bool done = false;
};

struct CUctx_st {
  int device;
  CUresult error = CUDA_SUCCESS;  // what it was lost by
  unsigned made = 0;              // streams so far
  std::set<CUstream> streams;
  std::set<CUevent> events;
  std::set<CUmodule> modules;
  std::set<CUgraphExec> graphs;
};
struct CUstream_st {
  CUcontext ctx;
  unsigned flags;
  bool eager;  // it does its work at once
  std::deque<Op> queue;
  CUgraph capture = nullptr;
  CUstreamCaptureMode mode;  // of the capture
  std::thread::id owner;     // of the capture: the thread that began it
  bool spoiled = false;      // the capture: something was asked for that cannot be captured
};
struct CUevent_st {
  CUcontext ctx;
  std::shared_ptr<Point> point;
};
struct CUgraph_st {
  CUcontext ctx;
  std::vector<Op> ops;
};
struct CUgraphExec_st {
  CUcontext ctx;
  std::vector<Op> ops;
};
struct CUmod_st {
  CUcontext ctx;
  std::string text;
  std::map<std::string, CUfunction> functions;
};
struct CUfunc_st {
  CUcontext ctx;
  const Kernel *kernel;
  long declared;  // shared memory that it has in any case
  long shared;    // dynamic shared memory that it may be given beside it
};

// state guards everything but the running of work; running is held by the thread that does.
extern std::mutex state;
extern std::recursive_mutex running;

long setting(const char *name, long otherwise);
int devices();
long memory_of_device();

// current is the context of this thread if it can be used; error says why it cannot. state is held.
CUcontext current(CUresult *error);
// alive says whether a handle of a context is one of the living. state is held.
bool alive(CUcontext ctx);
extern std::set<CUcontext> contexts;  // the living

// enqueue puts work into a stream, or into the graph that is captured from it. state is held.
CUresult enqueue(CUstream s, Op op);
// hurry does the work of a stream that does it at once. state is not held.
CUresult hurry(CUstream s);
// forbidden is the result of a call that takes effect at once, and so is none that a graph can hold: it spoils the captures
// which forbid it, by their mode this thread or every thread. state is held.
CUresult forbidden();
// drain does a stream's work, all of it or until a point is done. state is not held.
void drain(CUstream s, Point *until);
void drain_all(CUcontext ctx);
void lose(CUcontext ctx, CUresult why);

// Memory. Addresses are those of the host.
CUresult take(CUcontext ctx, size_t bytes, bool pinned, void **out);
CUresult give(void *p, bool pinned);
void give_all(CUcontext ctx);
// inside says whether a piece lies in one allocation of that kind of the context. state is held.
bool inside(CUcontext ctx, const void *p, size_t bytes, bool pinned);
size_t used(int device);
// check_guards says which allocation was written outside of, on standard error. who did it is part of the message.
bool check_guards(CUcontext ctx, const char *who);
// nearest describes an address by the allocation that it is in or next to.
std::string nearest(const void *p);

// run_grid runs all blocks of a kernel, and says what went wrong by the result of a lost context.
CUresult run_grid(const Kernel *k, const void *argument, unsigned x, unsigned y, long dynamic);
