// The first layer of a network of pictures: convolutions 3x3 of one or three channels with a pooling. Their products are too few
// for the matrices of conv.cu, where most of the time goes into laying out windows; here a thread reads the picture itself, from
// shared memory, channel by channel.
#pragma once
#include "epilogue.cuh"
#include "window.cuh"

#define STRIP_H 8                         // pixels of a block's strip of a picture
#define STRIP_W 32
#define RUN 8                             // pixels of a strip's line that one thread goes along
#define GROUPS (STRIP_H * STRIP_W / RUN)  // runs of a strip
#define OUT 16                            // output channels of a block
#define RUN_ROW (RUN * OUT + 16)          // floats of a run of gradients; threads of neighbouring runs read different banks
#define LINE 36                           // floats of a line of the picture, a pixel more on each side
#define PLANE ((STRIP_H + 2) * LINE + 1)  // and of a channel

// strips_of is how many strips of STRIP_H x STRIP_W pixels so many images have.
__device__ INLINE int strips_of(Shape s, int images) { return images * blocks_of(s.h, STRIP_H) * blocks_of(s.w, STRIP_W); }

// Patch is the share that a thread has in laying a strip of the picture, with a border, into shared memory, by channels.
template <int C, int THREADS> struct Patch {
  static const int ROW = (STRIP_W + 2) * C, ALL = (STRIP_H + 2) * ROW, N = (ALL + THREADS - 1) / THREADS;
  value_t v[N];
  __device__ INLINE void fetch(const value_t *x, Shape s, int y0, int x0) {
    UNROLL for (int i = 0; i < N; i++) {
      const int e = threadIdx.x + i * THREADS, line = e / ROW, at = e % ROW, y = y0 + line - 1, xx = x0 + at / C - 1;
      v[i] = value_t{};
      if ((N * THREADS == ALL || e < ALL) && (word)y < (word)s.h && (word)xx < (word)s.w)
        v[i] = *(const GLOBAL value_t *)(x + (y * s.w + x0 - 1) * C + at);
    }
  }
  __device__ INLINE void put(float *to) const {
    UNROLL for (int i = 0; i < N; i++) {
      const int e = threadIdx.x + i * THREADS, line = e / ROW, at = e % ROW;
      if (e < ALL) to[at % C * PLANE + line * LINE + at / C] = load(&v[i], 0);
    }
  }
};

// Spread is the share that a thread has in laying a strip of gradients, from pooled ones and their places, into shared memory: a
// run after the other, OUT channels of each pixel. It adds up what it loads of its four channels.
template <int THREADS> struct Spread {
  static const int ALL = STRIP_H / 2 * (STRIP_W / 2) * (OUT / 4), N = (ALL + THREADS - 1) / THREADS;
  static_assert(THREADS % (OUT / 4) == 0, "a thread has always the same channels");
  Raw v[N];
  word arg[N];
  Quad sum;
  __device__ INLINE void fetch(const value_t *dy, const byte *args, Shape pooled, int n0, int y0, int x0) {
    UNROLL for (int i = 0; i < N; i++) {
      const int e = threadIdx.x + i * THREADS, channel = n0 + e % (OUT / 4) * 4;
      const int x = x0 / 2 + e / (OUT / 4) % (STRIP_W / 2), y = y0 / 2 + e / (OUT / 4) / (STRIP_W / 2);
      v[i] = Raw{};
      arg[i] = 0;
      if (e >= ALL || y >= pooled.h || x >= pooled.w || channel >= pooled.c) continue;
      const int at = (y * pooled.w + x) * pooled.c + channel;
      v[i] = four(dy + at);
      arg[i] = *(const GLOBAL word *)(args + at);
    }
  }
  __device__ INLINE void put(float *to) {
    UNROLL for (int i = 0; i < N; i++) {
      const int e = threadIdx.x + i * THREADS;
      if (e >= ALL) continue;
      const Quad q = numbers(v[i]);
      const int x = e / (OUT / 4) % (STRIP_W / 2) * 2, y = e / (OUT / 4) / (STRIP_W / 2) * 2;
      UNROLL for (int place = 0; place < 4; place++) {
        const int px = x + place % 2, group = (y + place / 2) * (STRIP_W / RUN) + px / RUN;
        *(Quad *)(to + group * RUN_ROW + px % RUN * OUT + e % (OUT / 4) * 4) = at_place(q, arg[i], place * 0x01010101u);
      }
      sum += q;
    }
  }
};

// first_weights is conv+pool.grad's part of one tile by the weights: each thread has the nine taps of a channel by eight output
// channels, and of every strip a run of pixels. In the end the runs' sums are added in order.
template <int C> __device__ INLINE void first_weights(const Task *t) {
  const int THREADS = 2 * C * GROUPS, HALF = (C * PLANE + 3) & ~3, BUFFER = HALF + GROUPS * RUN_ROW;
  SHARED(Quad, quads, 2 * BUFFER / 4);
  float *shared = (float *)quads;
  if (no_tile(t)) return;
  const Work piece = piece_tile(t);
  const Shape r = t->r, s = t->s;
  const int n0 = blockIdx.x * OUT;
  if (n0 >= s.c) return;
  const int strips = strips_of(r, images(t->slots + piece.slot, piece.tile));
  const long long first = (long long)piece.tile * TILE;
  const value_t *x = value(t, piece.slot, t->ref) + first * r.h * r.w * C, *dy = value(t, piece.slot, t->src) + first * s.h * s.w * s.c;
  const byte *arg = bytes(t, piece.slot, t->arg) + first * s.h * s.w * s.c;

  const int group = threadIdx.x / (2 * C), ci = threadIdx.x % (2 * C) / 2, half = threadIdx.x % 2;
  const float *window = shared + ci * PLANE + group / (STRIP_W / RUN) * LINE + group % (STRIP_W / RUN) * RUN;
  const float *run = shared + HALF + group * RUN_ROW + half * 8;
  Patch<C, THREADS> patch;
  Spread<THREADS> spread;
  spread.sum = zero_quad();
  float acc[9][8];
  UNROLL for (int i = 0; i < 9; i++) UNROLL for (int j = 0; j < 8; j++) acc[i][j] = 0;

  int buffer = 0, y0 = 0, x0 = 0;  // of the strip that comes next, in the image that x, dy and arg are at
  for (int u = 0; u <= strips; u++) {
    // A strip is on its way while the one before is multiplied.
    const bool more = u < strips;
    if (more) {
      patch.fetch(x, r, y0, x0);
      spread.fetch(dy, arg, s, n0, y0, x0);
      x0 += STRIP_W;
      if (x0 >= r.w) x0 = 0, y0 += STRIP_H;
      if (y0 >= r.h) y0 = 0, x += r.h * r.w * C, dy += s.h * s.w * s.c, arg += s.h * s.w * s.c;
    }
    if (u > 0) {
      const float *w = window + buffer, *d = run + buffer;
      float seen[3][3];
      UNROLL for (int k = 0; k < 3; k++) UNROLL for (int l = 0; l < 2; l++) seen[k][l] = w[k * LINE + l];
      UNROLL for (int i = 0; i < RUN; i++) {
        const Quad a = *(const Quad *)(d + i * OUT), b = *(const Quad *)(d + i * OUT + 4);
        UNROLL for (int k = 0; k < 3; k++) seen[k][2] = w[k * LINE + i + 2];
        UNROLL for (int tap = 0; tap < 9; tap++) UNROLL for (int j = 0; j < 4; j++) {
          acc[tap][j] = fma_(seen[tap / 3][tap % 3], a[j], acc[tap][j]);
          acc[tap][j + 4] = fma_(seen[tap / 3][tap % 3], b[j], acc[tap][j + 4]);
        }
        UNROLL for (int k = 0; k < 3; k++) seen[k][0] = seen[k][1], seen[k][1] = seen[k][2];
      }
    }
    if (!more) break;
    buffer = u % 2 ? BUFFER : 0;
    patch.put(shared + buffer);
    spread.put(shared + buffer + HALF);
    __syncthreads();
  }

  float *dw = partial(t, piece.slot, piece.tile, t->w);
  const int ALL = C * OUT;
  UNROLL for (int line = 0; line < 3; line++) {
    __syncthreads();
    UNROLL for (int k = 0; k < 3; k++) UNROLL for (int j = 0; j < 8; j += 4) {
      const float *v = &acc[line * 3 + k][j];
      *(Quad *)(shared + (k * GROUPS + group) * ALL + ci * OUT + half * 8 + j) = Quad{v[0], v[1], v[2], v[3]};
    }
    __syncthreads();
    for (int i = threadIdx.x; i < 3 * ALL; i += THREADS) {
      const int k = i / ALL, channel = n0 + i % OUT;
      float sum = 0;
      for (int g = 0; g < GROUPS; g++) sum += shared[(k * GROUPS + g) * ALL + i % ALL];
      if (channel < s.c) dw[((line * 3 + k) * C + i % ALL / OUT) * s.c + channel] = sum;
    }
  }
  if (t->b == NONE) return;
  __syncthreads();
  *(Quad *)(shared + threadIdx.x * 4) = spread.sum;
  __syncthreads();
  if (threadIdx.x >= OUT || n0 + (int)threadIdx.x >= s.c) return;
  float sum = 0;
  for (int i = 0; i < THREADS * 4; i += OUT) sum += shared[i + threadIdx.x];
  partial(t, piece.slot, piece.tile, t->b)[n0 + threadIdx.x] = sum;
}
