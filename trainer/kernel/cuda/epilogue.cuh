// Activations of the results of gemm.cuh.
#pragma once
#include "gemm.cuh"
#include "math.cuh"

// activate_quads is the activation of N times four numbers. Those with an exponential go through one copy of the code: the
// numbers take turns at its place, which keeps them in registers.
template <int N> __device__ INLINE void activate_quads(int act, Quad (&c)[N]) {
  if (act == IDENTITY) return;
  if (act == RELU) {
    UNROLL for (int i = 0; i < N; i++) UNROLL for (int j = 0; j < 4; j++) c[i][j] = 0 > c[i][j] ? 0 : c[i][j];
    return;
  }
  ROLLED for (int turn = 0; turn < 4 * N; turn++) {
    float v = activate(act, c[0][0]);
    UNROLL for (int i = 0; i < N; i++) c[i] = Quad{c[i][1], c[i][2], c[i][3], i + 1 < N ? c[i + 1 < N ? i + 1 : i][0] : v};
  }
}

// slope_quad is four gradients times the slope of an activation whose outputs are y; not of GELU. A closed ReLU stops infinite
// ones too.
__device__ INLINE Quad slope_quad(int act, Quad dy, Quad y) {
  if (act == RELU) {
    UNROLL for (int j = 0; j < 4; j++) dy[j] = y[j] > 0 ? dy[j] : 0;
    return dy;
  }
  ROLLED for (int turn = 0; turn < 4; turn++) {
    const float v = activation_grad(act, dy[0], y[0]);
    dy = Quad{dy[1], dy[2], dy[3], v};
    y = Quad{y[1], y[2], y[3], y[0]};
  }
  return dy;
}

// put_gradient writes up to four gradients, times the slope of an activation whose outputs are at y; IDENTITY: y is not read.
// Where whole, both are at a multiple of four.
__device__ INLINE void put_gradient(value_t *to, const value_t *y, int act, Quad dy, int n, bool whole) {
  if (act != IDENTITY) dy = slope_quad(act, dy, numbers(up_to_four(y, n, whole)));
  put_up_to_four(to, dy, n, whole);
}

// Sloped is an epilogue: C into rows of n gradients that follow one another, times the slope of an activation whose outputs lie
// likewise at y.
struct Sloped {
  value_t *to;
  const value_t *y;
  int rows, n, m0, n0, act;

  __device__ INLINE void operator()(int m, int n4, const Quad (&c)[4]) const {
    const int at = n0 + n4, left = n - at;
    if (left <= 0) return;
    UNROLL for (int i = 0; i < 4; i++) {
      if (m0 + m + i >= rows) continue;
      const long long p = (long long)(m0 + m + i) * n + at;
      put_gradient(to + p, y + p, act, c[i], left, n % 4 == 0);
    }
  }
};

// outputs are those of the activation by whose slope a step of gradients by the input multiplies what it writes: ref, laid out as
// dst; of one that does not, dst, which is then not read.
__device__ INLINE const value_t *outputs(const Task *t, int slot) {
  return value(t, slot, t->act == IDENTITY ? t->dst : t->ref);
}

// Rows is an epilogue: act(C + bias) into rows of n values that follow one another.
template <class V> struct Rows {
  V *to;        // row 0, of the whole matrix
  const float *bias;  // null: there is none
  int rows, n, m0, n0, act;

  __device__ INLINE void operator()(int m, int n4, const Quad (&c)[4]) const {
    const int at = n0 + n4, left = n - at;
    if (left <= 0) return;
    const bool whole = n % 4 == 0;
    const Quad b = bias ? up_to_four(bias + at, left, whole) : zero_quad();
    Quad v[4];
    UNROLL for (int i = 0; i < 4; i++) v[i] = c[i] + b;
    activate_quads(act, v);
    V *p = to + (long long)(m0 + m) * n + at;
    UNROLL for (int i = 0; i < 4; i++)
      if (m0 + m + i < rows) put_up_to_four(p + i * n, v[i], left, whole);
  }
};
