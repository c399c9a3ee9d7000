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
//   void put(float *slab);   // lay it down by Slab: rows are m of A, n of B; k is from the slab's first
//   static const bool ALONG; // it lays fours of k, not of rows
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

// blocks_of is how many blocks of this size n rows or columns take.
__device__ INLINE int blocks_of(int n, int size) { return (n + size - 1) / size; }

// Tile is the shape of a block's work: BM x BN numbers of C, BK of k a slab, TM x TN of a thread. SLICES groups of threads share
// a tile, each taking every SLICES-th k.
template <int BM_, int BN_, int BK_, int TM_, int TN_, int SLICES_ = 1> struct Tile {
  static const int BM = BM_, BN = BN_, BK = BK_, TM = TM_, TN = TN_, SLICES = SLICES_;
  static const int X = BN / TN, Y = BM / TM;       // threads along n and m of one slice
  static const int THREADS = X * Y * SLICES;
  static const int A = BM + PAD, B = BN + PAD;     // floats from one k of a slab to the next
  static const int B_AT = BK * A, SLABS = BK * (A + B);  // where B's slab is in a pair of them, and the floats of a pair
  static const int STAGE = SLICES > 1 ? BM * (BN + PAD) : 0;  // floats in which slices meet
  static const int SHARED = 2 * SLABS > STAGE ? 2 * SLABS : STAGE;
  static const bool TENSOR = false;                // sums are made of fma_; true: tensor.cuh
  static_assert(TM % 4 == 0 && TN % 4 == 0 && BM % TM == 0 && BN % TN == 0 && BK % SLICES == 0, "a tile is in fours");
};

// Slab is how a loader lays down what it has of k and row: fours along k, or across rows. Here slab[k·(ROWS + PAD) + row].
template <class T, int ROWS, bool TENSOR = T::TENSOR> struct Slab {
  static __device__ INLINE void along(float *slab, int row, int k, Quad q) {
    UNROLL for (int j = 0; j < 4; j++) slab[(k + j) * (ROWS + PAD) + row] = q[j];
  }
  static __device__ INLINE void across(float *slab, int row, int k, Quad q) { *(Quad *)(slab + k * (ROWS + PAD) + row) = q; }
};

// Accumulator is what a thread keeps of C between slabs: it clears, adds the product of a pair of slabs (all its k for which the
// thread's slice stands), and delivers the tile to an epilogue, through shared memory (T::SHARED floats, free) where threads have
// to meet. It is the one place where numbers are multiplied: tensor.cuh has another.
//
// Here: row i of a thread is row (i/4)·(4·Y) + 4·y + i%4 of the tile, y its place along m, columns likewise. The threads of a
// warp so read neighbouring fours of a slab.
template <class T, bool A_ALONG, bool B_ALONG, bool TENSOR = T::TENSOR> struct Accumulator {
  float v[T::TM][T::TN];
  int slice, y, x;

  __device__ INLINE Accumulator() : slice(threadIdx.x / (T::X * T::Y)), y(threadIdx.x / T::X % T::Y), x(threadIdx.x % T::X) {
    UNROLL for (int i = 0; i < T::TM; i++) UNROLL for (int j = 0; j < T::TN; j++) v[i][j] = 0;
  }

  __device__ INLINE void add(const float *a, const float *b) {
    a += slice * T::A + 4 * y;
    b += slice * T::B + 4 * x;
    UNROLL for (int k = 0; k < T::BK / T::SLICES; k++) {
      Quad p[T::TM / 4], q[T::TN / 4];
      UNROLL for (int i = 0; i < T::TM / 4; i++) p[i] = *(const Quad *)(a + k * T::SLICES * T::A + i * 4 * T::Y);
      UNROLL for (int j = 0; j < T::TN / 4; j++) q[j] = *(const Quad *)(b + k * T::SLICES * T::B + j * 4 * T::X);
      UNROLL for (int i = 0; i < T::TM; i++) UNROLL for (int j = 0; j < T::TN; j++)
        v[i][j] = fma_(p[i / 4][i % 4], q[j / 4][j % 4], v[i][j]);
    }
  }

  __device__ INLINE Quad four(int i, int j) const { return Quad{v[i][4 * j], v[i][4 * j + 1], v[i][4 * j + 2], v[i][4 * j + 3]}; }

  template <class E> __device__ INLINE void deliver(float *shared, E &epilogue) const {
    if (T::SLICES == 1) {
      UNROLL for (int i = 0; i < T::TM / 4; i++) UNROLL for (int j = 0; j < T::TN / 4; j++) {
        const Quad c[4] = {four(4 * i, j), four(4 * i + 1, j), four(4 * i + 2, j), four(4 * i + 3, j)};
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
        *at = s == 0 ? four(i, j) : *at + four(i, j);
      }
    }
    __syncthreads();
    for (int i = threadIdx.x; i < T::BM / 4 * (T::BN / 4); i += T::THREADS) {
      int m = i / (T::BN / 4) * 4, n = i % (T::BN / 4) * 4;
      Quad c[4];
      UNROLL for (int r = 0; r < 4; r++) c[r] = *(const Quad *)(shared + (m + r) * row + n);
      epilogue(m, n, c);
    }
  }
};

// product makes a tile from k = 0 to k-1. All threads of the block come here. shared has T::SHARED floats at a multiple of 16
// bytes; when it returns, other threads may still read there.
template <class T, class LoaderA, class LoaderB, class E>
__device__ INLINE void product(float *shared, LoaderA &a, LoaderB &b, int k, E &epilogue) {
  Accumulator<T, LoaderA::ALONG, LoaderB::ALONG> sums;
  float *now = shared, *next = shared + T::SLABS;
  a.fetch(0);
  b.fetch(0);
  a.put(now);
  b.put(now + T::B_AT);
  __syncthreads();
  // One copy of add: compilers move the last one's sums into what follows it, and all that they are of must then be kept.
  for (int at = T::BK;; at += T::BK) {
    const bool more = at < k;
    if (more) {
      a.fetch(at);
      b.fetch(at);
    }
    sums.add(now, now + T::B_AT);
    if (!more) break;
    a.put(next);
    b.put(next + T::B_AT);
    __syncthreads();
    float *other = now;
    now = next;
    next = other;
  }
  sums.deliver(shared, epilogue);
}

#include "tensor.cuh"
