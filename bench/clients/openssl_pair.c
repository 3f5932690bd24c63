/*
 * A TLS server and client in one process, over memory: each line on standard input makes it send
 * COUNT messages of BYTES bytes from one to the other, and print the CPU time of one in
 * nanoseconds.
 *
 *     openssl_pair CERTIFICATE KEY COUNT BYTES
 */
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

int main(int argc, char **argv) {
    if (argc != 5)
        return 2;
    int count = atoi(argv[3]);
    int bytes = atoi(argv[4]);
    char *message = calloc(1, (size_t)bytes);
    SSL_CTX *server_context = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate_chain_file(server_context, argv[1]);
    SSL_CTX_use_PrivateKey_file(server_context, argv[2], SSL_FILETYPE_PEM);
    SSL *server = SSL_new(server_context);
    SSL *client = SSL_new(SSL_CTX_new(TLS_client_method()));
    BIO *up = BIO_new(BIO_s_mem());
    BIO *down = BIO_new(BIO_s_mem());
    BIO_up_ref(up);
    BIO_up_ref(down);
    SSL_set_bio(server, up, down);
    SSL_set_bio(client, down, up);
    SSL_set_accept_state(server);
    SSL_set_connect_state(client);
    for (int i = 0; i < 4; i++) {
        SSL_do_handshake(client);
        SSL_do_handshake(server);
    }
    if (!SSL_is_init_finished(client) || !SSL_is_init_finished(server))
        return 1;
    char line[16];
    while (fgets(line, sizeof(line), stdin)) {
        double start = now();
        for (int i = 0; i < count; i++) {
            if (SSL_write(server, message, bytes) != bytes ||
                SSL_read(client, message, bytes) != bytes)
                return 1;
        }
        printf("%.0f\n", (now() - start) / count);
        fflush(stdout);
    }
    return 0;
}
