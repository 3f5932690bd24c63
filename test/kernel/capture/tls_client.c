/*
 * Asks a TLS server for one page and ends: usage PORT PATH DELAY-MS. Prints how many ms it took
 * from main to its end. Declares what it needs of OpenSSL itself, so that it is built without its
 * headers.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

void *TLS_client_method(void);
void *SSL_CTX_new(void *method);
void *SSL_new(void *context);
int SSL_set_fd(void *ssl, int descriptor);
int SSL_connect(void *ssl);
int SSL_read(void *ssl, void *buffer, int bytes);
int SSL_write(void *ssl, const void *buffer, int bytes);
void SSL_free(void *ssl);

int main(int count, char **words) {
    if (count < 4)
        return 2;
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    usleep(1000 * (useconds_t)atoi(words[3]));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(words[1]))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int peer = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(peer, (struct sockaddr *)&address, sizeof(address)) != 0)
        return 3;
    void *ssl = SSL_new(SSL_CTX_new(TLS_client_method()));
    SSL_set_fd(ssl, peer);
    if (SSL_connect(ssl) != 1)
        return 4;
    char text[16384];
    int length = snprintf(text, sizeof(text), "GET %s HTTP/1.0\r\n\r\n", words[2]);
    if (SSL_write(ssl, text, length) != length)
        return 5;
    if (SSL_read(ssl, text, sizeof(text)) <= 0)
        return 6;
    SSL_free(ssl);
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%ld\n", (end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000);
    return 0;
}
