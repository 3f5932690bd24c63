/*
 * The same as openssl_pair.c on GnuTLS.
 *
 *     gnutls_pair CERTIFICATE KEY COUNT BYTES
 */
#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What one side has sent and the other not taken yet. */
struct pipe {
    char bytes[1 << 16];
    size_t used;
};

struct end {
    struct pipe *in;
    struct pipe *out;
    gnutls_session_t session;
};

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static ssize_t push(gnutls_transport_ptr_t of, const void *data, size_t bytes) {
    struct pipe *to = ((struct end *)of)->out;
    memcpy(to->bytes + to->used, data, bytes);
    to->used += bytes;
    return (ssize_t)bytes;
}

static ssize_t pull(gnutls_transport_ptr_t of, void *data, size_t bytes) {
    struct end *end = of;
    struct pipe *from = end->in;
    if (from->used == 0) {
        gnutls_transport_set_errno(end->session, EAGAIN);
        return -1;
    }
    if (bytes > from->used)
        bytes = from->used;
    memcpy(data, from->bytes, bytes);
    from->used -= bytes;
    memmove(from->bytes, from->bytes + bytes, from->used);
    return (ssize_t)bytes;
}

static void start(struct end *end, unsigned flags, gnutls_certificate_credentials_t credentials) {
    gnutls_init(&end->session, flags | GNUTLS_NONBLOCK);
    gnutls_set_default_priority(end->session);
    gnutls_credentials_set(end->session, GNUTLS_CRD_CERTIFICATE, credentials);
    gnutls_transport_set_ptr(end->session, end);
    gnutls_transport_set_push_function(end->session, push);
    gnutls_transport_set_pull_function(end->session, pull);
}

int main(int argc, char **argv) {
    if (argc != 5)
        return 2;
    int count = atoi(argv[3]);
    ssize_t bytes = atoi(argv[4]);
    char *message = calloc(1, (size_t)bytes);
    static struct pipe up, down;
    static struct end server = {&up, &down, NULL};
    static struct end client = {&down, &up, NULL};
    gnutls_certificate_credentials_t own, none;
    gnutls_certificate_allocate_credentials(&own);
    gnutls_certificate_allocate_credentials(&none);
    gnutls_certificate_set_x509_key_file(own, argv[1], argv[2], GNUTLS_X509_FMT_PEM);
    start(&server, GNUTLS_SERVER, own);
    start(&client, GNUTLS_CLIENT, none);
    int is_client_done = 0;
    int is_server_done = 0;
    for (int i = 0; i < 8; i++) {
        is_client_done = is_client_done || gnutls_handshake(client.session) == 0;
        is_server_done = is_server_done || gnutls_handshake(server.session) == 0;
    }
    if (!is_client_done || !is_server_done)
        return 1;
    /* Tickets come first. */
    gnutls_record_recv(client.session, message, (size_t)bytes);
    char line[16];
    while (fgets(line, sizeof(line), stdin)) {
        double begin = now();
        for (int i = 0; i < count; i++) {
            if (gnutls_record_send(server.session, message, (size_t)bytes) != bytes ||
                gnutls_record_recv(client.session, message, (size_t)bytes) != bytes)
                return 1;
        }
        printf("%.0f\n", (now() - begin) / count);
        fflush(stdout);
    }
    return 0;
}
