/*
 * A client on NSS with all of NSPR's calls that carry plaintext, beside calls on files and plain
 * sockets that carry none. Writes down what it sent and received (truth.h).
 *
 *     nss-calls FOLDER PORT CONNECTIONS
 *
 * Speaks HTTP/1.1 with a server on this machine, to as many connections in turns on one thread;
 * each is ended and opened anew once, so that descriptors are used again.
 */
#include <nss/nss.h>
#include <nss/ssl.h>
#include <nspr/prio.h>
#include <nspr/prnetdb.h>
#include <string.h>

#include "truth.h"

#define ROUNDS 7
#define BODY_MAX 30000
#define CONNECTIONS_MAX 8

static int is_request_plain(int way) {
    return way % 3 == 0;
}

static SECStatus accept_all(void *context, PRFileDesc *descriptor) {
    (void)context;
    (void)descriptor;
    return SECSuccess;
}

static PRFileDesc *connect_tls(const PRNetAddr *address) {
    PRFileDesc *tls = SSL_ImportFD(NULL, PR_NewTCPSocket());
    REQUIRE(tls != NULL);
    SSL_OptionSet(tls, SSL_SECURITY, PR_TRUE);
    SSL_OptionSet(tls, SSL_HANDSHAKE_AS_CLIENT, PR_TRUE);
    SSL_BadCertHook(tls, accept_all, NULL);
    SSL_SetURL(tls, "localhost");
    REQUIRE(PR_Connect(tls, address, PR_INTERVAL_NO_TIMEOUT) == PR_SUCCESS);
    REQUIRE(SSL_ForceHandshake(tls) == SECSuccess);
    return tls;
}

static void send_all(PRFileDesc *tls, const char *name, const char *data, PRInt32 count, int way) {
    for (PRInt32 all = 0; all < count;) {
        PRInt32 done;
        if (way % 3 == 1)
            done = PR_Write(tls, data + all, count - all);
        else
            done = PR_Send(tls, data + all, count - all, 0, PR_INTERVAL_NO_TIMEOUT);
        REQUIRE(done > 0);
        truth_written(name, data + all, (size_t)done);
        all += done;
    }
}

static void ask(PRFileDesc *tls, const char *name, int way) {
    static char body[BODY_MAX];
    char head[256];
    PRInt32 body_bytes = 1 + way * 2909 % BODY_MAX;
    fill((unsigned char *)body, (size_t)body_bytes);
    PRInt32 head_bytes =
        snprintf(head, sizeof(head),
                 "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n", body_bytes);
    if (is_request_plain(way)) {
        send_all(tls, name, head, head_bytes, way);
        send_all(tls, name, body, body_bytes, way + 1);
    } else {
        PRIOVec parts[] = {{head, 5}, {head + 5, head_bytes - 5}, {body, 0}, {body, body_bytes}};
        PRInt32 done = PR_Writev(tls, parts, 4, PR_INTERVAL_NO_TIMEOUT);
        REQUIRE(done == head_bytes + body_bytes);
        truth_written(name, head, (size_t)head_bytes);
        truth_written(name, body, (size_t)body_bytes);
    }
}

/* Until the end of a chunked answer. */
static void take_answer(PRFileDesc *tls, const char *name, int way) {
    static char answer[1 << 17];
    PRInt32 used = 0;
    while (used < 5 || memcmp(answer + used - 5, "0\r\n\r\n", 5) != 0) {
        char shown[10];
        PRInt32 done;
        REQUIRE(PR_Recv(tls, shown, sizeof(shown), PR_MSG_PEEK, PR_INTERVAL_NO_TIMEOUT) > 0);
        if (way % 2)
            done = PR_Read(tls, answer + used, 1000);
        else
            done = PR_Recv(tls, answer + used, 4000, 0, PR_INTERVAL_NO_TIMEOUT);
        REQUIRE(done > 0);
        truth_read(name, answer + used, (size_t)done);
        used += done;
    }
}

/* The same calls where nothing is of TLS. */
static void disturb(void) {
    PRFileDesc *ends[2];
    char bytes[100] = {0};
    PRIOVec part = {bytes, sizeof(bytes)};
    REQUIRE(PR_NewTCPSocketPair(ends) == PR_SUCCESS);
    REQUIRE(PR_Write(ends[0], bytes, sizeof(bytes)) == sizeof(bytes));
    REQUIRE(PR_Writev(ends[0], &part, 1, PR_INTERVAL_NO_TIMEOUT) == sizeof(bytes));
    REQUIRE(PR_Send(ends[0], bytes, sizeof(bytes), 0, PR_INTERVAL_NO_TIMEOUT) == sizeof(bytes));
    for (int i = 0; i < 3; i++)
        REQUIRE(PR_Recv(ends[1], bytes, sizeof(bytes), 0, PR_INTERVAL_NO_TIMEOUT) > 0);
    PR_Close(ends[0]);
    PR_Close(ends[1]);
}

int main(int argc, char **argv) {
    if (argc != 4)
        return 2;
    truth_folder = argv[1];
    int count = atoi(argv[3]);
    REQUIRE(count > 0 && count <= CONNECTIONS_MAX);
    REQUIRE(NSS_NoDB_Init(NULL) == SECSuccess);
    PRNetAddr address;
    PR_InitializeNetAddr(PR_IpAddrLoopback, (PRUint16)atoi(argv[2]), &address);
    for (int generation = 0; generation < 2; generation++) {
        PRFileDesc *tls[CONNECTIONS_MAX];
        char names[CONNECTIONS_MAX][32];
        for (int i = 0; i < count; i++) {
            snprintf(names[i], sizeof(names[i]), "client-%d-%d", generation, i);
            tls[i] = connect_tls(&address);
        }
        for (int round = 0; round < ROUNDS; round++) {
            for (int i = 0; i < count; i++)
                ask(tls[i], names[i], round + i);
            disturb();
            for (int i = count - 1; i >= 0; i--)
                take_answer(tls[i], names[i], round + i);
        }
        for (int i = 0; i < count; i++)
            PR_Close(tls[i]);
    }
    return 0;
}
