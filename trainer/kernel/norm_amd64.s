#include "textflag.h"

// In this file c, the number of channels, is a multiple of 8. Rows of coefficients lie c floats apart.

// func momentsAVX2(sums, src, from *float32, pixels, c int)
//
// sums (2, c): of src - from and of its square over the pixels, one chain a channel.
TEXT ·momentsAVX2(SB), NOSPLIT, $0-40
	MOVQ sums+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ from+16(FP), BX
	MOVQ pixels+24(FP), CX
	MOVQ c+32(FP), R8
	MOVQ R8, R9
	SHLQ $2, R9

wide:
	CMPQ R8, $16
	JLT  narrow
	VMOVUPS (BX), Y4
	VMOVUPS 32(BX), Y5
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	MOVQ SI, AX
	MOVQ CX, DX

wideloop:
	VMOVUPS (AX), Y6
	VMOVUPS 32(AX), Y7
	VSUBPS  Y4, Y6, Y6
	VSUBPS  Y5, Y7, Y7
	VADDPS  Y6, Y0, Y0
	VADDPS  Y7, Y1, Y1
	VFMADD231PS Y6, Y6, Y2
	VFMADD231PS Y7, Y7, Y3
	ADDQ R9, AX
	DECQ DX
	JNZ  wideloop
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	VMOVUPS Y2, (DI)(R9*1)
	VMOVUPS Y3, 32(DI)(R9*1)
	ADDQ $64, DI
	ADDQ $64, SI
	ADDQ $64, BX
	SUBQ $16, R8
	JMP  wide

narrow:
	TESTQ R8, R8
	JZ   done
	VMOVUPS (BX), Y4
	VXORPS Y0, Y0, Y0
	VXORPS Y2, Y2, Y2

loop:
	VMOVUPS (SI), Y6
	VSUBPS  Y4, Y6, Y6
	VADDPS  Y6, Y0, Y0
	VFMADD231PS Y6, Y6, Y2
	ADDQ R9, SI
	DECQ CX
	JNZ  loop
	VMOVUPS Y0, (DI)
	VMOVUPS Y2, (DI)(R9*1)

done:
	VZEROUPPER
	RET

// func normSumsAVX2(sums, dy, x, mean *float32, pixels, c int)
//
// sums (2, c): of dy and of dy·(x - mean).
TEXT ·normSumsAVX2(SB), NOSPLIT, $0-48
	MOVQ sums+0(FP), DI
	MOVQ dy+8(FP), SI
	MOVQ x+16(FP), R10
	MOVQ mean+24(FP), BX
	MOVQ pixels+32(FP), CX
	MOVQ c+40(FP), R8
	MOVQ R8, R9
	SHLQ $2, R9

wide:
	CMPQ R8, $16
	JLT  narrow
	VMOVUPS (BX), Y4
	VMOVUPS 32(BX), Y5
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	MOVQ SI, AX
	MOVQ R10, R11
	MOVQ CX, DX

wideloop:
	VMOVUPS (AX), Y6
	VMOVUPS 32(AX), Y7
	VMOVUPS (R11), Y8
	VMOVUPS 32(R11), Y9
	VSUBPS  Y4, Y8, Y8
	VSUBPS  Y5, Y9, Y9
	VADDPS  Y6, Y0, Y0
	VADDPS  Y7, Y1, Y1
	VFMADD231PS Y6, Y8, Y2
	VFMADD231PS Y7, Y9, Y3
	ADDQ R9, AX
	ADDQ R9, R11
	DECQ DX
	JNZ  wideloop
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	VMOVUPS Y2, (DI)(R9*1)
	VMOVUPS Y3, 32(DI)(R9*1)
	ADDQ $64, DI
	ADDQ $64, SI
	ADDQ $64, R10
	ADDQ $64, BX
	SUBQ $16, R8
	JMP  wide

narrow:
	TESTQ R8, R8
	JZ   done
	VMOVUPS (BX), Y4
	VXORPS Y0, Y0, Y0
	VXORPS Y2, Y2, Y2

loop:
	VMOVUPS (SI), Y6
	VMOVUPS (R10), Y8
	VSUBPS  Y4, Y8, Y8
	VADDPS  Y6, Y0, Y0
	VFMADD231PS Y6, Y8, Y2
	ADDQ R9, SI
	ADDQ R9, R10
	DECQ CX
	JNZ  loop
	VMOVUPS Y0, (DI)
	VMOVUPS Y2, (DI)(R9*1)

done:
	VZEROUPPER
	RET

// func normAVX2(dst, src, coef *float32, pixels, c int)
//
// dst = (src - coef[0])·coef[1] + coef[2], unfused: the Go loop has the same bits.
TEXT ·normAVX2(SB), NOSPLIT, $0-40
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ pixels+24(FP), CX
	MOVQ c+32(FP), R8
	MOVQ R8, R9
	SHLQ $2, R9

pixel:
	MOVQ coef+16(FP), BX
	LEAQ (BX)(R9*1), R10
	MOVQ R8, DX

channels:
	VMOVUPS (SI), Y0
	VSUBPS  (BX), Y0, Y0
	VMULPS  (R10), Y0, Y0
	VADDPS  (R10)(R9*1), Y0, Y0
	VMOVUPS Y0, (DI)
	ADDQ $32, SI
	ADDQ $32, DI
	ADDQ $32, BX
	ADDQ $32, R10
	SUBQ $8, DX
	JNZ  channels
	DECQ CX
	JNZ  pixel
	VZEROUPPER
	RET

// One rival of the pool, of x in V: its normalised value takes the place of best (Y0), its number J that of Y1, x that of
// Y11, where it is larger or the first NaN.
#define NORMRIVAL(V, J) \
	VSUBPS    Y12, V, Y3        \
	VMULPS    Y13, Y3, Y3       \
	VADDPS    Y14, Y3, Y3       \
	VCMPPS    $0x16, Y0, Y3, Y6 \
	VCMPPS    $7, Y0, Y0, Y7    \
	VANDPS    Y7, Y6, Y6        \
	VBLENDVPS Y6, Y3, Y0, Y0    \
	VBLENDVPS Y6, J, Y1, Y1     \
	VBLENDVPS Y6, V, Y11, Y11

// func normPoolAVX2(dst, picked *float32, arg *byte, upper, lower, coef *float32, pixels, c int)
TEXT ·normPoolAVX2(SB), NOSPLIT, $0-64
	MOVQ dst+0(FP), DI
	MOVQ picked+8(FP), R11
	MOVQ arg+16(FP), SI
	MOVQ upper+24(FP), AX
	MOVQ lower+32(FP), BX
	MOVQ pixels+48(FP), CX
	MOVQ c+56(FP), R8
	MOVQ R8, R9
	SHLQ $2, R9

	VPCMPEQD Y8, Y8, Y8
	VPSRLD   $31, Y8, Y8
	VPADDD   Y8, Y8, Y9
	VPADDD   Y8, Y9, Y10

pixel:
	MOVQ coef+40(FP), R10
	LEAQ (R10)(R9*1), R12
	MOVQ R8, DX

channels:
	VMOVUPS (R10), Y12
	VMOVUPS (R12), Y13
	VMOVUPS (R12)(R9*1), Y14
	VMOVUPS (AX), Y11
	VSUBPS  Y12, Y11, Y0
	VMULPS  Y13, Y0, Y0
	VADDPS  Y14, Y0, Y0
	VXORPS  Y1, Y1, Y1
	VMOVUPS (AX)(R8*4), Y2
	NORMRIVAL(Y2, Y8)
	VMOVUPS (BX), Y4
	NORMRIVAL(Y4, Y9)
	VMOVUPS (BX)(R8*4), Y5
	NORMRIVAL(Y5, Y10)
	VMOVUPS Y0, (DI)
	VMOVUPS Y11, (R11)
	VEXTRACTI128 $1, Y1, X2
	VPACKUSDW X2, X1, X1
	VPACKUSWB X1, X1, X1
	VMOVQ X1, (SI)
	ADDQ $32, AX
	ADDQ $32, BX
	ADDQ $32, DI
	ADDQ $32, R11
	ADDQ $32, R10
	ADDQ $32, R12
	ADDQ $8, SI
	SUBQ $8, DX
	JNZ  channels

	LEAQ (AX)(R8*4), AX
	LEAQ (BX)(R8*4), BX
	DECQ CX
	JNZ  pixel
	VZEROUPPER
	RET

// func normGradAVX2(dx, dy, x, coef *float32, pixels, c int)
//
// dx = coef[1]·dy - coef[2] - coef[3]·(x - coef[0]), unfused.
TEXT ·normGradAVX2(SB), NOSPLIT, $0-48
	MOVQ dx+0(FP), DI
	MOVQ dy+8(FP), SI
	MOVQ x+16(FP), AX
	MOVQ pixels+32(FP), CX
	MOVQ c+40(FP), R8
	MOVQ R8, R9
	SHLQ $2, R9

pixel:
	MOVQ coef+24(FP), R10
	LEAQ (R10)(R9*2), R12
	MOVQ R8, DX

channels:
	VMOVUPS (SI), Y0
	VMULPS  (R10)(R9*1), Y0, Y0
	VSUBPS  (R12), Y0, Y0
	VMOVUPS (AX), Y1
	VSUBPS  (R10), Y1, Y1
	VMULPS  (R12)(R9*1), Y1, Y1
	VSUBPS  Y1, Y0, Y0
	VMOVUPS Y0, (DI)
	ADDQ $32, SI
	ADDQ $32, DI
	ADDQ $32, AX
	ADDQ $32, R10
	ADDQ $32, R12
	SUBQ $8, DX
	JNZ  channels
	DECQ CX
	JNZ  pixel
	VZEROUPPER
	RET

// REST is the gradient of one of four pixels: G, masked by its place, less what all share.
#define REST(FROM, TO, G) \
	VMOVUPS FROM, Y6         \
	VSUBPS  Y12, Y6, Y6      \
	VMULPS  Y15, Y6, Y6      \
	VSUBPS  Y14, G, G        \
	VSUBPS  Y6, G, G         \
	VMOVUPS G, TO

// func normUnpoolAVX2(du, dl, upper, lower, dy *float32, arg *byte, coef *float32, pixels, c int)
TEXT ·normUnpoolAVX2(SB), NOSPLIT, $0-72
	MOVQ du+0(FP), AX
	MOVQ dl+8(FP), BX
	MOVQ upper+16(FP), R10
	MOVQ lower+24(FP), R11
	MOVQ dy+32(FP), DI
	MOVQ arg+40(FP), SI
	MOVQ pixels+56(FP), CX
	MOVQ c+64(FP), R8
	MOVQ R8, R9
	SHLQ $2, R9

	VPCMPEQD Y8, Y8, Y8
	VPSRLD   $31, Y8, Y8
	VPADDD   Y8, Y8, Y9
	VPADDD   Y8, Y9, Y10
	VPXOR    Y7, Y7, Y7

pixel:
	MOVQ coef+48(FP), R12
	LEAQ (R12)(R9*2), R13
	MOVQ R8, DX

channels:
	VMOVUPS (R12), Y12
	VMOVUPS (R13), Y14
	VMOVUPS (R13)(R9*1), Y15
	VMOVUPS (DI), Y0
	VMULPS  (R12)(R9*1), Y0, Y0
	VPMOVZXBD (SI), Y1
	VPCMPEQD  Y7, Y1, Y2
	VPCMPEQD  Y8, Y1, Y3
	VPCMPEQD  Y9, Y1, Y4
	VPCMPEQD  Y10, Y1, Y5
	VANDPS    Y0, Y2, Y2
	VANDPS    Y0, Y3, Y3
	VANDPS    Y0, Y4, Y4
	VANDPS    Y0, Y5, Y5
	REST((R10), (AX), Y2)
	REST((R10)(R9*1), (AX)(R9*1), Y3)
	REST((R11), (BX), Y4)
	REST((R11)(R9*1), (BX)(R9*1), Y5)
	ADDQ $32, AX
	ADDQ $32, BX
	ADDQ $32, R10
	ADDQ $32, R11
	ADDQ $32, R12
	ADDQ $32, R13
	ADDQ $32, DI
	ADDQ $8, SI
	SUBQ $8, DX
	JNZ  channels

	ADDQ R9, AX
	ADDQ R9, BX
	ADDQ R9, R10
	ADDQ R9, R11
	DECQ CX
	JNZ  pixel
	VZEROUPPER
	RET
