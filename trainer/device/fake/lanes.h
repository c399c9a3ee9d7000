// The instructions of kernel/cuda/tensor.cuh on the host. Those of a whole warp take two steps: each lane shows its registers, or
// the memory that it names, and then makes its own registers of what all 32 showed. Which lane has what is as the PTX ISA says,
// in "Matrix Fragments for mma.m16n8k8", "… m16n8k16 with floating point type", and "ldmatrix". What it leaves undefined ends
// the launch, but for one thing: lanes that come to the same instruction in two places of the code are not told apart.

// cvt.rna.tf32.f32: to the nearest number of ten binary places, ties away from zero.
INLINE unsigned to_tf32(float v) {
  const unsigned u = float_bits(v);
  return (u & 0x7f800000u) == 0x7f800000u ? u : (u + 0x1000) & ~0x1fffu;
}

// cvt.rn.bf16x2.f32, whose first operand goes into the upper half: to the nearest, ties to even.
INLINE unsigned pack(float low, float high) {
  unsigned halves[2];
  for (int i = 0; i < 2; i++) {
    const float v = i ? high : low;
    const unsigned u = float_bits(v);
    halves[i] = v != v ? (u >> 16) | 0x40 : (u + 0x7fff + (u >> 16 & 1)) >> 16;
  }
  return halves[0] | halves[1] << 16;
}

INLINE void warp_meets() { host_warp({BAR_WARP, {}}); }

INLINE HostLane line_of(int instruction, const unsigned *line) {
  if ((unsigned long)line % 16 != 0) host_blame("gives ldmatrix a line that is not at a multiple of 16 bytes");
  if (!host_in_shared(line, 16)) host_blame("gives ldmatrix a line that is not in shared memory");
  return {instruction, {line[0], line[1], line[2], line[3]}};
}

// ldmatrix.m8n8.x4.b16: lane 8·i + r names line r of matrix i, of eight halves. Register i of lane l is of matrix i: in line l/4
// the halves 2·(l%4) and the next.
INLINE void matrices(unsigned (&f)[4], const unsigned *line) {
  const HostLane *lanes = host_warp(line_of(LDMATRIX, line));
  const int lane = threadIdx.x % 32;
  for (int i = 0; i < 4; i++) f[i] = lanes[8 * i + lane / 4].words[lane % 4];
}

// With .trans it is half l/4 of line 2·(l%4), and of the next.
INLINE void turned_matrices(unsigned (&f)[4], const unsigned *line) {
  const HostLane *lanes = host_warp(line_of(LDMATRIX_TRANS, line));
  const int lane = threadIdx.x % 32, row = lane % 4 * 2, column = lane / 4;
  for (int i = 0; i < 4; i++) {
    unsigned half[2];
    for (int j = 0; j < 2; j++) half[j] = lanes[8 * i + row + j].words[column / 2] >> column % 2 * 16 & 0xffff;
    f[i] = half[0] | half[1] << 16;
  }
}

// mma: with g = lane/4 and t = lane%4, k counted in words (a tf32, or two bfloat16, the even one low),
//
//   A: a[0] is row g, word t; a[1] row g+8, word t; a[2] row g, word t+4; a[3] row g+8, word t+4
//   B: b[0] is word t, column g; b[1] word t+4, column g
//   C: c[0] and c[1] are row g, columns 2·t and 2·t+1; c[2] and c[3] the same of row g+8
//
// The order of the sum is the device's own: here it is that of k.
INLINE void mma(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
#if PRECISION == TF32
  for (int i = 0; i < 6; i++) {
    const unsigned u = i < 4 ? a[i] : b[i - 4];
    if (u & 0x1fff && bits_float(u) == bits_float(u)) host_blame("gives mma a number that is no tf32");
  }
#endif
  const HostLane *lanes = host_warp({MMA, {a[0], a[1], a[2], a[3], b[0], b[1]}});
  const int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
  for (int e = 0; e < 4; e++) {
    const int upper = e / 2, column = 2 * t + e % 2;
    for (int w = 0; w < 8; w++) {
      const unsigned p = lanes[4 * g + w % 4].words[upper + w / 4 * 2];    // row g + 8·upper, word w
      const unsigned q = lanes[4 * column + w % 4].words[4 + w / 4];
#if PRECISION == TF32
      c[e] = fma_(bits_float(p), bits_float(q), c[e]);
#else
      c[e] = fma_(bits_float(p << 16), bits_float(q << 16), c[e]);
      c[e] = fma_(bits_float(p & 0xffff0000u), bits_float(q & 0xffff0000u), c[e]);
#endif
    }
  }
}
