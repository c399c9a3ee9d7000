// Normalisations: kernel.Moments, Normalize, NormalizeBackward and FoldNorm for all slots.
//
// What a batch or an image shares lies in the value stats, for a unit of n images of c channels:
//   (n, 2c) floats   moments; from norm on, the mean and 1/√(var+epsilon) that each image and channel was normalised by
//   (n, 2c) doubles  of norm.grad: sums over an image's pixels of dy and of dy·(x-mean)
//   (n, 2c) floats   of norm.grad: what dx is made of beside them
// A thread takes one channel, or four neighbouring ones where their number allows it, of every lanes'th pixel. Sums over the
// pixels of an image are of floats in short runs and of doubles beyond, deviations being from a pixel in the middle, so that
// values far from 0 keep their variance. Moments of images are joined in double as in Chan, Golub and LeVeque, "Algorithms for
// computing the sample variance", 1983. All orders of sums come from the sizes of the value and of the slot's unit.
#include "math.cuh"
#include "vector.cuh"

#define NORM_THREADS 256
#define NORM_CHANNELS 32  // of a block that joins images: eight threads for each
#define NORM_LANES (NORM_THREADS / NORM_CHANNELS)
#define NORM_PART 8192  // values of an image that one block makes
#define NORM_ROWS 64    // rows of weights that one block folds
#define NORM_RUN 8      // pixels whose sums are added in float
#define NORM_PAIRS 4    // the same, of products of two values
#define NORM_MOMENTUM 0.1

// Columns are how a block's threads lie on the channels of an image: thread (column, lane) takes V channels from
// V·(base + column) on, of pixels lane, lane+lanes … Where the channels are more than the threads, base goes on in rounds.
struct Columns {
  int groups, columns, lanes, column, lane;
};

template <int V>
__device__ INLINE Columns columns_of(int c) {
  Columns k;
  k.groups = c / V;
  k.columns = k.groups < NORM_THREADS ? k.groups : NORM_THREADS;
  k.lanes = NORM_THREADS / k.columns;
  k.column = threadIdx.x % k.columns;
  k.lane = threadIdx.x / k.columns;
  return k;
}

// join_lanes adds N numbers of the threads of each column, by halves of the lanes; those of lane 0 are the sums. Threads
// beyond the last lane come too. room is shared memory for N·NORM_THREADS doubles.
template <int N>
__device__ INLINE void join_lanes(double *room, double *v, int columns, int lanes, int lane) {
  UNROLL for (int q = 0; q < N; q++) room[q * NORM_THREADS + threadIdx.x] = v[q];
  __syncthreads();
  for (int n = lanes; n > 1;) {
    int half = (n + 1) / 2;
    if (lane + half < n)
      UNROLL for (int q = 0; q < N; q++) room[q * NORM_THREADS + threadIdx.x] += room[q * NORM_THREADS + threadIdx.x + half * columns];
    n = half;
    __syncthreads();
  }
  UNROLL for (int q = 0; q < N; q++) v[q] = room[q * NORM_THREADS + threadIdx.x];
  __syncthreads();
}

__device__ INLINE double *sums_of(float *stats, int n, int c) { return (double *)(stats + (long long)n * 2 * c); }
__device__ INLINE float *coefs_of(float *stats, int n, int c) { return stats + (long long)n * 6 * c; }

// moments_of are mean and variance of an image, (pixels, c), by channel.
template <int V>
__device__ INLINE void moments_of(double *room, float *to, const value_t *x, int pixels, int middle, int c) {
  const Columns k = columns_of<V>(c);
  for (int base = 0; base < k.groups; base += k.columns) {
    const bool mine = k.lane < k.lanes && base + k.column < k.groups;
    const int at = V * (base + k.column);
    float from[V];
    double sums[2 * V] = {};
    if (mine) {
      load_some<V>(from, x, (long long)middle * c + at);
      for (int p = k.lane; p < pixels; p += NORM_RUN * k.lanes) {
        float first[V] = {}, second[V] = {};
        UNROLL for (int e = 0; e < NORM_RUN; e++) {
          float v[V];
          if (p + e * k.lanes >= pixels) continue;
          load_some<V>(v, x, (long long)(p + e * k.lanes) * c + at);
          UNROLL for (int j = 0; j < V; j++) {
            float d = v[j] - from[j];
            first[j] += d;
            second[j] += d * d;
          }
        }
        UNROLL for (int j = 0; j < V; j++) {
          sums[j] += (double)first[j];
          sums[V + j] += (double)second[j];
        }
      }
    }
    join_lanes<2 * V>(room, sums, k.columns, k.lanes, k.lane);
    if (mine && k.lane == 0)
      UNROLL for (int j = 0; j < V; j++) {
        double d = sums[j] / pixels, variance = sums[V + j] / pixels - d * d;
        to[at + j] = (float)((double)from[j] + d);
        to[c + at + j] = (float)(variance < 0 ? 0 : variance);  // NaN stays
      }
  }
}

// norm_moments is norm.moments: a block takes an image.
KERNEL(norm_moments, NORM_THREADS) {
  if (no_tile(t)) return;
  Work piece = piece_tile(t);
  const Slot *s = t->slots + piece.slot;
  if ((int)blockIdx.x >= images(s, piece.tile)) return;
  SHARED(double, room, 8 * NORM_THREADS);
  const int i = piece.tile * TILE + blockIdx.x, c = t->s.c, pixels = t->s.h * t->s.w;
  const value_t *x = value(t, piece.slot, t->src) + (long long)i * pixels * c;
  float *to = floats(t, piece.slot, t->stats) + (long long)i * 2 * c;
  const int middle = t->s.h / 2 * t->s.w + t->s.w / 2;
  if (c % 4 == 0)
    moments_of<4>(room, to, x, pixels, middle, c);
  else
    moments_of<1>(room, to, x, pixels, middle, c);
}

// towards moves a running number.
__device__ INLINE float towards(float old, double now) {
  return (float)((1 - NORM_MOMENTUM) * (double)old + NORM_MOMENTUM * now);
}

struct Moments {
  double mean, variance;
};
// join gives mean and variance of parts 0 … to-1, of which count there are, by the threads of a column together; part i has the
// moments first[i·step] and second[i·step]. Every thread of the block comes; room is for NORM_THREADS.
__device__ INLINE Moments join(double *room, const float *first, const float *second, int to, long long step, int count, int lane) {
  const int columns = NORM_CHANNELS;
  Moments m = {0, 0};
  double sum = 0;
  for (int i = lane; i < to; i += NORM_LANES) sum += (double)first[i * step];
  join_lanes<1>(room, &sum, columns, NORM_LANES, lane);
  if (lane == 0) room[threadIdx.x] = sum;
  __syncthreads();
  m.mean = room[threadIdx.x - lane * columns] / count;
  __syncthreads();
  sum = 0;
  for (int i = lane; i < to; i += NORM_LANES) {
    double d = (double)first[i * step] - m.mean;
    sum += (double)second[i * step] + d * d;
  }
  join_lanes<1>(room, &sum, columns, NORM_LANES, lane);
  if (lane == 0) room[threadIdx.x] = sum;
  __syncthreads();
  m.variance = room[threadIdx.x - lane * columns] / count;
  __syncthreads();
  return m;
}

// norm_join turns the moments of a slot's images into what their values are normalised by, and moves the running statistics.
// Of a batch norm a block takes NORM_CHANNELS channels of all images, of a layer norm as many images.
KERNEL(norm_join, NORM_THREADS) {
  if (no_slot(t)) return;
  SHARED(double, room, NORM_THREADS);
  const int slot = piece_slot(t).slot, c = t->s.c, pixels = t->s.h * t->s.w;
  const Slot *s = t->slots + slot;
  const int n = s->unit.n, column = threadIdx.x % NORM_CHANNELS, lane = threadIdx.x / NORM_CHANNELS;
  const int first = blockIdx.x * NORM_CHANNELS, at = first + column;
  float *stats = floats(t, slot, t->stats);
  if (t->norm == LAYER_NORM) {
    if (first >= n) return;
    float *mine = stats + (long long)at * 2 * c;
    Moments m = join(room, mine, mine + c, at < n ? c : 0, 1, c, lane);
    float inv = (float)(1 / sqrt_(m.variance + NORM_EPSILON));
    if (at >= n) return;
    for (int j = lane; j < c; j += NORM_LANES) {
      mine[j] = (float)m.mean;
      mine[c + j] = inv;
    }
    return;
  }
  if (first >= c) return;
  Moments m = join(room, stats + at, stats + c + at, at < c ? n : 0, 2 * c, n, lane);
  if (at >= c) return;
  float inv = (float)(1 / sqrt_(m.variance + NORM_EPSILON));
  for (int i = lane; i < n; i += NORM_LANES) {
    stats[(long long)i * 2 * c + at] = (float)m.mean;
    stats[(long long)i * 2 * c + c + at] = inv;
  }
  if (lane > 0 || t->mean == NONE) return;
  double count = (double)n * pixels, unbiased = count > 1 ? m.variance * (count / (count - 1)) : m.variance;
  float *mean = (float *)weight(t, slot, t->mean), *var = (float *)weight(t, slot, t->var);
  mean[at] = towards(mean[at], m.mean);
  var[at] = towards(var[at], unbiased);
}

// Coefs are the numbers by which V channels are normalised: y = (x - mean)·scale + shift.
template <int V>
struct Coefs {
  float mean[V], scale[V], shift[V];
};

template <int V>
__device__ INLINE Coefs<V> coefs(const Task *t, int slot, int i, int c, int at) {
  const float *stats = floats(t, slot, t->stats) + (long long)i * 2 * c;
  const float *scale = weight(t, slot, t->scale), *shift = weight(t, slot, t->shift);
  Coefs<V> k;
  UNROLL for (int j = 0; j < V; j++) {
    k.mean[j] = stats[at + j];
    k.scale[j] = (float)((double)scale[at + j] * (double)stats[c + at + j]);
    k.shift[j] = shift[at + j];
  }
  return k;
}

// Part is what a block takes of an image: pixels from … to-1; none where from is not below to.
struct Part {
  int image, from, to;
};

// part_of finds the block's part of one of so many pixels with c channels: blockIdx.x counts images, then parts.
__device__ INLINE Part part_of(const Slot *s, Work piece, int pixels, int c) {
  const int parts = (int)(((long long)pixels * c + NORM_PART - 1) / NORM_PART), each = (pixels + parts - 1) / parts;
  const int i = blockIdx.x % TILE, from = (int)(blockIdx.x / TILE) * each;
  if (i >= images(s, piece.tile)) return Part{0, 0, 0};
  return Part{piece.tile * TILE + i, from, from + each < pixels ? from + each : pixels};
}

// PART_KERNEL is a kernel whose block takes a part of an image: of the map that has the shape s or d of the task, with a pooling
// the smaller one. write is a template by how many channels a thread takes at a time.
#define PART_KERNEL(name, write, shape)                                                                     \
  KERNEL(name, NORM_THREADS) {                                                                              \
    if (no_tile(t)) return;                                                                                 \
    Work piece = piece_tile(t);                                                                             \
    Part part = part_of(t->slots + piece.slot, piece, t->shape.h * t->shape.w, t->shape.c);                 \
    if (part.from >= part.to) return;                                                                       \
    if (t->shape.c % 4 == 0)                                                                                \
      write<4>(t, piece, part);                                                                             \
    else                                                                                                    \
      write<1>(t, piece, part);                                                                             \
  }

template <int V>
__device__ INLINE void norm_part(const Task *t, Work piece, Part part) {
  const int c = t->s.c, pixels = t->s.h * t->s.w, act = t->act;
  const Columns k = columns_of<V>(c);
  if (k.lane >= k.lanes) return;
  const value_t *x = value(t, piece.slot, t->src) + (long long)part.image * pixels * c;
  value_t *y = value(t, piece.slot, t->dst) + (long long)part.image * pixels * c;
  for (int base = 0; base + k.column < k.groups; base += k.columns) {
    const int at = V * (base + k.column);
    const Coefs<V> n = coefs<V>(t, piece.slot, part.image, c, at);
    for (int p = part.from + k.lane; p < part.to; p += k.lanes) {
      float v[V];
      load_some<V>(v, x, (long long)p * c + at);
      UNROLL for (int j = 0; j < V; j++) v[j] = activate(act, (v[j] - n.mean[j]) * n.scale[j] + n.shift[j]);
      store_some<V>(y, (long long)p * c + at, v);
    }
  }
}

// norm_apply is norm without a pooling, after norm_join.
PART_KERNEL(norm_apply, norm_part, s)

// four_of gives the first of the four pixels of (h, w) that pixel p of (h/2, w/2) is pooled of.
__device__ INLINE int four_of(int p, int w) { return p / (w / 2) * 2 * w + p % (w / 2) * 2; }

// put_places writes V places of a pooling.
template <int V>
__device__ INLINE void put_places(byte *to, const byte *v) {
  if (V == 4)
    *(word *)to = (word)v[0] | (word)v[V > 1 ? 1 : 0] << 8 | (word)v[V > 2 ? 2 : 0] << 16 | (word)v[V > 3 ? 3 : 0] << 24;
  else
    to[0] = v[0];
}
template <int V>
__device__ INLINE void take_places(byte *v, const byte *from) {
  if (V == 4) {
    word w = *(const word *)from;
    UNROLL for (int j = 0; j < V; j++) v[j] = (byte)(w >> 8 * j);
  } else {
    v[0] = from[0];
  }
}

template <int V>
__device__ INLINE void norm_pool_part(const Task *t, Work piece, Part part) {
  const int c = t->s.c, w = t->s.w, pixels = t->s.h * w, act = t->act;
  const Columns k = columns_of<V>(c);
  if (k.lane >= k.lanes) return;
  const value_t *x = value(t, piece.slot, t->src) + (long long)part.image * pixels * c;
  const long long out = (long long)part.image * (pixels / 4) * c;
  value_t *y = value(t, piece.slot, t->dst) + out, *picked = value(t, piece.slot, t->ref) + out;
  byte *places = bytes(t, piece.slot, t->arg) + out;
  for (int base = 0; base + k.column < k.groups; base += k.columns) {
    const int at = V * (base + k.column);
    const Coefs<V> n = coefs<V>(t, piece.slot, part.image, c, at);
    for (int p = part.from + k.lane; p < part.to; p += k.lanes) {
      const int q = four_of(p, w);
      float best[V], from[V], v[V];
      byte place[V];
      UNROLL for (int e = 0; e < 4; e++) {
        load_some<V>(v, x, (long long)(q + e / 2 * w + e % 2) * c + at);
        UNROLL for (int j = 0; j < V; j++) {
          float z = (v[j] - n.mean[j]) * n.scale[j] + n.shift[j];
          // NaN beats every number and is never beaten; of equals the first stays.
          if (e == 0 || z > best[j] || (z != z && best[j] == best[j])) {
            best[j] = z;
            from[j] = v[j];
            place[j] = (byte)e;
          }
        }
      }
      UNROLL for (int j = 0; j < V; j++) best[j] = activate(act, best[j]);
      store_some<V>(y, (long long)p * c + at, best);
      store_some<V>(picked, (long long)p * c + at, from);
      put_places<V>(places + (long long)p * c + at, place);
    }
  }
}

// norm_pool is norm with a pooling, after norm_join.
PART_KERNEL(norm_pool, norm_pool_part, d)

// sums_by_channel adds up dy and dy·(x-mean) over the pixels of an image.
template <int V>
__device__ INLINE void sums_by_channel(double *room, double *to, const value_t *dy, const value_t *x, const float *mean, int pixels, int c) {
  const Columns k = columns_of<V>(c);
  for (int base = 0; base < k.groups; base += k.columns) {
    const bool mine = k.lane < k.lanes && base + k.column < k.groups;
    const int at = V * (base + k.column);
    double sums[2 * V] = {};
    if (mine) {
      float from[V];
      UNROLL for (int j = 0; j < V; j++) from[j] = mean[at + j];
      for (int p = k.lane; p < pixels; p += NORM_PAIRS * k.lanes) {
        float first[V] = {}, second[V] = {};
        UNROLL for (int e = 0; e < NORM_PAIRS; e++) {
          float g[V], v[V];
          if (p + e * k.lanes >= pixels) continue;
          load_some<V>(g, dy, (long long)(p + e * k.lanes) * c + at);
          load_some<V>(v, x, (long long)(p + e * k.lanes) * c + at);
          UNROLL for (int j = 0; j < V; j++) {
            first[j] += g[j];
            second[j] += g[j] * (v[j] - from[j]);
          }
        }
        UNROLL for (int j = 0; j < V; j++) {
          sums[j] += (double)first[j];
          sums[V + j] += (double)second[j];
        }
      }
    }
    join_lanes<2 * V>(room, sums, k.columns, k.lanes, k.lane);
    if (mine && k.lane == 0)
      UNROLL for (int j = 0; j < V; j++) {
        to[at + j] = sums[j];
        to[c + at + j] = sums[V + j];
      }
  }
}

// norm_sums begins norm.grad: a block takes an image. Only what a pooling took has a gradient, so a pooled one looks at that.
KERNEL_BESIDE(norm_sums, NORM_THREADS, 3) {
  if (no_tile(t)) return;
  Work piece = piece_tile(t);
  const Slot *s = t->slots + piece.slot;
  if ((int)blockIdx.x >= images(s, piece.tile)) return;
  SHARED(double, room, 8 * NORM_THREADS);
  const int i = piece.tile * TILE + blockIdx.x, c = t->s.c, pixels = t->s.h * t->s.w;
  const value_t *dy = value(t, piece.slot, t->src) + (long long)i * pixels * c;
  const value_t *x = value(t, piece.slot, t->arg == NONE ? t->input : t->ref) + (long long)i * pixels * c;
  float *stats = floats(t, piece.slot, t->stats);
  double *to = sums_of(stats, s->unit.n, c) + (long long)i * 2 * c;
  if (c % 4 == 0)
    sums_by_channel<4>(room, to, dy, x, stats + (long long)i * 2 * c, pixels, c);
  else
    sums_by_channel<1>(room, to, dy, x, stats + (long long)i * 2 * c, pixels, c);
}

// norm_gradients joins the images' sums to the gradients of scale and shift, and to the numbers k and l that the gradient by
// the input is made of: dx = scale·inv·dy - k - l·(x - mean).
KERNEL(norm_gradients, NORM_THREADS) {
  if (no_slot(t)) return;
  SHARED(double, room, 3 * NORM_THREADS);
  const int slot = piece_slot(t).slot, c = t->d.c, pixels = t->d.h * t->d.w;
  const int n = t->slots[slot].unit.n, column = threadIdx.x % NORM_CHANNELS, lane = threadIdx.x / NORM_CHANNELS;
  const int first = blockIdx.x * NORM_CHANNELS, at = first + column;
  const long long step = 2 * c;
  float *stats = floats(t, slot, t->stats), *out = coefs_of(stats, n, c);
  const double *sums = sums_of(stats, n, c);
  const float *scales = weight(t, slot, t->scale);
  if (first < c) {
    double v[3] = {0, 0, 0};  // of shift, of dy·(x-mean), of scale
    for (int i = lane; i < (at < c ? n : 0); i += NORM_LANES) {
      double size = sums[i * step + c + at];
      v[0] += sums[i * step + at];
      v[1] += size;
      v[2] += size * (double)stats[i * step + c + at];
    }
    join_lanes<3>(room, v, NORM_CHANNELS, NORM_LANES, lane);
    if (lane == 0) {
      room[column] = v[0];
      room[NORM_CHANNELS + column] = v[1];
      if (at < c) {
        grad(t, slot, t->shift)[at] = (float)v[0];
        grad(t, slot, t->scale)[at] = (float)v[2];
      }
    }
    __syncthreads();
    if (t->norm == BATCH_NORM && at < c) {
      double shift = room[column], size = room[NORM_CHANNELS + column], count = (double)n * pixels;
      double inv = (double)stats[c + at], a = (double)scales[at] * inv;
      float k = (float)(a * shift / count), l = (float)(a * inv * inv * size / count);
      for (int i = lane; i < n; i += NORM_LANES) {
        out[i * step + at] = k;
        out[i * step + c + at] = l;
      }
    }
    __syncthreads();
  }
  if (t->norm != LAYER_NORM || first >= n) return;
  double v[2] = {0, 0};
  for (int j = lane; j < (at < n ? c : 0); j += NORM_LANES) {
    v[0] += (double)scales[j] * sums[at * step + j];
    v[1] += (double)scales[j] * sums[at * step + c + j];
  }
  join_lanes<2>(room, v, NORM_CHANNELS, NORM_LANES, lane);
  if (lane == 0) {
    room[column] = v[0];
    room[NORM_CHANNELS + column] = v[1];
  }
  __syncthreads();
  if (at >= n) return;
  double count = (double)c * pixels, inv = (double)stats[at * step + c];
  float k = (float)(inv * room[column] / count), l = (float)(inv * inv * inv * room[NORM_CHANNELS + column] / count);
  for (int j = lane; j < c; j += NORM_LANES) {
    out[at * step + j] = k;
    out[at * step + c + j] = l;
  }
}

// Slopes are what the gradient by the input of V channels is made of.
template <int V>
struct Slopes {
  float mean[V], scale[V], k[V], l[V];
};

template <int V>
__device__ INLINE Slopes<V> slopes_of(const Task *t, int slot, int i, int c, int at) {
  float *stats = floats(t, slot, t->stats);
  const float *mine = stats + (long long)i * 2 * c;
  const float *more = coefs_of(stats, t->slots[slot].unit.n, c) + (long long)i * 2 * c;
  const float *scale = weight(t, slot, t->scale);
  Slopes<V> s;
  UNROLL for (int j = 0; j < V; j++) {
    s.mean[j] = mine[at + j];
    s.scale[j] = (float)((double)scale[at + j] * (double)mine[c + at + j]);
    s.k[j] = more[at + j];
    s.l[j] = more[c + at + j];
  }
  return s;
}

template <int V>
__device__ INLINE void norm_grad_part(const Task *t, Work piece, Part part) {
  const int c = t->d.c, pixels = t->d.h * t->d.w;
  const Columns k = columns_of<V>(c);
  if (k.lane >= k.lanes) return;
  const long long at_image = (long long)part.image * pixels * c;
  const value_t *dy = value(t, piece.slot, t->src) + at_image, *x = value(t, piece.slot, t->input) + at_image;
  value_t *dx = value(t, piece.slot, t->dst) + at_image;  // may be x
  for (int base = 0; base + k.column < k.groups; base += k.columns) {
    const int at = V * (base + k.column);
    const Slopes<V> s = slopes_of<V>(t, piece.slot, part.image, c, at);
    for (int p = part.from + k.lane; p < part.to; p += k.lanes) {
      float g[V], v[V];
      load_some<V>(g, dy, (long long)p * c + at);
      load_some<V>(v, x, (long long)p * c + at);
      UNROLL for (int j = 0; j < V; j++) g[j] = s.scale[j] * g[j] - s.k[j] - s.l[j] * (v[j] - s.mean[j]);
      store_some<V>(dx, (long long)p * c + at, g);
    }
  }
}

// norm_grad ends norm.grad without a pooling.
PART_KERNEL(norm_grad, norm_grad_part, d)

template <int V>
__device__ INLINE void norm_unpool_part(const Task *t, Work piece, Part part) {
  const int c = t->d.c, w = t->d.w, pixels = t->d.h * w;
  const Columns k = columns_of<V>(c);
  if (k.lane >= k.lanes) return;
  const long long in = (long long)part.image * pixels * c, out = (long long)part.image * (pixels / 4) * c;
  const value_t *dy = value(t, piece.slot, t->src) + out, *x = value(t, piece.slot, t->input) + in;
  const byte *places = bytes(t, piece.slot, t->arg) + out;
  value_t *dx = value(t, piece.slot, t->dst) + in;  // may be x
  for (int base = 0; base + k.column < k.groups; base += k.columns) {
    const int at = V * (base + k.column);
    const Slopes<V> s = slopes_of<V>(t, piece.slot, part.image, c, at);
    for (int p = part.from + k.lane; p < part.to; p += k.lanes) {
      const int q = four_of(p, w);
      float g[V];
      byte place[V];
      load_some<V>(g, dy, (long long)p * c + at);
      take_places<V>(place, places + (long long)p * c + at);
      UNROLL for (int e = 0; e < 4; e++) {
        const long long here = (long long)(q + e / 2 * w + e % 2) * c + at;
        float v[V];
        load_some<V>(v, x, here);
        UNROLL for (int j = 0; j < V; j++) v[j] = (place[j] == e ? s.scale[j] * g[j] : 0) - s.k[j] - s.l[j] * (v[j] - s.mean[j]);
        store_some<V>(dx, here, v);
      }
    }
  }
}

// norm_unpool ends norm.grad with a pooling.
PART_KERNEL(norm_unpool, norm_unpool_part, s)

// fold writes the weights and the bias of a linear map, of s.c input channels and d.c output channels, the last axis, that
// does what it and a normalisation by running statistics do. A block takes NORM_ROWS rows of weights.
KERNEL(fold, NORM_THREADS) {
  if (no_slot(t)) return;
  const int slot = piece_slot(t).slot, c = t->d.c, rows = t->side * t->side * t->s.c;
  const Columns k = columns_of<1>(c);
  const int first = blockIdx.x * NORM_ROWS, last = first + NORM_ROWS < rows ? first + NORM_ROWS : rows;
  if (k.lane >= k.lanes) return;
  const Slot *s = t->slots + slot;
  const float *w = weight(t, slot, t->w), *scale = weight(t, slot, t->scale), *shift = weight(t, slot, t->shift);
  const float *mean = weight(t, slot, t->mean), *var = weight(t, slot, t->var);
  float *dw = s->folded + t->fold, *db = s->folded + t->fold_bias;
  for (int j = k.column; j < c; j += k.columns) {
    const float a = (float)((double)scale[j] / sqrt_((double)var[j] + NORM_EPSILON));
    for (int i = first + k.lane; i < last; i += k.lanes) dw[(long long)i * c + j] = w[(long long)i * c + j] * a;
    if (first == 0 && k.lane == 0) db[j] = (float)((double)shift[j] - (double)a * (double)mean[j]);
  }
}
