// Loaders of gemm.cuh for matrices that lie in memory. ROWS is BM for A and BN for B: a "row" here is a row of A or a column of
// B, so that both are alike. Where a number comes from is told by a source; its share of index arithmetic is done once for each
// row (or column of fours) and once for each slab, never for each number.
#pragma once
#include "gemm.cuh"

// Choice is the first of two types, or the second.
template <bool FIRST, class A, class B> struct Choice {
  typedef A type;
};
template <class A, class B> struct Choice<false, A, B> {
  typedef B type;
};

// By is a tile's product: on tensor cores, unless numbers come one by one.
template <class T, bool ODD> using By = typename Choice<ODD, T, OnTensor<T>>::type;

// AlongK fills a slab whose numbers lie along k in memory: a thread reads fours of k, of one row each. The source has
//
//   struct Row; Row row(int r);    // what it needs of row r of the tile, which may be beyond the matrix
//   void seek(int k);              // it stands at k, a multiple of 4, from now on; k ascends by BK
//   Four four(const Row &);        // the four numbers from there
//   Quad numbers(const Four &);    // what they are; until then they may still be on their way
template <class T, int ROWS, class Source> struct AlongK {
  static const int ACROSS = T::BK / 4, STEP = T::THREADS / ACROSS, N = (ROWS + STEP - 1) / STEP;
  static_assert(T::BK % 4 == 0 && T::THREADS % ACROSS == 0, "threads share a slab evenly");
  static const bool ALONG = true;
  Source &source;
  typename Source::Row rows[N];
  typename Source::Four fours[N];
  int first, k;  // row and k within the slab

  __device__ INLINE AlongK(Source &s) : source(s), first(threadIdx.x / ACROSS), k(threadIdx.x % ACROSS * 4) {
    UNROLL for (int i = 0; i < N; i++) rows[i] = source.row(first + i * STEP);
  }
  __device__ INLINE bool mine(int i) const { return ROWS % STEP == 0 || first + i * STEP < ROWS; }
  __device__ INLINE void fetch(int at) {
    source.seek(at + k);
    UNROLL for (int i = 0; i < N; i++)
      if (mine(i)) fours[i] = source.four(rows[i]);
  }
  __device__ INLINE void put(float *slab) {
    UNROLL for (int i = 0; i < N; i++)
      if (mine(i)) Slab<T, ROWS>::along(slab, first + i * STEP, k, source.numbers(fours[i]));
  }
};

// Across fills a slab whose numbers lie along the rows in memory: a thread reads fours of rows, of one k each. The source has
//
//   void column(int r, int k);     // the four rows r … r+3 of the tile are this thread's, k its first of a slab
//   Four four(int k, int i);       // those of one k; i says which of the thread's N k of a slab it is: it ascends by BK
//   Quad numbers(const Four &);
template <class T, int ROWS, class Source> struct Across {
  typedef Source Taken;
  static const int FOURS = ROWS / 4, STEP = T::THREADS / FOURS, N = (T::BK + STEP - 1) / STEP;
  static_assert(ROWS % 4 == 0 && T::THREADS % FOURS == 0, "threads share a slab evenly");
  static const bool ALONG = false;
  Source &source;
  typename Source::Four fours[N];
  int row, first;

  __device__ INLINE Across(Source &s) : source(s), row(threadIdx.x % FOURS * 4), first(threadIdx.x / FOURS) { source.column(row, first); }
  __device__ INLINE bool mine(int i) const { return T::BK % STEP == 0 || first + i * STEP < T::BK; }
  __device__ INLINE void fetch(int at) {
    UNROLL for (int i = 0; i < N; i++)
      if (mine(i)) fours[i] = source.four(at + first + i * STEP, i);
  }
  __device__ INLINE void put(float *slab) {
    UNROLL for (int i = 0; i < N; i++)
      if (mine(i)) Slab<T, ROWS>::across(slab, row, first + i * STEP, source.numbers(fours[i]));
  }
};

// OneByOne fills a slab along k number by number, where runs of four would not stay within a pixel: a thread has whole rows, so
// that k, and all that comes of it, is the same for all threads. The source has row and seek as for AlongK, and
//
//   One one(const Row &);          // the number at k
//   float number(const One &);
template <class T, int ROWS, class Source> struct OneByOne {
  static const int N = ROWS / T::THREADS;
  static_assert(ROWS % T::THREADS == 0 && !T::TENSOR, "a thread has whole rows, of a slab of floats");
  static const bool ALONG = true;
  Source &source;
  typename Source::Row rows[N];
  typename Source::One ones[N][T::BK];

  __device__ INLINE static int own() { return threadIdx.x; }
  __device__ INLINE OneByOne(Source &s) : source(s) {
    UNROLL for (int i = 0; i < N; i++) rows[i] = source.row(threadIdx.x + i * T::THREADS);
  }
  __device__ INLINE void fetch(int at) {
    UNROLL for (int k = 0; k < T::BK; k++) {
      source.seek(at + k);
      UNROLL for (int i = 0; i < N; i++) ones[i][k] = source.one(rows[i]);
    }
  }
  __device__ INLINE void put(float *slab) {
    slab += threadIdx.x;
    UNROLL for (int k = 0; k < T::BK; k++) UNROLL for (int i = 0; i < N; i++)
      slab[k * (ROWS + PAD) + i * T::THREADS] = source.number(ones[i][k]);
  }
};

// AcrossOnes is Across number by number. The source has column as for Across, and
//
//   One one(int k, int i);
//   float number(const One &);
template <class T, int ROWS, class Source> struct AcrossOnes {
  typedef Source Taken;
  static const int STEP = T::THREADS / ROWS, N = T::BK / STEP;
  static_assert(T::THREADS % ROWS == 0 && T::BK % STEP == 0 && !T::TENSOR, "threads share a slab of floats evenly");
  static const bool ALONG = false;
  Source &source;
  typename Source::One ones[N];
  int row, first;

  __device__ INLINE AcrossOnes(Source &s) : source(s), row(threadIdx.x % ROWS), first(threadIdx.x / ROWS) { source.column(row, first); }
  __device__ INLINE void fetch(int at) {
    UNROLL for (int i = 0; i < N; i++) ones[i] = source.one(at + first + i * STEP, i);
  }
  __device__ INLINE void put(float *slab) {
    slab += first * (ROWS + PAD) + row;
    UNROLL for (int i = 0; i < N; i++) slab[i * STEP * (ROWS + PAD)] = source.number(ones[i]);
  }
};

// Columns is a source of Across: n columns of a matrix (k, n) of V in memory, from column first on; R is four of them.
template <class V, class R> struct Columns {
  typedef R Four;
  const V *p;
  int k, n, first;
  bool whole;  // every row is at a multiple of four

  __device__ INLINE Columns(const V *p_, int k_, int n_, int first_) : p(p_), k(k_), n(n_), first(first_), whole(n_ % 4 == 0) {}
  __device__ INLINE void column(int r, int) {
    first += r;
    p += first;
  }
  __device__ INLINE Four four(int at, int) const {
    return at < k ? up_to_four(p + (long long)at * n, n - first, whole) : Four{};
  }
  __device__ INLINE Quad numbers(const Four &q) const { return ::numbers(q); }
};

// Transposed is a source of AlongK: rows of a matrix (rows, k) of values in memory, from row first on.
template <class V, class R> struct Transposed {
  typedef R Four;
  struct Row {
    const V *p;  // null: beyond the matrix
  };
  const V *p;
  int rows, k, first, at;
  bool whole;

  __device__ INLINE Transposed(const V *p_, int rows_, int k_, int first_)
      : p(p_), rows(rows_), k(k_), first(first_), at(0), whole(k_ % 4 == 0) {}
  __device__ INLINE Row row(int r) const { return Row{first + r < rows ? p + (long long)(first + r) * k : nullptr}; }
  __device__ INLINE void seek(int to) { at = to; }
  __device__ INLINE Four four(const Row &r) const {
    if (!r.p || at >= k) return Four{};
    return up_to_four(r.p + at, k - at, whole);
  }
  __device__ INLINE Quad numbers(const Four &q) const { return ::numbers(q); }
};
