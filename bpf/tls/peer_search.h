/*
 * Says that a thread is in a TLS call on a connection whose socket is not known, so that the next
 * use of a socket by that thread tells it (socket/peer.h). A connection whose socket is known costs
 * one look-up here, and nothing there.
 */
#pragma once

#include "../kernel/types.h"
#include <bpf/bpf_helpers.h>
#include "../maps/peers.h"

static __always_inline bool is_peer_known(const struct connection_key *key) {
    struct connection *connection = bpf_map_lookup_elem(&connections, key);
    return connection && connection->socket_cookie;
}

/* `search` says all but what was written before. */
static __always_inline void search_peer(struct peer_search *search, u64 pid_tgid) {
    if (is_peer_known(&search->connection))
        return;
    struct peer_search *present = peer_search_of(pid_tgid);
    if (present && present->connection.object == search->connection.object)
        search->unsent_bytes = present->unsent_bytes;
    keep_peer_search(pid_tgid, search, !present);
}

/*
 * A write has returned without any use of a socket: the library has put what it encrypted into
 * memory, and the program is going to send it.
 */
static __always_inline void note_unsent(const struct connection_key *key, u64 pid_tgid, u64 bytes) {
    struct peer_search *search = peer_search_of(pid_tgid);
    if (search && search->connection.object == key->object && !search->unsent_bytes)
        search->unsent_bytes = bytes;
}
