#include "textflag.h"
#include "go_asm.h"

// ROUND is one round of Philox on four blocks: a counter word is the lower half of each 64-bit lane, whatever the upper
// half holds, since a product takes the lower halves alone. A to D are the words, E and F are used; the keys are Y12 and
// Y13, the multipliers Y14 and Y15.
#define ROUND(A, B, C, D, E, F) \
	VPMULUDQ Y14, A, E       /* p0 */ \
	VPMULUDQ Y15, C, F       /* p1 */ \
	VPSRLQ $32, F, A         \
	VPXOR  B, A, A           \
	VPXOR  Y12, A, A         \
	VPSRLQ $32, E, C         \
	VPXOR  D, C, C           \
	VPXOR  Y13, C, C         \
	VMOVDQA F, B             \
	VMOVDQA E, D

// STORE writes the four blocks, whose order in the lanes is 0, 2, 1, 3. It uses B and D.
#define STORE(A, B, C, D, AT) \
	VPSLLQ $32, B, B         \
	VPBLENDD $0xAA, B, A, A  /* words 0 and 1 */ \
	VPSLLQ $32, D, D         \
	VPBLENDD $0xAA, D, C, C  /* words 2 and 3 */ \
	VPUNPCKLQDQ C, A, B      \
	VPUNPCKHQDQ C, A, D      \
	VMOVDQU B, AT(DI)        \
	VMOVDQU D, (AT+32)(DI)

DATA ·philoxLanes+0(SB)/8, $0
DATA ·philoxLanes+8(SB)/8, $2
DATA ·philoxLanes+16(SB)/8, $1
DATA ·philoxLanes+24(SB)/8, $3
GLOBL ·philoxLanes(SB), RODATA|NOPTR, $32

// func philoxAVX2(dst *uint32, groups int, l *philoxLoop)
//
// groups, at least one, of eight blocks each.
TEXT ·philoxAVX2(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ groups+8(FP), CX
	MOVQ l+16(FP), AX
	MOVL philoxLoop_counter(AX), R8     // the next block's number
	MOVL $const_philoxM0, DX
	VMOVD DX, X14
	VPBROADCASTD X14, Y14
	MOVL $const_philoxM1, DX
	VMOVD DX, X15
	VPBROADCASTD X15, Y15

group:
	VMOVD R8, X0
	VPBROADCASTD X0, Y0
	VPADDD ·philoxLanes(SB), Y0, Y0
	ADDL $4, R8
	VMOVD R8, X6
	VPBROADCASTD X6, Y6
	VPADDD ·philoxLanes(SB), Y6, Y6
	ADDL $4, R8
	VPBROADCASTD (philoxLoop_counter+4)(AX), Y1
	VPBROADCASTD (philoxLoop_counter+8)(AX), Y2
	VPBROADCASTD (philoxLoop_counter+12)(AX), Y3
	VMOVDQA Y1, Y7
	VMOVDQA Y2, Y8
	VMOVDQA Y3, Y9
	MOVL philoxLoop_key(AX), R9
	MOVL (philoxLoop_key+4)(AX), R10
	MOVQ $10, BX

round:
	VMOVD R9, X12
	VPBROADCASTD X12, Y12
	VMOVD R10, X13
	VPBROADCASTD X13, Y13
	ROUND(Y0, Y1, Y2, Y3, Y4, Y5)
	ROUND(Y6, Y7, Y8, Y9, Y10, Y11)
	ADDL $const_philoxW0, R9
	ADDL $const_philoxW1, R10
	DECQ BX
	JNZ  round

	STORE(Y0, Y1, Y2, Y3, 0)
	STORE(Y6, Y7, Y8, Y9, 64)
	ADDQ $128, DI
	DECQ CX
	JNZ  group
	VZEROUPPER
	RET

// func keepAVX2(bits *byte, words *uint32, n int, threshold uint16)
//
// n bytes, a multiple of 4 and at least 4, of 8 values of 16 bits each.
TEXT ·keepAVX2(SB), NOSPLIT, $0-26
	MOVQ bits+0(FP), DI
	MOVQ words+8(FP), SI
	MOVQ n+16(FP), CX
	MOVWLZX threshold+24(FP), AX
	VMOVD AX, X2
	VPBROADCASTW X2, Y2

loop:
	VMOVDQU (SI), Y0
	VMOVDQU 32(SI), Y1
	VPMAXUW  Y2, Y0, Y3
	VPCMPEQW Y0, Y3, Y0      // at least the threshold
	VPMAXUW  Y2, Y1, Y3
	VPCMPEQW Y1, Y3, Y1
	VPACKSSWB Y1, Y0, Y0     // halves of both by turns
	VPERMQ $0xD8, Y0, Y0
	VPMOVMSKB Y0, AX
	MOVL AX, (DI)
	ADDQ $64, SI
	ADDQ $4, DI
	SUBQ $4, CX
	JNZ  loop
	VZEROUPPER
	RET

DATA ·dropBits+0(SB)/4, $1
DATA ·dropBits+4(SB)/4, $2
DATA ·dropBits+8(SB)/4, $4
DATA ·dropBits+12(SB)/4, $8
DATA ·dropBits+16(SB)/4, $16
DATA ·dropBits+20(SB)/4, $32
DATA ·dropBits+24(SB)/4, $64
DATA ·dropBits+28(SB)/4, $128
GLOBL ·dropBits(SB), RODATA|NOPTR, $32

// func dropAVX2(dst, x *float32, bits *byte, n int, scale float32)
//
// n is a multiple of 8 and at least 8; the bits of a value are unfused and as in Go.
TEXT ·dropAVX2(SB), NOSPLIT, $0-36
	MOVQ dst+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ bits+16(FP), BX
	MOVQ n+24(FP), CX
	VBROADCASTSS scale+32(FP), Y2
	VMOVDQU ·dropBits(SB), Y3

loop:
	VPBROADCASTB (BX), Y0
	VPAND    Y3, Y0, Y0
	VPCMPEQD Y3, Y0, Y0
	VMULPS   (SI), Y2, Y1
	VPAND    Y1, Y0, Y0
	VMOVUPS  Y0, (DI)
	INCQ BX
	ADDQ $32, SI
	ADDQ $32, DI
	SUBQ $8, CX
	JNZ  loop
	VZEROUPPER
	RET
