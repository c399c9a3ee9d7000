// The product of matrices that convolutions and dense layers are made of: C(m, n) = sum over k of A(m, k)·B(k, n).
//
// A block of threads makes one tile of C. It goes over k in slabs: a slab of A and one of B, BK of each row and column of the
// tile, are laid in shared memory, and every thread adds their product to its own TM x TN numbers of C. While it multiplies one
// pair of slabs, what goes into the next is already on its way from memory into registers (fetch), and is then laid down (put)
// into the other of two buffers, so that there is one barrier a slab.
//
// What a slab is filled with is a loader's business (slab.cuh has those that a matrix in memory needs):
//
//   void fetch(int k);       // begin to read one's share of the slab k … k+BK-1; slabs come in order, each once
//   void put(float *slab);   // lay it down: A(m, k) at slab[k·T::A + m], B(k, n) at slab[k·T::B + n], k from the slab's first
//
// Beyond the matrix a slab is 0 along k in both A and B, as 0·NaN is NaN; what is beyond it along m and n may be anything.
//
// What becomes of C is an epilogue's business. It gets four rows by four columns of the tile at a time, each once:
//
//   void operator()(int m, int n, const Quad (&c)[4]);  // c[i][j] is C(m+i, n+j); m and n are multiples of 4, in the tile
//
// Sums run over k in ascending order, one chain of fma_ for each number of C, or (SLICES) that many chains, of every
// SLICES-th k each, which are then added in order: the same for every size of a launch.
#pragma once
#include "quad.cuh"

// PAD keeps what the threads of a warp write into a slab at a time in different banks.
#define PAD 4

// Tile is the shape of a block's work: BM x BN numbers of C, BK of k a slab, TM x TN of a thread. SLICES groups of threads share
// a tile, each taking every SLICES-th k.
template <int BM_, int BN_, int BK_, int TM_, int TN_, int SLICES_ = 1> struct Tile {
  static const int BM = BM_, BN = BN_, BK = BK_, TM = TM_, TN = TN_, SLICES = SLICES_;
  static const int X = BN / TN, Y = BM / TM;       // threads along n and m of one slice
  static const int THREADS = X * Y * SLICES;
  static const int A = BM + PAD, B = BN + PAD;     // floats from one k of a slab to the next
  static const int SLABS = BK * (A + B);           // floats of a pair of slabs
  static const int STAGE = SLICES > 1 ? BM * (BN + PAD) : 0;  // floats in which slices meet
  static const int SHARED = 2 * SLABS > STAGE ? 2 * SLABS : STAGE;
  static_assert(TM % 4 == 0 && TN % 4 == 0 && BM % TM == 0 && BN % TN == 0 && BK % SLICES == 0, "a tile is in fours");
};

// Accumulator is what a thread keeps of C between slabs, in the order that mma_slab likes; only mma_slab and deliver know it.
//
// Here: row i of a thread is row (i/4)·(4·Y) + 4·y + i%4 of the tile, y its place along m, columns likewise. The threads of a
// warp so read neighbouring fours of a slab.
template <class T> struct Accumulator {
  float v[T::TM][T::TN];
  __device__ INLINE void clear() {
    UNROLL for (int i = 0; i < T::TM; i++) UNROLL for (int j = 0; j < T::TN; j++) v[i][j] = 0;
  }
};

// mma_slab adds the product of a pair of slabs: all its k for which the calling thread's slice stands. It is the one place where
// numbers are multiplied: another way to do so is another mma_slab, with an Accumulator and a deliver to match.
template <class T> __device__ INLINE void mma_slab(Accumulator<T> &acc, const float *a, const float *b) {
  const int thread = threadIdx.x, slice = thread / (T::X * T::Y), y = thread / T::X % T::Y, x = thread % T::X;
  a += slice * T::A + 4 * y;
  b += slice * T::B + 4 * x;
  UNROLL for (int k = 0; k < T::BK / T::SLICES; k++) {
    Quad p[T::TM / 4], q[T::TN / 4];
    UNROLL for (int i = 0; i < T::TM / 4; i++) p[i] = *(const Quad *)(a + k * T::SLICES * T::A + i * 4 * T::Y);
    UNROLL for (int j = 0; j < T::TN / 4; j++) q[j] = *(const Quad *)(b + k * T::SLICES * T::B + j * 4 * T::X);
    UNROLL for (int i = 0; i < T::TM; i++) UNROLL for (int j = 0; j < T::TN; j++)
      acc.v[i][j] = fma_(p[i / 4][i % 4], q[j / 4][j % 4], acc.v[i][j]);
  }
}

// deliver hands the tile to an epilogue, through shared memory (T::SHARED floats, free) where threads have to meet.
template <class T, class E> __device__ INLINE void deliver(const Accumulator<T> &acc, float *shared, E &epilogue) {
  const int thread = threadIdx.x, slice = thread / (T::X * T::Y), y = thread / T::X % T::Y, x = thread % T::X;
  if (T::SLICES == 1) {
    UNROLL for (int i = 0; i < T::TM / 4; i++) UNROLL for (int j = 0; j < T::TN / 4; j++) {
      Quad c[4];
      UNROLL for (int r = 0; r < 4; r++) {
        const float *v = &acc.v[4 * i + r][4 * j];
        c[r] = Quad{v[0], v[1], v[2], v[3]};
      }
      epilogue(i * 4 * T::Y + 4 * y, j * 4 * T::X + 4 * x, c);
    }
    return;
  }
  const int row = T::BN + PAD;
  for (int s = 0; s < T::SLICES; s++) {
    __syncthreads();
    if (s != slice) continue;
    UNROLL for (int i = 0; i < T::TM; i++) UNROLL for (int j = 0; j < T::TN / 4; j++) {
      Quad *at = (Quad *)(shared + (i / 4 * 4 * T::Y + 4 * y + i % 4) * row + j * 4 * T::X + 4 * x);
      const float *v = &acc.v[i][4 * j];
      Quad c = {v[0], v[1], v[2], v[3]};
      *at = s == 0 ? c : *at + c;
    }
  }
  __syncthreads();
  for (int i = thread; i < T::BM / 4 * (T::BN / 4); i += T::THREADS) {
    int m = i / (T::BN / 4) * 4, n = i % (T::BN / 4) * 4;
    Quad c[4];
    UNROLL for (int r = 0; r < 4; r++) c[r] = *(const Quad *)(shared + (m + r) * row + n);
    epilogue(m, n, c);
  }
}

// product makes a tile from k = 0 to k-1. All threads of the block come here. shared has T::SHARED floats at a multiple of 16
// bytes; when it returns, other threads may still read there.
template <class T, class LoaderA, class LoaderB, class E>
__device__ INLINE void product(float *shared, LoaderA &a, LoaderB &b, int k, E &epilogue) {
  Accumulator<T> acc;
  acc.clear();
  float *now = shared, *next = shared + T::SLABS;
  a.fetch(0);
  b.fetch(0);
  a.put(now);
  b.put(now + T::BK * T::A);
  __syncthreads();
  // One copy of mma_slab: compilers move the last one's sums into what follows it, and all that they are of must then be kept.
  for (int at = T::BK;; at += T::BK) {
    const bool more = at < k;
    if (more) {
      a.fetch(at);
      b.fetch(at);
    }
    mma_slab<T>(acc, now, now + T::BK * T::A);
    if (!more) break;
    a.put(next);
    b.put(next + T::BK * T::A);
    __syncthreads();
    float *other = now;
    now = next;
    next = other;
  }
  deliver<T>(acc, shared, epilogue);
}
