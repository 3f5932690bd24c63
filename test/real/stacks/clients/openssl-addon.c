/*
 * An addon of Node that calls SSL_write_ex2 (OpenSSL 3.3 and newer) of the OpenSSL in Node's own
 * program, server and client on one thread, over memory. Writes down what it sent and received
 * (truth.h). It does all of that while it is loaded:
 *
 *     TRUTH=FOLDER CERTIFICATE=FILE KEY=FILE node -e 'process.dlopen(module, ADDON)'
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>

#include "truth.h"

#define BYTES_MAX 70000

/* Not in the headers of older OpenSSL. https://docs.openssl.org/3.3/man3/SSL_write/ */
typedef int write_ex2(SSL *, const void *, size_t, uint64_t, size_t *);
#define FLAG_CONCLUDE 1

static write_ex2 *ssl_write_ex2;
static SSL_CTX *server_context, *client_context;
static unsigned char bytes[BYTES_MAX], received[BYTES_MAX];
static int refusals, parts;

struct side {
    SSL *ssl;
    const char *name;
};

/* Whatever there is. */
static void receive(struct side *to) {
    size_t done;
    while (SSL_read_ex(to->ssl, received, sizeof(received), &done) == 1)
        truth_read(to->name, received, done);
    REQUIRE(SSL_get_error(to->ssl, 0) == SSL_ERROR_WANT_READ);
}

/* As often as it takes: each time that there is no room, the same call again, or its rest. */
static void send_all(struct side *from, struct side *to, size_t count) {
    size_t at = 0;
    fill(bytes, count);
    while (at < count) {
        size_t done = 0;
        if (ssl_write_ex2(from->ssl, bytes + at, count - at, 0, &done) == 1) {
            parts += done < count - at;
            truth_written(from->name, bytes + at, done);
            at += done;
        } else {
            REQUIRE(SSL_get_error(from->ssl, 0) == SSL_ERROR_WANT_WRITE);
            refusals++;
            receive(to);
        }
    }
    receive(to);
}

static void send_otherwise(struct side *from, struct side *to, size_t count) {
    size_t done = 0;
    fill(bytes, count);
    REQUIRE(SSL_write_ex(from->ssl, bytes, count, &done) == 1 && done == count);
    truth_written(from->name, bytes, count);
    REQUIRE(SSL_write(from->ssl, bytes, (int)count) == (int)count);
    truth_written(from->name, bytes, count);
    receive(to);
}

/* Neither carries anything. */
static void send_nothing(struct side *from) {
    size_t done = 1;
    REQUIRE(ssl_write_ex2(from->ssl, bytes, 0, 0, &done) == 1 && done == 0);
    REQUIRE(ssl_write_ex2(from->ssl, bytes, 100, FLAG_CONCLUDE, &done) == 0);
    ERR_clear_error();
}

static void converse(const char *server_name, const char *client_name, size_t room, long mode) {
    struct side server = {SSL_new(server_context), server_name};
    struct side client = {SSL_new(client_context), client_name};
    BIO *up, *down;
    REQUIRE(BIO_new_bio_pair(&up, room, &down, room) == 1);
    SSL_set_bio(server.ssl, up, up);
    SSL_set_bio(client.ssl, down, down);
    SSL_set_accept_state(server.ssl);
    SSL_set_connect_state(client.ssl);
    SSL_set_mode(client.ssl, mode);
    for (int done = 0, i = 0; done != 1; i++) {
        int from_client = SSL_do_handshake(client.ssl);
        done = SSL_do_handshake(server.ssl) == 1 && from_client == 1;
        REQUIRE(i < 100);
    }
    for (size_t i = 0; i < 7; i++) {
        send_all(&client, &server, 1 + i * 9973);
        send_nothing(&client);
        send_all(&server, &client, 1 + i * 5003);
        send_otherwise(&client, &server, 1 + i * 101);
    }
    SSL_free(client.ssl);
    SSL_free(server.ssl);
}

static const char *variable(const char *name) {
    const char *value = getenv(name);
    REQUIRE(value != NULL);
    return value;
}

/* https://nodejs.org/api/n-api.html#module-registration */
void *napi_register_module_v1(void *environment, void *exports) {
    (void)environment;
    truth_folder = variable("TRUTH");
    ssl_write_ex2 = (write_ex2 *)dlsym(RTLD_DEFAULT, "SSL_write_ex2");
    REQUIRE(ssl_write_ex2 != NULL);
    server_context = SSL_CTX_new(TLS_server_method());
    client_context = SSL_CTX_new(TLS_client_method());
    REQUIRE(SSL_CTX_use_certificate_file(server_context, variable("CERTIFICATE"),
                                         SSL_FILETYPE_PEM) == 1);
    REQUIRE(SSL_CTX_use_PrivateKey_file(server_context, variable("KEY"), SSL_FILETYPE_PEM) == 1);
    converse("server-wide", "client-wide", 1 << 20, 0);
    REQUIRE(refusals == 0);
    converse("server-narrow", "client-narrow", 4096, 0);
    REQUIRE(refusals > 0 && parts == 0);
    converse("server-parts", "client-parts", 40000, SSL_MODE_ENABLE_PARTIAL_WRITE);
    REQUIRE(parts > 0);
    SSL_CTX_free(client_context);
    SSL_CTX_free(server_context);
    return exports;
}
