// Functions of single values, by the polynomials and with the roundings of package kernel (math.go, random.go): each gives
// the bits that kernel.Exp and its companions give. So every product here is rounded by itself, which is why no file of this
// folder is compiled with contraction; polynomials are those of Cephes (Moshier, single precision).
#pragma once
#include "sweep.cuh"

#define INFINITY_ (bits_float(0x7f800000u))
#define LEAKY_SLOPE 0.01f  // kernel.LeakySlope

__device__ INLINE float pow2_(int n) { return bits_float((word)(n + 127) << 23); }

// exp_ is kernel.Exp.
__device__ INLINE float exp_(float x) {
  if (x != x) return x;
  if (x > 88.7228394f) return INFINITY_;
  if (x < -103.97208f) return 0;
  // x = n·ln 2 + r; adding and taking away 1.5·2²³ rounds to the nearest integer.
  float n = (x * 1.44269504088896341f + 12582912.0f) - 12582912.0f;
  float r = x - n * 0.693359375f;
  r -= n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r;
  p += 1;
  // 2^n in two factors, so that neither overflows and a denormal result is rounded once.
  int i = (int)n, half = i >> 1;
  return p * pow2_(half) * pow2_(i - half);
}

// tanh_ is kernel.TanhOf.
__device__ INLINE float tanh_(float x) {
  float a = x < 0 ? -x : x;
  if (a < 0.625f || x != x) {
    float z = x * x;
    float p = -5.70498872745e-3f;
    p = p * z + 2.06390887954e-2f;
    p = p * z - 5.37397155531e-2f;
    p = p * z + 1.33314422036e-1f;
    p = p * z - 3.33332819422e-1f;
    return p * z * x + x;
  }
  float t = 1 - 2 / (exp_(2 * a) + 1);
  return x < 0 ? -t : t;
}

// sigmoid_ is kernel.SigmoidOf.
__device__ INLINE float sigmoid_(float x) { return 1 / (1 + exp_(-x)); }

// normal_tail is kernel's normalTail: the share of the normal distribution beyond |x|; *e gets exp(-x²/2).
__device__ INLINE float normal_tail(float x, float *e) {
  if (x < 0) x = -x;
  *e = exp_(x * x * -0.5f);
  float t = 1 / (1 + 0.35f * x);
  float p = -2.9158035151e-02f;
  p = p * t + 1.4403160610e-01f;
  p = p * t + -2.5584032683e-01f;
  p = p * t + 1.5932108648e-01f;
  p = p * t + -2.3213223208e-02f;
  p = p * t + 1.0555283203e-01f;
  p = p * t + 1.1982121387e-01f;
  p = p * t + 1.3986352435e-01f;
  p = p * t + 1.3962130640e-01f;
  return p * t * *e;
}

// gelu_ is kernel.GELUOf.
__device__ INLINE float gelu_(float x) {
  float e, tail = normal_tail(x, &e);
  if (!(x < 0)) tail = 1 - tail;
  return x * tail;
}

__device__ INLINE float gelu_slope(float x) {
  float e, tail = normal_tail(x, &e);
  if (!(x < 0)) tail = 1 - tail;
  return tail + x * e * 0.398942280401433f;
}

// activate is act(x).
__device__ INLINE float activate(int act, float x) {
  switch (act) {
    case RELU: return 0 > x ? 0 : x;
    case LEAKY_RELU: return 0 > x ? LEAKY_SLOPE * x : x;
    case TANH: return tanh_(x);
    case SIGMOID: return sigmoid_(x);
    case GELU: return gelu_(x);
  }
  return x;
}

// slope is the derivative of act where its output is y; of GELU, where its input is.
__device__ INLINE float slope(int act, float y) {
  switch (act) {
    case RELU: return y > 0 ? 1 : 0;
    case LEAKY_RELU: return y > 0 ? 1 : LEAKY_SLOPE;
    case TANH: return 1 - y * y;
    case SIGMOID: return y * (1 - y);
    case GELU: return gelu_slope(y);
  }
  return 1;
}

// activation_grad is dy times the slope, as kernel's ActivationBackward has it: a closed ReLU stops an infinite dy too.
__device__ INLINE float activation_grad(int act, float dy, float y) {
  if (act == RELU) return y > 0 ? dy : 0;
  return dy * slope(act, y);
}

// Bits are four words of random bits.
struct Bits {
  word w[4];
};

// philox is block i of the stream with this key (2 words) and these upper words of the counter (3): kernel.Stream, the
// Philox4x32-10 of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
__device__ INLINE Bits philox(word i, const word *counter, const word *key) {
  word c0 = i, c1 = counter[0], c2 = counter[1], c3 = counter[2], k0 = key[0], k1 = key[1];
  for (int round = 0; round < 10; round++) {
    unsigned long long p0 = 0xD2511F53ull * c0, p1 = 0xCD9E8D57ull * c2;
    c0 = (word)(p1 >> 32) ^ c1 ^ k0;
    c1 = (word)p1;
    c2 = (word)(p0 >> 32) ^ c3 ^ k1;
    c3 = (word)p0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return Bits{{c0, c1, c2, c3}};
}
