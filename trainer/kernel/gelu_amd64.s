#include "textflag.h"
#include "go_asm.h"

// Two vectors go side by side: a chain of some 30 operations would leave the units idle. Operations are those of the Go
// code, one by one, unfused, so that the bits are the same. The first vector has Y0 to Y5, the second Y6 to Y11.

#define U(NAME) ·geluTable+NAME(SB)

// EACH applies an operation with one operand for both: A = A op M, B = B op M.
#define EACH(OP, M, A, B) \
	OP M, A, A \
	OP M, B, B

// PAIR is A = A op MA, B = B op MB.
#define PAIR(OP, MA, A, MB, B) \
	OP MA, A, A \
	OP MB, B, B

#define TERM(NAME) \
	PAIR(VMULPS, Y3, Y2, Y9, Y8) \
	EACH(VADDPS, U(NAME), Y2, Y8)

#define EXPTERM(NAME) \
	PAIR(VMULPS, Y1, Y3, Y7, Y9) \
	EACH(VADDPS, U(NAME), Y3, Y9)

// PHI takes x in Y0 and Y6; it gives exp(-x*x/2) in Y1 and Y7, and the share of the normal distribution up to x in Y2 and Y8.
// Y14 holds 0, Y15 the least argument of the exponential; Y3 to Y5 and Y9 to Y11 are used.
#define PHI \
	VMULPS Y0, Y0, Y1                 \
	VMULPS Y6, Y6, Y7                 \
	EACH(VMULPS, U(const_geluHalf), Y1, Y7) \
	VCMPPS $0x11, Y15, Y1, Y5         /* too small: 0 */ \
	VCMPPS $0x11, Y15, Y7, Y11        \
	VMAXPS Y1, Y15, Y1                /* a NaN stays */ \
	VMAXPS Y7, Y15, Y7                \
	VMULPS U(const_geluLog2e), Y1, Y4 \
	VMULPS U(const_geluLog2e), Y7, Y10 \
	EACH(VADDPS, U(const_geluMagic), Y4, Y10) \
	EACH(VSUBPS, U(const_geluMagic), Y4, Y10) /* n */ \
	VMULPS U(const_geluLn2Hi), Y4, Y3 \
	VMULPS U(const_geluLn2Hi), Y10, Y9 \
	PAIR(VSUBPS, Y3, Y1, Y9, Y7)      \
	VMULPS U(const_geluLn2Lo), Y4, Y3 \
	VMULPS U(const_geluLn2Lo), Y10, Y9 \
	PAIR(VSUBPS, Y3, Y1, Y9, Y7)      /* r */ \
	VCVTTPS2DQ Y4, Y4                 \
	VCVTTPS2DQ Y10, Y10               \
	VMULPS U(const_geluExp0), Y1, Y3  \
	VMULPS U(const_geluExp0), Y7, Y9  \
	EACH(VADDPS, U(const_geluExp1), Y3, Y9) \
	EXPTERM(const_geluExp2)           \
	EXPTERM(const_geluExp3)           \
	EXPTERM(const_geluExp4)           \
	EXPTERM(const_geluExp5)           \
	PAIR(VMULPS, Y1, Y3, Y7, Y9)      \
	PAIR(VMULPS, Y1, Y3, Y7, Y9)      \
	PAIR(VADDPS, Y1, Y3, Y7, Y9)      \
	EACH(VADDPS, U(const_geluOne), Y3, Y9) \
	VPSRAD $1, Y4, Y1                 /* 2 to the n in two factors */ \
	VPSRAD $1, Y10, Y7                \
	PAIR(VPSUBD, Y1, Y4, Y7, Y10)     \
	VPSLLD $23, Y1, Y1                \
	VPSLLD $23, Y7, Y7                \
	VPSLLD $23, Y4, Y4                \
	VPSLLD $23, Y10, Y10              \
	EACH(VPADDD, U(const_geluOne), Y1, Y7) \
	EACH(VPADDD, U(const_geluOne), Y4, Y10) \
	PAIR(VMULPS, Y3, Y1, Y9, Y7)      \
	PAIR(VMULPS, Y4, Y1, Y10, Y7)     \
	VANDNPS Y1, Y5, Y1                \
	VANDNPS Y7, Y11, Y7               \
	VANDPS U(const_geluAbs), Y0, Y3   \
	VANDPS U(const_geluAbs), Y6, Y9   \
	EACH(VMULPS, U(const_geluScale), Y3, Y9) \
	EACH(VADDPS, U(const_geluOne), Y3, Y9) \
	VMOVUPS U(const_geluOne), Y4      \
	VDIVPS Y3, Y4, Y3                 /* t */ \
	VDIVPS Y9, Y4, Y9                 \
	VMOVUPS U(const_gelu8), Y2        \
	VMOVAPS Y2, Y8                    \
	TERM(const_gelu7)                 \
	TERM(const_gelu6)                 \
	TERM(const_gelu5)                 \
	TERM(const_gelu4)                 \
	TERM(const_gelu3)                 \
	TERM(const_gelu2)                 \
	TERM(const_gelu1)                 \
	TERM(const_gelu0)                 \
	PAIR(VMULPS, Y3, Y2, Y9, Y8)      \
	PAIR(VMULPS, Y1, Y2, Y7, Y8)      /* the tail */ \
	VSUBPS Y2, Y4, Y3                 \
	VSUBPS Y8, Y4, Y9                 \
	VCMPPS $0x11, Y14, Y0, Y5         /* x < 0 */ \
	VCMPPS $0x11, Y14, Y6, Y11        \
	VBLENDVPS Y5, Y2, Y3, Y2          \
	VBLENDVPS Y11, Y8, Y9, Y8

// func geluAVX2(dst, x *float32, n int)
//
// n is a multiple of 8 and at least 8. dst may be x.
TEXT ·geluAVX2(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ n+16(FP), CX
	VXORPS  Y14, Y14, Y14
	VMOVUPS U(const_geluLow), Y15

loop:
	MOVQ $32, DX
	CMPQ CX, $16
	JGE  both
	XORQ DX, DX                       // the last vector goes beside itself

both:
	VMOVUPS (SI), Y0
	VMOVUPS (SI)(DX*1), Y6
	PHI
	VMULPS  Y2, Y0, Y0
	VMULPS  Y8, Y6, Y6
	VMOVUPS Y0, (DI)
	VMOVUPS Y6, (DI)(DX*1)
	ADDQ $64, SI
	ADDQ $64, DI
	SUBQ $16, CX
	JGT  loop
	VZEROUPPER
	RET

// func geluBackwardAVX2(grad, x *float32, n int)
//
// n as above.
TEXT ·geluBackwardAVX2(SB), NOSPLIT, $0-24
	MOVQ grad+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ n+16(FP), CX
	VXORPS  Y14, Y14, Y14
	VMOVUPS U(const_geluLow), Y15

loop:
	MOVQ $32, DX
	CMPQ CX, $16
	JGE  both
	XORQ DX, DX

both:
	VMOVUPS (SI), Y0
	VMOVUPS (SI)(DX*1), Y6
	PHI
	VMULPS  Y0, Y1, Y1
	VMULPS  Y6, Y7, Y7
	EACH(VMULPS, U(const_geluInvSqrt2Pi), Y1, Y7)
	VADDPS  Y1, Y2, Y2
	VADDPS  Y7, Y8, Y8
	VMOVUPS (DI), Y0
	VMOVUPS (DI)(DX*1), Y6
	VMULPS  Y2, Y0, Y0
	VMULPS  Y8, Y6, Y6
	VMOVUPS Y0, (DI)
	VMOVUPS Y6, (DI)(DX*1)
	ADDQ $64, SI
	ADDQ $64, DI
	SUBQ $16, CX
	JGT  loop
	VZEROUPPER
	RET
