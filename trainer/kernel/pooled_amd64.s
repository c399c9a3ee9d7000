#include "textflag.h"

// windowsAVX2 and spreadAVX2 walk a list of (place int32, value float32), eight bytes each, and add windows of rows rows.

// func listAVX2(list *entry, counts *int32, values *float32, places *byte, step *[4]int32, at, channels, length int)
//
// One pixel: appends (at + step[place], value) to each channel's list, which begins length entries after the one before, and
// counts it where the value is not 0 (the sign of a zero is shifted out; NEG sets the carry for anything else).
TEXT ·listAVX2(SB), NOSPLIT, $0-64
	MOVQ list+0(FP), DI
	MOVQ counts+8(FP), SI
	MOVQ values+16(FP), DX
	MOVQ places+24(FP), BX
	MOVQ step+32(FP), R8
	MOVQ at+40(FP), R9
	MOVQ channels+48(FP), CX
	MOVQ length+56(FP), R10
	SHLQ $3, R10

listone:
	MOVL    (DX), AX
	MOVBLZX (BX), R11
	MOVL    (SI), R12
	ANDL    $3, R11
	MOVL    (R8)(R11*4), R11
	ADDL    R9, R11
	MOVL    R11, (DI)(R12*8)
	MOVL    AX, 4(DI)(R12*8)
	ADDL    AX, AX
	NEGL    AX
	ADCL    $0, R12
	MOVL    R12, (SI)
	ADDQ    $4, DX
	INCQ    BX
	ADDQ    $4, SI
	ADDQ    R10, DI
	DECQ    CX
	JNZ     listone
	RET

// LOADSIX takes six vectors of sums from AT on; KEEPSIX puts them back.
#define LOADSIX(AT, A, B, C, D, E, F) \
	VMOVUPS AT(DI), A \
	VMOVUPS (AT+32)(DI), B \
	VMOVUPS (AT+64)(DI), C \
	VMOVUPS (AT+96)(DI), D \
	VMOVUPS (AT+128)(DI), E \
	VMOVUPS (AT+160)(DI), F

#define KEEPSIX(AT, A, B, C, D, E, F) \
	VMOVUPS A, AT(DI) \
	VMOVUPS B, (AT+32)(DI) \
	VMOVUPS C, (AT+64)(DI) \
	VMOVUPS D, (AT+96)(DI) \
	VMOVUPS E, (AT+128)(DI) \
	VMOVUPS F, (AT+160)(DI)

// ADDSIX adds to six sums as many vectors of a window, from AT on, times Y15.
#define ADDSIX(AT, A, B, C, D, E, F) \
	VFMADD231PS AT(AX), Y15, A \
	VFMADD231PS (AT+32)(AX), Y15, B \
	VFMADD231PS (AT+64)(AX), Y15, C \
	VFMADD231PS (AT+96)(AX), Y15, D \
	VFMADD231PS (AT+128)(AX), Y15, E \
	VFMADD231PS (AT+160)(AX), Y15, F

// func windowsAVX2(sums, x *float32, list *entry, n, rows, row, vectors int)
//
// sums (rows, vectors·8) += Σ value · x[place + r·row …] over the list, n ≥ 1. Row by row, twelve vectors at a time, six, two or
// one, whose sums stay in registers; windows of three rows of at most two vectors go through the list once.
TEXT ·windowsAVX2(SB), NOSPLIT, $0-56
	MOVQ sums+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ rows+32(FP), R8
	MOVQ row+40(FP), R9
	SHLQ $2, R9

	CMPQ R8, $3
	JNE  nextrow
	MOVQ vectors+48(FP), R10
	CMPQ R10, $2
	JEQ  threetwo
	CMPQ R10, $1
	JEQ  threeone

nextrow:
	MOVQ vectors+48(FP), R10
	MOVQ SI, BX

block:
	MOVQ list+16(FP), DX
	MOVQ n+24(FP), CX
	CMPQ R10, $12
	JGE  twelve
	CMPQ R10, $6
	JGE  six
	CMPQ R10, $2
	JGE  two

	VMOVUPS (DI), Y0
one1:
	MOVLQSX      (DX), AX
	VBROADCASTSS 4(DX), Y15
	VFMADD231PS  (BX)(AX*4), Y15, Y0
	ADDQ         $8, DX
	DECQ         CX
	JNZ          one1
	VMOVUPS Y0, (DI)
	ADDQ    $32, DI
	ADDQ    $32, BX
	SUBQ    $1, R10
	JMP     blockdone

two:
	VMOVUPS (DI), Y0
	VMOVUPS 32(DI), Y1
two1:
	MOVLQSX      (DX), AX
	VBROADCASTSS 4(DX), Y15
	VFMADD231PS  (BX)(AX*4), Y15, Y0
	VFMADD231PS  32(BX)(AX*4), Y15, Y1
	ADDQ         $8, DX
	DECQ         CX
	JNZ          two1
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	ADDQ    $64, DI
	ADDQ    $64, BX
	SUBQ    $2, R10
	JMP     blockdone

six:
	LOADSIX(0, Y0, Y1, Y2, Y3, Y4, Y5)
six1:
	MOVLQSX      (DX), AX
	VBROADCASTSS 4(DX), Y15
	LEAQ         (BX)(AX*4), AX
	ADDSIX(0, Y0, Y1, Y2, Y3, Y4, Y5)
	ADDQ         $8, DX
	DECQ         CX
	JNZ          six1
	KEEPSIX(0, Y0, Y1, Y2, Y3, Y4, Y5)
	ADDQ    $192, DI
	ADDQ    $192, BX
	SUBQ    $6, R10
	JMP     blockdone

twelve:
	LOADSIX(0, Y0, Y1, Y2, Y3, Y4, Y5)
	LOADSIX(192, Y6, Y7, Y8, Y9, Y10, Y11)
twelve1:
	MOVLQSX      (DX), AX
	VBROADCASTSS 4(DX), Y15
	LEAQ         (BX)(AX*4), AX
	ADDSIX(0, Y0, Y1, Y2, Y3, Y4, Y5)
	ADDSIX(192, Y6, Y7, Y8, Y9, Y10, Y11)
	ADDQ         $8, DX
	DECQ         CX
	JNZ          twelve1
	KEEPSIX(0, Y0, Y1, Y2, Y3, Y4, Y5)
	KEEPSIX(192, Y6, Y7, Y8, Y9, Y10, Y11)
	ADDQ    $384, DI
	ADDQ    $384, BX
	SUBQ    $12, R10

blockdone:
	TESTQ R10, R10
	JNZ   block
	ADDQ  R9, SI
	DECQ  R8
	JNZ   nextrow
	VZEROUPPER
	RET

threetwo:
	LEAQ    (SI)(R9*1), R11
	LEAQ    (SI)(R9*2), R12
	MOVQ    list+16(FP), DX
	MOVQ    n+24(FP), CX
	LOADSIX(0, Y0, Y1, Y2, Y3, Y4, Y5)
threetwo1:
	MOVLQSX      (DX), AX
	VBROADCASTSS 4(DX), Y15
	VFMADD231PS  (SI)(AX*4), Y15, Y0
	VFMADD231PS  32(SI)(AX*4), Y15, Y1
	VFMADD231PS  (R11)(AX*4), Y15, Y2
	VFMADD231PS  32(R11)(AX*4), Y15, Y3
	VFMADD231PS  (R12)(AX*4), Y15, Y4
	VFMADD231PS  32(R12)(AX*4), Y15, Y5
	ADDQ         $8, DX
	DECQ         CX
	JNZ          threetwo1
	KEEPSIX(0, Y0, Y1, Y2, Y3, Y4, Y5)
	VZEROUPPER
	RET

threeone:
	LEAQ    (SI)(R9*1), R11
	LEAQ    (SI)(R9*2), R12
	MOVQ    list+16(FP), DX
	MOVQ    n+24(FP), CX
	VMOVUPS (DI), Y0
	VMOVUPS 32(DI), Y1
	VMOVUPS 64(DI), Y2
threeone1:
	MOVLQSX      (DX), AX
	VBROADCASTSS 4(DX), Y15
	VFMADD231PS  (SI)(AX*4), Y15, Y0
	VFMADD231PS  (R11)(AX*4), Y15, Y1
	VFMADD231PS  (R12)(AX*4), Y15, Y2
	ADDQ         $8, DX
	DECQ         CX
	JNZ          threeone1
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	VMOVUPS Y2, 64(DI)
	VZEROUPPER
	RET

// One vector of a window: Y15 · w, added to the image.
#define SPREAD(D, Y) \
	VMOVUPS     D(BX), Y          \
	VFMADD213PS D(AX), Y15, Y     \
	VMOVUPS     Y, D(AX)

// func spreadAVX2(image, w *float32, list *entry, n, rows, row, vectors int)
//
// image[place + r·row …] += value · w (rows, vectors·8), entry by entry, n ≥ 1. The sums lie in memory, since windows overlap;
// six vectors at a time, then one.
TEXT ·spreadAVX2(SB), NOSPLIT, $0-56
	MOVQ image+0(FP), DI
	MOVQ w+8(FP), SI
	MOVQ list+16(FP), DX
	MOVQ n+24(FP), CX
	MOVQ row+40(FP), R9
	SHLQ $2, R9

spreadentry:
	MOVLQSX      (DX), R11
	VBROADCASTSS 4(DX), Y15
	LEAQ         (DI)(R11*4), R12
	MOVQ         SI, BX
	MOVQ         rows+32(FP), R8

spreadrow:
	MOVQ R12, AX
	MOVQ vectors+48(FP), R10
	SUBQ $6, R10
	JLT  spreadrest

spreadsix:
	SPREAD(0, Y0)
	SPREAD(32, Y1)
	SPREAD(64, Y2)
	SPREAD(96, Y3)
	SPREAD(128, Y4)
	SPREAD(160, Y5)
	ADDQ $192, AX
	ADDQ $192, BX
	SUBQ $6, R10
	JGE  spreadsix

spreadrest:
	ADDQ $6, R10
	JZ   spreadrowdone

spreadone:
	SPREAD(0, Y0)
	ADDQ $32, AX
	ADDQ $32, BX
	DECQ R10
	JNZ  spreadone

spreadrowdone:
	ADDQ R9, R12
	DECQ R8
	JNZ  spreadrow
	ADDQ $8, DX
	DECQ CX
	JNZ  spreadentry
	VZEROUPPER
	RET
