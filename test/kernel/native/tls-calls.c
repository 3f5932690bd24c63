/*
 * A program with functions shaped like OpenSSL's, whose calls and bytes its arguments name: what a
 * probe must report is known to the byte. Waits for a line on standard input first, so that the
 * test can decide who is watched.
 *
 * - sendfile:OBJECT:BYTES
 * - write:OBJECT:BYTES, read:OBJECT:BYTES, write_ex:..., read_ex:..., free:OBJECT
 * - nested:OUTER:INNER:BYTES: SSL_write on OUTER, which within it calls SSL_write on INNER with 5
 *   bytes more
 * - wrapped:OBJECT:BYTES: SSL_write_ex that is made of SSL_write on the same object
 * - answer:OBJECT:READ:WRITTEN: SSL_read that within it calls SSL_write on the same object, as a
 *   program does that is told of the end of the handshake there
 * - ask:OBJECT:WRITTEN:READ: SSL_write that within it calls SSL_read on the same object
 * - retry:OBJECT:BYTES: SSL_write that returns -1, then again
 * - partial:OBJECT:BYTES: SSL_write of BYTES that takes half
 * - fault:OBJECT:BYTES: SSL_write that makes its buffer unreadable before it returns
 * - liar:OBJECT: SSL_write_ex that claims more than its buffer has
 * - lost:OBJECT:BYTES: SSL_write_ex that makes its count unreadable before it returns
 * - left:OBJECT: gnutls_record_uncork that is left without a return
 * - last:OBJECT:BYTES:HOW, last_read:OBJECT:BYTES:HOW: SSL_write or SSL_read within which the
 * process exits (HOW 0), is killed (1), is made to exit by another thread (2) or starts this
 * program again (3), with the rest of the arguments
 * - quit:OBJECT:BYTES: SSL_read that is left without a return
 * - quit_deep:OBJECT:BYTES: the same, deeper on the stack than any other call
 * - deep:OBJECT:BYTES: SSL_read as deep
 * - crowd:OBJECT:BYTES, crowd_ex:OBJECT:BYTES: SSL_read or SSL_read_ex that within it begins more
 *   calls, on the last object, than are kept track of, and leaves them without a return
 * - content:OBJECT:DIRECTION:HEX: SSL_read or SSL_write of these bytes
 * - each:BYTES: SSL_write on every object
 * - repeat:COUNT:OBJECT:BYTES: COUNT times write
 * - sleep:MILLISECONDS
 * - sync: waits for another line
 * - exec: starts this program again, with the rest of the arguments
 *
 * Byte i of a stream is (OBJECT * 31 + i + i / 256 * 7 + direction * 13) modulo 256, direction 0
 * for reading.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define OBJECTS 300

struct ssl {
    int number;
    size_t position[2];
    /* What a call does the other way, within it. */
    size_t within;
    struct ssl *inner;
    /* What the next SSL_read has read. */
    const unsigned char *content;
    int mode;
};

enum { PLAIN, RETRY, PARTIAL, FAULT, LIAR, LOST, WRAPPED, QUIT, CROWD, LAST };

/* More than bpf/maps/calls.h keeps. */
#define CROWD_CALLS 24000

static jmp_buf way_out;
static char **rest_of_arguments;
static unsigned long how_to_end;
static void end_program(void);
static void begin_many_calls(void);

static struct ssl objects[OBJECTS];
static unsigned char *space;
static size_t space_bytes;

static void fill(struct ssl *ssl, int direction, unsigned char *to, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        size_t at = ssl->position[direction] + i;
        to[i] = (unsigned char)(ssl->number * 31 + at + at / 256 * 7 + direction * 13);
    }
}

int SSL_read(struct ssl *ssl, void *buffer, int bytes);

__attribute__((noipa)) int SSL_write(struct ssl *ssl, const void *buffer, int bytes) {
    __asm__ volatile("" ::: "memory");
    if (ssl->mode == RETRY) {
        ssl->mode = PLAIN;
        return -1;
    }
    if (ssl->within) {
        size_t more = ssl->within;
        ssl->within = 0;
        SSL_read(ssl, space + space_bytes / 2, (int)more);
    }
    if (ssl->inner) {
        unsigned char *more = malloc((size_t)bytes + 5);
        fill(ssl->inner, 1, more, (size_t)bytes + 5);
        SSL_write(ssl->inner, more, bytes + 5);
        free(more);
    }
    if (ssl->mode == LAST)
        end_program();
    if (ssl->mode == PARTIAL)
        bytes /= 2;
    if (ssl->mode == FAULT)
        mprotect(space, space_bytes, PROT_NONE);
    ssl->position[1] += (size_t)bytes;
    return bytes;
}

__attribute__((noipa)) int SSL_read(struct ssl *ssl, void *buffer, int bytes) {
    __asm__ volatile("" ::: "memory");
    if (ssl->mode == QUIT)
        longjmp(way_out, 1);
    if (ssl->mode == LAST)
        end_program();
    if (ssl->mode == CROWD)
        begin_many_calls();
    if (ssl->within) {
        size_t more = ssl->within;
        ssl->within = 0;
        fill(ssl, 1, space + space_bytes / 2, more);
        SSL_write(ssl, space + space_bytes / 2, (int)more);
    }
    if (ssl->content)
        memcpy(buffer, ssl->content, (size_t)bytes);
    else
        fill(ssl, 0, buffer, (size_t)bytes);
    ssl->content = NULL;
    ssl->position[0] += (size_t)bytes;
    return bytes;
}

__attribute__((noipa)) int SSL_write_ex(struct ssl *ssl, const void *buffer, size_t bytes,
                                        size_t *written) {
    __asm__ volatile("" ::: "memory");
    if (ssl->mode == WRAPPED) {
        *written = (size_t)SSL_write(ssl, buffer, (int)bytes);
        return 1;
    }
    *written = ssl->mode == LIAR ? bytes + 1 : bytes;
    ssl->position[1] += bytes;
    if (ssl->mode == LOST)
        mprotect(space, space_bytes, PROT_NONE);
    return 1;
}

__attribute__((noipa)) int SSL_read_ex(struct ssl *ssl, void *buffer, size_t bytes, size_t *count) {
    __asm__ volatile("" ::: "memory");
    if (ssl->mode == CROWD)
        begin_many_calls();
    fill(ssl, 0, buffer, bytes);
    ssl->position[0] += bytes;
    *count = bytes;
    return 1;
}

static void *end_from_thread(void *argument) {
    (void)argument;
    _exit(0);
}

static void start_again(char **arguments) {
    arguments[0] = (char *)"tls-calls";
    execv("/proc/self/exe", arguments);
    exit(1);
}

static void end_program(void) {
    pthread_t thread;
    if (how_to_end == 0)
        _exit(0);
    if (how_to_end == 1)
        kill(getpid(), SIGKILL);
    if (how_to_end == 2 && pthread_create(&thread, NULL, end_from_thread, NULL) == 0)
        pause();
    start_again(rest_of_arguments);
}

/* Each deeper on the stack than the one before, so that none is in another's place. */
static void begin_many_calls(void) {
    struct ssl *last = &objects[OBJECTS - 1];
    last->mode = QUIT;
    for (int i = 1; i <= CROWD_CALLS; i++) {
        volatile unsigned char *room = __builtin_alloca(16);
        room[0] = 0;
        if (setjmp(way_out) == 0)
            SSL_read(last, space, 1);
    }
    last->mode = PLAIN;
}

/* Is left without a return, as by an exception of what sends. */
__attribute__((noipa)) int gnutls_record_uncork(struct ssl *ssl, unsigned wait) {
    __asm__ volatile("" : : "r"(ssl), "r"(wait) : "memory");
    longjmp(way_out, 1);
}

/* As the kernel's own TLS does, without any buffer. */
__attribute__((noipa)) ssize_t SSL_sendfile(struct ssl *ssl, int file, off_t offset, size_t bytes,
                                            int flags) {
    __asm__ volatile("" : : "r"(file), "r"(offset), "r"(flags) : "memory");
    ssl->position[1] += bytes;
    return (ssize_t)bytes;
}

__attribute__((noipa)) void SSL_free(struct ssl *ssl) {
    __asm__ volatile("" ::: "memory");
    memset(ssl->position, 0, sizeof(ssl->position));
    ssl->inner = NULL;
    ssl->mode = PLAIN;
}

/* Whatever was in its frame's place is overwritten. */
__attribute__((noipa)) static void read_deep(struct ssl *ssl, size_t bytes) {
    char room[1024];
    memset(room, 1, sizeof(room));
    __asm__ volatile("" : : "r"(room) : "memory");
    SSL_read(ssl, space, (int)bytes);
    __asm__ volatile("" : : "r"(room) : "memory");
}

static void wait_for_line(void) {
    char byte;
    while (read(0, &byte, 1) == 1 && byte != '\n') {
    }
}

static void write_bytes(struct ssl *ssl, size_t bytes, int is_ex) {
    size_t done = 0;
    fill(ssl, 1, space, bytes);
    if (is_ex)
        SSL_write_ex(ssl, space, bytes, &done);
    else
        SSL_write(ssl, space, (int)bytes);
}

static void pass_content(struct ssl *ssl, int direction, const char *hex) {
    unsigned char content[256];
    size_t bytes = 0;
    while (bytes < sizeof(content) && sscanf(hex + bytes * 2, "%2hhx", &content[bytes]) == 1)
        bytes++;
    if (direction) {
        SSL_write(ssl, content, (int)bytes);
        return;
    }
    ssl->content = content;
    SSL_read(ssl, space, (int)bytes);
}

static void run(const char *command) {
    char name[32];
    unsigned long number[3] = {0, 0, 0};
    size_t done = 0;
    sscanf(command, "%31[^:]:%lu:%lu:%lu", name, &number[0], &number[1], &number[2]);
    struct ssl *ssl = &objects[number[0] % OBJECTS];
    if (!strcmp(name, "write"))
        write_bytes(ssl, number[1], 0);
    else if (!strcmp(name, "write_ex"))
        write_bytes(ssl, number[1], 1);
    else if (!strcmp(name, "read"))
        SSL_read(ssl, space, (int)number[1]);
    else if (!strcmp(name, "deep"))
        read_deep(ssl, number[1]);
    else if (!strcmp(name, "read_ex"))
        SSL_read_ex(ssl, space, number[1], &done);
    else if (!strcmp(name, "sendfile"))
        SSL_sendfile(ssl, 0, 0, number[1], 0);
    else if (!strcmp(name, "free"))
        SSL_free(ssl);
    else if (!strcmp(name, "nested")) {
        ssl->inner = &objects[number[1] % OBJECTS];
        write_bytes(ssl, number[2], 0);
        ssl->inner = NULL;
    } else if (!strcmp(name, "wrapped")) {
        ssl->mode = WRAPPED;
        write_bytes(ssl, number[1], 1);
        ssl->mode = PLAIN;
    } else if (!strcmp(name, "answer")) {
        ssl->within = number[2];
        SSL_read(ssl, space, (int)number[1]);
    } else if (!strcmp(name, "ask")) {
        ssl->within = number[2];
        write_bytes(ssl, number[1], 0);
    } else if (!strcmp(name, "retry")) {
        ssl->mode = RETRY;
        write_bytes(ssl, number[1], 0);
        write_bytes(ssl, number[1], 0);
    } else if (!strcmp(name, "partial")) {
        ssl->mode = PARTIAL;
        write_bytes(ssl, number[1], 0);
        ssl->mode = PLAIN;
    } else if (!strcmp(name, "fault")) {
        ssl->mode = FAULT;
        write_bytes(ssl, number[1], 0);
        ssl->mode = PLAIN;
        mprotect(space, space_bytes, PROT_READ | PROT_WRITE);
    } else if (!strcmp(name, "liar")) {
        ssl->mode = LIAR;
        SSL_write_ex(ssl, space, 100, &done);
        ssl->mode = PLAIN;
    } else if (!strcmp(name, "lost")) {
        ssl->mode = LOST;
        SSL_write_ex(ssl, space + sizeof(size_t), number[1], (size_t *)space);
        ssl->mode = PLAIN;
        mprotect(space, space_bytes, PROT_READ | PROT_WRITE);
    } else if (!strcmp(name, "last") || !strcmp(name, "last_read")) {
        ssl->mode = LAST;
        how_to_end = number[2];
        if (!strcmp(name, "last"))
            write_bytes(ssl, number[1], 0);
        else
            SSL_read(ssl, space, (int)number[1]);
    } else if (!strcmp(name, "left")) {
        if (setjmp(way_out) == 0)
            gnutls_record_uncork(ssl, 0);
    } else if (!strcmp(name, "quit") || !strcmp(name, "quit_deep")) {
        ssl->mode = QUIT;
        if (setjmp(way_out) == 0) {
            if (!strcmp(name, "quit"))
                SSL_read(ssl, space, (int)number[1]);
            else
                read_deep(ssl, number[1]);
        }
        ssl->mode = PLAIN;
    } else if (!strcmp(name, "crowd") || !strcmp(name, "crowd_ex")) {
        ssl->mode = CROWD;
        if (!strcmp(name, "crowd"))
            SSL_read(ssl, space, (int)number[1]);
        else
            SSL_read_ex(ssl, space, number[1], &done);
        ssl->mode = PLAIN;
    } else if (!strcmp(name, "content")) {
        pass_content(ssl, (int)number[1], strrchr(command, ':') + 1);
    } else if (!strcmp(name, "each")) {
        for (int i = 0; i < OBJECTS; i++)
            write_bytes(&objects[i], number[0], 0);
    } else if (!strcmp(name, "repeat")) {
        for (unsigned long i = 0; i < number[0]; i++)
            write_bytes(&objects[number[1] % OBJECTS], number[2], 0);
    } else if (!strcmp(name, "sleep"))
        usleep((useconds_t)number[0] * 1000);
    else if (!strcmp(name, "sync"))
        wait_for_line();
    else {
        fprintf(stderr, "unknown command %s\n", command);
        exit(2);
    }
}

int main(int argc, char **argv) {
    space_bytes = 16 << 20;
    space = mmap(NULL, space_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (space == MAP_FAILED)
        return 1;
    for (int i = 0; i < OBJECTS; i++)
        objects[i].number = i;
    wait_for_line();
    for (int i = 1; i < argc; i++) {
        rest_of_arguments = argv + i;
        if (!strcmp(argv[i], "exec"))
            start_again(rest_of_arguments);
        run(argv[i]);
    }
    return 0;
}
