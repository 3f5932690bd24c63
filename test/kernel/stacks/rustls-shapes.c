/*
 * A program with functions that are called as rustls calls its own, on connections laid out as
 * rustls lays them out: for what a real program cannot be made to do. Waits for nothing.
 *
 *   pieces     a record of several pieces, of which the first and the last are cut
 *   layout     messages that are not laid out as expected
 *   missed     records whose numbers leave some out, in both directions
 *   failure    a decryption that fails, after one that did not
 *   reused     a connection where another one was
 *   alone      what is received and sent without a connection that can be found
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct methods {
    void *drop;
    size_t size;
    size_t alignment;
    void *first;
};

struct cipher {
    char key[64];
};

struct connection {
    char before[200];
    struct cipher *encrypter;
    const struct methods *encrypter_methods;
    struct cipher *decrypter;
    const struct methods *decrypter_methods;
    char behind[400];
};

struct piece {
    const void *address;
    size_t bytes;
};

struct outbound {
    uint64_t words[4];
    uint8_t type;
    uint8_t rest[7];
};

struct inbound {
    uint8_t tag;
    uint8_t unused[7];
    void *address;
    size_t bytes;
    uint8_t type;
    uint8_t rest[7];
};

enum { ALERT = 1, HANDSHAKE = 2, DATA = 3 };
enum { OK = 0x16, FAILED = 6 };

__attribute__((noipa)) void rustls_send(struct connection *connection) {
    __asm__ volatile("" ::"r"(connection) : "memory");
}

__attribute__((noipa)) void *rustls_encrypt(void *result, struct cipher *self,
                                            struct outbound *message, uint64_t sequence) {
    __asm__ volatile("" ::"r"(self), "r"(message), "r"(sequence) : "memory");
    return result;
}

/* `tag` and `type` say what comes out of it: they are not rustls's. */
__attribute__((noipa)) void *rustls_decrypt(struct inbound *result, struct cipher *self,
                                            struct piece *message, uint64_t sequence, int tag,
                                            int type) {
    __asm__ volatile("" ::"r"(self), "r"(sequence) : "memory");
    result->tag = (uint8_t)tag;
    if (tag == OK) {
        result->address = (void *)message->address;
        result->bytes = message->bytes - 17;
        result->type = (uint8_t)type;
    }
    return result;
}

static const struct methods methods = {NULL, sizeof(struct cipher), 8, (void *)rustls_encrypt};
static struct cipher ciphers[4];
static struct connection connections[2];
static struct inbound result;

static void open_connection(struct connection *connection, int first) {
    connection->encrypter = &ciphers[first];
    connection->encrypter_methods = &methods;
    connection->decrypter = &ciphers[first + 1];
    connection->decrypter_methods = &methods;
}

static void say(struct connection *connection, uint64_t sequence, const char *text) {
    struct outbound message = {{0, (uint64_t)(uintptr_t)text, strlen(text), 0}, DATA, {0}};
    rustls_send(connection);
    rustls_encrypt(&result, connection->encrypter, &message, sequence);
}

static void hear(struct connection *connection, uint64_t sequence, const char *text, int tag,
                 int type) {
    char record[100] = {0};
    size_t bytes = type == ALERT ? 2 : strlen(text);
    struct piece message = {record, bytes + 17};
    strcpy(record, text);
    rustls_decrypt(&result, connection->decrypter, &message, sequence, tag, type);
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    struct connection *one = &connections[0];
    open_connection(one, 0);
    if (!strcmp(what, "pieces")) {
        struct piece pieces[] = {{"zero", 4}, {"first", 5}, {"", 0}, {"second", 6}, {"third", 5}};
        struct outbound message = {{(uint64_t)(uintptr_t)pieces, 5, 6, 18}, DATA, {0}};
        rustls_send(one);
        rustls_encrypt(&result, one->encrypter, &message, 0);
        hear(one, 0, "answer", OK, DATA);
    } else if (!strcmp(what, "layout")) {
        struct outbound message = {{0, (uint64_t)(uintptr_t)what, 5, 0}, 23, {0}};
        rustls_encrypt(&result, one->encrypter, &message, 0);
        message.type = DATA;
        message.words[2] = 16385;
        rustls_encrypt(&result, one->encrypter, &message, 0);
        message.words[0] = (uint64_t)(uintptr_t)what;
        message.words[1] = 1 << 20;
        rustls_encrypt(&result, one->encrypter, &message, 0);
        hear(one, 0, "answer", OK, 23);
    } else if (!strcmp(what, "missed")) {
        say(one, 0, "one");
        hear(one, 0, "two", OK, DATA);
        say(one, 5, "three");
        hear(one, 7, "four", OK, DATA);
    } else if (!strcmp(what, "failure")) {
        say(one, 0, "one");
        hear(one, 0, "ticket", OK, HANDSHAKE);
        hear(one, 1, "two", OK, DATA);
        hear(one, 2, "two", FAILED, DATA);
        hear(one, 2, "\1\0", OK, ALERT);
    } else if (!strcmp(what, "reused")) {
        say(one, 0, "one");
        hear(one, 0, "two", OK, DATA);
        say(one, 0, "three");
        hear(one, 0, "four", OK, DATA);
        open_connection(one, 2);
        say(one, 0, "five");
        hear(one, 0, "six", OK, DATA);
    } else if (!strcmp(what, "alone")) {
        hear(one, 9, "one", OK, DATA);
        rustls_send(&connections[1]);
        struct outbound message = {{0, (uint64_t)(uintptr_t) "two", 3, 0}, DATA, {0}};
        rustls_encrypt(&result, one->encrypter, &message, 4);
    } else {
        fprintf(stderr, "unknown command %s\n", what);
        return 2;
    }
    return 0;
}
