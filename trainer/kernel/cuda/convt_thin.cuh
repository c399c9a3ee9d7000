// The transposed convolution 2x2 with stride 2 to one or three channels, which ends a decoder: its products are too few for
// tensor cores, what takes its time is memory. Each map is read or written once, by neighbouring threads side by side.
#pragma once
#include "epilogue.cuh"
#include "linear.cuh"
#include "math.cuh"

#define THIN 256       // threads, and pixels of the smaller map, of a block
#define THIN_CHUNK 64  // channels whose weights are in shared memory at a time
#define THIN_CHANNELS 16  // whose gradients one block of threads sums

// Patch is a block's part of the smaller map of a tile: whole rows of all its images, or of one row a part. The larger map
// has twice as many rows, twice as long.
struct Patch {
  int rows, cols;    // of a full patch
  int row, col;      // its first; rows count through all images
  int nrows, ncols;  // that there are; none where the tile has fewer images

  __device__ Patch(Shape s, int n) {
    cols = s.w < THIN ? s.w : THIN;
    rows = THIN / cols;
    int across = (s.w + cols - 1) / cols, x = (int)blockIdx.x;
    row = x / across * rows;
    col = x % across * cols;
    nrows = n * s.h - row < rows ? n * s.h - row : rows;
    ncols = s.w - col < cols ? s.w - col : cols;
  }

  // pixel is where a thread's pixel stands in the smaller map; -1: it has none.
  __device__ long long pixel(int i, int w) const {
    int r = i / cols, c = i % cols;
    return r < nrows && c < ncols ? (long long)(row + r) * w + col + c : -1;
  }
};

// Spread is the patch of the larger map in shared memory, dense by pixels of a full patch: it is read or written as a whole.
template <int CO>
struct Spread {
  float *values;
  const Patch &p;

  // at is value o of the pixel that i's pixel has in corner j.
  __device__ float &at(int i, int j, int o) const {
    int r = i / p.cols, c = i % p.cols;
    return values[((2 * r + j / 2) * 2 * p.cols + 2 * c + j % 2) * CO + o];
  }

  // each calls f(place in values, place in the larger map, how many: 4 or 1) for all of it.
  template <class F>
  __device__ void each(int w, F f) const {
    long long first = ((long long)2 * p.row * 2 * w + 2 * p.col) * CO;
    if (p.cols == w) {  // one run, of a multiple of four values
      for (int e = 4 * (int)threadIdx.x; e < 4 * p.nrows * w * CO; e += 4 * THIN) f(e, first + e, 4);
      return;
    }
    int length = 2 * p.ncols * CO;
    for (int e = (int)threadIdx.x; e < 2 * p.nrows * length; e += THIN) {
      int r = e / length, c = e % length;
      f(r * 2 * p.cols * CO + c, first + (long long)r * 2 * w * CO + c, 1);
    }
  }
};

// thin_values leaves act(b + …) of a patch p of x (n, h, w, ci) by weights (ci, 2, 2, CO) in values, as Spread has them. values
// has THIN·4·CO floats, ws THIN_CHUNK·4·CO.
template <int CO>
__device__ INLINE void thin_values(const Task *t, Work k, const Patch &p, float *values, float *ws) {
  int ci = t->s.c, w = t->s.w;
  long long pixel = p.pixel((int)threadIdx.x, w);
  const value_t *x = value(t, k.slot, t->src) + ((long long)k.tile * TILE * t->s.h * w + (pixel < 0 ? 0 : pixel)) * ci;
  const float *weights = linear_weight(t, k.slot), *bias = linear_bias(t, k.slot);
  float sum[4 * CO];
  UNROLL for (int j = 0; j < 4 * CO; j++) sum[j] = bias ? one(bias, j % CO) : 0;
  for (int c0 = 0; c0 < ci; c0 += THIN_CHUNK) {
    int chunk = ci - c0 < THIN_CHUNK ? ci - c0 : THIN_CHUNK;
    __syncthreads();
    for (int e = (int)threadIdx.x; e < chunk * 4 * CO; e += THIN) ws[e] = one(weights, c0 * 4 * CO + e);
    __syncthreads();
    if (pixel < 0) continue;
    if (ci % 4 == 0) {
      UNROLL_BY(4) for (int c = 0; c < chunk; c += 4) {
        Quad v = numbers(four(x + c0 + c));
        UNROLL for (int i = 0; i < 4; i++) {
          UNROLL for (int j = 0; j < CO; j++) {
            Quad u = shared_four(ws + (c + i) * 4 * CO + 4 * j);
            UNROLL for (int l = 0; l < 4; l++) sum[4 * j + l] = fma_(v[i], u[l], sum[4 * j + l]);
          }
        }
      }
    } else {
      for (int c = 0; c < chunk; c++) {
        float v = one(x, c0 + c);
        UNROLL for (int j = 0; j < 4 * CO; j++) sum[j] = fma_(v, ws[c * 4 * CO + j], sum[j]);
      }
    }
  }
  Spread<CO> spread{values, p};
  if (pixel >= 0) {
    UNROLL for (int j = 0; j < 4 * CO; j++) spread.at((int)threadIdx.x, j / CO, j % CO) = activate(t->act, sum[j]);
  }
  __syncthreads();
}

// thin_store writes a patch of dst (n, 2h, 2w, CO) that lies in values.
template <int CO>
__device__ inline void thin_store(const Task *t, Work k, const Patch &p, float *values) {
  int w = t->s.w;
  Spread<CO> spread{values, p};
  value_t *dst = value(t, k.slot, t->dst) + (long long)k.tile * TILE * 4 * t->s.h * w * CO;
  spread.each(w, [=](int from, long long to, int count) {
    if (count == 4) {
      put_four(dst + to, shared_four(values + from));
    } else {
      store(dst, to, values[from]);
    }
  });
}

// thin_forward: dst (n, 2h, 2w, CO) = act(b + …), x (n, h, w, ci), w (ci, 2, 2, CO). values and ws are as thin_values has them.
template <int CO>
__device__ inline void thin_forward(const Task *t, Work k, float *values, float *ws) {
  Patch p(t->s, images(t->slots + k.slot, k.tile));
  if (p.nrows <= 0) return;
  thin_values<CO>(t, k, p, values, ws);
  thin_store<CO>(t, k, p, values);
}

// thin_data: dx (n, h, w, ci) of dy (n, 2h, 2w, CO). values has THIN·4·CO floats, ws as many as THIN_CHUNK·4·CO.
// Where act made x, dx is times its slope.
template <int CO>
__device__ inline void thin_data(const Task *t, Work k, float *values, float *ws) {
  const Slot *s = t->slots + k.slot;
  int n = images(s, k.tile), ci = t->d.c, w = t->d.w;
  Patch p(t->d, n);
  if (p.nrows <= 0) return;
  const value_t *dy = value(t, k.slot, t->src) + (long long)k.tile * TILE * 4 * t->d.h * w * CO;
  value_t *dx = value(t, k.slot, t->dst) + (long long)k.tile * TILE * t->d.h * w * ci;
  const value_t *y = outputs(t, k.slot) + (long long)k.tile * TILE * t->d.h * w * ci;
  const float *weights = weight(t, k.slot, t->w);
  Spread<CO> spread{values, p};
  spread.each(w, [=](int to, long long from, int count) {
    if (count == 4) {
      Quad v = numbers(four(dy + from));
      for (int i = 0; i < 4; i++) values[to + i] = v[i];
    } else {
      values[to] = one(dy, from);
    }
  });
  for (int c0 = 0; c0 < ci; c0 += THIN_CHUNK) {
    int chunk = ci - c0 < THIN_CHUNK ? ci - c0 : THIN_CHUNK;
    __syncthreads();
    // ws is (4·CO, THIN_CHUNK): neighbouring threads take neighbouring channels.
    for (int e = (int)threadIdx.x; e < 4 * CO * THIN_CHUNK; e += THIN) {
      int j = e / THIN_CHUNK, c = e % THIN_CHUNK;
      ws[e] = c < chunk ? one(weights, (c0 + c) * 4 * CO + j) : 0;
    }
    __syncthreads();
    int quads = (chunk + 3) / 4;
    for (int e = (int)threadIdx.x; e < THIN * quads; e += THIN) {
      int i = e / quads, c = e % quads * 4;
      long long pixel = p.pixel(i, w);
      if (pixel < 0) continue;
      Quad sum = zero_quad();
      UNROLL for (int j = 0; j < 4 * CO; j++) {
        float v = spread.at(i, j / CO, j % CO);
        Quad u = shared_four(ws + j * THIN_CHUNK + c);
        UNROLL for (int l = 0; l < 4; l++) sum[l] = fma_(v, u[l], sum[l]);
      }
      const long long to = pixel * ci + c0 + c;
      put_gradient(dx + to, y + to, t->act, sum, chunk - c, ci % 4 == 0);
    }
  }
}

// thin_weights: a tile's share of dw (ci, 2, 2, CO) and db (CO); x (n, h, w, ci), dy (n, 2h, 2w, CO). A block of threads takes
// THIN_CHANNELS of ci: of its 64 groups of four threads, each sums every 64th pixel, and sums are added in pairs of groups.
// red has THIN/2·17·CO floats.
template <int CO>
__device__ inline void thin_weights(const Task *t, Work k, float *red) {
  const int N = 17 * CO, GROUPS = THIN / 4;
  const Slot *s = t->slots + k.slot;
  int ci = t->r.c, w = t->r.w, pixels = images(s, k.tile) * t->r.h * w;
  int tid = (int)threadIdx.x, q = tid % 4, group = tid / 4, c = (int)blockIdx.x * THIN_CHANNELS + 4 * q;
  if ((int)blockIdx.x * THIN_CHANNELS >= ci) return;
  const value_t *x = value(t, k.slot, t->ref) + (long long)k.tile * TILE * t->r.h * w * ci + c;
  const value_t *dy = value(t, k.slot, t->src) + (long long)k.tile * TILE * 4 * t->r.h * w * CO;
  // sum is (4 channels, 4 corners, CO), then corner q's share of the bias.
  float sum[N];
  UNROLL for (int j = 0; j < N; j++) sum[j] = 0;
  int row = group / w, col = group % w;
  const int down = GROUPS / w, right = GROUPS % w;
  UNROLL_BY(2) for (int p = group; p < pixels; p += GROUPS) {
    Quad v = zero_quad();
    if (ci % 4 == 0) {
      if (c < ci) v = numbers(four(x + (long long)p * ci));
    } else {
      for (int i = 0; i < 4; i++) {
        if (c + i < ci) v[i] = one(x, (long long)p * ci + i);
      }
    }
    const value_t *g = dy + ((long long)2 * row * 2 * w + 2 * col) * CO;
    float d[4 * CO];
    UNROLL for (int j = 0; j < 2 * CO; j++) {
      Two e = two(g + (j / CO) * 2 * w * CO + j % CO * 2);
      d[2 * j] = e[0];
      d[2 * j + 1] = e[1];
    }
    UNROLL for (int i = 0; i < 4; i++) {
      UNROLL for (int j = 0; j < 4 * CO; j++) sum[i * 4 * CO + j] = fma_(v[i], d[j], sum[i * 4 * CO + j]);
    }
    UNROLL for (int o = 0; o < CO; o++) sum[16 * CO + o] += one(g, (q / 2 * 2 * w + q % 2) * CO + o);
    row += down, col += right;
    if (col >= w) col -= w, row++;
  }
  for (int half = GROUPS / 2; half > 0; half /= 2) {
    __syncthreads();
    if (group >= half && group < 2 * half) {
      UNROLL for (int j = 0; j < N; j++) red[j * (THIN / 2) + tid - 4 * half] = sum[j];
    }
    __syncthreads();
    if (group < half) {
      UNROLL for (int j = 0; j < N; j++) sum[j] += red[j * (THIN / 2) + tid];
    }
  }
  __syncthreads();
  if (group == 0) {
    float *dw = partial(t, k.slot, k.tile, t->w);
    UNROLL for (int i = 0; i < 4; i++) {
      UNROLL for (int j = 0; j < 4 * CO; j++) {
        if (c + i < ci) store(dw, (c + i) * 4 * CO + j, sum[i * 4 * CO + j]);
      }
    }
    UNROLL for (int o = 0; o < CO; o++) red[q * CO + o] = sum[16 * CO + o];
  }
  __syncthreads();
  if (t->b != NONE && blockIdx.x == 0 && tid < CO) {
    store(partial(t, k.slot, k.tile, t->b), tid, red[tid] + red[CO + tid] + red[2 * CO + tid] + red[3 * CO + tid]);
  }
}
