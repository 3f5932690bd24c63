/*
 * Has the shape of rustls as a locator sees it: places of possible panics with the path of their
 * source file, and tables of methods.
 *   -DNO_FRAGMENTER  nothing uses a place of fragmenter.rs, as before 0.23.46
 *   -DUNEVEN         one encrypter less than decrypters
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#ifdef __clang__
#define FAR __attribute__((noinline))
#else
#define FAR __attribute__((noinline, noclone))
#endif
#define CRATE "/home/user/.cargo/registry/src/index/rustls-0.23.40/src/"

struct place {
    const char *file;
    size_t bytes;
    unsigned line;
    unsigned column;
};

#define PLACE(name, path)                                                                          \
    static const struct place name = {CRATE path, sizeof(CRATE path) - 1, __LINE__, 9}

PLACE(record_layer, "record_layer.rs");
PLACE(record_layer_too, "record_layer.rs");
PLACE(fragmenter, "msgs/fragmenter.rs");
PLACE(tls12, "crypto/ring/tls12.rs");
PLACE(tls13, "crypto/ring/tls13.rs");

volatile size_t sink;

FAR __attribute__((noreturn)) void panic_at(const struct place *place) {
    sink = place->line + (size_t)place->file[0];
    abort();
}

struct message {
    size_t words[4];
    unsigned char type;
};

typedef void method(void *result, void *self, struct message *message, unsigned long sequence);
typedef size_t sum(void *self, size_t bytes);

struct table {
    void (*drop)(void *);
    size_t bytes;
    size_t alignment;
    method *first;
    sum *second;
};

/* As it is laid out: with one method there is no fifth word. */
struct short_table {
    void (*drop)(void *);
    size_t bytes;
    size_t alignment;
    method *only;
};

FAR void drop_key(void *self) {
    sink += *(size_t *)self;
}

#define DECRYPTER(name, key)                                                                       \
    FAR void name(void *result, void *self, struct message *message, unsigned long sequence) {     \
        if (message->words[2] > 16384) {                                                           \
            *(unsigned char *)result = 1;                                                          \
            return;                                                                                \
        }                                                                                          \
        sink += sequence + *(size_t *)self + key;                                                  \
        memcpy(result, message, sizeof(*message));                                                 \
    }

#define ENCRYPTER(name, key)                                                                       \
    FAR void name(void *result, void *self, struct message *message, unsigned long sequence) {     \
        sink += sequence + *(size_t *)self + key;                                                  \
        memcpy(result, message, sizeof(*message));                                                 \
    }                                                                                              \
    FAR size_t name##_size(void *self, size_t bytes) {                                             \
        return bytes + 17 + key;                                                                   \
    }

DECRYPTER(decrypt_12, 1)
DECRYPTER(decrypt_13, 2)
ENCRYPTER(encrypt_12, 3)
ENCRYPTER(encrypt_13, 4)

const struct short_table decrypter_12 = {drop_key, 64, 8, decrypt_12};
const struct short_table decrypter_13 = {NULL, 96, 8, decrypt_13};
const struct table encrypter_12 = {drop_key, 64, 8, encrypt_12, encrypt_12_size};
#ifdef UNEVEN
const struct short_table encrypter_13 = {NULL, 96, 8, encrypt_13};
#else
const struct table encrypter_13 = {NULL, 96, 8, encrypt_13, encrypt_13_size};
#endif

struct cipher {
    void *self;
    const void *methods;
};

FAR struct cipher make_12(void *key, int direction) {
    if (key == NULL)
        panic_at(&tls12);
    if (direction == 0) {
        struct cipher made = {key, &decrypter_12};
        return made;
    }
    struct cipher made = {key, &encrypter_12};
    return made;
}

FAR struct cipher make_13(void *key, int direction) {
    if (key == NULL)
        panic_at(&tls13);
    if (direction == 0) {
        struct cipher made = {key, &decrypter_13};
        return made;
    }
    struct cipher made = {key, &encrypter_13};
    return made;
}

FAR void send_appdata_encrypt(void *state, struct message *message) {
    if (message->words[1] == 0) {
#ifdef NO_FRAGMENTER
        panic_at(&record_layer_too);
#else
        panic_at(&fragmenter);
#endif
    }
    if (*(int *)state == 3)
        panic_at(&record_layer);
    sink += message->words[0];
}

FAR void set_encrypter(void *state) {
    if (*(int *)state == 4)
        panic_at(&record_layer_too);
    sink++;
}

int main(int count, char **arguments) {
    struct message message = {{0, (size_t)count, 2, 3}, 4};
    send_appdata_encrypt(arguments[0], &message);
    set_encrypter(arguments[0]);
    struct cipher one = make_12(arguments[0], count), two = make_13(arguments[0], count);
    if (sizeof(fragmenter.line) != 4)
        panic_at(&fragmenter);
    method *const *methods = one.methods;
    methods[3](&message, two.self, &message, 1);
    return (int)sink;
}
