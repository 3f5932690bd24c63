/*
 * OpenSSL with all that carries plaintext, server and client in one process and on one thread, over
 * memory. Writes down what it sent and received (truth.h).
 *
 *     openssl-calls FOLDER CERTIFICATE KEY forms|early|mixed|reused|cleared|nested|callbacks
 */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>

#include "truth.h"

#define BYTES_MAX 70000

static SSL_CTX *server_context, *client_context;
static SSL_SESSION *ticket;
static unsigned char bytes[BYTES_MAX], received[BYTES_MAX];

struct side {
    SSL *ssl;
    char name[32];
};

struct pair {
    struct side server, client;
};

static void fail(const char *what) {
    fprintf(stderr, "%s\n", what);
    ERR_print_errors_fp(stderr);
    exit(1);
}

static int keep_ticket(SSL *ssl, SSL_SESSION *session) {
    (void)ssl;
    SSL_SESSION_free(ticket);
    ticket = session;
    return 1;
}

static void join(struct pair *pair) {
    BIO *up, *down;
    REQUIRE(BIO_new_bio_pair(&up, 1 << 20, &down, 1 << 20) == 1);
    SSL_set_bio(pair->server.ssl, up, up);
    SSL_set_bio(pair->client.ssl, down, down);
}

static void shake_hands(struct pair *pair) {
    for (int i = 0; i < 10; i++) {
        int client = SSL_do_handshake(pair->client.ssl);
        if (SSL_do_handshake(pair->server.ssl) == 1 && client == 1)
            return;
    }
    fail("no handshake");
}

static void open_pair(struct pair *pair, int number) {
    snprintf(pair->server.name, sizeof(pair->server.name), "server-%d", number);
    snprintf(pair->client.name, sizeof(pair->client.name), "client-%d", number);
    pair->server.ssl = SSL_new(server_context);
    pair->client.ssl = SSL_new(client_context);
    SSL_set_accept_state(pair->server.ssl);
    SSL_set_connect_state(pair->client.ssl);
    join(pair);
}

static void close_pair(struct pair *pair) {
    SSL_free(pair->client.ssl);
    SSL_free(pair->server.ssl);
}

/* One message, written and read by one of the ways that there are. */
static void send_one(struct side *from, struct side *to, size_t count, int way) {
    size_t done = 0;
    fill(bytes, count);
    if (way % 2)
        REQUIRE(SSL_write_ex(from->ssl, bytes, count, &done) == 1);
    else
        done = (size_t)SSL_write(from->ssl, bytes, (int)count);
    REQUIRE(done == count);
    truth_written(from->name, bytes, count);
    for (size_t all = 0; all < count; all += done) {
        size_t wanted = way % 3 ? sizeof(received) : 777;
        int peeked = SSL_peek(to->ssl, received, 300);
        REQUIRE(peeked > 0);
        REQUIRE(SSL_peek_ex(to->ssl, received, 40, &done) == 1);
        if (way / 2 % 2)
            REQUIRE(SSL_read_ex(to->ssl, received, wanted, &done) == 1);
        else
            done = (size_t)SSL_read(to->ssl, received, (int)wanted);
        REQUIRE(memcmp(received, bytes + all, done) == 0);
        truth_read(to->name, received, done);
    }
    /* Nothing more: these carry nothing. */
    REQUIRE(SSL_read(to->ssl, received, sizeof(received)) <= 0);
}

static void talk(struct pair *pair, int rounds) {
    for (int i = 0; i < rounds; i++) {
        send_one(&pair->client, &pair->server, (size_t)(1 + i * 2003), i);
        send_one(&pair->server, &pair->client, (size_t)(1 + i * 3001), i + 1);
    }
}

static void early(void) {
    struct pair first, second;
    size_t done = 0;
    open_pair(&first, 1);
    shake_hands(&first);
    talk(&first, 3);
    REQUIRE(ticket != NULL);
    open_pair(&second, 2);
    SSL_set_session(second.client.ssl, ticket);
    fill(bytes, 5000);
    REQUIRE(SSL_write_early_data(second.client.ssl, bytes, 5000, &done) == 1 && done == 5000);
    truth_written(second.client.name, bytes, 5000);
    int state;
    for (size_t all = 0; all < 5000; all += done) {
        state = SSL_read_early_data(second.server.ssl, received, 1234, &done);
        REQUIRE(state == SSL_READ_EARLY_DATA_SUCCESS);
        truth_read(second.server.name, received, done);
    }
    /* The server may answer before the handshake is over. */
    fill(bytes, 600);
    REQUIRE(SSL_write_early_data(second.server.ssl, bytes, 600, &done) == 1 && done == 600);
    truth_written(second.server.name, bytes, 600);
    REQUIRE(SSL_connect(second.client.ssl) == 1);
    REQUIRE(SSL_read_early_data(second.server.ssl, received, 10, &done) ==
            SSL_READ_EARLY_DATA_FINISH);
    REQUIRE(SSL_accept(second.server.ssl) == 1);
    REQUIRE(SSL_get_early_data_status(second.client.ssl) == SSL_EARLY_DATA_ACCEPTED);
    REQUIRE(SSL_read(second.client.ssl, received, sizeof(received)) == 600);
    truth_read(second.client.name, received, 600);
    talk(&second, 3);
    close_pair(&first);
    close_pair(&second);
}

/* Four pairs, eight objects, in turns that have no order. */
static void mixed(void) {
    struct pair pairs[4];
    for (int i = 0; i < 4; i++) {
        open_pair(&pairs[i], i);
        shake_hands(&pairs[i]);
    }
    for (int i = 0; i < 200; i++) {
        unsigned char choice[4];
        fill(choice, sizeof(choice));
        struct pair *pair = &pairs[choice[0] % 4];
        int is_up = choice[1] % 2;
        send_one(is_up ? &pair->client : &pair->server, is_up ? &pair->server : &pair->client,
                 (size_t)(1 + choice[2] * 64), choice[3]);
    }
    for (int i = 0; i < 4; i++)
        close_pair(&pairs[i]);
}

static void reused(void) {
    SSL *seen[40];
    int again = 0;
    for (int i = 0; i < 20; i++) {
        struct pair pair;
        open_pair(&pair, i);
        seen[2 * i] = pair.client.ssl;
        seen[2 * i + 1] = pair.server.ssl;
        for (int k = 0; k < 2 * i; k++)
            again += seen[k] == pair.client.ssl || seen[k] == pair.server.ssl;
        shake_hands(&pair);
        talk(&pair, 2);
        close_pair(&pair);
    }
    REQUIRE(again > 0);
}

static void cleared(void) {
    struct pair pair;
    open_pair(&pair, 0);
    for (int i = 0; i < 5; i++) {
        snprintf(pair.server.name, sizeof(pair.server.name), "server-%d", i);
        snprintf(pair.client.name, sizeof(pair.client.name), "client-%d", i);
        shake_hands(&pair);
        talk(&pair, 2);
        REQUIRE(SSL_clear(pair.client.ssl) == 1 && SSL_clear(pair.server.ssl) == 1);
        join(&pair);
    }
    close_pair(&pair);
}

/* A connection within another: each call on the inner one has calls on the outer one within it. */
static void nested(void) {
    struct pair outer, inner;
    open_pair(&outer, 1);
    shake_hands(&outer);
    talk(&outer, 2);
    snprintf(inner.server.name, sizeof(inner.server.name), "inner-server");
    snprintf(inner.client.name, sizeof(inner.client.name), "inner-client");
    inner.server.ssl = SSL_new(server_context);
    inner.client.ssl = SSL_new(client_context);
    SSL_set_accept_state(inner.server.ssl);
    SSL_set_connect_state(inner.client.ssl);
    BIO *up = BIO_new(BIO_f_ssl()), *down = BIO_new(BIO_f_ssl());
    BIO_set_ssl(up, outer.server.ssl, BIO_NOCLOSE);
    BIO_set_ssl(down, outer.client.ssl, BIO_NOCLOSE);
    SSL_set_bio(inner.server.ssl, up, up);
    SSL_set_bio(inner.client.ssl, down, down);
    shake_hands(&inner);
    talk(&inner, 5);
    close_pair(&inner);
    close_pair(&outer);
}

/* What the next callback does within the call that it is of; nothing when `count` is 0. */
static struct {
    struct side *side;
    size_t count;
    int is_write;
} within;
static int done_within;

static void do_within(int is_write) {
    static unsigned char more[BYTES_MAX];
    size_t count = within.count, done = 0;
    if (count == 0 || within.is_write != is_write)
        return;
    within.count = 0;
    if (is_write) {
        fill(more, count);
        REQUIRE(SSL_write_ex(within.side->ssl, more, count, &done) == 1 && done == count);
        truth_written(within.side->name, more, done);
    } else {
        REQUIRE(SSL_read_ex(within.side->ssl, more, count, &done) == 1 && done == count);
        truth_read(within.side->name, more, done);
    }
    done_within++;
}

static long on_bio(BIO *bio, int what, const char *argument, size_t length, int number, long more,
                   int result, size_t *processed) {
    (void)bio;
    (void)argument;
    (void)length;
    (void)number;
    (void)more;
    (void)processed;
    if (what == BIO_CB_READ)
        do_within(1);
    else if (what == BIO_CB_WRITE)
        do_within(0);
    return result;
}

static void on_message(int is_write, int version, int type, const void *data, size_t length,
                       SSL *ssl, void *argument) {
    (void)version;
    (void)data;
    (void)length;
    (void)ssl;
    (void)argument;
    if (!is_write && type == SSL3_RT_HANDSHAKE)
        do_within(1);
}

static void begin_within(struct side *side, int is_write, size_t count) {
    within.side = side;
    within.is_write = is_write;
    within.count = count;
    done_within = 0;
}

/*
 * On one object and one thread: writes within reading, by callbacks of its BIO and of a message
 * that comes between (a ticket, or a new handshake that the other side has begun); reads within
 * writing.
 */
static void callbacks(int version) {
    struct pair pair;
    open_pair(&pair, version);
    SSL_set_max_proto_version(pair.client.ssl, version);
    shake_hands(&pair);
    BIO_set_callback_ex(SSL_get_rbio(pair.client.ssl), on_bio);
    SSL_set_msg_callback(pair.client.ssl, on_message);
    for (int i = 0; i < 5; i++) {
        size_t done, count = (size_t)(700 + 500 * i);
        fill(bytes, count);
        REQUIRE(SSL_write_ex(pair.server.ssl, bytes, count, &done) == 1);
        truth_written(pair.server.name, bytes, count);
        begin_within(&pair.client, 1, (size_t)(300 + i));
        REQUIRE(SSL_read_ex(pair.client.ssl, received, sizeof(received), &done) == 1);
        truth_read(pair.client.name, received, done);
        REQUIRE(done_within == 1);
        REQUIRE(SSL_read_ex(pair.server.ssl, received, sizeof(received), &done) == 1);
        truth_read(pair.server.name, received, done);
        talk(&pair, 2);

        fill(bytes, count);
        REQUIRE(SSL_write_ex(pair.server.ssl, bytes, count, &done) == 1);
        truth_written(pair.server.name, bytes, count);
        begin_within(&pair.client, 0, count);
        fill(bytes, (size_t)(20 + i));
        REQUIRE(SSL_write_ex(pair.client.ssl, bytes, (size_t)(20 + i), &done) == 1);
        truth_written(pair.client.name, bytes, done);
        REQUIRE(done_within == 1);
        REQUIRE(SSL_read_ex(pair.server.ssl, received, sizeof(received), &done) == 1);
        truth_read(pair.server.name, received, done);
        talk(&pair, 2);

        /* Of TLS 1.3 a ticket, of 1.2 a handshake. */
        if (version == TLS1_3_VERSION) {
            REQUIRE(SSL_new_session_ticket(pair.server.ssl) == 1);
            REQUIRE(SSL_do_handshake(pair.server.ssl) == 1);
        } else {
            REQUIRE(SSL_renegotiate(pair.server.ssl) == 1);
            REQUIRE(SSL_do_handshake(pair.server.ssl) == 1);
        }
        begin_within(&pair.client, 1, (size_t)(40 + i));
        REQUIRE(SSL_read_ex(pair.client.ssl, received, sizeof(received), &done) == 0);
        REQUIRE(done_within == 1);
        for (int turns = 0; SSL_in_init(pair.client.ssl) || SSL_in_init(pair.server.ssl); turns++) {
            REQUIRE(turns < 10);
            if (SSL_read_ex(pair.server.ssl, received, sizeof(received), &done) == 1)
                truth_read(pair.server.name, received, done);
            REQUIRE(SSL_read_ex(pair.client.ssl, received, sizeof(received), &done) == 0);
        }
        while (SSL_read_ex(pair.server.ssl, received, sizeof(received), &done) == 1)
            truth_read(pair.server.name, received, done);
        talk(&pair, 2);
    }
    close_pair(&pair);
}

int main(int argc, char **argv) {
    if (argc != 5)
        return 2;
    truth_folder = argv[1];
    const char *what = argv[4];
    server_context = SSL_CTX_new(TLS_server_method());
    client_context = SSL_CTX_new(TLS_client_method());
    if (SSL_CTX_use_certificate_file(server_context, argv[2], SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_use_PrivateKey_file(server_context, argv[3], SSL_FILETYPE_PEM) != 1)
        fail("no certificate");
    SSL_CTX_set_max_early_data(server_context, 1 << 14);
    SSL_CTX_set_options(server_context, SSL_OP_NO_ANTI_REPLAY);
    SSL_CTX_set_session_cache_mode(client_context, SSL_SESS_CACHE_CLIENT);
    SSL_CTX_sess_set_new_cb(client_context, keep_ticket);
    if (!strcmp(what, "forms")) {
        struct pair pair;
        open_pair(&pair, 0);
        shake_hands(&pair);
        talk(&pair, 13);
        close_pair(&pair);
    } else if (!strcmp(what, "early"))
        early();
    else if (!strcmp(what, "mixed"))
        mixed();
    else if (!strcmp(what, "reused"))
        reused();
    else if (!strcmp(what, "cleared"))
        cleared();
    else if (!strcmp(what, "nested"))
        nested();
    else if (!strcmp(what, "callbacks")) {
        callbacks(TLS1_3_VERSION);
        callbacks(TLS1_2_VERSION);
    } else
        return 2;
    return 0;
}
