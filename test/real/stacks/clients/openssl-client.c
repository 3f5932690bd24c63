/*
 * Posts by OpenSSL alone: openssl-client PORT COUNT keep|fresh
 */
#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BODY_BYTES 60000

static int connect_to(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int file = socket(AF_INET, SOCK_STREAM, 0);
    return connect(file, (struct sockaddr *)&address, sizeof(address)) == 0 ? file : -1;
}

int main(int argc, char **argv) {
    if (argc != 4)
        return 2;
    int is_fresh = !strcmp(argv[3], "fresh");
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    static char request[BODY_BYTES + 200], answer[1 << 20];
    int bytes = sprintf(request, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n",
                        BODY_BYTES);
    for (int i = 0; i < BODY_BYTES; i++)
        request[bytes++] = (char)('a' + i / 3 % 26);
    SSL *ssl = NULL;
    int file = -1;
    for (int i = 0; i < atoi(argv[2]); i++) {
        if (!ssl) {
            file = connect_to(atoi(argv[1]));
            ssl = SSL_new(context);
            SSL_set_fd(ssl, file);
            SSL_set_tlsext_host_name(ssl, "localhost");
            if (file < 0 || SSL_connect(ssl) != 1)
                return 1;
        }
        size_t done = 0;
        int is_sent = i % 2 ? SSL_write_ex(ssl, request, (size_t)bytes, &done)
                            : SSL_write(ssl, request, bytes) == bytes;
        if (!is_sent)
            return 1;
        int used = 0;
        while (used < 5 || memcmp(answer + used - 5, "0\r\n\r\n", 5) != 0) {
            int some = SSL_read(ssl, answer + used, (int)sizeof(answer) - used);
            if (some <= 0)
                return 1;
            used += some;
        }
        if (is_fresh) {
            SSL_shutdown(ssl);
            SSL_free(ssl);
            close(file);
            ssl = NULL;
        }
    }
    SSL_free(ssl);
    SSL_CTX_free(context);
    return 0;
}
