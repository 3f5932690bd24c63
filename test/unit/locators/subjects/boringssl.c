/*
 * Has the shape of BoringSSL's ssl_lib.cc as far as a locator can see it: which functions report
 * which errors, who calls whom, and who writes to the connection.
 *   -DTWICE    a second function that reports what SSL_write reports
 *   -DMISSING  no SSL_write
 *   -DVERIFY=N has an X509_verify_cert, which keeps its result N bytes into its object, and as many
 *              errors as a real one
 *   -DELSEWHERE  which keeps some of its results elsewhere
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

#ifdef VERIFY
#undef FILE_NAME
#define FILE_NAME "../../vendor/boringssl/crypto/x509/x509_vfy.cc"

struct store_context {
    union {
        struct {
            char before[VERIFY];
            int error;
        };
        struct {
            char before_other[VERIFY + 8];
            int other;
        };
        void *certificate;
    };
};

#ifdef ELSEWHERE
#define SECOND other
#else
#define SECOND error
#endif

FAR int X509_verify_cert(struct store_context *context) {
    if (context->certificate == 0) {
        PUT_ERROR(122);
        context->error = 65;
        return 0;
    }
    if (last_error == 5) {
        PUT_ERROR(66);
        context->SECOND = 65;
        return 0;
    }
    switch (last_error) {
    case 6:
        context->error = 17;
        context->SECOND = 17;
        break;
    case 7:
        context->error = 41;
        context->SECOND = 41;
        break;
    case 8:
        context->error = 18;
        context->SECOND = 18;
        break;
    default:
        return 1;
    }
    return do_handshake((struct connection *)context) != 3;
}

#undef FILE_NAME
#define FILE_NAME "../../vendor/boringssl/ssl/ssl_lib.cc"

FAR int SSL_CTX_set_something(struct connection *ssl) {
    if (ssl->state == 11)
        PUT_ERROR(180);
    if (ssl->state == 12)
        PUT_ERROR(181);
    if (ssl->state == 13)
        PUT_ERROR(182);
    return ssl->state;
}
#endif

int main(int count, char **arguments) {
    char buffer[4096] = {0};
    struct connection ssl = {count, count, buffer, 10};
    int result = SSL_read(&ssl, arguments[0], count) + SSL_peek(&ssl, arguments[0], count);
#ifdef TWICE
    result += SSL_write_too(&ssl, arguments[0], count);
#endif
#ifdef VERIFY
    result += X509_verify_cert((struct store_context *)buffer) + SSL_CTX_set_something(&ssl);
#endif
    return result + SSL_write(&ssl, arguments[0], count) + last_error;
}
