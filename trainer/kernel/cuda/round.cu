// What every round has beside the steps of a plan: its units and lists put in place, the gradients of split weights added,
// the figures of the unit, and the optimiser.
#include "quad.cuh"

#define THREADS 256

// begin makes the next round's units those of the slots, and its lists those of the tasks. One block does it: it also counts
// the round up, which no other may read then.
KERNEL_OF(begin, THREADS, Rounds) {
  if (blockIdx.x + blockIdx.y > 0) return;
  int round = *t->round;
  const Unit *units = t->units + (long long)round * t->nslots;
  const int words = sizeof(Unit) / sizeof(word);
  for (int i = threadIdx.x; i < t->nslots * words; i += THREADS) {
    int slot = i / words, j = i - slot * words;
    ((word *)&t->slots[slot].unit)[j] = ((const word *)(units + slot))[j];
  }
  for (int i = threadIdx.x; i < t->nslots; i += THREADS) {
    Slot *s = t->slots + i;
    int clear = units[i].clear;
    if (clear & CLEAR_TRAIN) s->train = Sums{0, 0, 0, 0, 0, 0, 0}, s->norms = 0, s->steps = 0, s->infinite = 0;
    if (clear & CLEAR_VALIDATION) s->validation = Sums{0, 0, 0, 0, 0, 0, 0};
    if (clear & CLEAR_FAILED) s->failed = 0;
  }
  for (int kind = 0; kind < 2; kind++) {
    Lists *to = kind == 0 ? t->train : t->evaluate;
    const int *lengths = t->lengths + 4 * round + 2 * kind;
    const Work *work = t->work + ((long long)round * 4 + 2 * kind) * t->capacity;
    for (int i = threadIdx.x; i < lengths[0]; i += THREADS) to->tile[i] = work[i];
    for (int i = threadIdx.x; i < lengths[1]; i += THREADS) to->slot[i] = work[t->capacity + i];
    if (threadIdx.x == 0) to->tiles = lengths[0], to->slots = lengths[1];
  }
  __syncthreads();
  if (threadIdx.x == 0) *t->round = round + 1;
}

// segment_of is the segment that float i of a block lies in.
__device__ inline const Segment *segment_of(const Slot *s, int i) {
  int low = 0, high = s->nsegments - 1;
  while (low < high) {
    int middle = (low + high) / 2;
    if (s->segments[middle].to > i) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return s->segments + low;
}

// added is the sum of four values over the partial sums of all tiles, in their order, rounded once.
__device__ INLINE Quad added(const float *first, long long stride, int tiles) {
  double sum[4] = {0, 0, 0, 0};
  for (int tile = 0; tile < tiles; tile += 2) {  // two loads under way at a time
    Quad a = four(first + tile * stride), b = zero_quad();
    if (tile + 1 < tiles) b = four(first + (tile + 1) * stride);
    UNROLL for (int j = 0; j < 4; j++) sum[j] = sum[j] + a[j] + b[j];
  }
  return Quad{(float)sum[0], (float)sum[1], (float)sum[2], (float)sum[3]};
}

// reduce: a block takes SPAN floats of a slot's gradient. Split ones are added over the tiles of the unit, and the span's sum
// of squares is noted.
KERNEL(reduce, THREADS) {
  if (no_slot(t)) return;
  const Slot *s = t->slots + piece_slot(t).slot;
  int first = blockIdx.x * SPAN, tiles = (s->unit.n + TILE - 1) / TILE;
  if (first >= s->trained) return;
  SHARED(double, squares, THREADS);
  double square = 0;
  const Segment *segment = 0;
  for (int i = first + 4 * threadIdx.x; i < first + SPAN && i < s->trained; i += 4 * THREADS) {
    if (segment == 0) segment = segment_of(s, i);
    while (i >= segment->to) segment++;
    Quad g;
    if (segment->split == NONE) {
      g = four(s->g + i);
    } else {
      g = added(s->partial + segment->split + (i - segment->from), s->stride, tiles);
      put_four(s->g + i, g);
    }
    UNROLL for (int j = 0; j < 4; j++) square += (double)g[j] * g[j];
  }
  squares[threadIdx.x] = square;
  for (int half = THREADS / 2; half > 0; half /= 2) {
    __syncthreads();
    if ((int)threadIdx.x < half) squares[threadIdx.x] += squares[threadIdx.x + half];
  }
  if (threadIdx.x == 0) s->square[blockIdx.x] = squares[0];
}

__device__ inline bool is_finite(float x) { return x - x == 0; }
__device__ inline bool is_finite(double x) { return x - x == 0; }

// batch_loss is the loss of a batch of n images from the sums of its images, as kernel's Loss has it.
__device__ inline double batch_loss(const Slot *s, double se, double ae, double ssim, int n, double values) {
  if (s->loss == MAE) return ae / values;
  if (s->loss == MSE) return se / values;
  double w = s->ssim_weight;
  return (1 - w) * se / values + w * (1 - ssim / n);
}

#define LANES 32  // threads that add one kind of sum

// settle: a block takes the figures of a slot's unit: its loss, of a step the gradient's norm and what the optimiser is to
// multiply it by, and the totals of the epoch. Each kind of sum is added by LANES threads: every LANES-th of its terms by one,
// then those in a tree. crop_h, crop_w and s.c are the sides of an image.
KERNEL(settle, (IMAGE_SUMS + 1) * LANES) {
  if (no_slot(t)) return;
  Slot *s = t->slots + piece_slot(t).slot;
  const Unit *u = &s->unit;
  SHARED(double, sums, (IMAGE_SUMS + 1) * LANES);
  int kind = threadIdx.x / LANES, lane = threadIdx.x % LANES;
  double sum = 0;
  if (kind < IMAGE_SUMS) {
    for (int i = lane; i < u->n; i += LANES) sum += s->image[i * IMAGE_SUMS + kind];
  } else if (u->train == TRAIN) {
    for (int i = lane; i < (s->trained + SPAN - 1) / SPAN; i += LANES) sum += s->square[i];
  }
  sums[threadIdx.x] = sum;
  __syncthreads();
  for (int half = LANES / 2; half > 0; half /= 2) {
    if (lane < half) sums[threadIdx.x] += sums[threadIdx.x + half];
    __syncthreads();
  }
  if (threadIdx.x > 0) return;
  long long values = (long long)u->n * t->crop_h * t->crop_w * t->s.c;
  double loss = batch_loss(s, sums[IMAGE_LOSS_SE * LANES], sums[IMAGE_LOSS_AE * LANES], sums[IMAGE_LOSS_SSIM * LANES], u->n, (double)values);
  if (u->train == TRAIN) {
    double norm = sqrt_(sums[IMAGE_SUMS * LANES]);
    if (s->failed == 0 && !(is_finite(loss) && is_finite(norm))) s->failed = FAILED_STEP;
    if (s->failed != 0) return;
    s->scale = s->clip > 0 && norm > s->clip ? (float)(s->clip / norm) : 1;
    s->steps++;
    s->norms += norm;
    s->train.images += u->n;
    s->train.values += values;
    s->train.loss += loss * u->n;
    return;
  }
  double ssim = sums[IMAGE_SSIM * LANES];
  if (u->train == VALIDATE) {
    if (s->failed == 0 && !(is_finite(loss) && is_finite(ssim))) s->failed = FAILED_VALIDATION;
    if (s->failed != 0) return;
  }
  Sums *v = &s->validation;
  v->images += u->n;
  v->values += values;
  v->loss += loss * u->n;
  v->se += sums[IMAGE_SE * LANES];
  v->ae += sums[IMAGE_AE * LANES];
  v->ssim += ssim;
  v->within += (long long)sums[IMAGE_WITHIN * LANES];
  if (u->last == 1 && s->infinite == 1) s->failed = FAILED_WEIGHTS;
}

// Pull makes of the gradient what the optimiser uses, as kernel.Pull does.
struct Pull {
  float scale, l1, l2;
  bool penalties;

  __device__ inline float on(float d, float w) const {
    d = scale * d;
    if (!penalties) return d;
    float sign = w != 0 && w == w ? bits_float(float_bits(l1) | (float_bits(w) & 0x80000000u)) : 0;
    return d + l2 * w + sign;
  }
};

// normal is x, or 0 where x is too small for a normal number.
__device__ inline float normal(float x) { return (float_bits(x) & 0x7f800000u) == 0 ? 0 : x; }

// optimise makes the step of Adam, AdamW or gradient descent, with the operations and roundings of kernel.Adam and kernel.SGD.
// A thread takes four weights. A slot that has failed keeps what it has.
KERNEL(optimise, THREADS) {
  if (no_slot(t)) return;
  Slot *s = t->slots + piece_slot(t).slot;
  if (s->failed != 0) return;
  const Unit *u = &s->unit;
  bool fine = true;
  int i = (blockIdx.x * THREADS + threadIdx.x) * 4;
  if (i < s->trained) {
    Pull pull = {s->scale, s->l1, s->l2, s->l1 != 0 || s->l2 != 0};
    float keep = u->keep, rate = u->rate;
    if ((pull.penalties || keep != 1) && !segment_of(s, i)->penalised) pull.penalties = false, keep = 1;
    Quad w = four(u->w + i), g = four(s->g + i), m = four(s->m + i);
    if (s->optimizer == SGD) {
      UNROLL for (int j = 0; j < 4; j++) {
        m[j] = normal(s->momentum * m[j] + pull.on(g[j], w[j]));
        w[j] = keep * w[j] - rate * m[j];
        fine = fine && is_finite(w[j]);
      }
    } else {
      float beta1 = s->beta1, rest1 = s->rest1, beta2 = s->beta2, rest2 = s->rest2, root = u->root, epsilon = s->epsilon;
      Quad v = four(s->v + i);
      UNROLL for (int j = 0; j < 4; j++) {
        float d = pull.on(g[j], w[j]);
        m[j] = normal(beta1 * m[j] + rest1 * d);
        v[j] = normal(beta2 * v[j] + rest2 * d * d);
        w[j] = keep * w[j] - rate * m[j] / (sqrt_(v[j]) * root + epsilon);
        fine = fine && is_finite(w[j]) && is_finite(v[j]);
      }
      put_four(s->v + i, v);
    }
    put_four(u->w + i, w);
    put_four(s->m + i, m);
  }
  // The buffers behind the trained part, which the network's own steps write, are few.
  for (int b = s->trained + threadIdx.x; blockIdx.x == 0 && b < s->total; b += THREADS) fine = fine && is_finite(u->w[b]);
  if (!fine) s->infinite = 1;  // all who write it write the same
}
