/*
 * Has the shape of BoringSSL's ssl_lib.cc as far as a locator can see it: which functions report
 * which errors, who calls whom, and who writes to the connection.
 *   -DTWICE    a second function that reports what SSL_write reports
 *   -DMISSING  no SSL_write
 */
#include <string.h>

#ifdef __clang__
#define FAR __attribute__((noinline))
#else
#define FAR __attribute__((noinline, noclone))
#endif
#define FILE_NAME "../../vendor/boringssl/ssl/ssl_lib.cc"
#define PUT_ERROR(reason) ERR_put_error(16, 0, reason, FILE_NAME, __LINE__)

struct connection {
    int state;
    int shutdown;
    const char *pending;
    unsigned long pending_bytes;
};

volatile int last_error;

FAR void ERR_put_error(int library, int unused, int reason, const char *file, unsigned line) {
    last_error = library + unused + reason + file[0] + (int)line;
}

FAR int do_handshake(struct connection *ssl) {
    if (ssl->state == 7) {
        PUT_ERROR(144);
        return -1;
    }
    return ssl->state++;
}

FAR int ssl_read_impl(struct connection *ssl) {
    if (ssl->state < 0) {
        PUT_ERROR(226);
        return -1;
    }
    if (ssl->shutdown == 2) {
        PUT_ERROR(215);
        return -1;
    }
    while (ssl->pending_bytes == 0) {
        if (do_handshake(ssl) < 0)
            return -1;
    }
    return 1;
}

FAR int SSL_peek(struct connection *ssl, void *buffer, int count) {
    if (ssl->state == 99) {
        PUT_ERROR(66);
        return -1;
    }
    int result = ssl_read_impl(ssl);
    if (result <= 0)
        return result;
    unsigned long bytes =
        ssl->pending_bytes < (unsigned)count ? ssl->pending_bytes : (unsigned)count;
    memcpy(buffer, ssl->pending, bytes);
    return (int)bytes;
}

FAR int SSL_read(struct connection *ssl, void *buffer, int count) {
    if (ssl->state == 99) {
        PUT_ERROR(66);
        return -1;
    }
    int result = ssl_read_impl(ssl);
    if (result <= 0)
        return result;
    unsigned long bytes =
        ssl->pending_bytes < (unsigned)count ? ssl->pending_bytes : (unsigned)count;
    memcpy(buffer, ssl->pending, bytes);
    ssl->pending += bytes;
    ssl->pending_bytes -= bytes;
    return (int)bytes;
}

#define WRITE_FUNCTION(name, tag)                                                                  \
    FAR int name(struct connection *ssl, const void *buffer, int count) {                          \
        if (ssl->state == 99) {                                                                    \
            PUT_ERROR(66);                                                                         \
            return -1;                                                                             \
        }                                                                                          \
        if (ssl->state < 0) {                                                                      \
            PUT_ERROR(226);                                                                        \
            return -1;                                                                             \
        }                                                                                          \
        if (ssl->shutdown == 1) {                                                                  \
            PUT_ERROR(215);                                                                        \
            return -1;                                                                             \
        }                                                                                          \
        if (count < 0) {                                                                           \
            PUT_ERROR(111);                                                                        \
            return -1;                                                                             \
        }                                                                                          \
        if (do_handshake(ssl) < tag)                                                               \
            return -1;                                                                             \
        memcpy((char *)ssl->pending, buffer, (unsigned)count);                                     \
        return count;                                                                              \
    }

#ifndef MISSING
WRITE_FUNCTION(SSL_write, 0)
#else
#define SSL_write SSL_peek
#endif
#ifdef TWICE
WRITE_FUNCTION(SSL_write_too, 1)
#endif

int main(int count, char **arguments) {
    char buffer[4096] = {0};
    struct connection ssl = {count, count, buffer, 10};
    int result = SSL_read(&ssl, arguments[0], count) + SSL_peek(&ssl, arguments[0], count);
#ifdef TWICE
    result += SSL_write_too(&ssl, arguments[0], count);
#endif
    return result + SSL_write(&ssl, arguments[0], count) + last_error;
}
