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
