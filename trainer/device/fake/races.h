// The check of races, as compute-sanitizer's racecheck makes it on a GPU, in the stand-in that is built with it (RACES). Its
// kernels are compiled with -fsanitize=thread, so that each of their reads and writes of memory calls a function, which
// races.cc has. It says on standard error which accesses of which threads nothing orders, and the launch loses its context:
//
// Shared memory: two threads of a block come to the same byte, one of them writing, and the block was at no barrier in between,
// nor, where both are in one warp, the warp at one of its own.
//
// Device memory: the same; and two blocks of a launch come to the same byte, one of them writing.
//
// It is none if both write, and the same: threads may set a flag together. Blocks run one after another, in one thread of the
// system, so that the check sees what each write has changed.
#pragma once
#ifdef RACES

#include <string>

// races_begin and races_end are a launch's: the second says whether there were none.
void races_begin(const char *kernel, unsigned x);
bool races_end();
// races_block begins another block.
void races_block();
// races_barrier counts that this thread has come to a barrier of the block, or of its warp.
void races_barrier();
void races_warp();

// shared_place describes an address in the shared memory of the block that runs.
std::string shared_place(const void *p);

constexpr bool races_checked = true;

#else

inline void races_begin(const char *, unsigned) {}
inline bool races_end() { return true; }
inline void races_block() {}
inline void races_barrier() {}
inline void races_warp() {}
constexpr bool races_checked = false;

#endif
