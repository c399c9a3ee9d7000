// What the kernels of losses share: a comparison value by value, and where an image's sums go.
#pragma once
#include "ssim.cuh"

// gradient_of is what p - t, or its sign, is multiplied by.
__device__ INLINE float gradient_of(const Slot *s, int values) {
  double each = (s->output == TANH ? 0.5 : 1.0) / ((double)s->unit.n * values);
  if (s->loss == MAE) return (float)each;
  return (float)(s->loss == MSE_SSIM ? 2 * each * (1 - (double)s->ssim_weight) : 2 * each);
}

__device__ INLINE void put_sums(double *to, double se, double ae, double ssim, double within, double loss_se, double loss_ae, double loss_ssim) {
  to[IMAGE_SE] = se;
  to[IMAGE_AE] = ae;
  to[IMAGE_SSIM] = ssim;
  to[IMAGE_WITHIN] = within;
  to[IMAGE_LOSS_SE] = loss_se;
  to[IMAGE_LOSS_AE] = loss_ae;
  to[IMAGE_LOSS_SSIM] = loss_ssim;
}

// Square is a comparison by MSE or MAE of an image's values, which lie in rows of so many numbers (w·c), some of them outside
// of the crop.
struct Square {
  int row, rows, width, height;  // numbers of a row, rows; and those of the crop
  int output, act;
  bool mae, whole;
  float factor;

  __device__ INLINE Square(const Slot *s, Shape image, int crop_h, int crop_w, int slope_of)
      : row(image.w * image.c), rows(image.h), width(crop_w * image.c), height(crop_h), output(s->output), act(slope_of),
        mae(s->loss == MAE), whole(crop_h == image.h && crop_w == image.w), factor(gradient_of(s, crop_h * width)) {}

  // compare adds V neighbouring numbers, from number e of the image on, to sums (of squares, of sizes, within NEARBY): ys are the
  // network's, ts the target's. gs gets the gradient, 0 outside the crop.
  template <int V>
  __device__ INLINE void compare(float *gs, const float *ys, const float *ts, int e, double *sums) const {
    float se = 0, ae = 0;
    int within = 0;
    UNROLL for (int j = 0; j < V; j++) {
      gs[j] = 0;
      if (!whole && ((e + j) / row >= height || (e + j) % row >= width)) continue;
      float d = squash(ys[j], output) - ts[j], size = d < 0 ? -d : d;
      se += d * d;
      ae += size;
      within += size <= NEARBY;
      float v = mae ? (d > 0 ? factor : d < 0 ? -factor : d) : d * factor;  // of MAE, d is 0 here, or NaN
      gs[j] = act == IDENTITY ? v : activation_grad(act, v, ys[j]);
    }
    sums[0] += (double)se;
    sums[1] += (double)ae;
    sums[2] += (double)within;
  }
};
