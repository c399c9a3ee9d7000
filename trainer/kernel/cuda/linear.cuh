// Where a linear map finds its weights and its bias.
#pragma once
#include "sweep.cuh"

// linear_weight is the weight of a step, or what a normalisation made of it.
__device__ inline const float *linear_weight(const Task *t, int slot) {
  return t->fold == NONE ? weight(t, slot, t->w) : t->slots[slot].folded + t->fold;
}

// linear_bias is its bias; null: it has none.
__device__ inline const float *linear_bias(const Task *t, int slot) {
  if (t->fold != NONE) return t->slots[slot].folded + t->fold_bias;
  return t->b == NONE ? nullptr : weight(t, slot, t->b);
}
