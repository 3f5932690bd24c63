/* Functions with the beginnings that placement has to judge; the test names them as OpenSSL's. */
#include "function.inc"
    .text

/* A push first: right there. */
    function SSL_read
    push %rbx
    mov %rdi, %rbx
    pop %rbx
    ret
    end_function SSL_read

/* endbr64, then a push: behind it. */
    function SSL_write
    endbr64
    push %rbx
    pop %rbx
    ret
    end_function SSL_write

/* The stack pointer moves before anything emulated: a return probe must stay at the entry. */
    function SSL_read_early_data
    sub $8, %rsp
    test %rdi, %rdi
    je 1f
1:  add $8, %rsp
    ret
    end_function SSL_read_early_data

/* The same where only the entry is probed, so that the conditional jump is the place. */
    function SSL_free
    sub $8, %rsp
    test %rdi, %rdi
    je 1f
1:  add $8, %rsp
    ret
    end_function SSL_free

/* An argument is overwritten first. */
    function SSL_ctrl
    movslq %esi, %rsi
    push %rbx
    pop %rbx
    ret
    end_function SSL_ctrl

/* The push is in a loop: it would be counted more than once. */
    function SSL_write_early_data
    mov %rdi, %rax
1:  push %rbx
    pop %rbx
    dec %rax
    jne 1b
    ret
    end_function SSL_write_early_data

/* A compare and a conditional jump, with nothing touched. */
    function SSL_do_handshake
    test %rdi, %rdi
    je 1f
    push %rbx
    pop %rbx
1:  ret
    end_function SSL_do_handshake

/* A jump through memory is not emulated. */
    function SSL_read_ex
    mov (%rdi), %rax
    jmp *8(%rax)
    end_function SSL_read_ex

/* push of r12 has a prefix, which the kernel knows; push of a constant it does not. */
    function SSL_write_ex2
    push %r12
    pop %r12
    ret
    end_function SSL_write_ex2

    function SSL_sendfile
    push $1
    pop %rax
    ret
    end_function SSL_sendfile

    .section .note.GNU-stack, "", @progbits
