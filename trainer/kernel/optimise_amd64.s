#include "textflag.h"
#include "go_asm.h"

// In this file n is a multiple of 8 and at least 8; operations are those of the Go loops, one by one, unfused, so that
// the bits are the same.

// PENALTIES adds to the gradient in Y0 what l1 and l2 pull at the weights in Y4, given pullConstants at AX+OFFSET. It uses
// Y1 and Y5.
#define PENALTIES(OFFSET) \
	VBROADCASTSS (OFFSET+pullConstants_l2)(AX), Y1 \
	VMULPS  Y4, Y1, Y1       \
	VADDPS  Y1, Y0, Y0       \
	VBROADCASTSS ·expTable+const_expSign(SB), Y1 \
	VANDPS  Y4, Y1, Y1       \
	VBROADCASTSS (OFFSET+pullConstants_l1)(AX), Y5 \
	VORPS   Y5, Y1, Y1       /* l1 with the sign of w */ \
	VXORPS  Y5, Y5, Y5       \
	VCMPPS  $0x0c, Y5, Y4, Y5 /* w is neither 0 nor NaN */ \
	VANDPS  Y5, Y1, Y1       \
	VADDPS  Y1, Y0, Y0

// NORMAL is 0 for the denormals of X. It uses Y5, and wants the bits of an exponent in Y7 and 0 in Y6.
#define NORMAL(X) \
	VPAND    Y7, X, Y5       \
	VPCMPEQD Y6, Y5, Y5      \
	VPANDN   X, Y5, X

// func adamAVX2(w, grad, m, v *float32, n int, c *adamConstants)
TEXT ·adamAVX2(SB), NOSPLIT, $0-48
	MOVQ w+0(FP), DI
	MOVQ grad+8(FP), SI
	MOVQ m+16(FP), R8
	MOVQ v+24(FP), R9
	MOVQ n+32(FP), CX
	MOVQ c+40(FP), AX
	MOVL (adamConstants_pull+pullConstants_penalties)(AX), R10
	VPXOR Y6, Y6, Y6
	VBROADCASTSS ·expTable+const_expInf(SB), Y7   // an infinity is an exponent of all ones
	VBROADCASTSS adamConstants_beta1(AX), Y8
	VBROADCASTSS adamConstants_rest1(AX), Y9
	VBROADCASTSS adamConstants_beta2(AX), Y10
	VBROADCASTSS adamConstants_rest2(AX), Y11
	VBROADCASTSS adamConstants_rate(AX), Y12
	VBROADCASTSS adamConstants_root(AX), Y13
	VBROADCASTSS adamConstants_epsilon(AX), Y14
	VBROADCASTSS adamConstants_keep(AX), Y15

loop:
	VMOVUPS (DI), Y4
	VBROADCASTSS (adamConstants_pull+pullConstants_scale)(AX), Y0
	VMULPS  (SI), Y0, Y0
	TESTL   R10, R10
	JZ      pulled
	PENALTIES(adamConstants_pull)

pulled:
	VMULPS  (R8), Y8, Y1
	VMULPS  Y0, Y9, Y2
	VADDPS  Y2, Y1, Y1
	NORMAL(Y1)               // m
	VMOVUPS Y1, (R8)
	VMULPS  (R9), Y10, Y2
	VMULPS  Y0, Y11, Y3
	VMULPS  Y0, Y3, Y3
	VADDPS  Y3, Y2, Y2
	NORMAL(Y2)               // v
	VMOVUPS Y2, (R9)
	VSQRTPS Y2, Y2
	VMULPS  Y13, Y2, Y2
	VADDPS  Y14, Y2, Y2
	VMULPS  Y1, Y12, Y1
	VDIVPS  Y2, Y1, Y1
	VMULPS  Y4, Y15, Y3
	VSUBPS  Y1, Y3, Y3
	VMOVUPS Y3, (DI)
	ADDQ $32, DI
	ADDQ $32, SI
	ADDQ $32, R8
	ADDQ $32, R9
	SUBQ $8, CX
	JNZ  loop
	VZEROUPPER
	RET

// func sgdAVX2(w, grad, m *float32, n int, c *sgdConstants)
TEXT ·sgdAVX2(SB), NOSPLIT, $0-40
	MOVQ w+0(FP), DI
	MOVQ grad+8(FP), SI
	MOVQ m+16(FP), R8
	MOVQ n+24(FP), CX
	MOVQ c+32(FP), AX
	MOVL (sgdConstants_pull+pullConstants_penalties)(AX), R10
	VPXOR Y6, Y6, Y6
	VBROADCASTSS ·expTable+const_expInf(SB), Y7
	VBROADCASTSS sgdConstants_momentum(AX), Y8
	VBROADCASTSS sgdConstants_rate(AX), Y9
	VBROADCASTSS sgdConstants_keep(AX), Y10

loop:
	VMOVUPS (DI), Y4
	VBROADCASTSS (sgdConstants_pull+pullConstants_scale)(AX), Y0
	VMULPS  (SI), Y0, Y0
	TESTL   R10, R10
	JZ      pulled
	PENALTIES(sgdConstants_pull)

pulled:
	VMULPS  (R8), Y8, Y1
	VADDPS  Y0, Y1, Y1
	NORMAL(Y1)               // m
	VMOVUPS Y1, (R8)
	VMULPS  Y1, Y9, Y1
	VMULPS  Y4, Y10, Y3
	VSUBPS  Y1, Y3, Y3
	VMOVUPS Y3, (DI)
	ADDQ $32, DI
	ADDQ $32, SI
	ADDQ $32, R8
	SUBQ $8, CX
	JNZ  loop
	VZEROUPPER
	RET
