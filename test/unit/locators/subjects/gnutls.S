/*
 * GnuTLS's functions with beginnings that would be single-stepped; -DFORM= is that of gnutls_record_recv:
 *   JUMPS     it jumps on with its arguments, or fails
 *   CALLS     one way more: a call that is given them too, and a return
 *   SUCCEEDS  the same, with a way that returns more than 0 by itself
 *   LOSES     it jumps on without its buffer
 *   TWICE     the call comes before the jump
 */
#define JUMPS 1
#define CALLS 2
#define SUCCEEDS 3
#define LOSES 4
#define TWICE 5
#include "function.inc"
    .text

    .type receive, @function
receive:
    push %rbx
    pop %rbx
    ret
    .size receive, . - receive

    function gnutls_record_recv
    sub $8, %rsp
    cmpb $0, 8(%rdi)
    mov %rdx, %rcx
    je 3f
#if FORM != JUMPS && FORM != LOSES
    cmpb $0, 16(%rdi)
    je 1f
    mov %rsi, %rdx
    call receive
#if FORM != TWICE
    cltq
    jmp 2f
#endif
1:
#endif
#if FORM == LOSES
    xor %esi, %esi
#else
    mov %rsi, %rdx
#endif
    add $8, %rsp
    jmp receive
3:
#if FORM == SUCCEEDS
    mov $5, %eax
#else
    mov $-5, %rax
#endif
2:  add $8, %rsp
    ret
    end_function gnutls_record_recv

    function gnutls_record_send
    xor %r8d, %r8d
    xor %ecx, %ecx
    jmp gnutls_record_send2@PLT
    end_function gnutls_record_send

    function gnutls_record_send2
    push %rbx
    pop %rbx
    ret
    end_function gnutls_record_send2

    .section .note.GNU-stack, "", @progbits
