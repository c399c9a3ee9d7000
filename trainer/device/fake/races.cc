// The check of races, see races.h.
#ifdef RACES
#include <dlfcn.h>
#include <sys/mman.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "../../kernel/cuda/host.h"
#include "fake.h"
#include "races.h"

namespace {

constexpr unsigned WARP = 32;
constexpr size_t MAX_TOLD = 8;  // races that are told of a launch

// Reach is what a place was read by since it was written: one thread, or threads that differ in this.
enum Reach : uint16_t { ONE, LANES, WARPS, BLOCKS };

// Access is who came to a place last, and when by the count of barriers.
struct Access {
  uint32_t epoch;     // the launch, or of shared memory the run of a block; 0: nobody came
  uint32_t block;
  uint32_t barriers;  // of the block that the thread had come to
  uint32_t meetings;  // of its warp since then
  uint16_t thread;
  Reach reach;
  uint32_t code;      // where it did so, from the library's beginning
};

// Cell is what is known of four bytes; or of one, where threads have come to a part of the four.
struct Cell {
  Access write, read;
  bool split;  // what is known lies in the cells of the bytes
};

// Cells lie in tables of pages by address, which the system gives when they are touched: one for each four bytes, and one for
// each byte.
constexpr int PART = 24, ADDRESS = 47;
Cell *words[1l << (ADDRESS - PART)], *single[1l << (ADDRESS - PART)];

Cell *part(Cell **table, uintptr_t p, size_t cells) {
  Cell *&t = table[p >> PART];
  if (!t) {
    void *m = mmap(nullptr, cells * sizeof(Cell), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (m == MAP_FAILED) abort();
    t = (Cell *)m;
  }
  return t;
}
Cell *word_of(uintptr_t p) { return part(words, p, 1l << (PART - 2)) + (p % (1l << PART) >> 2); }
Cell *byte_of(uintptr_t p) { return part(single, p, 1l << PART) + p % (1l << PART); }

bool active;
const char *kernel;
unsigned grid_x;
uint32_t launch, block_run;
uint32_t barriers[MAX_THREADS], meetings[MAX_THREADS];  // that the threads of the block have come to
const char *library;

// Twice is a write to what another thread wrote, of which the value is to be compared after it.
struct Twice {
  Cell *cell;
  const unsigned char *at;
  size_t bytes;
  unsigned char before[4];
  Access now;
  bool shared;
};
std::vector<Twice> twice;

struct Race {
  std::string place;
  Access now, before;
  bool writes, wrote;
};
std::vector<Race> races;
size_t found;

// source is where code is in the .cu files, by the debug information.
std::string source(uint32_t code) {
  char text[300];
  Dl_info info;
  dladdr((const void *)&races_begin, &info);
  snprintf(text, sizeof text, "addr2line -s -e '%s' %#x 2>/dev/null", info.dli_fname, code);
  std::string line;
  if (FILE *f = popen(text, "r")) {
    if (fgets(text, sizeof text, f)) line = text;
    pclose(f);
  }
  if (line.empty()) {
    snprintf(text, sizeof text, "%#x of the library", code);
    return text;
  }
  return line.substr(0, line.find_first_of(" \n"));
}

void tell(const Race &r) {
  const Access &a = r.now, &b = r.before;
  const char *others = b.reach == ONE ? "" : " as one of several";
  fprintf(stderr, "fake driver: race in kernel %s, %s: block (%u, %u), thread %u %s (%s) what block (%u, %u), thread %u %s%s (%s)\n",
          kernel, r.place.c_str(), a.block % grid_x, a.block / grid_x, a.thread, r.writes ? "writes" : "reads", source(a.code).c_str(),
          b.block % grid_x, b.block / grid_x, b.thread, r.wrote ? "wrote" : "read", others, source(b.code).c_str());
}

void note(uintptr_t p, bool shared, const Access &now, const Access &before, bool writes, bool wrote) {
  found++;
  if (races.size() == MAX_TOLD) return;
  for (auto &r : races) {
    if (r.now.code == now.code && r.before.code == before.code) return;
  }
  std::string place;
  if (shared) {
    place = shared_place((const void *)p);
  } else {
    std::lock_guard<std::mutex> l(state);
    place = nearest((const void *)p);
  }
  races.push_back({place, now, before, writes, wrote});
}

// compare tells of writes that changed what another thread had written.
void compare() {
  for (auto &t : twice) {
    if (memcmp(t.at, t.before, t.bytes) == 0) continue;
    note((uintptr_t)t.at, t.shared, t.now, t.cell->write, true, true);
    t.cell->write = t.now;
  }
  twice.clear();
}

// ordered says whether all that an access stands for is before another, or the same thread's.
bool ordered(const Access &a, const Access &now) {
  if (a.epoch != now.epoch) return true;
  if (a.reach == BLOCKS || a.block != now.block) return false;
  if (a.barriers != now.barriers) return true;
  if (a.reach == WARPS || a.thread / WARP != now.thread / WARP) return false;
  if (a.meetings != now.meetings) return true;
  return a.reach == ONE && a.thread == now.thread;
}

// wider is what reads before and one now are together.
Reach wider(const Access &a, const Access &now) {
  if (a.epoch != now.epoch) return ONE;
  if (a.reach == BLOCKS || a.block != now.block) return BLOCKS;
  if (a.barriers != now.barriers) return ONE;
  if (a.reach == WARPS || a.thread / WARP != now.thread / WARP) return WARPS;
  if (a.meetings != now.meetings) return ONE;
  return a.reach == ONE && a.thread == now.thread ? ONE : LANES;
}

void touch(Cell &c, uintptr_t p, size_t bytes, bool shared, const Access &now, bool writes) {
  if (!writes) {
    if (!ordered(c.write, now)) note(p, shared, now, c.write, false, true);
    Reach reach = wider(c.read, now);
    c.read = now;
    c.read.reach = reach;
    return;
  }
  if (!ordered(c.read, now)) note(p, shared, now, c.read, true, false);
  c.read.epoch = 0;  // who comes after the write comes after the reads before it
  if (ordered(c.write, now)) {
    c.write = now;
    return;
  }
  Twice t = {&c, (const unsigned char *)p, bytes, {}, now, shared};
  memcpy(t.before, t.at, bytes);
  twice.push_back(t);
}

void split(Cell &c, uintptr_t p) {
  c.split = true;
  for (int i = 0; i < 4; i++) *byte_of(p + i) = {c.write, c.read, false};
}

// access is a read or a write that a kernel is about to make.
__attribute__((always_inline)) inline void access(const void *at, size_t bytes, bool writes, const void *caller) {
  if (!active) return;
  uintptr_t p = (uintptr_t)at, end = p + bytes;
  // A thread's own: its stack, which begins at a multiple of its length, and what the stand-in tells it.
  if ((p ^ (uintptr_t)__builtin_frame_address(0)) < HOST_STACK) return;
  if (p - (uintptr_t)&host_thread < sizeof host_thread || p - (uintptr_t)&host_block < sizeof host_block) return;
  if (!twice.empty()) compare();
  bool shared = p - (uintptr_t)host_dynamic < HOST_SHARED;
  unsigned me = host_thread.x;
  Access now = {shared ? block_run : launch, host_block.y * grid_x + host_block.x, barriers[me], meetings[me], (uint16_t)me, ONE,
                (uint32_t)((const char *)caller - library) - 1};
  while (p < end) {
    uintptr_t next = std::min((p | 3) + 1, end);
    Cell &c = *word_of(p);
    if (next - p < 4 && !c.split) split(c, p & ~(uintptr_t)3);
    if (!c.split) {
      touch(c, p, 4, shared, now, writes);
    } else {
      for (uintptr_t q = p; q < next; q++) touch(*byte_of(q), q, 1, shared, now, writes);
    }
    p = next;
  }
}

}  // namespace

void races_begin(const char *name, unsigned x) {
  Dl_info info;
  dladdr((const void *)&races_begin, &info);
  library = (const char *)info.dli_fbase;
  kernel = name;
  grid_x = x;
  launch++;
  found = 0;
  active = true;
}

bool races_end() {
  compare();
  active = false;
  for (auto &r : races) tell(r);
  if (found > 0) fprintf(stderr, "fake driver: %zu accesses of kernel %s raced with others\n", found, kernel);
  races.clear();
  return found == 0;
}

void races_block() {
  compare();
  block_run++;
  memset(barriers, 0, sizeof barriers);
  memset(meetings, 0, sizeof meetings);
}

void races_barrier() {
  barriers[host_thread.x]++;
  meetings[host_thread.x] = 0;
}

void races_warp() { meetings[host_thread.x]++; }

// What the compiler calls.
#define OF(bytes)                                                                                                             \
  extern "C" void __tsan_read##bytes(void *p) { access(p, bytes, false, __builtin_return_address(0)); }                       \
  extern "C" void __tsan_write##bytes(void *p) { access(p, bytes, true, __builtin_return_address(0)); }                       \
  extern "C" void __tsan_unaligned_read##bytes(void *p) { access(p, bytes, false, __builtin_return_address(0)); }             \
  extern "C" void __tsan_unaligned_write##bytes(void *p) { access(p, bytes, true, __builtin_return_address(0)); }
OF(1) OF(2) OF(4) OF(8) OF(16)
extern "C" void __tsan_read_range(void *p, size_t bytes) { access(p, bytes, false, __builtin_return_address(0)); }
extern "C" void __tsan_write_range(void *p, size_t bytes) { access(p, bytes, true, __builtin_return_address(0)); }
extern "C" void __tsan_init() {}

// sweep_fake_races says that this stand-in checks for races.
EXPORT int sweep_fake_races(void) { return 1; }

#endif
