// Kernels that do what the tests of the device package want to see done, right and wrong.
#include "../../kernel/cuda/sweep.cuh"

struct Probe {
  float *out;
  const float *in;
  long long n;  // floats
};

KERNEL_OF(probe_add, 64, Probe) {
  long long i = (long long)blockIdx.x * BLOCK + threadIdx.x;
  if (i < t->n) t->out[i] += t->in[i];
}

// The sum of each 128 floats, by a tree in shared memory.
KERNEL_OF(probe_sum, 128, Probe) {
  SHARED(float, part, 128);
  int me = (int)threadIdx.x;
  long long i = (long long)blockIdx.x * BLOCK + me;
  part[me] = i < t->n ? t->in[i] : 0;
  __syncthreads();
  for (int half = 64; half > 0; half /= 2) {
    if (me < half) part[me] += part[me + half];
    __syncthreads();
  }
  if (me == 0) t->out[blockIdx.x] = part[0];
}

// The same sum without the first barrier.
KERNEL_OF(probe_race, 128, Probe) {
  SHARED(float, part, 128);
  int me = (int)threadIdx.x;
  long long i = (long long)blockIdx.x * BLOCK + me;
  part[me] = i < t->n ? t->in[i] : 0;
  for (int half = 64; half > 0; half /= 2) {
    if (me < half) part[me] += part[me + half];
    __syncthreads();
  }
  if (me == 0) t->out[blockIdx.x] = part[0];
}

// One float past the end.
KERNEL_OF(probe_past, 32, Probe) {
  if (threadIdx.x == 0) t->out[t->n] = 1;
}

// One float before the start.
KERNEL_OF(probe_before, 32, Probe) {
  if (threadIdx.x == 0) t->out[-1] = 1;
}

// Reads what is called with a null pointer.
KERNEL_OF(probe_wild, 32, Probe) { t->out[threadIdx.x] = t->in[threadIdx.x]; }

// Half of the threads miss the barrier.
KERNEL_OF(probe_missed, 64, Probe) {
  if (threadIdx.x < 32) __syncthreads();
  t->out[threadIdx.x] = 1;
}

// Shared memory that nobody wrote, dynamic and not.
KERNEL_OF(probe_unwritten, 32, Probe) {
  SHARED(float, part, 32);
  DYNAMIC_SHARED(float, more);
  t->out[threadIdx.x] = part[threadIdx.x];
  t->out[32 + threadIdx.x] = more[threadIdx.x];
}

// One float past the end of a shared array.
KERNEL_OF(probe_shared, 32, Probe) {
  SHARED(float, part, 32);
  part[threadIdx.x + 1] = 1;
  t->out[threadIdx.x] = 1;
}

// Where blocks and threads are run: each writes the number of its turn.
KERNEL_OF(probe_order, 4, Probe) {
  float turn = t->out[0];
  t->out[0] = turn + 1;
  t->out[1 + (blockIdx.y * 2 + blockIdx.x) * 4 + threadIdx.x] = turn;
}

// A warp's instructions: what each lane puts in, and what it gets.
static void show(const Probe *t, const word (&f)[4]) {
  for (int i = 0; i < 4; i++) ((word *)t->out)[4 * threadIdx.x + i] = f[i];
}
#define PROBE_LDMATRIX(name, instruction)                                                          \
  KERNEL_OF(name, 32, Probe) {                                                                     \
    SHARED(word, lines, 128);                                                                      \
    for (int i = threadIdx.x; i < 128; i += BLOCK) lines[i] = ((const word *)t->in)[i];            \
    __syncthreads();                                                                               \
    word f[4];                                                                                     \
    instruction(f, lines + 4 * threadIdx.x);                                                       \
    show(t, f);                                                                                    \
  }
PROBE_LDMATRIX(probe_ldmatrix, matrices)
PROBE_LDMATRIX(probe_ldmatrix_trans, turned_matrices)

KERNEL_OF(probe_mma, 32, Probe) {
  __syncthreads();
  const word *in = (const word *)t->in + 6 * threadIdx.x;
  const word a[4] = {in[0], in[1], in[2], in[3]}, b[2] = {in[4], in[5]};
  float c[4] = {1, 1, 1, 1};
  mma(c, a, b);
  for (int i = 0; i < 4; i++) t->out[4 * threadIdx.x + i] = c[i];
}

// Neighbours in a warp wait for each other, with its barrier and without.
KERNEL_OF(probe_warp, 64, Probe) {
  SHARED(float, part, 64);
  __syncthreads();
  part[threadIdx.x] = t->in[threadIdx.x];
  warp_meets();
  t->out[threadIdx.x] = part[threadIdx.x ^ 1];
}
KERNEL_OF(probe_warp_race, 64, Probe) {
  SHARED(float, part, 64);
  __syncthreads();
  part[threadIdx.x] = t->in[threadIdx.x];
  t->out[threadIdx.x] = part[threadIdx.x ^ 1];
}

// A lane misses an instruction of its warp: its first, its last; and one executes another.
KERNEL_OF(probe_warp_first, 64, Probe) {
  __syncthreads();
  if (threadIdx.x != 32) warp_meets();
  t->out[threadIdx.x] = 1;
}
KERNEL_OF(probe_warp_last, 64, Probe) {
  __syncthreads();
  if (threadIdx.x != 31) warp_meets();
  t->out[threadIdx.x] = 1;
}
KERNEL_OF(probe_warp_other, 64, Probe) {
  SHARED(word, lines, 128);
  __syncthreads();
  word f[4] = {};
  if (threadIdx.x == 7) matrices(f, lines);
  else warp_meets();
  t->out[threadIdx.x] = 1;
}

// ldmatrix of a line that is not at a multiple of 16 bytes, and of one that is not in shared memory.
KERNEL_OF(probe_line_odd, 32, Probe) {
  SHARED(word, lines, 128);
  __syncthreads();
  word f[4];
  matrices(f, lines + 2 * threadIdx.x);
  t->out[threadIdx.x] = bits_float(f[0]);
}
KERNEL_OF(probe_line_outside, 32, Probe) {
  __syncthreads();
  word f[4];
  matrices(f, (const word *)t->out + 4 * (threadIdx.x % 8));
  t->out[threadIdx.x] = bits_float(f[0]);
}

// What the check of races is to tell apart. Blocks write one place; each its own; they read what another writes.
KERNEL_OF(probe_blocks, 32, Probe) {
  if (threadIdx.x == 0) t->out[0] = blockIdx.x;
}
KERNEL_OF(probe_own, 32, Probe) { t->out[32 * blockIdx.x + threadIdx.x] = t->in[threadIdx.x]; }
KERNEL_OF(probe_across, 32, Probe) {
  if (threadIdx.x == 0) t->out[1 + blockIdx.x] = t->out[blockIdx.x];
}

// All write the same; bytes of one word, each its own, and one of them a neighbour's.
KERNEL_OF(probe_flag, 32, Probe) { t->out[0] = 1; }
KERNEL_OF(probe_bytes, 32, Probe) { ((byte *)t->out)[32 * blockIdx.x + threadIdx.x] = (byte)threadIdx.x; }
KERNEL_OF(probe_byte_race, 32, Probe) { ((byte *)t->out)[32 * blockIdx.x + threadIdx.x / 2] = (byte)threadIdx.x; }

// Threads of a block read in device memory what others wrote, after a barrier and before it.
KERNEL_OF(probe_device, 64, Probe) {
  t->out[threadIdx.x] = t->in[threadIdx.x];
  __syncthreads();
  t->out[64 + threadIdx.x] = t->out[63 - threadIdx.x];
}
KERNEL_OF(probe_device_race, 64, Probe) {
  t->out[threadIdx.x] = t->in[threadIdx.x];
  t->out[64 + threadIdx.x] = t->out[63 - threadIdx.x];
  __syncthreads();
}

// What is read is overwritten without a barrier, after two have read it.
KERNEL_OF(probe_overwritten, 64, Probe) {
  SHARED(float, part, 64);
  part[threadIdx.x] = t->in[threadIdx.x];
  __syncthreads();
  t->out[threadIdx.x] = part[threadIdx.x] + part[0];
  part[threadIdx.x] = 0;
  __syncthreads();
  t->out[64 + threadIdx.x] = part[threadIdx.x];
}

// A warp's barrier orders its own threads, and no others.
KERNEL_OF(probe_warps, 64, Probe) {
  SHARED(float, part, 64);
  __syncthreads();
  part[threadIdx.x] = t->in[threadIdx.x];
  warp_meets();
  t->out[threadIdx.x] = part[threadIdx.x ^ 32];
}

// A line of ldmatrix is read by the lane that names it.
KERNEL_OF(probe_line, 64, Probe) {
  SHARED(word, lines, 256);
  for (int i = threadIdx.x; i < 256; i += 64) lines[i] = i;
  __syncthreads();
  word f[4];
  matrices(f, lines + 128 * (threadIdx.x / 32) + 4 * (threadIdx.x % 32));
  t->out[threadIdx.x] = bits_float(f[0]);
}
KERNEL_OF(probe_line_race, 64, Probe) {
  SHARED(word, lines, 256);
  __syncthreads();
  for (int i = threadIdx.x % 32; i < 128; i += 32) lines[128 * (threadIdx.x / 32) + i] = i;
  word f[4];
  matrices(f, lines + 128 * (threadIdx.x / 32) + 4 * (threadIdx.x % 32));
  t->out[threadIdx.x] = bits_float(f[0]);
}
