// The mean structural similarity of images and its gradient: Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment:
// from error visibility to structural similarity", 2004, as package kernel has it (ref_loss.go): a Gaussian window of 11x11
// with sigma 1.5, or the largest odd side that fits, windows that lie inside the image, each channel by itself.
//
// One block of threads takes an image, one channel after another. What lies in shared memory is a piece of the channel: an
// image of up to 32 pixels a side is one piece, a larger one is cut into pieces that overlap by what their windows reach.
// With d = p - t the similarity is a1·a2/(b1·b2),
//   a1 = 2·mean(p)·mean(t) + C1    b1 = a1 + mean(d)²
//   a2 = 2·cov(p, t) + C2          b2 = a2 + var(d)
// so four blurred maps are enough, and the errors that float makes in the covariance meet in a2 and b2. Values are shifted
// by 1/2, which variances do not notice and which halves what cancels in them.
#pragma once
#include "math.cuh"
#include "vector.cuh"

#define SSIM_THREADS 192  // of a block: one round of each pass over 32x32 pixels
#define SSIM_WINDOW 11

// Whole, Parted and Small are how images lie in shared memory: K is the side of the window, 0: any up to 9; SIDE that of a
// piece, PIXELS and WINDOWS the most of its pixels and windows in a row or a column, with those around that a gradient needs.
// Distances of rows are odd, so that threads which take one column of different rows meet in no bank, and constant, so
// that they cost no registers.
struct Whole {
  enum { K = 11, SIDE = 32, PIXELS = 32, WINDOWS = 22, PITCH = PIXELS | 1, STEP = WINDOWS | 1 };
};
struct Parted {
  enum { K = 11, SIDE = 24, PIXELS = SIDE + 20, WINDOWS = SIDE + 10, PITCH = PIXELS | 1, STEP = WINDOWS | 1 };
};
struct Small {
  enum { K = 0, SIDE = 24, PIXELS = SIDE + 16, WINDOWS = SIDE + 8, PITCH = PIXELS | 1, STEP = WINDOWS | 1 };
};
#define SSIM_C1 1e-4f  // (0.01)²
#define SSIM_C2 9e-4f  // (0.03)²
#define NEARBY (1.0f / 20)

// squash is p, the value that a loss compares, of a network's output y.
__device__ INLINE float squash(float y, int output) { return output == TANH ? (y + 1) * 0.5f : y; }

// clipped is v limited to 0 … 1; NaN stays.
__device__ INLINE float clipped(float v) { return v < 0 ? 0 : v > 1 ? 1 : v; }

// bell is exp(-d²/(2·1.5²)), written out so that no exponential enters.
__device__ INLINE double bell(int d) {
  if (d < 0) d = -d;
  return d == 0   ? 1.0
         : d == 1 ? 0.8007374029168081
         : d == 2 ? 0.41111229050718745
         : d == 3 ? 0.1353352832366127
         : d == 4 ? 0.028565500784550377
                  : 0.0038659201394728076;
}

// ssim_window is the side of the window for images of h x w pixels.
__device__ INLINE int ssim_window(int h, int w) {
  int k = h < w ? h : w;
  if (k > SSIM_WINDOW) k = SSIM_WINDOW;
  return k - 1 + k % 2;
}

// Compared is an image and what it is compared with, and how.
struct Compared {
  const value_t *p, *t;  // (h, w, c) of the map
  value_t *g;            // gradient by p; not written without one
  int w, c;              // of the map
  int crop_h, crop_w;
  int output, act;
  bool clip;  // p is limited to 0 … 1 first
  float square;  // gradient: 2·(p-t) times this …
  float scale;   // … and this times that of the sum of SSIM over windows
};

// Comparison are a thread's sums.
struct Comparison {
  double se, ae, ssim;   // of values as they are compared
  int within;
  // Without a gradient: of values before they are limited, and how many lie outside 0 … 1.
  double raw_se, raw_ae;
  int outside;
};

// Span are places from … to-1.
struct Span {
  int from, to;
};

__device__ INLINE int least(int a, int b) { return a < b ? a : b; }
__device__ INLINE int most(int a, int b) { return a > b ? a : b; }

// piece_of gives piece i of a side of so many pixels, cut into n.
__device__ INLINE Span piece_of(int i, int n, int side) {
  int each = (side + n - 1) / n;
  return Span{least(side, i * each), least(side, (i + 1) * each)};
}

// windows_of gives the windows, named by their first pixel, that a piece needs: with a gradient all that see one of its
// pixels, else its own. They are at least one, and cover the piece.
template <bool GRADIENT>
__device__ INLINE Span windows_of(Span piece, int k, int side) {
  int last = side - k + 1;
  int from = GRADIENT ? most(0, piece.from - k + 1) : least(piece.from, last - 1);
  return Span{from, most(from + 1, least(last, piece.to))};
}

// Taps are the weights of a window of K pixels, or of k where K is 0.
template <int K>
struct Taps {
  const float *shared;
  int k;
  float g[K ? K : 1];

  __device__ INLINE void take(const float *from, int side) {
    shared = from;
    k = side;
    if (K)
      for (int j = 0; j < K; j++) g[j] = from[j];
  }
  __device__ INLINE int side() const { return K ? K : k; }
  // add adds to each of S neighbouring sums, of which the first is at place 0, what place i of the source gives them.
  template <int S, bool BACK>
  __device__ INLINE void add(float *sums, float v, int i) const {
    for (int o = 0; o < S; o++) {
      int j = BACK ? o + side() - 1 - i : i - o;
      if (j >= 0 && j < side()) sums[o] = fma_(K ? g[j] : shared[j], v, sums[o]);
    }
  }
};

// compare_piece adds a piece of a channel's comparison to a thread's sums and, with GRADIENT, writes the gradient. memory is what
// ssimRoom of loss.go counts.
template <typename L, bool GRADIENT>
__device__ INLINE void compare_piece(const Compared &a, const Taps<L::K> &taps, float *memory, int channel, Span py, Span px, Comparison *sums) {
  const int k = taps.side();
  const Span vy = windows_of<GRADIENT>(py, k, a.crop_h), vx = windows_of<GRADIENT>(px, k, a.crop_w);
  const int vh = vy.to - vy.from, vw = vx.to - vx.from;  // windows
  const int rh = vh + k - 1, rw = vw + k - 1;            // pixels that they see
  const int pitch = L::PITCH, step = L::STEP;
  const int map = L::PIXELS * step, field = L::WINDOWS * step;
  float *const ts = memory, *const ds = ts + L::PIXELS * pitch;  // t - 1/2, p - t
  float *const rows = ds + L::PIXELS * pitch, *const slopes = rows + 4 * map;

  for (int i = threadIdx.x; i < rh * rw; i += SSIM_THREADS) {
    int y = i / rw, x = i - y * rw, iy = vy.from + y, ix = vx.from + x;
    long long at = ((long long)iy * a.w + ix) * a.c + channel;
    float raw = squash(one(a.p, at), a.output), p = a.clip ? clipped(raw) : raw, t = one(a.t, at), d = p - t;
    ts[y * pitch + x] = t - 0.5f;
    ds[y * pitch + x] = d;
    if (iy < py.from || iy >= py.to || ix < px.from || ix >= px.to) continue;
    float size = d < 0 ? -d : d;
    sums->se += (double)(d * d);
    sums->ae += (double)size;
    sums->within += size <= NEARBY;
    if (!GRADIENT) {
      float r = raw - t;
      sums->raw_se += (double)(r * r);
      sums->raw_ae += (double)(r < 0 ? -r : r);
      sums->outside += raw < 0 || raw > 1;
    }
  }
  __syncthreads();

  // Along x: of t, d, d² and p·t.
  const int S = 4;
  for (int i = threadIdx.x; i < rh * ((vw + S - 1) / S); i += SSIM_THREADS) {
    int y = i % rh, x = i / rh * S;
    float sum[4][S] = {};
    const float *t = ts + y * pitch + x, *d = ds + y * pitch + x;
#pragma unroll L::K ? L::K + S - 1 : 1
    for (int j = 0; j < k + S - 1; j++) {
      if (x + j >= rw) break;
      taps.template add<S, false>(sum[0], t[j], j);
      taps.template add<S, false>(sum[1], d[j], j);
      taps.template add<S, false>(sum[2], d[j] * d[j], j);
      taps.template add<S, false>(sum[3], (t[j] + d[j]) * t[j], j);
    }
    UNROLL for (int m = 0; m < 4; m++)
      UNROLL for (int o = 0; o < S; o++)
        if (x + o < vw) rows[m * map + y * step + x + o] = sum[m][o];
  }
  __syncthreads();

  // Along y, and the similarity of each window with its slopes.
  for (int i = threadIdx.x; i < vw * ((vh + S - 1) / S); i += SSIM_THREADS) {
    int x = i % vw, y = i / vw * S;
    float sum[4][S] = {};
#pragma unroll L::K ? L::K + S - 1 : 1
    for (int j = 0; j < k + S - 1; j++) {
      if (y + j >= rh) break;
      for (int m = 0; m < 4; m++) taps.template add<S, false>(sum[m], rows[m * map + (y + j) * step + x], j);
    }
    UNROLL for (int o = 0; o < S; o++) {
      if (y + o >= vh) continue;
      float mt = sum[0][o], md = sum[1][o], mp = mt + md;
      float p = mp + 0.5f, t = mt + 0.5f;
      float a1 = 2 * (p * t) + SSIM_C1, b1 = a1 + md * md;
      float a2 = 2 * (sum[3][o] - mp * mt) + SSIM_C2, var = sum[2][o] - md * md, b2 = a2 + var;
      float r = 1 / (b1 * b2), v = a1 * a2 * r;
      // Every window is counted by the piece that its first pixel is of.
      if (vy.from + y + o >= py.from && vx.from + x >= px.from) sums->ssim += (double)v;
      if (!GRADIENT) continue;
      // The slope of v by one of the p is bright + by·2(d - mean d) + of·(t - mean t): brightness by p in a1 and b1, contrast by
      // the mean of p² and of p·t, that of t taken together so that no large terms cancel where p is near t.
      float bright = 2 * (a2 * r) * md * (p * md * (b2 * r) - 1);
      float by = -(v * (b1 * r)), of = 2 * (a1 * r) * (var * (b1 * r));
      float *to = slopes + (y + o) * step + x;
      to[0] = bright - 2 * (md * by) - mt * of;
      to[field] = by;
      to[2 * field] = of;
    }
  }
  __syncthreads();
  if (!GRADIENT) return;

  // The blur's transpose, along y for the piece's rows, then along x for its pixels.
  const int y0 = py.from - vy.from, x0 = px.from - vx.from, ph = py.to - py.from, pw = px.to - px.from;
  for (int i = threadIdx.x; i < vw * ((ph + S - 1) / S); i += SSIM_THREADS) {
    int x = i % vw, y = i / vw * S;
    float sum[3][S] = {};
#pragma unroll L::K ? L::K + S - 1 : 1
    for (int j = 0; j < k + S - 1; j++) {
      int from = y0 + y - (k - 1) + j;
      if (from < 0 || from >= vh) continue;
      for (int m = 0; m < 3; m++) taps.template add<S, true>(sum[m], slopes[m * field + from * step + x], j);
    }
    for (int m = 0; m < 3; m++)
      for (int o = 0; o < S; o++)
        if (y + o < ph) rows[m * map + (y + o) * step + x] = sum[m][o];
  }
  __syncthreads();
  const int B = 6;
  for (int i = threadIdx.x; i < ph * ((pw + B - 1) / B); i += SSIM_THREADS) {
    int y = i % ph, x = i / ph * B;
    float sum[3][B] = {};
#pragma unroll L::K ? L::K + B - 1 : 1
    for (int j = 0; j < k + B - 1; j++) {
      int from = x0 + x - (k - 1) + j;
      if (from < 0 || from >= vw) continue;
      for (int m = 0; m < 3; m++) taps.template add<B, true>(sum[m], rows[m * map + y * step + from], j);
    }
    UNROLL for (int o = 0; o < B; o++)
      if (x + o < pw) {
        int at = (y0 + y) * pitch + x0 + x + o;
        float t = ts[at], d = ds[at];
        ts[at] = sum[0][o] + 2 * (d * sum[1][o]) + t * sum[2][o];
      }
  }
  __syncthreads();
  for (int i = threadIdx.x; i < ph * pw; i += SSIM_THREADS) {
    int y = i / pw, x = i - y * pw, in = (y0 + y) * pitch + x0 + x;
    long long at = ((long long)(py.from + y) * a.w + px.from + x) * a.c + channel;
    float g = ds[in] * a.square + a.scale * ts[in];
    if (a.act != IDENTITY) g = activation_grad(a.act, g, one(a.p, at));
    store(a.g, at, g);
  }
  __syncthreads();
}

// compare_image adds an image's comparison, all channels', to a thread's sums; sums->ssim is the sum over windows.
template <typename L, bool GRADIENT>
__device__ INLINE void compare_image(const Compared &a, const Taps<L::K> &taps, float *memory, Comparison *sums) {
  int down = (a.crop_h + L::SIDE - 1) / L::SIDE, right = (a.crop_w + L::SIDE - 1) / L::SIDE;
  for (int c = 0; c < a.c; c++)
    for (int y = 0; y < down; y++)
      for (int x = 0; x < right; x++) {
        Span py = piece_of(y, down, a.crop_h), px = piece_of(x, right, a.crop_w);
        if (py.from < py.to && px.from < px.to)
          compare_piece<L, GRADIENT>(a, taps, memory, c, py, px, sums);
      }
}

// ssim_taps writes the window's weights into shared memory.
__device__ INLINE void ssim_taps(float *taps, int k) {
  if ((int)threadIdx.x < k) {
    double sum = 0;
    for (int j = 0; j < k; j++) sum += bell(j - k / 2);
    taps[threadIdx.x] = (float)(bell((int)threadIdx.x - k / 2) / sum);
  }
  __syncthreads();
}
