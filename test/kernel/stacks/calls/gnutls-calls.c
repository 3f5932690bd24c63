/*
 * GnuTLS with all that carries plaintext, server and client in one process and on one thread, over
 * memory. Writes down what it sent and received (truth.h).
 *
 *     gnutls-calls FOLDER CERTIFICATE KEY forms|corked|early|mixed|reused|nested|callbacks
 */
#include <errno.h>
#include <gnutls/gnutls.h>
#include <string.h>

#include "truth.h"

#define BYTES_MAX 70000

struct queue {
    unsigned char *bytes;
    size_t used;
};

struct side {
    gnutls_session_t session;
    struct queue *in, *out;
    /* The connection that this one's records travel in; null: the queues. */
    struct side *carrier;
    char name[32];
};

struct pair {
    struct side server, client;
    struct queue up, down;
};

static gnutls_certificate_credentials_t own, none;
static gnutls_datum_t ticket_key;
static gnutls_anti_replay_t replays;
static unsigned char bytes[BYTES_MAX], received[BYTES_MAX];

/* What the next transport function does on its own connection; nothing when `count` is 0. */
static struct {
    struct side *side;
    size_t count;
    int is_write;
} within;
static int done_within;

static void do_within(struct side *side, int is_write) {
    static unsigned char more[BYTES_MAX];
    size_t count = within.count;
    if (count == 0 || within.side != side || within.is_write != is_write)
        return;
    within.count = 0;
    if (is_write) {
        fill(more, count);
        REQUIRE(gnutls_record_send(side->session, more, count) == (ssize_t)count);
        truth_written(side->name, more, count);
    } else {
        REQUIRE(gnutls_record_recv(side->session, more, count) == (ssize_t)count);
        truth_read(side->name, more, count);
    }
    done_within++;
}

static void begin_within(struct side *side, int is_write, size_t count) {
    within.side = side;
    within.is_write = is_write;
    within.count = count;
    done_within = 0;
}

static ssize_t push(gnutls_transport_ptr_t of, const void *data, size_t count) {
    struct side *side = of;
    do_within(side, 0);
    if (side->carrier) {
        ssize_t done = gnutls_record_send(side->carrier->session, data, count);
        REQUIRE(done == (ssize_t)count);
        truth_written(side->carrier->name, data, count);
        return done;
    }
    side->out->bytes = realloc(side->out->bytes, side->out->used + count);
    memcpy(side->out->bytes + side->out->used, data, count);
    side->out->used += count;
    return (ssize_t)count;
}

static ssize_t pull(gnutls_transport_ptr_t of, void *data, size_t count) {
    struct side *side = of;
    do_within(side, 1);
    if (side->carrier) {
        ssize_t done = gnutls_record_recv(side->carrier->session, data, count);
        if (done < 0) {
            gnutls_transport_set_errno(side->session, EAGAIN);
            return -1;
        }
        truth_read(side->carrier->name, data, (size_t)done);
        return done;
    }
    if (side->in->used == 0) {
        gnutls_transport_set_errno(side->session, EAGAIN);
        return -1;
    }
    if (count > side->in->used)
        count = side->in->used;
    memcpy(data, side->in->bytes, count);
    side->in->used -= count;
    memmove(side->in->bytes, side->in->bytes + count, side->in->used);
    return (ssize_t)count;
}

static void start(struct side *side, unsigned flags) {
    REQUIRE(gnutls_init(&side->session, flags | GNUTLS_NONBLOCK) == 0);
    gnutls_set_default_priority(side->session);
    gnutls_credentials_set(side->session, GNUTLS_CRD_CERTIFICATE,
                           flags & GNUTLS_SERVER ? own : none);
    gnutls_transport_set_ptr(side->session, side);
    gnutls_transport_set_push_function(side->session, push);
    gnutls_transport_set_pull_function(side->session, pull);
    if (flags & GNUTLS_SERVER)
        gnutls_session_ticket_enable_server(side->session, &ticket_key);
}

static void open_pair(struct pair *pair, int number, struct pair *carrier, unsigned flags) {
    memset(pair, 0, sizeof(*pair));
    snprintf(pair->server.name, sizeof(pair->server.name), "server-%d", number);
    snprintf(pair->client.name, sizeof(pair->client.name), "client-%d", number);
    pair->server.in = pair->client.out = &pair->up;
    pair->server.out = pair->client.in = &pair->down;
    pair->server.carrier = carrier ? &carrier->server : NULL;
    pair->client.carrier = carrier ? &carrier->client : NULL;
    start(&pair->server, GNUTLS_SERVER | flags);
    start(&pair->client, GNUTLS_CLIENT | flags);
}

static void shake_hands(struct pair *pair) {
    int is_client_done = 0, is_server_done = 0;
    for (int i = 0; i < 12 && !(is_client_done && is_server_done); i++) {
        is_client_done = is_client_done || gnutls_handshake(pair->client.session) == 0;
        is_server_done = is_server_done || gnutls_handshake(pair->server.session) == 0;
    }
    REQUIRE(is_client_done && is_server_done);
    /* Tickets come first. */
    REQUIRE(gnutls_record_recv(pair->client.session, received, sizeof(received)) == GNUTLS_E_AGAIN);
}

static void close_pair(struct pair *pair) {
    gnutls_deinit(pair->client.session);
    gnutls_deinit(pair->server.session);
    free(pair->up.bytes);
    free(pair->down.bytes);
}

static void receive(struct side *to, size_t count, int way) {
    unsigned char sequence[8];
    int refused = 0;
    for (size_t all = 0; all < count;) {
        size_t wanted = way % 3 ? sizeof(received) : 777;
        ssize_t done;
        if (way % 4 == 0)
            done = gnutls_record_recv_seq(to->session, received, wanted, sequence);
        else if (way % 4 == 1) {
            gnutls_packet_t packet;
            gnutls_datum_t datum;
            done = gnutls_record_recv_packet(to->session, &packet);
            if (done > 0) {
                gnutls_packet_get(packet, &datum, sequence);
                REQUIRE(datum.size == (size_t)done);
                memcpy(received, datum.data, datum.size);
                gnutls_packet_deinit(packet);
            }
        } else
            done = gnutls_record_recv(to->session, received, wanted);
        /* Tickets come in between, and carry nothing. */
        if (done == GNUTLS_E_AGAIN) {
            REQUIRE(refused++ < 10);
            continue;
        }
        REQUIRE(done > 0);
        REQUIRE(memcmp(received, bytes + all, (size_t)done) == 0);
        truth_read(to->name, received, (size_t)done);
        all += (size_t)done;
    }
}

static void send_one(struct side *from, struct side *to, size_t count, int way) {
    fill(bytes, count);
    const gnutls_range_st range = {count, count + 100};
    for (size_t all = 0; all < count;) {
        ssize_t done;
        if (way % 3 == 0)
            done = gnutls_record_send2(from->session, bytes + all, count - all,
                                       count - all < 16000 ? 20 : 0, 0);
        else if (way % 3 == 1 && all == 0 && count < 16000 &&
                 gnutls_record_can_use_length_hiding(from->session))
            done = gnutls_record_send_range(from->session, bytes, count, &range);
        else
            done = gnutls_record_send(from->session, bytes + all, count - all);
        REQUIRE(done > 0);
        all += (size_t)done;
    }
    truth_written(from->name, bytes, count);
    receive(to, count, way);
}

static void talk(struct pair *pair, int rounds) {
    for (int i = 0; i < rounds; i++) {
        send_one(&pair->client, &pair->server, (size_t)(1 + i * 2003), i);
        send_one(&pair->server, &pair->client, (size_t)(1 + i * 3001), i + 1);
    }
}

static void corked(struct side *from, struct side *to) {
    for (int i = 0; i < 5; i++) {
        size_t parts[] = {10, 1000, (size_t)i * 3000 + 1};
        size_t total = 0;
        gnutls_record_cork(from->session);
        fill(bytes, 1010 + parts[2]);
        for (int part = 0; part < 3; part++) {
            REQUIRE(gnutls_record_send(from->session, bytes + total, parts[part]) ==
                    (ssize_t)parts[part]);
            total += parts[part];
        }
        REQUIRE(gnutls_record_uncork(from->session, i % 2 ? GNUTLS_RECORD_WAIT : 0) >= 0);
        truth_written(from->name, bytes, total);
        receive(to, total, 2);
        send_one(from, to, 100, 2);
    }
}

static void early(void) {
    struct pair first, second;
    gnutls_datum_t ticket;
    open_pair(&first, 1, NULL, 0);
    gnutls_record_set_max_early_data_size(first.server.session, 1 << 14);
    shake_hands(&first);
    talk(&first, 3);
    REQUIRE(gnutls_session_get_data2(first.client.session, &ticket) == 0);
    open_pair(&second, 2, NULL, GNUTLS_ENABLE_EARLY_START | GNUTLS_ENABLE_EARLY_DATA);
    gnutls_anti_replay_enable(second.server.session, replays);
    gnutls_record_set_max_early_data_size(second.server.session, 1 << 14);
    REQUIRE(gnutls_session_set_data(second.client.session, ticket.data, ticket.size) == 0);
    fill(bytes, 5000);
    REQUIRE(gnutls_record_send_early_data(second.client.session, bytes, 5000) == 0);
    truth_written(second.client.name, bytes, 5000);
    shake_hands(&second);
    REQUIRE(gnutls_session_get_flags(second.server.session) & GNUTLS_SFLAGS_EARLY_DATA);
    for (size_t all = 0; all < 5000;) {
        ssize_t done = gnutls_record_recv_early_data(second.server.session, received, 1234);
        REQUIRE(done > 0);
        REQUIRE(memcmp(received, bytes + all, (size_t)done) == 0);
        truth_read(second.server.name, received, (size_t)done);
        all += (size_t)done;
    }
    talk(&second, 3);
    close_pair(&first);
    close_pair(&second);
}

static void mixed(void) {
    struct pair pairs[4];
    for (int i = 0; i < 4; i++) {
        open_pair(&pairs[i], i, NULL, 0);
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
    gnutls_session_t seen[40];
    int again = 0;
    for (int i = 0; i < 20; i++) {
        struct pair pair;
        open_pair(&pair, i, NULL, 0);
        seen[2 * i] = pair.client.session;
        seen[2 * i + 1] = pair.server.session;
        for (int k = 0; k < 2 * i; k++)
            again += seen[k] == pair.client.session || seen[k] == pair.server.session;
        shake_hands(&pair);
        talk(&pair, 2);
        close_pair(&pair);
    }
    REQUIRE(again > 0);
}

static void nested(void) {
    struct pair outer, inner;
    open_pair(&outer, 1, NULL, 0);
    shake_hands(&outer);
    talk(&outer, 2);
    open_pair(&inner, 2, &outer, 0);
    shake_hands(&inner);
    talk(&inner, 5);
    close_pair(&inner);
    close_pair(&outer);
}

static void send_quietly(struct side *from, size_t count) {
    fill(bytes, count);
    REQUIRE(gnutls_record_send(from->session, bytes, count) == (ssize_t)count);
    truth_written(from->name, bytes, count);
}

/* On one connection and one thread, by its transport's functions; the last one within a flush. */
static void callbacks(struct pair *pair) {
    for (int i = 0; i < 5; i++) {
        size_t count = (size_t)(700 + 500 * i);
        send_quietly(&pair->server, count);
        begin_within(&pair->client, 1, (size_t)(300 + i));
        receive(&pair->client, count, 2);
        REQUIRE(done_within == 1);
        REQUIRE(gnutls_record_recv(pair->server.session, received, sizeof(received)) == 300 + i);
        truth_read(pair->server.name, received, (size_t)(300 + i));
        talk(pair, 2);

        send_quietly(&pair->server, count);
        begin_within(&pair->client, 0, count);
        send_quietly(&pair->client, (size_t)(20 + i));
        REQUIRE(done_within == 1);
        receive(&pair->server, (size_t)(20 + i), 2);
        talk(pair, 2);

        send_quietly(&pair->server, count);
        gnutls_record_cork(pair->client.session);
        send_quietly(&pair->client, (size_t)(50 + i));
        begin_within(&pair->client, 0, count);
        REQUIRE(gnutls_record_uncork(pair->client.session, 0) == 50 + i);
        REQUIRE(done_within == 1);
        receive(&pair->server, (size_t)(50 + i), 2);
        talk(pair, 2);
    }
}

static int remember(void *context, time_t expires, const gnutls_datum_t *key,
                    const gnutls_datum_t *data) {
    (void)context;
    (void)expires;
    (void)key;
    (void)data;
    return 0;
}

int main(int argc, char **argv) {
    if (argc != 5)
        return 2;
    truth_folder = argv[1];
    const char *what = argv[4];
    gnutls_certificate_allocate_credentials(&own);
    gnutls_certificate_allocate_credentials(&none);
    REQUIRE(gnutls_certificate_set_x509_key_file(own, argv[2], argv[3], GNUTLS_X509_FMT_PEM) == 0);
    gnutls_session_ticket_key_generate(&ticket_key);
    gnutls_anti_replay_init(&replays);
    gnutls_anti_replay_set_add_function(replays, remember);
    gnutls_anti_replay_set_window(replays, 10000);
    if (!strcmp(what, "early"))
        early();
    else if (!strcmp(what, "mixed"))
        mixed();
    else if (!strcmp(what, "reused"))
        reused();
    else if (!strcmp(what, "nested"))
        nested();
    else {
        struct pair pair;
        open_pair(&pair, 0, NULL, 0);
        shake_hands(&pair);
        if (!strcmp(what, "corked")) {
            corked(&pair.client, &pair.server);
            corked(&pair.server, &pair.client);
        } else if (!strcmp(what, "callbacks"))
            callbacks(&pair);
        else
            talk(&pair, 13);
        close_pair(&pair);
    }
    return 0;
}
