#include "textflag.h"
#include "go_asm.h"

// One step of k: two loads of B, four broadcasts of A, eight multiply-adds. Eight sums hide the latency of four cycles
// at two a cycle.
#define STEP \
	VMOVUPS      (DX), Y8           \
	VMOVUPS      32(DX), Y9         \
	VBROADCASTSS (SI), Y10          \
	VBROADCASTSS (SI)(R11*1), Y11   \
	VBROADCASTSS (SI)(R12*1), Y12   \
	VBROADCASTSS (SI)(R13*1), Y13   \
	VFMADD231PS  Y8, Y10, Y0        \
	VFMADD231PS  Y9, Y10, Y1        \
	VFMADD231PS  Y8, Y11, Y2        \
	VFMADD231PS  Y9, Y11, Y3        \
	VFMADD231PS  Y8, Y12, Y4        \
	VFMADD231PS  Y9, Y12, Y5        \
	VFMADD231PS  Y8, Y13, Y6        \
	VFMADD231PS  Y9, Y13, Y7        \
	ADDQ         R9, SI             \
	ADDQ         R10, DX

// Stores the first CX (under 16) columns of a row (YA, YB; XA is YA's lower half) at R8, which it moves.
#define PARTIAL(YA, XA, YB, FOUR, TWO, ONE, DONE) \
	TESTQ        $8, CX     \
	JZ           FOUR       \
	VMOVUPS      YA, (R8)   \
	ADDQ         $32, R8    \
	VMOVAPS      YB, YA     \
FOUR: \
	TESTQ        $4, CX     \
	JZ           TWO        \
	VMOVUPS      XA, (R8)   \
	ADDQ         $16, R8    \
	VEXTRACTF128 $1, YA, XA \
TWO: \
	TESTQ        $2, CX     \
	JZ           ONE        \
	VMOVQ        XA, (R8)   \
	ADDQ         $8, R8     \
	VPSRLDQ      $8, XA, XA \
ONE: \
	TESTQ        $1, CX     \
	JZ           DONE       \
	VMOVSS       XA, (R8)   \
DONE:

// func tileAVX2(p *panel)
TEXT ·tileAVX2(SB), NOSPLIT, $24-8
	MOVQ p+0(FP), DI
	MOVQ panel_a(DI), AX
	MOVQ AX, a-8(SP)
	MOVQ panel_c(DI), AX
	MOVQ AX, c-16(SP)
	MOVQ panel_tiles(DI), AX
	MOVQ AX, tiles-24(SP)

	MOVQ (panel_rowA+8)(DI), R11
	MOVQ (panel_rowA+16)(DI), R12
	MOVQ (panel_rowA+24)(DI), R13
	MOVQ panel_innerA(DI), R9
	MOVQ panel_innerB(DI), R10
	SHLQ $2, R11
	SHLQ $2, R12
	SHLQ $2, R13
	SHLQ $2, R9
	SHLQ $2, R10

tile:
	CMPQ panel_add(DI), $0
	JNE  load
	MOVQ panel_bias(DI), DX
	TESTQ DX, DX
	JNE  bias
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	VXORPS Y4, Y4, Y4
	VXORPS Y5, Y5, Y5
	VXORPS Y6, Y6, Y6
	VXORPS Y7, Y7, Y7
	JMP  begin

bias:
	VMOVUPS (DX), Y0
	VMOVUPS 32(DX), Y1
	VMOVAPS Y0, Y2
	VMOVAPS Y1, Y3
	VMOVAPS Y0, Y4
	VMOVAPS Y1, Y5
	VMOVAPS Y0, Y6
	VMOVAPS Y1, Y7
	JMP  begin

load:
	MOVQ c-16(SP), R8
	VMOVUPS (R8), Y0
	VMOVUPS 32(R8), Y1
	MOVQ (panel_rowC+8)(DI), CX
	VMOVUPS (R8)(CX*4), Y2
	VMOVUPS 32(R8)(CX*4), Y3
	MOVQ (panel_rowC+16)(DI), CX
	VMOVUPS (R8)(CX*4), Y4
	VMOVUPS 32(R8)(CX*4), Y5
	MOVQ (panel_rowC+24)(DI), CX
	VMOVUPS (R8)(CX*4), Y6
	VMOVUPS 32(R8)(CX*4), Y7

begin:
	MOVQ a-8(SP), AX
	MOVQ panel_b(DI), BX
	MOVQ panel_outer(DI), R8

outer:
	MOVQ AX, SI
	MOVQ BX, DX
	MOVQ panel_inner(DI), CX
	SUBQ $4, CX
	JLT  rest

inner:
	STEP
	STEP
	STEP
	STEP
	SUBQ $4, CX
	JGE  inner

rest:
	ADDQ $4, CX
	JZ   next

single:
	STEP
	DECQ CX
	JNZ  single

next:
	MOVQ panel_outerA(DI), CX
	LEAQ (AX)(CX*4), AX
	MOVQ panel_outerB(DI), CX
	LEAQ (BX)(CX*4), BX
	DECQ R8
	JNZ  outer

	CMPQ panel_relu(DI), $0
	JE   store
	// max(0, x) keeps x where it is NaN: the second source, the first operand here.
	VXORPS Y8, Y8, Y8
	VMAXPS Y0, Y8, Y0
	VMAXPS Y1, Y8, Y1
	VMAXPS Y2, Y8, Y2
	VMAXPS Y3, Y8, Y3
	VMAXPS Y4, Y8, Y4
	VMAXPS Y5, Y8, Y5
	VMAXPS Y6, Y8, Y6
	VMAXPS Y7, Y8, Y7

store:
	MOVQ c-16(SP), AX
	MOVQ panel_cols(DI), CX
	MOVQ (panel_rowC+8)(DI), BX
	MOVQ (panel_rowC+16)(DI), DX
	MOVQ (panel_rowC+24)(DI), SI
	CMPQ CX, $16
	JNE  partial
	VMOVUPS Y0, (AX)
	VMOVUPS Y1, 32(AX)
	VMOVUPS Y2, (AX)(BX*4)
	VMOVUPS Y3, 32(AX)(BX*4)
	VMOVUPS Y4, (AX)(DX*4)
	VMOVUPS Y5, 32(AX)(DX*4)
	VMOVUPS Y6, (AX)(SI*4)
	VMOVUPS Y7, 32(AX)(SI*4)
	JMP  stored

partial:
	MOVQ AX, R8
	PARTIAL(Y0, X0, Y1, four0, two0, one0, done0)
	LEAQ (AX)(BX*4), R8
	PARTIAL(Y2, X2, Y3, four1, two1, one1, done1)
	LEAQ (AX)(DX*4), R8
	PARTIAL(Y4, X4, Y5, four2, two2, one2, done2)
	LEAQ (AX)(SI*4), R8
	PARTIAL(Y6, X6, Y7, four3, two3, one3, done3)

stored:
	MOVQ panel_nextA(DI), CX
	SHLQ $2, CX
	ADDQ CX, a-8(SP)
	MOVQ panel_nextC(DI), CX
	SHLQ $2, CX
	ADDQ CX, c-16(SP)
	DECQ tiles-24(SP)
	JNZ  tile
	VZEROUPPER
	RET

// func peakAVX2(n int)
//
// n rounds of eight multiply-adds of eight lanes and nothing else: the roof of the tile, for benchmarks.
TEXT ·peakAVX2(SB), NOSPLIT, $0-8
	MOVQ n+0(FP), CX
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	VXORPS Y4, Y4, Y4
	VXORPS Y5, Y5, Y5
	VXORPS Y6, Y6, Y6
	VXORPS Y7, Y7, Y7
	VXORPS Y8, Y8, Y8

loop:
	VFMADD231PS Y8, Y8, Y0
	VFMADD231PS Y8, Y8, Y1
	VFMADD231PS Y8, Y8, Y2
	VFMADD231PS Y8, Y8, Y3
	VFMADD231PS Y8, Y8, Y4
	VFMADD231PS Y8, Y8, Y5
	VFMADD231PS Y8, Y8, Y6
	VFMADD231PS Y8, Y8, Y7
	DECQ CX
	JNZ  loop
	VZEROUPPER
	RET
