/*
 * Has the shape of OpenSSL's ssl_lib.c as far as a locator can see it.
 *   -DMAJOR=3       errors carry the function's name
 *   -DMAJOR=1       errors carry the function's number
 *   -DWITH_FLAGS    ssl_write_internal takes flags, as since 3.3
 *   -DEXPORTED      SSL_read and SSL_write begin with what a probe would single-step
 *   -DSOURCE_FILE   the path that errors name
 */
#include <stddef.h>
#include <string.h>

#ifdef __clang__
#define FAR __attribute__((noinline))
#else
#define FAR __attribute__((noinline, noclone))
#endif
#ifndef SOURCE_FILE
#define SOURCE_FILE "../openssl/ssl/ssl_lib.c"
#endif

struct connection {
    int state;
    char *pending;
    size_t pending_bytes;
    int (*handshake)(struct connection *);
};

volatile int last_error;

#if MAJOR == 3
FAR void ERR_set_debug(const char *file, int line, const char *function) {
    last_error = file[0] + line + function[0];
}
#define PUT_ERROR(number, reason) ERR_set_debug(SOURCE_FILE, __LINE__, __func__)
#else
FAR void ERR_put_error(int library, int function, int reason, const char *file, int line) {
    last_error = library + function + reason + file[0] + line;
}
#define PUT_ERROR(number, reason) ERR_put_error(20, number, reason, SOURCE_FILE, __LINE__)
#endif

FAR int ssl_read_internal(struct connection *s, void *buffer, size_t bytes, size_t *done) {
    if (s->handshake == NULL) {
        PUT_ERROR(523, 276);
        return -1;
    }
    if (s->handshake(s) < 0)
        return -1;
    memcpy(buffer, s->pending, bytes);
    *done = bytes;
    return 1;
}

#ifdef WITH_FLAGS
#define FLAGS_PARAMETER , unsigned long flags
#define FLAGS(value) , value
#else
#define FLAGS_PARAMETER
#define FLAGS(value)
#endif

FAR int ssl_write_internal(struct connection *s, const void *buffer, size_t bytes FLAGS_PARAMETER,
                           size_t *done) {
    if (s->handshake == NULL) {
        PUT_ERROR(524, 276);
        return -1;
    }
    if (s->state == 3) {
        PUT_ERROR(524, 207);
        return -1;
    }
    if (s->handshake(s) < 0)
        return -1;
#ifdef WITH_FLAGS
    s->state = (int)flags;
#endif
    memcpy(s->pending, buffer, bytes);
    *done = bytes;
    return 1;
}

FAR int SSL_read(struct connection *s, void *buffer, int bytes) {
    size_t done;
    if (bytes < 0) {
        PUT_ERROR(223, 271);
        return -1;
    }
    int result = ssl_read_internal(s, buffer, (size_t)bytes, &done);
    return result > 0 ? (int)done : result;
}

FAR int SSL_read_ex(struct connection *s, void *buffer, size_t bytes, size_t *done) {
    int result = ssl_read_internal(s, buffer, bytes, done);
    return result < 0 ? 0 : result;
}

FAR int SSL_write(struct connection *s, const void *buffer, int bytes) {
    size_t done;
    if (bytes < 0) {
        PUT_ERROR(208, 271);
        return -1;
    }
    int result = ssl_write_internal(s, buffer, (size_t)bytes FLAGS(0), &done);
    return result > 0 ? (int)done : result;
}

FAR int SSL_write_ex(struct connection *s, const void *buffer, size_t bytes, size_t *done) {
    int result = ssl_write_internal(s, buffer, bytes FLAGS(0), done);
    return result < 0 ? 0 : result;
}

static int handshake(struct connection *s) {
    return s->state++;
}

int main(int count, char **arguments) {
    char buffer[4096];
    size_t done = 0;
    struct connection s = {count, buffer, sizeof(buffer), count > 1 ? handshake : NULL};
    int result = SSL_read(&s, arguments[0], count) + SSL_write(&s, arguments[0], count);
    result += SSL_read_ex(&s, arguments[0], 1, &done) + SSL_write_ex(&s, arguments[0], 1, &done);
    return result + last_error;
}
