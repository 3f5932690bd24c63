#include "textflag.h"

// func stackRead(connection *int, buffer []byte) (int, error)
TEXT ·stackRead(SB), NOSPLIT, $0-56
	MOVQ buffer_len+16(FP), AX
	MOVQ AX, ret+32(FP)
	MOVQ $0, ret1_itable+40(FP)
	MOVQ $0, ret1_data+48(FP)
	RET

// func stackWrite(connection *int, buffer []byte) (int, error)
TEXT ·stackWrite(SB), NOSPLIT, $0-56
	MOVQ buffer_len+16(FP), AX
	MOVQ AX, ret+32(FP)
	MOVQ $0, ret1_itable+40(FP)
	MOVQ $0, ret1_data+48(FP)
	RET

// func stackClose(connection *int) error
TEXT ·stackClose(SB), NOSPLIT, $0-24
	MOVQ $0, ret_itable+8(FP)
	MOVQ $0, ret_data+16(FP)
	RET
