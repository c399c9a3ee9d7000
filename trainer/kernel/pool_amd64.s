#include "textflag.h"

// One rival of the pool: V takes best's (Y0) place, and its number J the place's (Y1), where it is larger or the first
// NaN: not (V <= best), and best is a number.
#define RIVAL(V, J) \
	VCMPPS    $0x16, Y0, V, Y6  \
	VCMPPS    $7, Y0, Y0, Y7    \
	VANDPS    Y7, Y6, Y6        \
	VBLENDVPS Y6, V, Y0, Y0     \
	VBLENDVPS Y6, J, Y1, Y1

// func poolAVX2(dst *float32, arg *byte, upper, lower *float32, pixels, c int)
//
// c is a multiple of 8.
TEXT ·poolAVX2(SB), NOSPLIT, $0-48
	MOVQ dst+0(FP), DI
	MOVQ arg+8(FP), SI
	MOVQ upper+16(FP), AX
	MOVQ lower+24(FP), BX
	MOVQ pixels+32(FP), CX
	MOVQ c+40(FP), R8

	// 1, 2 and 3 in every lane.
	VPCMPEQD Y8, Y8, Y8
	VPSRLD   $31, Y8, Y8
	VPADDD   Y8, Y8, Y9
	VPADDD   Y8, Y9, Y10

pixel:
	MOVQ R8, DX

channels:
	VMOVUPS (AX), Y0
	VXORPS  Y1, Y1, Y1
	VMOVUPS (AX)(R8*4), Y2
	VMOVUPS (BX), Y3
	VMOVUPS (BX)(R8*4), Y4
	RIVAL(Y2, Y8)
	RIVAL(Y3, Y9)
	RIVAL(Y4, Y10)
	VMOVUPS Y0, (DI)
	VEXTRACTI128 $1, Y1, X2
	VPACKUSDW X2, X1, X1
	VPACKUSWB X1, X1, X1
	VMOVQ X1, (SI)
	ADDQ $32, AX
	ADDQ $32, BX
	ADDQ $32, DI
	ADDQ $8, SI
	SUBQ $8, DX
	JNZ  channels

	// The pixel to the right is done too.
	LEAQ (AX)(R8*4), AX
	LEAQ (BX)(R8*4), BX
	DECQ CX
	JNZ  pixel
	VZEROUPPER
	RET

// func unpoolAVX2(upper, lower, dy *float32, arg *byte, pixels, c int)
//
// c is a multiple of 8.
TEXT ·unpoolAVX2(SB), NOSPLIT, $0-48
	MOVQ upper+0(FP), AX
	MOVQ lower+8(FP), BX
	MOVQ dy+16(FP), DI
	MOVQ arg+24(FP), SI
	MOVQ pixels+32(FP), CX
	MOVQ c+40(FP), R8

	VPCMPEQD Y8, Y8, Y8
	VPSRLD   $31, Y8, Y8
	VPADDD   Y8, Y8, Y9
	VPADDD   Y8, Y9, Y10
	VPXOR    Y7, Y7, Y7

pixel:
	MOVQ R8, DX

channels:
	VMOVUPS   (DI), Y0
	VPMOVZXBD (SI), Y1
	VPCMPEQD  Y7, Y1, Y2
	VPCMPEQD  Y8, Y1, Y3
	VPCMPEQD  Y9, Y1, Y4
	VPCMPEQD  Y10, Y1, Y5
	VANDPS    Y0, Y2, Y2
	VANDPS    Y0, Y3, Y3
	VANDPS    Y0, Y4, Y4
	VANDPS    Y0, Y5, Y5
	VMOVUPS   Y2, (AX)
	VMOVUPS   Y3, (AX)(R8*4)
	VMOVUPS   Y4, (BX)
	VMOVUPS   Y5, (BX)(R8*4)
	ADDQ $32, AX
	ADDQ $32, BX
	ADDQ $32, DI
	ADDQ $8, SI
	SUBQ $8, DX
	JNZ  channels

	LEAQ (AX)(R8*4), AX
	LEAQ (BX)(R8*4), BX
	DECQ CX
	JNZ  pixel
	VZEROUPPER
	RET

// func addPixelsAVX2(sums, src *float32, pixels, c int)
//
// c is a multiple of 8. Each channel is one chain over the pixels.
TEXT ·addPixelsAVX2(SB), NOSPLIT, $0-32
	MOVQ sums+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ pixels+16(FP), CX
	MOVQ c+24(FP), R8
	MOVQ R8, R9
	SHLQ $2, R9

wide:
	CMPQ R8, $32
	JLT  narrow
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	MOVQ SI, AX
	MOVQ CX, DX

wideloop:
	VADDPS (AX), Y0, Y0
	VADDPS 32(AX), Y1, Y1
	VADDPS 64(AX), Y2, Y2
	VADDPS 96(AX), Y3, Y3
	ADDQ R9, AX
	DECQ DX
	JNZ  wideloop
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	VMOVUPS Y2, 64(DI)
	VMOVUPS Y3, 96(DI)
	ADDQ $128, DI
	ADDQ $128, SI
	SUBQ $32, R8
	JMP  wide

narrow:
	TESTQ R8, R8
	JZ   done
	VXORPS Y0, Y0, Y0
	MOVQ SI, AX
	MOVQ CX, DX

loop:
	VADDPS (AX), Y0, Y0
	ADDQ R9, AX
	DECQ DX
	JNZ  loop
	VMOVUPS Y0, (DI)
	ADDQ $32, DI
	ADDQ $32, SI
	SUBQ $8, R8
	JMP  narrow

done:
	VZEROUPPER
	RET
