/*
 * A client on NSS that sends COUNT messages of BYTES bytes for each line on standard input, to
 * whoever takes them, and prints the CPU time of each in nanoseconds.
 *
 *     nss_sender PORT unused COUNT BYTES
 */
#include <nspr/prio.h>
#include <nspr/prnetdb.h>
#include <nss/nss.h>
#include <nss/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static SECStatus accept_all(void *context, PRFileDesc *descriptor) {
    (void)context;
    (void)descriptor;
    return SECSuccess;
}

int main(int argc, char **argv) {
    if (argc != 5)
        return 2;
    int count = atoi(argv[3]);
    PRInt32 bytes = atoi(argv[4]);
    char *message = calloc(1, (size_t)bytes);
    char line[16];
    PRNetAddr address;
    /* The first line starts it, so that probes see the descriptor become one of TLS. */
    while (fgets(line, sizeof(line), stdin)) {
        static int is_ready;
        if (!is_ready && NSS_NoDB_Init(NULL) != SECSuccess)
            return 1;
        is_ready = 1;
        PR_InitializeNetAddr(PR_IpAddrLoopback, (PRUint16)atoi(argv[1]), &address);
        PRFileDesc *tls = SSL_ImportFD(NULL, PR_NewTCPSocket());
        SSL_BadCertHook(tls, accept_all, NULL);
        if (PR_Connect(tls, &address, PR_INTERVAL_NO_TIMEOUT) != PR_SUCCESS ||
            SSL_ForceHandshake(tls) != SECSuccess)
            return 1;
        double begin = now();
        for (int i = 0; i < count; i++) {
            if (PR_Write(tls, message, bytes) != bytes)
                return 1;
        }
        printf("%.0f\n", (now() - begin) / count);
        fflush(stdout);
        PR_Close(tls);
    }
    return 0;
}
