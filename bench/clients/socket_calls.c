/*
 * What socket calls with nothing to see take: for each of its rounds one line of JSON with the CPU
 * time of one, in nanoseconds. `pair`: 20 bytes like those of TLS sent and received over loopback;
 * `empty`: a receive that finds nothing. Arguments: the number of rounds.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

/* Few enough that some rounds are not interrupted on a machine that others work on. */
enum { CALLS = 500, WARM_UP = 100, BYTES = 20 };

static double cpu_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return time.tv_sec * 1e9 + time.tv_nsec;
}

static void carry(int from, int to, int times) {
    static const char record[BYTES] = "\x17\x03\x03\x00\x0f";
    char received[BYTES];
    for (int i = 0; i < times; i++) {
        if (send(from, record, BYTES, 0) != BYTES || recv(to, received, BYTES, 0) != BYTES)
            exit(1);
    }
}

int main(int argc, char **argv) {
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 1) ||
        getsockname(listener, (struct sockaddr *)&address, &size))
        return 1;
    int client = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(client, (struct sockaddr *)&address, size))
        return 1;
    int server = accept(listener, NULL, NULL);
    int at_once = 1;
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof(at_once));
    carry(client, server, WARM_UP);
    int rounds = argc > 1 ? atoi(argv[1]) : 1;
    for (int round = 0; round < rounds; round++) {
        char nothing;
        double start = cpu_ns();
        for (int i = 0; i < CALLS; i++)
            recv(server, &nothing, 1, MSG_DONTWAIT);
        double between = cpu_ns();
        carry(client, server, CALLS);
        double end = cpu_ns();
        printf("{\"empty\": %.1f, \"pair\": %.1f}\n", (between - start) / CALLS,
               (end - between) / CALLS);
    }
    return 0;
}
