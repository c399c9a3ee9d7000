// What every kernel of this folder is written with: the tables that a launch reads, and the few words in which the CUDA
// compiler and, for tests without a GPU, the host's compiler (HOST, see host.h) differ.
//
// Every kernel takes one argument, the address of a Task in device memory. It serves all slots of a bucket at once: blockIdx.y
// is the place in the task's list of work, blockIdx.x a part of that work. A kernel never reads gridDim, adds in an order
// that depends on its slot's own numbers only, and uses no atomics: a trial's bits are the same alone and among others.
//
// Arrays are dense: a value is (images, h, w, c) without a border, images of one slot being those of its unit, in order.
// Go's side of these structs is table.go; a test compares sizes and offsets.
#pragma once

// The precision that a module is compiled for. Weights, gradients of weights and optimiser state are float in all of them.
#define FP32 0  // values are float, arithmetic is float
#define TF32 1  // values are float, products of matrices in tf32, sums in float
#define BF16 2  // values are bfloat16, products of matrices in bfloat16, sums in float
#ifndef PRECISION
#define PRECISION FP32
#endif

// A kernel is called SUFFIX1(name, SUFFIX): the name ends in the precision.
#define SUFFIX2(name, p) name##_##p
#define SUFFIX1(name, p) SUFFIX2(name, p)
#if PRECISION == FP32
#define SUFFIX fp32
#elif PRECISION == TF32
#define SUFFIX tf32
#else
#define SUFFIX bf16
#endif

#ifdef HOST
#include "host.h"
#else
#include "device.h"
#endif

typedef unsigned char byte;
typedef unsigned short half_t;  // the bits of a bfloat16
typedef unsigned int word;

#if PRECISION == BF16
typedef half_t value_t;
#else
typedef float value_t;
#endif

#define TILE 32        // images of a piece of work
#define NONE (-1)      // an index that is not used
#define LATENT 0       // in the place of a number of channels: the slot's own latent size
#define NORM_EPSILON 1e-5

// Activations, as kernel.Activation numbers them.
enum { IDENTITY, RELU, LEAKY_RELU, TANH, SIGMOID, GELU };
// Losses, as kernel.LossKind numbers them.
enum { MSE, MAE, MSE_SSIM };
// Optimisers.
enum { ADAM, SGD };
// Normalisations, as kernel.NormKind numbers them.
enum { BATCH_NORM = 1, LAYER_NORM = 2 };

// Work is a piece of work: tile is the number of a group of TILE images of the slot's unit; in a list of slots it is 0.
struct Work {
  int slot, tile;
};

// Shape is one image of a value, c perhaps LATENT.
struct Shape {
  int h, w, c;
};

// Segment is a run of a block of weights that is treated alike, from … to-1, both multiples of 4. What lies in it between
// arrays is 0 in all blocks and in the partial sums, and stays so.
struct Segment {
  int from, to;
  int split;      // offset in the partial sums of the gradient, one set a tile, a multiple of 4; NONE: the gradient is whole
  int penalised;  // decay and penalties act on it
};

// Totals of a slot that begin sets to nothing, where its unit says so.
enum { CLEAR_TRAIN = 1, CLEAR_VALIDATION = 2, CLEAR_FAILED = 4 };

// Purposes of a unit: a step of training, a validation of its epoch, and an evaluation outside of training, whose sums count
// whether they are finite or not.
enum { VALIDATE, TRAIN, MEASURE };

// Unit is what a slot does in one round: an optimiser step, or a batch of evaluation. The host writes it.
struct Unit {
  const byte *pixels;  // a set of images, (images, h, w, c) bytes
  const int *order;    // indices of images; the unit's are order[first … first+n-1]
  const byte *flips;   // by image: 1 turns it left to right; null: none is turned
  float *w;            // the block of weights that it runs on
  int first, n;
  int train;           // what it is for: VALIDATE, TRAIN or MEASURE
  int last;            // 1: the last validation of an epoch, after which weights and second moments must be finite
  int clear;           // what begin sets to nothing before: of CLEAR_TRAIN, CLEAR_VALIDATION, CLEAR_FAILED
  word drop[5];        // of the dropout of this step: the key, and the counter's three upper words, as study.Key.Words
  // Of Adam: w = keep·w - rate·m / (root·sqrt(v) + epsilon); of SGD: m = momentum·m + g, w = keep·w - rate·m. keep is for
  // penalised weights; others keep 1.
  float rate, root, keep;
};

// Sums are totals over images, as trainer.Sums has them.
struct Sums {
  double loss;  // each batch's loss times its images
  double se, ae, ssim;
  long long within, values, images;
};

// What was not finite in a slot since its epoch began: a step's loss or norm, a validation's loss, the weights at its end.
enum { FAILED_STEP = 1, FAILED_VALIDATION, FAILED_WEIGHTS };

// Slot is a trial. The host writes it when a trial is loaded; begin puts the unit in, the kernels what is below it.
struct Slot {
  float *g, *m, *v;        // blocks laid out as the weights: gradients, moments
  float *partial;          // partial sums of split gradients: tile t's begin at partial + t·stride, stride a multiple of 4
  float *folded;           // weights that normalisations are folded into
  const Segment *segments; // of the trained part, in order, without gaps
  double *image;           // (batch, IMAGE_SUMS): sums of each image of the unit
  double *square;          // sums of squares of the gradient, one of each SPAN floats
  int stride, nsegments;
  int trained, total;      // floats of the trained part, and of a block
  int latent;
  int loss;                // kind
  int output;              // activation that the output's values are read by: IDENTITY, or TANH: (y+1)/2
  int optimizer;
  float ssim_weight;
  float beta1, rest1, beta2, rest2, epsilon;  // of Adam; rest is 1-beta
  float momentum;          // of SGD
  float l1, l2;
  double clip;             // the longest gradient that a step takes; 0: any
  Unit unit;

  float scale;             // what the gradient is multiplied by this step, for clip
  int failed;              // 0, or what was not finite since the epoch began: totals then stay as they were before
  int steps;               // of the epoch
  int infinite;            // 1: a step of the epoch left a weight or a second moment that is not finite
  double norms;            // sum of the gradients' norms in this epoch
  Sums train, validation;  // of this epoch; of an evaluation outside of training, validation
};

// IMAGE_SUMS are the sums of one image: se, ae, ssim, within; and the two that the loss is of, which differ from se and ssim
// where an output without an activation leaves 0 … 1.
enum { IMAGE_SE, IMAGE_AE, IMAGE_SSIM, IMAGE_WITHIN, IMAGE_LOSS_SE, IMAGE_LOSS_AE, IMAGE_LOSS_SSIM, IMAGE_SUMS };
#define STATS_BYTES(c) (32 * (c))  // of each image of a normalisation's stats, of c channels: see norm.cu
#define SPAN 4096  // floats of a block of gradients that one block of threads takes

// Lists are the pieces of work of one kind of unit: begin copies those of the round here.
struct Lists {
  int tiles, slots;  // lengths
  Work *tile;        // every tile of every slot, slot by slot
  Work *slot;        // every slot
};

// Task is a step of a plan for all slots.
struct Task {
  const Lists *lists;
  Slot *slots;
  void *const *values;  // (slots, nvalues): where each value of each slot begins
  const int *offsets;   // (slots, nweights): where each weight begins in a block
  const int *splits;    // (slots, nweights): where its partial sums begin in a set of them; NONE: they are not split
  const int *rates;     // (slots, nvalues): of the bits of a dropout: the threshold, see kernel.DropThreshold
  int nvalues, nweights;
  int act, side;        // activation; side of a convolution's kernel
  int dst, src, ref, arg;  // values
  int w, b;                // weights: a linear map's weight and bias
  Shape d, s, r;           // of dst, src, ref
  // A normalisation: weights, and values (stats; input of its gradient). fold is where a linear map finds its weights and its
  // bias in folded, NONE where they are not folded.
  int norm, scale, shift, mean, var, stats, input, fold, fold_bias;
  word stream;          // of a dropout: the first block of its bits, as model.DropBlock gives it
  // Of loss, evaluate and settle: the sides of the image proper, whose channels are s.c; what of src and ref lies right of
  // it and below is padding. Of gather: those of the images in the set; dst is padded to its sides with zeros. act of loss is
  // an activation whose output src is, and by whose slope the gradient is multiplied too: the step act.grad that follows it in
  // the plan is then left out. IDENTITY: none is. Of drop.mask, d is the shape of the values that the bits are for.
  int crop_h, crop_w;
};

// What begin reads: the units of all rounds of an advance. It is Task-like: its own kind of argument.
struct Rounds {
  Slot *slots;
  Lists *train, *evaluate;       // where the lists of the round go
  const Unit *units;             // (rounds, nslots)
  const Work *work;              // (rounds, 2, 2, capacity): of train, then evaluate: tiles, then slots
  const int *lengths;            // (rounds, 2, 2)
  int *round;                    // which is next; begin counts it up
  int nslots, capacity;
};

__device__ static inline Work piece_tile(const Task *t) { return t->lists->tile[blockIdx.y]; }
__device__ static inline Work piece_slot(const Task *t) { return t->lists->slot[blockIdx.y]; }
__device__ inline bool no_tile(const Task *t) { return (int)blockIdx.y >= t->lists->tiles; }
__device__ inline bool no_slot(const Task *t) { return (int)blockIdx.y >= t->lists->slots; }

// images is how many of a piece's TILE images there are.
__device__ inline int images(const Slot *s, int tile) {
  int n = s->unit.n - tile * TILE;
  return n < TILE ? n : TILE;
}

__device__ inline int channels(int c, const Slot *s) { return c == LATENT ? s->latent : c; }

// value is where value v of a slot begins; its image 0.
__device__ inline value_t *value(const Task *t, int slot, int v) { return (value_t *)t->values[slot * t->nvalues + v]; }
__device__ inline byte *bytes(const Task *t, int slot, int v) { return (byte *)t->values[slot * t->nvalues + v]; }
__device__ inline float *floats(const Task *t, int slot, int v) { return (float *)t->values[slot * t->nvalues + v]; }

// weight is where weight w of a slot begins in the block that its unit runs on, grad in the block of gradients.
__device__ inline const float *weight(const Task *t, int slot, int w) {
  return t->slots[slot].unit.w + t->offsets[slot * t->nweights + w];
}
__device__ inline float *grad(const Task *t, int slot, int w) { return t->slots[slot].g + t->offsets[slot * t->nweights + w]; }
// partial is where a tile's share of the gradient of weight w begins.
__device__ inline float *partial(const Task *t, int slot, int tile, int w) {
  const Slot *s = t->slots + slot;
  return s->partial + (long long)tile * s->stride + t->splits[slot * t->nweights + w];
}

__device__ inline float load(const float *p, long long i) { return p[i]; }
__device__ inline void store(float *p, long long i, float v) { p[i] = v; }
__device__ inline float load(const half_t *p, long long i) { return bits_float((word)p[i] << 16); }
// A float is rounded to the nearest bfloat16, ties to even; NaN stays NaN.
__device__ inline half_t to_half(float v) {
  word u = float_bits(v);
  if ((u & 0x7fffffffu) > 0x7f800000u) return (half_t)((u >> 16) | 0x40);
  return (half_t)((u + 0x7fff + ((u >> 16) & 1)) >> 16);
}
__device__ inline void store(half_t *p, long long i, float v) { p[i] = to_half(v); }
