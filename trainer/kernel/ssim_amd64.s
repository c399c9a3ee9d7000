#include "textflag.h"
#include "go_asm.h"

// func ssimAVX2(l *ssimLoop)
//
// The arithmetic of ssimField.windows, operation by operation, on eight places at a time.
TEXT ·ssimAVX2(SB), NOSPLIT, $0-8
	MOVQ l+0(FP), DI
	MOVQ (ssimLoop_means+0)(DI), R8
	MOVQ (ssimLoop_means+8)(DI), R9
	MOVQ (ssimLoop_means+16)(DI), R10
	MOVQ (ssimLoop_means+24)(DI), R11
	MOVQ (ssimLoop_means+32)(DI), R12
	MOVQ (ssimLoop_slopes+0)(DI), AX
	MOVQ (ssimLoop_slopes+8)(DI), BX
	MOVQ (ssimLoop_slopes+16)(DI), DX
	MOVQ ssimLoop_mask(DI), SI
	MOVQ ssimLoop_n(DI), CX
	XORQ R13, R13
	VXORPD Y14, Y14, Y14
	VXORPD Y15, Y15, Y15
	VBROADCASTSS ·expTable+const_halfAt(SB), Y13
	VBROADCASTSS ·expTable+const_ssimC1At(SB), Y12
	VBROADCASTSS ·expTable+const_ssimC2At(SB), Y11

loop:
	VMOVUPS (R8)(R13*1), Y0   // mean of p
	VMOVUPS (R9)(R13*1), Y1   // mean of t
	VMOVUPS (SI)(R13*1), Y10  // mask
	VADDPS  Y13, Y0, Y2       // p
	VADDPS  Y13, Y1, Y3       // t

	VMULPS  Y3, Y2, Y4
	VADDPS  Y4, Y4, Y4
	VADDPS  Y12, Y4, Y4       // a1
	VMULPS  Y2, Y2, Y5
	VMULPS  Y3, Y3, Y6
	VADDPS  Y6, Y5, Y5
	VADDPS  Y12, Y5, Y5       // b1

	VMOVUPS (R12)(R13*1), Y6
	VMULPS  Y1, Y0, Y7
	VSUBPS  Y7, Y6, Y6
	VADDPS  Y6, Y6, Y6
	VADDPS  Y11, Y6, Y6       // a2

	VMOVUPS (R10)(R13*1), Y7
	VMULPS  Y0, Y0, Y8
	VSUBPS  Y8, Y7, Y7
	VMOVUPS (R11)(R13*1), Y8
	VMULPS  Y1, Y1, Y9
	VSUBPS  Y9, Y8, Y8
	VADDPS  Y8, Y7, Y7
	VADDPS  Y11, Y7, Y7       // b2

	VMULPS  Y7, Y5, Y8
	VADDPS  Y13, Y13, Y9      // 1
	VDIVPS  Y8, Y9, Y8        // r
	VMULPS  Y6, Y4, Y9
	VMULPS  Y8, Y9, Y9        // v

	TESTQ   AX, AX
	JZ      sum

	VMULPS  Y8, Y5, Y5
	VMULPS  Y9, Y5, Y5        // -pp
	VMULPS  Y8, Y4, Y4
	VADDPS  Y4, Y4, Y4        // pt
	VMULPS  Y8, Y6, Y6
	VMULPS  Y3, Y6, Y6
	VMULPS  Y8, Y7, Y7
	VMULPS  Y9, Y7, Y7
	VMULPS  Y2, Y7, Y7
	VSUBPS  Y7, Y6, Y6
	VADDPS  Y6, Y6, Y6        // bright
	VMULPS  Y5, Y0, Y0
	VADDPS  Y0, Y0, Y0
	VADDPS  Y0, Y6, Y6
	VMULPS  Y4, Y1, Y1
	VSUBPS  Y1, Y6, Y6
	VANDPS  Y10, Y6, Y6
	VMOVUPS Y6, (AX)(R13*1)
	VXORPS  Y0, Y0, Y0
	VSUBPS  Y5, Y0, Y5
	VANDPS  Y10, Y5, Y5
	VMOVUPS Y5, (BX)(R13*1)
	VANDPS  Y10, Y4, Y4
	VMOVUPS Y4, (DX)(R13*1)

sum:
	VANDPS       Y10, Y9, Y9
	VCVTPS2PD    X9, Y0
	VEXTRACTF128 $1, Y9, X9
	VCVTPS2PD    X9, Y1
	VADDPD       Y0, Y14, Y14
	VADDPD       Y1, Y15, Y15
	ADDQ $32, R13
	SUBQ $8, CX
	JNZ  loop
	VMOVUPD Y14, ssimLoop_sums(DI)
	VMOVUPD Y15, (ssimLoop_sums+32)(DI)
	VZEROUPPER
	RET
