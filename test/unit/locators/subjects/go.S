/*
 * Has the tables of a Go program with crypto/tls, at fixed addresses.
 *   -DFORMAT=120   entries relative to the code (Go 1.18 and later)
 *   -DFORMAT=116   addresses, descriptions relative to the rows (1.16 and 1.17)
 *   -DFORMAT=12    addresses, everything relative to the table (before 1.16)
 *   -DRESULT=N     a Write whose result is known before its return, or almost
 *   -DTWICE        two functions with the name of Read
 */
#define SUM 1
#define SHARED 2
#define LOOP 3
#define CONSTANT 4
#define OUTSIDE 5
    .text
    .globl _start
    .p2align 6
_start:
runtime_text:
    ret
    .p2align 5
    .globl go_read
    .type go_read, @function
go_read:
1:  cmp 16(%r14), %rsp
    jbe 3f
    push %rbp
    mov %rsp, %rbp
    test %rcx, %rcx
    jne 2f
    pop %rbp
    ret
2:  pop %rbp
    ret
3:  call runtime_text
    jmp 1b
go_read_end:
    .size go_read, . - go_read
    .p2align 5
    .globl go_write
    .type go_write, @function
go_write:
    lea -128(%rsp), %r12
    cmp 16(%r14), %r12
    jbe 1f
#ifndef RESULT
    push %rbp
    pop %rbp
    ret
#else
    sub $40, %rsp
    mov %rcx, 16(%rsp)
#if RESULT == SHARED
    lea 8(%rsp), %rdi
#endif
    call runtime_text
    mov %rax, 8(%rsp)
4:  test %rbx, %rbx
    jne 5f
#if RESULT == LOOP
    dec %rcx
    jmp 4b
#elif RESULT == CONSTANT
    movq $0, 8(%rsp)
    movq $0, 16(%rsp)
#elif RESULT == OUTSIDE
    jmp runtime_text
#endif
5:  mov 8(%rsp), %rax
    mov 16(%rsp), %rcx
    add %rcx, %rax
    add $40, %rsp
    ret
#endif
1:  call runtime_text
    jmp go_write
    .size go_write, . - go_write
    .p2align 5
end_of_text:

    .section .gopclntab, "a", @progbits
    .p2align 5
table:
#if FORMAT == 120
    .long 0xfffffff1
#elif FORMAT == 116
    .long 0xfffffffa
#else
    .long 0xfffffffb
#endif
    .byte 0, 0, 1, 8
    .quad 3
#if FORMAT == 120
    .quad 0
    .quad 0
    .quad names - table
    .quad 0, 0, 0
    .quad rows - table
#define DESCRIPTIONS rows
#define ENTRY(at) .long at - runtime_text
#define ROW(at, description) .long at - runtime_text, description - rows
#elif FORMAT == 116
    .quad 0
    .quad names - table
    .quad 0, 0, 0
    .quad rows - table
#define ENTRY(at) .quad at
#define ROW(at, description) .quad at, description - rows
#else
#define ENTRY(at) .quad at
#define ROW(at, description) .quad at, description - table
#endif
#if FORMAT == 12
#define NAME(of) .long of - table
#else
#define NAME(of) .long of - names
#endif
rows:
    ROW(runtime_text, runtime_text_description)
    ROW(go_read, go_read_description)
    ROW(go_write, go_write_description)
    ENTRY(end_of_text)
    .quad 0
runtime_text_description:
    ENTRY(runtime_text)
#ifdef TWICE
    NAME(read_name)
#else
    NAME(runtime_name)
#endif
go_read_description:
    ENTRY(go_read)
    NAME(read_name)
go_write_description:
    ENTRY(go_write)
    NAME(write_name)
    .quad 0
names:
    .byte 0
runtime_name:
    .asciz "runtime.text"
read_name:
    .asciz "crypto/tls.(*Conn).Read"
write_name:
    .asciz "crypto/tls.(*Conn).Write"
    .p2align 4

    .section .go.buildinfo, "aw", @progbits
    .p2align 4
build_info:
    .byte 0xff
    .ascii " Go buildinf:"
#if FORMAT == 120
    .byte 8, 2
    .fill 16
    .byte 8
    .ascii "go1.26.8"
    .byte 0
#else
    .byte 8, 0
    .quad version, version
#endif

    .data
    .p2align 4
version:
    .quad version_text, 6
version_text:
#if FORMAT == 116
    .ascii "go1.17"
#else
    .ascii "go1.14"
#endif
    .p2align 4
module:
    .quad table, names
    .fill 14, 8, 0
    .quad rows, 4, 4, 0, runtime_text, end_of_text

    .section .note.GNU-stack, "", @progbits
