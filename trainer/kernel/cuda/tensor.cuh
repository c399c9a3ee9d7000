// The product of matrices of gemm.cuh on tensor cores: of modules of tf32 and bfloat16, for the tiles that ask for it by OnTensor.
//
// A slab holds words: a tf32, or two bfloat16. Numbers are rounded as they are laid down: floats to tf32 by the rule to the
// nearest, ties away from zero (PTX: cvt.rna), or to bfloat16, ties to even. A loader along k lays rows of k; its runs of four
// words change places by the row, so that eight rows at one k lie in all banks. One across lays lines of rows, 8 apart.
//
// A warp has WM x WN numbers of C, in steps of 16 by 8, each an mma: m16n8k8 of tf32, m16n8k16 of bfloat16. Which thread holds
// what of it: PTX ISA, "Matrix fragments for mma". k goes in steps of an mma's, in order; within one the order of sums is the
// device's own. The host's twin (SCALAR) adds one product after the other: equal but for that order and its roundings, so small
// integers come out the same. With LANES the host runs what the device does, but for the instructions themselves.
#pragma once
#include "gemm.cuh"

#if PRECISION == FP32
template <class T> using OnTensor = T;
#else

// SCALAR: the product is made number by number. It is so on the host, unless the lanes of a warp are to be tested (LANES).
#if defined(HOST) && !defined(LANES)
#define SCALAR
#endif

// The instructions, each a function. The host's are in fake/lanes.h.
#ifndef HOST
__device__ INLINE word to_tf32(float v) {
  word u;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(u) : "f"(v));
  return u;
}
__device__ INLINE word pack(float low, float high) {
  word u;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(u) : "f"(high), "f"(low));
  return u;
}
// mma adds the product of fragments a (16 rows) and b (8 columns) to c.
__device__ INLINE void mma(float (&c)[4], const word (&a)[4], const word (&b)[2]) {
#if PRECISION == TF32
  asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
#else
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
#endif
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
// matrices reads four matrices of eight lines of four words: lane i names line i%8 of matrix i/8.
__device__ INLINE void matrices(word (&f)[4], const word *line) {
  const unsigned at = (unsigned)(unsigned long)(const __attribute__((address_space(3))) word *)line;
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(f[0]), "=r"(f[1]), "=r"(f[2]), "=r"(f[3]) : "r"(at) : "memory");
}
// turned_matrices reads matrices of 8 x 8 halves, each turned.
__device__ INLINE void turned_matrices(word (&f)[4], const word *line) {
  const unsigned at = (unsigned)(unsigned long)(const __attribute__((address_space(3))) word *)line;
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(f[0]), "=r"(f[1]), "=r"(f[2]), "=r"(f[3]) : "r"(at) : "memory");
}
__device__ INLINE void warp_meets() { asm volatile("bar.warp.sync 0xffffffff;" ::: "memory"); }
#endif

typedef word Words __attribute__((vector_size(16)));

#define PER_WORD (PRECISION == BF16 ? 2 : 1)  // numbers of a word
#define STEP_WORDS 8                          // of k in an mma

// OnTensor is a tile of gemm.cuh of which warps have WM x WN numbers each. Slices of a tile that has some are warps.
template <class T> struct OnTensor {
  static const bool TENSOR = true;
  static const int BLOCKS = 2;  // that a multiprocessor shall hold at once
  static const int BM = T::BM, BN = T::BN, THREADS = T::THREADS, WARPS = THREADS / 32;
  static const bool SLICED = T::SLICES > 1;
  static const int HALF = BN < 32 ? BN : 32;
  static const int WN = SLICED || BM * BN / HALF >= 32 * WARPS ? HALF : 16;  // so that a warp has 32 rows at least
  static const int WM = SLICED ? BM : BM * BN / WN / WARPS;
  static const int ACROSS = BN / WN, DOWN = BM / WM;  // warps of a slice along n, and along m
  static const int SLICES = WARPS / (ACROSS * DOWN);
  static const int ROUND = STEP_WORDS * SLICES;
  static const int WORDS = SLICED ? (T::BK + ROUND - 1) / ROUND * ROUND : BM >= 256 ? 8 : 16;  // of k in a slab
  static const int BK = WORDS * PER_WORD;
  static const int A_LINE = (BM + 8) / PER_WORD, B_LINE = (BN + 8) / PER_WORD;  // words of a line across
  static const int A_WORDS = BM * WORDS > BK * A_LINE ? BM * WORDS : BK * A_LINE;
  static const int B_WORDS = BN * WORDS > BK * B_LINE ? BN * WORDS : BK * B_LINE;
  static const int B_AT = A_WORDS, SLABS = A_WORDS + B_WORDS;
  static const int STAGE = SLICES > 1 ? BM * (BN + PAD) : WARPS * WM * (WN + PAD);  // floats through which C is delivered
  static const int SHARED = 2 * SLABS > STAGE ? 2 * SLABS : STAGE;
  static_assert(ACROSS * DOWN * SLICES == WARPS && WM % 16 == 0 && WN % 16 == 0, "warps share a tile evenly");
};

// Slab is how a loader lays its numbers down. k and row are a multiple of 4 where four follow one another.
template <class T, int ROWS> struct Slab<T, ROWS, true> {
  static const int LINE = (ROWS + 8) / PER_WORD, TURNS = T::WORDS / 4 - 1;
  // turn is what the runs of four words of a row change places by.
  static __device__ INLINE int turn(int row) { return (row & 7) * T::WORDS / 32 & TURNS; }
  static __device__ INLINE void along(float *slab, int row, int k, Quad q) {
    static_assert((TURNS & (TURNS + 1)) == 0 && T::WORDS <= 32, "runs change places within a power of two");
    word *to = (word *)slab + row * T::WORDS + 4 * (k / PER_WORD / 4 ^ turn(row));
#if PRECISION == TF32
    *(Words *)to = Words{to_tf32(q[0]), to_tf32(q[1]), to_tf32(q[2]), to_tf32(q[3])};
#else
    *(Pair *)(to + k / 2 % 4) = Pair{pack(q[0], q[1]), pack(q[2], q[3])};
#endif
  }
  static __device__ INLINE void across(float *slab, int row, int k, Quad q) {
    word *to = (word *)slab + k * LINE + row / PER_WORD;
#if PRECISION == TF32
    *(Words *)to = Words{to_tf32(q[0]), to_tf32(q[1]), to_tf32(q[2]), to_tf32(q[3])};
#else
    *(Pair *)to = Pair{pack(q[0], q[1]), pack(q[2], q[3])};
#endif
  }
};

// Operand is what a warp reads of a slab that a loader laid, ALONG k or across: rows of A, or columns of B.
template <class T, int ROWS, bool ALONG> struct Operand {
  typedef Slab<T, ROWS, true> Laid;
  // Two rows of tf32 that are read at a time lie side by side; else they are 8 apart.
  static const bool SIDE_BY_SIDE = PRECISION == TF32 && !ALONG;

  // row_of is where row c of half h of sixteen rows lies among them.
  static __device__ INLINE int row_of(int h, int c) { return SIDE_BY_SIDE ? 2 * c + h : 8 * h + c; }

#ifdef SCALAR
  static float at(const float *slab, int row, int k) {
    const word *words = (const word *)slab;
    const word u = ALONG ? words[row * T::WORDS + 4 * (k / PER_WORD / 4 ^ Laid::turn(row)) + k / PER_WORD % 4]
                         : words[k * Laid::LINE + row / PER_WORD];
    if (PRECISION == TF32) return bits_float(u);
    return bits_float((ALONG ? k : row) % 2 ? u & 0xffff0000u : u << 16);
  }
#else
  // load reads sixteen rows from row on and one step of k: f[h][i] is of half h of the rows and half i of the step.
  static __device__ INLINE void load(const float *slab, int row, int step, word (&f)[2][2]) {
    const word *words = (const word *)slab;
    const int lane = threadIdx.x % 32, line = lane % 8, h = lane / 8 % 2, i = lane / 16;
    word m[4];  // matrices (half of rows, half of the step): 00, 10, 01, 11
    if (ALONG) {
      const int r = row + 8 * h + line;
      matrices(m, words + r * T::WORDS + 4 * ((2 * step + i) ^ Laid::turn(r)));
    } else if (PRECISION == BF16) {
      turned_matrices(m, words + (16 * step + 8 * i + line) * Laid::LINE + (row + 8 * h) / 2);
    } else {
      UNROLL for (int j = 0; j < 2; j++) {
        const Pair p = *(const LOCAL Pair *)(words + (8 * step + 4 * j + lane % 4) * Laid::LINE + row + lane / 4 * 2);
        m[2 * j] = p[0];
        m[2 * j + 1] = p[1];
      }
    }
    UNROLL for (int j = 0; j < 2; j++) {
      f[0][j] = m[2 * j];
      f[1][j] = m[2 * j + 1];
    }
  }
#endif
};

template <class T, bool A_ALONG, bool B_ALONG> struct Accumulator<T, A_ALONG, B_ALONG, true> {
  typedef Operand<T, T::BM, A_ALONG> A;
  typedef Operand<T, T::BN, B_ALONG> B;
  float v[T::WM / 16][T::WN / 8][4];
  int slice, row, col, lane;  // row and col: the warp's first

  __device__ INLINE Accumulator() {
    const int warp = threadIdx.x / 32, in = warp % (T::ACROSS * T::DOWN);
    slice = warp / (T::ACROSS * T::DOWN);
    row = in / T::ACROSS * T::WM;
    col = in % T::ACROSS * T::WN;
    lane = threadIdx.x % 32;
    UNROLL for (int i = 0; i < T::WM / 16; i++) UNROLL for (int j = 0; j < T::WN / 8; j++) UNROLL for (int e = 0; e < 4; e++)
      v[i][j][e] = 0;
  }
  // m and n are where number e of the mma (i, j) lies, from the warp's first.
  __device__ INLINE int m(int i, int e) const { return 16 * i + A::row_of(e / 2, lane / 4); }
  __device__ INLINE int n(int j, int e) const { return j / 2 * 16 + B::row_of(j % 2, lane % 4 * 2 + e % 2); }

  __device__ INLINE void add(const float *a, const float *b) {
    UNROLL for (int s = 0; s < T::WORDS / STEP_WORDS / T::SLICES; s++) step(a, b, s * T::SLICES + slice);
  }

#ifdef SCALAR
  void step(const float *a, const float *b, int step) {
    const int each = STEP_WORDS * PER_WORD;
    for (int i = 0; i < T::WM / 16; i++) for (int j = 0; j < T::WN / 8; j++) for (int e = 0; e < 4; e++) {
      for (int k = step * each; k < (step + 1) * each; k++)
        v[i][j][e] = fma_(A::at(a, row + m(i, e), k), B::at(b, col + n(j, e), k), v[i][j][e]);
    }
  }
#else
  __device__ INLINE void step(const float *a, const float *b, int step) {
    word columns[T::WN / 16][2][2];
    UNROLL for (int j = 0; j < T::WN / 16; j++) B::load(b, col + 16 * j, step, columns[j]);
    UNROLL for (int i = 0; i < T::WM / 16; i++) {
      word rows[2][2];
      A::load(a, row + 16 * i, step, rows);
      const word f[4] = {rows[0][0], rows[1][0], rows[0][1], rows[1][1]};
      UNROLL for (int j = 0; j < T::WN / 8; j++) mma(v[i][j], f, columns[j / 2][j % 2]);
    }
  }
#endif

  // deliver: warps lay what they have into shared memory, and hand it on by fours of rows and columns.
  template <class E> __device__ INLINE void deliver(float *shared, E &epilogue) const {
    __syncthreads();
    if (T::SLICES == 1) {
      float *own = shared + threadIdx.x / 32 * T::WM * (T::WN + PAD);
      lay<T::WN + PAD>(own, false);
      warp_meets();
      hand<T::WM, T::WN>(own, row, col, lane, 32, epilogue);
      return;
    }
    for (int s = 0; s < T::SLICES; s++) {
      if (s == slice) lay<T::BN + PAD>(shared + row * (T::BN + PAD) + col, s > 0);
      __syncthreads();
    }
    hand<T::BM, T::BN>(shared, 0, 0, threadIdx.x, T::THREADS, epilogue);
  }
  // lay writes the warp's numbers, or adds them.
  template <int LINE> __device__ INLINE void lay(float *to, bool more) const {
    UNROLL for (int i = 0; i < T::WM / 16; i++) UNROLL for (int j = 0; j < T::WN / 8; j++) UNROLL for (int e = 0; e < 4; e++) {
      float *at = to + m(i, e) * LINE + n(j, e);
      *at = more ? *at + v[i][j][e] : v[i][j][e];
    }
  }
  // hand gives ROWS x COLUMNS numbers to the epilogue, this thread every count-th sixteen from number first on.
  template <int ROWS, int COLUMNS, class E>
  static __device__ INLINE void hand(const float *from, int m0, int n0, int first, int count, E &epilogue) {
    ROLLED for (int i = first; i < ROWS / 4 * (COLUMNS / 4); i += count) {
      const int m = i / (COLUMNS / 4) * 4, n = i % (COLUMNS / 4) * 4;
      Quad c[4];
      UNROLL for (int r = 0; r < 4; r++) c[r] = *(const LOCAL Quad *)(from + (m + r) * (COLUMNS + PAD) + n);
      epilogue(m0 + m, n0 + n, c);
    }
  }
};
#endif
