#include "textflag.h"

// func stackRead(connection *int, buffer []byte) (int, error)
TEXT ·stackRead(SB), NOSPLIT, $0-56
	MOVD buffer_len+16(FP), R0
	MOVD R0, ret+32(FP)
	MOVD ZR, ret1_itable+40(FP)
	MOVD ZR, ret1_data+48(FP)
	RET

// func stackWrite(connection *int, buffer []byte) (int, error)
TEXT ·stackWrite(SB), NOSPLIT, $0-56
	MOVD buffer_len+16(FP), R0
	MOVD R0, ret+32(FP)
	MOVD ZR, ret1_itable+40(FP)
	MOVD ZR, ret1_data+48(FP)
	RET

// func stackClose(connection *int) error
TEXT ·stackClose(SB), NOSPLIT, $0-24
	MOVD ZR, ret_itable+8(FP)
	MOVD ZR, ret_data+16(FP)
	RET
