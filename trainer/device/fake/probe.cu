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
