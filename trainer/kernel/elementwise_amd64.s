#include "textflag.h"
#include "go_asm.h"

// In this file n is a multiple of 8 and at least 8; operations are those of the Go loops, one by one, unfused, so that
// the bits are the same.

// func reluAVX2(x *float32, n int)
TEXT ·reluAVX2(SB), NOSPLIT, $0-16
	MOVQ x+0(FP), DI
	MOVQ n+8(FP), CX
	VXORPS Y1, Y1, Y1

loop:
	// NaN and -0 stay: the maximum gives its second source, the first operand here, unless the other is larger.
	VMOVUPS (DI), Y0
	VMAXPS  Y0, Y1, Y0
	VMOVUPS Y0, (DI)
	ADDQ $32, DI
	SUBQ $8, CX
	JNZ  loop
	VZEROUPPER
	RET

// func leakyAVX2(x *float32, n int)
TEXT ·leakyAVX2(SB), NOSPLIT, $0-16
	MOVQ x+0(FP), DI
	MOVQ n+8(FP), CX
	VXORPS Y1, Y1, Y1
	VBROADCASTSS ·leakySlope(SB), Y2

loop:
	VMOVUPS   (DI), Y0
	VMULPS    Y2, Y0, Y3
	VCMPPS    $0x11, Y1, Y0, Y4   // x < 0
	VBLENDVPS Y4, Y3, Y0, Y0
	VMOVUPS   Y0, (DI)
	ADDQ $32, DI
	SUBQ $8, CX
	JNZ  loop
	VZEROUPPER
	RET

// func reluBackwardAVX2(grad, y *float32, n int)
TEXT ·reluBackwardAVX2(SB), NOSPLIT, $0-24
	MOVQ grad+0(FP), DI
	MOVQ y+8(FP), SI
	MOVQ n+16(FP), CX
	VXORPS Y1, Y1, Y1

loop:
	VMOVUPS (SI), Y0
	VCMPPS  $0x1e, Y1, Y0, Y0     // y > 0
	VANDPS  (DI), Y0, Y0
	VMOVUPS Y0, (DI)
	ADDQ $32, DI
	ADDQ $32, SI
	SUBQ $8, CX
	JNZ  loop
	VZEROUPPER
	RET

// func leakyBackwardAVX2(grad, y *float32, n int)
TEXT ·leakyBackwardAVX2(SB), NOSPLIT, $0-24
	MOVQ grad+0(FP), DI
	MOVQ y+8(FP), SI
	MOVQ n+16(FP), CX
	VXORPS Y1, Y1, Y1
	VBROADCASTSS ·leakySlope(SB), Y2

loop:
	VMOVUPS   (SI), Y0
	VCMPPS    $0x1e, Y1, Y0, Y0
	VMOVUPS   (DI), Y3
	VMULPS    Y2, Y3, Y4
	VBLENDVPS Y0, Y3, Y4, Y3
	VMOVUPS   Y3, (DI)
	ADDQ $32, DI
	ADDQ $32, SI
	SUBQ $8, CX
	JNZ  loop
	VZEROUPPER
	RET

// func sigmoidBackwardAVX2(grad, y *float32, n int)
TEXT ·sigmoidBackwardAVX2(SB), NOSPLIT, $0-24
	MOVQ grad+0(FP), DI
	MOVQ y+8(FP), SI
	MOVQ n+16(FP), CX
	VBROADCASTSS ·expTable+const_expOne(SB), Y2

loop:
	VMOVUPS (SI), Y0
	VSUBPS  Y0, Y2, Y1
	VMULPS  Y0, Y1, Y1
	VMULPS  (DI), Y1, Y1
	VMOVUPS Y1, (DI)
	ADDQ $32, DI
	ADDQ $32, SI
	SUBQ $8, CX
	JNZ  loop
	VZEROUPPER
	RET

// func tanhBackwardAVX2(grad, y *float32, n int)
TEXT ·tanhBackwardAVX2(SB), NOSPLIT, $0-24
	MOVQ grad+0(FP), DI
	MOVQ y+8(FP), SI
	MOVQ n+16(FP), CX
	VBROADCASTSS ·expTable+const_expOne(SB), Y2

loop:
	VMOVUPS (SI), Y0
	VMULPS  Y0, Y0, Y0
	VSUBPS  Y0, Y2, Y1
	VMULPS  (DI), Y1, Y1
	VMOVUPS Y1, (DI)
	ADDQ $32, DI
	ADDQ $32, SI
	SUBQ $8, CX
	JNZ  loop
	VZEROUPPER
	RET

// E is a constant of the table, in every lane of Y15.
#define E(OFFSET) VBROADCASTSS ·expTable+OFFSET(SB), Y15

// EXP is Exp of Y0, into Y0; it uses Y1 to Y4 and Y15.
#define EXP \
	VMOVAPS Y0, Y4           \
	E(const_expHigh)               \
	VMINPS  Y15, Y0, Y0      \
	E(const_expLow)                \
	VMAXPS  Y15, Y0, Y0      \
	E(const_expLog2e)              \
	VMULPS  Y15, Y0, Y1      \
	E(const_expMagic)              \
	VADDPS  Y15, Y1, Y1      \
	VSUBPS  Y15, Y1, Y1      /* n */ \
	E(const_expLn2Hi)              \
	VMULPS  Y15, Y1, Y2      \
	VSUBPS  Y2, Y0, Y0       \
	E(const_expLn2Lo)              \
	VMULPS  Y15, Y1, Y2      \
	VSUBPS  Y2, Y0, Y0       /* r */ \
	VCVTTPS2DQ Y1, Y1        /* i */ \
	E(const_expC0)                 \
	VMULPS  Y0, Y15, Y2      \
	E(const_expC1)                 \
	VADDPS  Y15, Y2, Y2      \
	VMULPS  Y0, Y2, Y2       \
	E(const_expC2)                 \
	VADDPS  Y15, Y2, Y2      \
	VMULPS  Y0, Y2, Y2       \
	E(const_expC3)                 \
	VADDPS  Y15, Y2, Y2      \
	VMULPS  Y0, Y2, Y2       \
	E(const_expC4)                 \
	VADDPS  Y15, Y2, Y2      \
	VMULPS  Y0, Y2, Y2       \
	E(const_expC5)                 \
	VADDPS  Y15, Y2, Y2      \
	VMULPS  Y0, Y2, Y2       \
	VMULPS  Y0, Y2, Y2       \
	VADDPS  Y0, Y2, Y2       \
	E(const_expOne)                \
	VADDPS  Y15, Y2, Y2      /* p */ \
	VPSRAD  $1, Y1, Y0       \
	VPSUBD  Y0, Y1, Y1       \
	VPSLLD  $23, Y0, Y0      \
	VPADDD  Y15, Y0, Y0      /* 1.0 is 127 << 23 */ \
	VPSLLD  $23, Y1, Y1      \
	VPADDD  Y15, Y1, Y1      \
	VMULPS  Y0, Y2, Y2       \
	VMULPS  Y1, Y2, Y0       \
	E(const_expHigh)               \
	VCMPPS  $0x1e, Y15, Y4, Y1 /* too large */ \
	E(const_expInf)                \
	VBLENDVPS Y1, Y15, Y0, Y0 \
	E(const_expLow)                \
	VCMPPS  $0x11, Y15, Y4, Y1 /* too small */ \
	VANDNPS Y0, Y1, Y0       \
	VCMPPS  $3, Y4, Y4, Y1   /* NaN */ \
	VBLENDVPS Y1, Y4, Y0, Y0

// func expAVX2(x *float32, n int)
TEXT ·expAVX2(SB), NOSPLIT, $0-16
	MOVQ x+0(FP), DI
	MOVQ n+8(FP), CX

loop:
	VMOVUPS (DI), Y0
	EXP
	VMOVUPS Y0, (DI)
	ADDQ $32, DI
	SUBQ $8, CX
	JNZ  loop
	VZEROUPPER
	RET

// func sigmoidAVX2(x *float32, n int)
TEXT ·sigmoidAVX2(SB), NOSPLIT, $0-16
	MOVQ x+0(FP), DI
	MOVQ n+8(FP), CX

loop:
	VMOVUPS (DI), Y0
	E(const_expSign)
	VXORPS  Y15, Y0, Y0
	EXP
	E(const_expOne)
	VADDPS  Y15, Y0, Y0
	VDIVPS  Y0, Y15, Y0
	VMOVUPS Y0, (DI)
	ADDQ $32, DI
	SUBQ $8, CX
	JNZ  loop
	VZEROUPPER
	RET

// func tanhAVX2(x *float32, n int)
TEXT ·tanhAVX2(SB), NOSPLIT, $0-16
	MOVQ x+0(FP), DI
	MOVQ n+8(FP), CX

loop:
	VMOVUPS (DI), Y5
	E(const_expSign)
	VANDPS  Y15, Y5, Y6    // sign
	VANDNPS Y5, Y15, Y7    // |x|

	VADDPS  Y7, Y7, Y0
	EXP
	E(const_expOne)
	VADDPS  Y15, Y0, Y0
	VADDPS  Y15, Y15, Y1
	VDIVPS  Y0, Y1, Y0
	VSUBPS  Y0, Y15, Y0
	VORPS   Y6, Y0, Y0

	VMULPS  Y5, Y5, Y1
	E(const_tanhC0)
	VMULPS  Y1, Y15, Y2
	E(const_tanhC1)
	VADDPS  Y15, Y2, Y2
	VMULPS  Y1, Y2, Y2
	E(const_tanhC2)
	VADDPS  Y15, Y2, Y2
	VMULPS  Y1, Y2, Y2
	E(const_tanhC3)
	VADDPS  Y15, Y2, Y2
	VMULPS  Y1, Y2, Y2
	E(const_tanhC4)
	VADDPS  Y15, Y2, Y2
	VMULPS  Y1, Y2, Y2
	VMULPS  Y5, Y2, Y2
	VADDPS  Y5, Y2, Y2

	E(const_tanhSmall)
	VCMPPS  $0x19, Y15, Y7, Y1   // not |x| >= 0.625: also NaN
	VBLENDVPS Y1, Y2, Y0, Y0
	VMOVUPS Y0, (DI)
	ADDQ $32, DI
	SUBQ $8, CX
	JNZ  loop
	VZEROUPPER
	RET

// func sumSquaresAVX2(x *float32, n int, lanes *[8]float64)
TEXT ·sumSquaresAVX2(SB), NOSPLIT, $0-24
	MOVQ x+0(FP), SI
	MOVQ n+8(FP), CX
	MOVQ lanes+16(FP), DI
	VXORPD Y0, Y0, Y0
	VXORPD Y1, Y1, Y1

loop:
	VCVTPS2PD (SI), Y2
	VCVTPS2PD 16(SI), Y3
	VFMADD231PD Y2, Y2, Y0     // the square of a float32 is exact: fused or not is the same
	VFMADD231PD Y3, Y3, Y1
	ADDQ $32, SI
	SUBQ $8, CX
	JNZ  loop
	VMOVUPD Y0, (DI)
	VMOVUPD Y1, 32(DI)
	VZEROUPPER
	RET

// func finiteAVX2(x *float32, n int) bool
TEXT ·finiteAVX2(SB), NOSPLIT, $0-17
	MOVQ x+0(FP), SI
	MOVQ n+8(FP), CX
	VXORPS Y0, Y0, Y0
	VXORPS Y2, Y2, Y2

loop:
	VMOVUPS (SI), Y1
	VSUBPS  Y1, Y1, Y1         // 0, or NaN
	VCMPPS  $3, Y1, Y1, Y1
	VORPS   Y1, Y0, Y0
	ADDQ $32, SI
	SUBQ $8, CX
	JNZ  loop
	VPTEST Y0, Y0
	SETEQ ret+16(FP)
	VZEROUPPER
	RET

// func gatherAVX2(dst *float32, pixels *byte, n int)
TEXT ·gatherAVX2(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ pixels+8(FP), SI
	MOVQ n+16(FP), CX
	VBROADCASTSS ·expTable+const_byteMax(SB), Y2

loop:
	VPMOVZXBD (SI), Y0
	VCVTDQ2PS Y0, Y0
	VDIVPS    Y2, Y0, Y0
	VMOVUPS   Y0, (DI)
	ADDQ $8, SI
	ADDQ $32, DI
	SUBQ $8, CX
	JNZ  loop
	VZEROUPPER
	RET

// COMPARE is the head of a loop over values: the difference into Y0, the sums into Y8 (squares), Y9 (sizes) and Y10
// (count of near ones).
#define COMPARE \
	VMOVUPS (SI), Y0         \
	VADDPS  Y11, Y0, Y0      \
	VMULPS  Y12, Y0, Y0      \
	VSUBPS  (R8), Y0, Y0     \
	VFMADD231PS Y0, Y0, Y8   \
	VANDNPS Y0, Y14, Y1      /* |d| */ \
	VADDPS  Y1, Y9, Y9       \
	VCMPPS  $0x12, Y13, Y1, Y1 /* at most nearby */ \
	VPSUBD  Y1, Y10, Y10

// func compareAVX2(p, t *float32, n int, c *compareConstants, s *compareSums)
TEXT ·compareAVX2(SB), NOSPLIT, $0-40
	MOVQ p+0(FP), SI
	MOVQ t+8(FP), R8
	MOVQ n+16(FP), CX
	MOVQ c+24(FP), AX
	MOVQ s+32(FP), BX
	VBROADCASTSS compareConstants_shift(AX), Y11
	VBROADCASTSS compareConstants_scale(AX), Y12
	VBROADCASTSS compareConstants_nearby(AX), Y13
	VBROADCASTSS ·expTable+const_expSign(SB), Y14
	VXORPS Y8, Y8, Y8
	VXORPS Y9, Y9, Y9
	VXORPS Y10, Y10, Y10

loop:
	COMPARE
	ADDQ $32, SI
	ADDQ $32, R8
	SUBQ $8, CX
	JNZ  loop
	VMOVUPS Y8, compareSums_se(BX)
	VMOVUPS Y9, compareSums_ae(BX)
	VMOVUPS Y10, compareSums_within(BX)
	VZEROUPPER
	RET

// func compareSquareAVX2(grad, p, t *float32, n int, c *compareConstants, s *compareSums)
TEXT ·compareSquareAVX2(SB), NOSPLIT, $0-48
	MOVQ grad+0(FP), DI
	MOVQ p+8(FP), SI
	MOVQ t+16(FP), R8
	MOVQ n+24(FP), CX
	MOVQ c+32(FP), AX
	MOVQ s+40(FP), BX
	VBROADCASTSS compareConstants_shift(AX), Y11
	VBROADCASTSS compareConstants_scale(AX), Y12
	VBROADCASTSS compareConstants_nearby(AX), Y13
	VBROADCASTSS ·expTable+const_expSign(SB), Y14
	VBROADCASTSS compareConstants_gradient(AX), Y15
	VXORPS Y8, Y8, Y8
	VXORPS Y9, Y9, Y9
	VXORPS Y10, Y10, Y10

loop:
	COMPARE
	VMULPS  Y15, Y0, Y0
	VMOVUPS Y0, (DI)
	ADDQ $32, DI
	ADDQ $32, SI
	ADDQ $32, R8
	SUBQ $8, CX
	JNZ  loop
	VMOVUPS Y8, compareSums_se(BX)
	VMOVUPS Y9, compareSums_ae(BX)
	VMOVUPS Y10, compareSums_within(BX)
	VZEROUPPER
	RET

// func compareSizeAVX2(grad, p, t *float32, n int, c *compareConstants, s *compareSums)
TEXT ·compareSizeAVX2(SB), NOSPLIT, $0-48
	MOVQ grad+0(FP), DI
	MOVQ p+8(FP), SI
	MOVQ t+16(FP), R8
	MOVQ n+24(FP), CX
	MOVQ c+32(FP), AX
	MOVQ s+40(FP), BX
	VBROADCASTSS compareConstants_shift(AX), Y11
	VBROADCASTSS compareConstants_scale(AX), Y12
	VBROADCASTSS compareConstants_nearby(AX), Y13
	VBROADCASTSS ·expTable+const_expSign(SB), Y14
	VBROADCASTSS compareConstants_gradient(AX), Y15
	VXORPS Y8, Y8, Y8
	VXORPS Y9, Y9, Y9
	VXORPS Y10, Y10, Y10
	VXORPS Y7, Y7, Y7

loop:
	COMPARE
	VANDPS  Y14, Y0, Y1
	VORPS   Y15, Y1, Y1          // gradient with the sign of d
	VCMPPS  $0x0c, Y7, Y0, Y2    // d is neither 0 nor NaN
	VBLENDVPS Y2, Y1, Y0, Y0
	VMOVUPS Y0, (DI)
	ADDQ $32, DI
	ADDQ $32, SI
	ADDQ $32, R8
	SUBQ $8, CX
	JNZ  loop
	VMOVUPS Y8, compareSums_se(BX)
	VMOVUPS Y9, compareSums_ae(BX)
	VMOVUPS Y10, compareSums_within(BX)
	VZEROUPPER
	RET

// func filterAVX2(dst, src, window *float32, taps, stride, n int)
//
// dst[i] = Σ_t window[t]·src[i+t·stride], 16 values at a time; n is a multiple of 16.
TEXT ·filterAVX2(SB), NOSPLIT, $0-48
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ window+16(FP), AX
	MOVQ taps+24(FP), R8
	MOVQ stride+32(FP), R9
	MOVQ n+40(FP), CX
	SHLQ $2, R9

loop:
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	MOVQ SI, BX
	XORQ DX, DX

tap:
	VBROADCASTSS (AX)(DX*4), Y2
	VFMADD231PS  (BX), Y2, Y0
	VFMADD231PS  32(BX), Y2, Y1
	ADDQ R9, BX
	INCQ DX
	CMPQ DX, R8
	JLT  tap
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	ADDQ $64, DI
	ADDQ $64, SI
	SUBQ $16, CX
	JNZ  loop
	VZEROUPPER
	RET
