// Runs the blocks of a grid, the threads of a block as fibers that change at barriers.
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "../../kernel/cuda/host.h"
#include "fake.h"
#include "fiber.h"
#include "races.h"

HOST_LOCAL Index host_thread, host_block;
HOST_LOCAL int host_threads;
HOST_LOCAL void *host_dynamic;

namespace {

constexpr size_t PAGE = 4096;
constexpr unsigned WARP = 32;

// Fiber is a stack, and the thread of the block that runs on it. It runs thread after thread until one comes to a barrier,
// and is that one's from then on.
struct Fiber {
  void *sp = nullptr;
  char *stack = nullptr;
  unsigned thread = 0;
  int arrays = 0;  // shared arrays that the thread has come to
  unsigned met = 0;  // times that it has met its warp
  bool waits = false;
};

// Block is the state of the block that runs, and of the thread of the system that runs it.
struct Block {
  const Kernel *kernel;
  const void *argument;
  bool reverse;
  unsigned next, finished;  // threads begun, threads through, before the first barrier
  void *scheduler;          // its stack
  std::vector<Fiber> fibers;
  Fiber *now = nullptr, *last = nullptr;
  bool all_wait;  // each thread has a fiber, and waits at a barrier or goes on from it
  bool warps;     // some have met their warps
  HostLane lanes[MAX_THREADS / WARP][2][WARP];  // what they showed there, in turns: the first may have gone on to the next
  char *shared = nullptr;
  long dynamic, used;
  long size[MAX_ARRAYS], at[MAX_ARRAYS];
  int arrays;
  const char *wrong = nullptr;  // what a thread did that it may not
  bool in_kernel = false;
  sigjmp_buf fault;
  void *address;  // of a fault
};

// The block that this thread of the system runs. They are taken from a pool, since whoever waits for work runs it.
HOST_LOCAL Block *running_block;
#define block (*running_block)

struct Pool {
  std::mutex lock;
  std::vector<Block *> idle;
  Block *take() {
    std::lock_guard<std::mutex> l(lock);
    if (idle.empty()) {
      auto b = new Block;
      b->fibers.resize(MAX_THREADS);
      b->shared = (char *)malloc(HOST_SHARED);
      if (!b->shared) abort();
      return b;
    }
    Block *b = idle.back();
    idle.pop_back();
    return b;
  }
  void give(Block *b) {
    std::lock_guard<std::mutex> l(lock);
    idle.push_back(b);
  }
};
Pool pool;

// missed says that the threads of this fiber's warp, the last of which it is, have not met equally often: some passed by.
bool missed(const Fiber *f) {
  for (auto other = f - (WARP - 1); other < f; other++) {
    if (other->met != f->met) return true;
  }
  return false;
}

bool ends_warp(const Fiber *f) { return (f - block.fibers.data()) % WARP == WARP - 1; }

// follower is the stack that comes after this fiber's: the next one's where all wait at a barrier, or else the scheduler's.
void *follower() {
  Block &b = block;
  if (b.warps && !b.wrong && ends_warp(b.now) && missed(b.now)) b.wrong = "goes on while others of its warp wait for it";
  if (!b.all_wait || b.wrong || b.now == b.last) return b.scheduler;
  b.now++;
  host_thread.x = b.now->thread;
  return b.now->sp;
}

[[noreturn]] void leave() {
  Fiber *f = block.now;
  f->waits = false;
  switch_stack(&f->sp, follower());
  abort();  // nobody goes on with a fiber that left
}

[[noreturn]] void blame(const char *what) {
  block.wrong = what;
  leave();
}

unsigned place(unsigned i) { return block.reverse ? (unsigned)block.kernel->threads - 1 - i : i; }

// run_threads is what a fiber does: threads one by one, until one has waited at a barrier and ended.
void run_threads() {
  Block &b = block;
  while (b.next < (unsigned)b.kernel->threads) {
    Fiber *f = b.now;
    f->thread = place(b.next++);
    f->arrays = 0;
    host_thread.x = f->thread;
    b.kernel->run(b.argument);
    if (f->waits) break;
    b.finished++;
  }
  leave();
}

void begin(Fiber &f) {
  if (!f.stack) {
    void *m = mmap(nullptr, 2 * HOST_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (m == MAP_FAILED) abort();
    f.stack = (char *)(((uintptr_t)m + HOST_STACK - 1) / HOST_STACK * HOST_STACK);
    mprotect(f.stack, PAGE, PROT_NONE);
  }
  // Stacks that began at the same place of a page would share a few lines of the cache.
  size_t shift = (size_t)(&f - block.fibers.data()) % 128 * 448;
  f.sp = new_stack(f.stack + HOST_STACK - shift, run_threads);
  f.waits = false;
  f.met = 0;
}

void resume(Fiber &f) {
  block.now = &f;
  host_thread.x = f.thread;
  switch_stack(&block.scheduler, f.sp);
}

// gaps looks at what nobody owns of the shared memory.
bool gaps() {
  Block &b = block;
  auto clean = [](const char *p) {
    for (long i = 0; i < GAP; i++) {
      if ((unsigned char)p[i] != 0xFF) return false;
    }
    return true;
  };
  for (int i = 0; i < b.arrays; i++) {
    if (!clean(b.shared + b.at[i] + b.size[i])) return false;
  }
  return clean(b.shared + b.dynamic);
}

CUresult tell(const char *what) {
  fprintf(stderr, "fake driver: kernel %s, block (%u, %u), thread %u: %s\n", block.kernel->name.c_str(), host_block.x, host_block.y,
          host_thread.x, what);
  return CUDA_ERROR_LAUNCH_FAILED;
}

CUresult run_block() {
  Block &b = block;
  unsigned n = (unsigned)b.kernel->threads;
  b.next = b.finished = 0;
  b.all_wait = b.warps = false;
  b.arrays = 0;
  b.used = (b.dynamic + GAP + 15) / 16 * 16;
  races_block();
  memset(b.shared, 0xFF, (size_t)b.used);
  unsigned waiting = 0;
  while (b.next < n && !b.wrong) {
    Fiber &f = b.fibers[waiting];
    begin(f);
    resume(f);
    if (f.waits) waiting++;
  }
  if (b.wrong) return tell(b.wrong);
  if (waiting > 0 && b.finished > 0) return tell("ended while others wait at a barrier");
  b.all_wait = true;
  b.last = &b.fibers[n - 1];
  while (waiting > 0) {
    unsigned still = 0;
    resume(b.fibers[0]);
    if (b.wrong) return tell(b.wrong);
    for (unsigned i = 0; i < n; i++) still += b.fibers[i].waits;
    if (still != 0 && still != n) return tell("ended while others wait at a barrier, or the other way round");
    waiting = still;
  }
  if (!gaps()) {
    tell("somebody in this block wrote outside of a shared array");
    return CUDA_ERROR_ILLEGAL_ADDRESS;
  }
  return CUDA_SUCCESS;
}

struct sigaction before[2];

// on_fault ends the grid whose kernel touched memory that it may not; other faults go to who handled them before.
void on_fault(int number, siginfo_t *info, void *context) {
  if (running_block && block.in_kernel) {
    block.in_kernel = false;
    block.address = info->si_addr;
    siglongjmp(block.fault, 1);
  }
  struct sigaction &old = before[number == SIGBUS];
  if (old.sa_flags & SA_SIGINFO) {
    old.sa_sigaction(number, info, context);
  } else if (old.sa_handler != SIG_DFL && old.sa_handler != SIG_IGN) {
    old.sa_handler(number);
  } else {
    signal(number, SIG_DFL);
    raise(number);
  }
}

void catch_faults() {
  static const bool once = [] {
    struct sigaction a = {};
    a.sa_sigaction = on_fault;
    a.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
    sigemptyset(&a.sa_mask);
    sigaction(SIGSEGV, &a, &before[0]);
    sigaction(SIGBUS, &a, &before[1]);
    return true;
  }();
  (void)once;
}

}  // namespace

void *host_shared(long bytes) {
  Block &b = block;
  int i = b.now->arrays++;
  if (i < b.arrays) {
    if (b.size[i] != bytes) blame("declares other shared arrays than the threads before it");
    return b.shared + b.at[i];
  }
  if (i == MAX_ARRAYS) blame("declares too many shared arrays, or declares them in a loop");
  b.size[i] = bytes;
  b.at[i] = b.used;
  long end = b.used + bytes + GAP;
  long all = b.dynamic;
  for (int j = 0; j <= i; j++) all += (b.size[j] + 15) / 16 * 16;
  if (all - b.dynamic > STATIC_SHARED) blame("declares more than 48 KiB of shared memory: use DYNAMIC_SHARED");
  if (all > ALL_SHARED) blame("uses more than 227 KiB of shared memory");
  b.arrays++;
  memset(b.shared + b.used, 0xFF, (size_t)(bytes + GAP));
  b.used = (end + 15) / 16 * 16;
  return b.shared + b.at[i];
}

extern "C" void host_sync() {
  Fiber *f = block.now;
  f->waits = true;
  races_barrier();
  switch_stack(&f->sp, follower());
  f->waits = false;
}

// Threads of a warp are on fibers that follow one another. The last to come hands on to the first, and so around from one
// instruction to the next, until all are at a barrier of the block.
const HostLane *host_warp(const HostLane &mine) {
  Block &b = block;
  Fiber *f = b.now;
  if (b.kernel->threads % WARP != 0) blame("is in a warp of fewer than 32 threads that execute an instruction together");
  if (!b.all_wait) blame("executes an instruction with its warp before the block has come to a barrier");
  HostLane *lanes = b.lanes[host_thread.x / WARP][f->met++ % 2];
  lanes[host_thread.x % WARP] = mine;
  if (mine.instruction == BAR_WARP) races_warp();
  b.warps = true;
  Fiber *next = f + 1;
  if (ends_warp(f)) {
    next = f - (WARP - 1);
    if (missed(f)) blame("executes an instruction that others of its warp do not");
    for (unsigned i = 0; i < WARP; i++) {
      if (lanes[i].instruction != mine.instruction) blame("executes another instruction than others of its warp");
    }
  }
  b.now = next;
  host_thread.x = next->thread;
  switch_stack(&f->sp, next->sp);
  return lanes;
}

extern "C" void host_blame(const char *what) { blame(what); }

// The compiler calls this, by the name that its own library has, before an access that is not aligned: a GPU ends the launch.
extern "C" void __ubsan_handle_type_mismatch_v1(void *, void *) {
  blame("reads or writes at an address that is no multiple of the number's size");
}

extern "C" bool host_in_shared(const void *p, long bytes) {
  auto at = (const char *)p;
  return at >= block.shared && at + bytes <= block.shared + block.used;
}

#ifdef RACES
std::string shared_place(const void *p) {
  const Block &b = block;
  long at = (const char *)p - b.shared;
  char text[100];
  snprintf(text, sizeof text, "byte %ld of dynamic shared memory", at);
  for (int i = 0; i < b.arrays; i++) {
    if (at >= b.at[i]) snprintf(text, sizeof text, "byte %ld of shared array %d of %ld bytes", at - b.at[i], i + 1, b.size[i]);
  }
  return text;
}
#endif

namespace {

// Grid is a launch that runs: whoever has time takes its next block.
struct Grid {
  const Kernel *kernel;
  const void *argument;
  unsigned x, y;
  long dynamic;
  bool reverse;
  std::atomic<unsigned long> next{0};
  std::atomic<int> result{CUDA_SUCCESS};
  int helpers = 0;  // that are at it; the crew's lock guards it
};

// run_blocks runs blocks in one thread of the system until there are none left, or one did what it may not.
CUresult run_blocks(Grid &g) {
  Block &b = block;
  if (sigsetjmp(b.fault, 1)) {
    std::lock_guard<std::mutex> l(state);
    fprintf(stderr, "fake driver: kernel %s, block (%u, %u), thread %u: touched %p, %s\n", b.kernel->name.c_str(), host_block.x,
            host_block.y, host_thread.x, b.address, nearest(b.address).c_str());
    return CUDA_ERROR_ILLEGAL_ADDRESS;
  }
  b.in_kernel = true;
  CUresult r = CUDA_SUCCESS;
  unsigned long all = (unsigned long)g.x * g.y;
  while (r == CUDA_SUCCESS && g.result == CUDA_SUCCESS) {
    unsigned long i = g.next++;
    if (i >= all) break;
    unsigned long j = g.reverse ? all - 1 - i : i;
    host_block.x = (unsigned)(j % g.x);
    host_block.y = (unsigned)(j / g.x);
    r = run_block();
  }
  b.in_kernel = false;
  return r;
}

void help(Grid &g) {
  Block *outer = running_block;
  running_block = pool.take();
  Block &b = block;
  b.kernel = g.kernel;
  b.argument = g.argument;
  b.dynamic = g.dynamic;
  b.reverse = g.reverse;
  b.wrong = nullptr;
  host_threads = g.kernel->threads;
  host_dynamic = b.shared;
  CUresult r = run_blocks(g);
  if (r != CUDA_SUCCESS) g.result = r;
  pool.give(running_block);
  running_block = outer;
}

// Crew is the threads of the system that help with the grid that runs. They live as long as the process.
struct Crew {
  std::mutex lock;
  std::condition_variable come, gone;
  Grid *grid = nullptr;
  unsigned long number = 0;  // of grids so far
  size_t size = 0;

  void work() {
    std::unique_lock<std::mutex> l(lock);
    for (unsigned long seen = 0;;) {
      come.wait(l, [&] { return grid && number != seen; });
      seen = number;
      Grid *g = grid;
      g->helpers++;
      l.unlock();
      help(*g);
      l.lock();
      if (--g->helpers == 0) gone.notify_all();
    }
  }

  // run has a grid run by this thread and the crew, at most n threads in all from the first grid on.
  void run(Grid &g, size_t n) {
    {
      std::lock_guard<std::mutex> l(lock);
      for (; size + 1 < n; size++) {
        // Signals of the program are not theirs, but for those of a kernel that touches what it may not.
        sigset_t all, old;
        sigfillset(&all);
        sigdelset(&all, SIGSEGV);
        sigdelset(&all, SIGBUS);
        pthread_sigmask(SIG_SETMASK, &all, &old);
        std::thread([this] { work(); }).detach();
        pthread_sigmask(SIG_SETMASK, &old, nullptr);
      }
      grid = &g;
      number++;
    }
    come.notify_all();
    help(g);
    std::unique_lock<std::mutex> l(lock);
    grid = nullptr;
    gone.wait(l, [&] { return g.helpers == 0; });
  }
};
Crew &crew = *new Crew;  // never destroyed: its threads wait in it when the process ends

}  // namespace

CUresult run_grid(const Kernel *k, const void *argument, unsigned x, unsigned y, long dynamic) {
  catch_faults();
  Grid g;
  g.kernel = k, g.argument = argument, g.x = x, g.y = y, g.dynamic = dynamic;
  g.reverse = setting("SWEEP_FAKE_REVERSE", 0) != 0;
  long threads = setting("SWEEP_FAKE_THREADS", std::min(8l, (long)std::thread::hardware_concurrency()));
  races_begin(k->name.c_str(), x);
  if (threads > 1 && (unsigned long)x * y > 1 && !races_checked) {
    crew.run(g, (size_t)threads);
  } else {
    help(g);
  }
  if (!races_end() && g.result == CUDA_SUCCESS) return CUDA_ERROR_LAUNCH_FAILED;
  return (CUresult)g.result.load();
}
