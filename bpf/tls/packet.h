/* Where a packet that GnuTLS has received keeps its bytes. */
#pragma once

#include "../kernel/types.h"
#include <bpf/bpf_helpers.h>

/* The beginning of what a gnutls_packet_t points to (mbuffer_st of lib/gnutls_int.h). */
struct gnutls_packet {
    u64 next;
    u64 previous;
    /* What of the data does not belong to the packet. */
    u64 mark;
    u64 data;
    u32 bytes;
    u32 pad;
};

/* Address of a packet's bytes; 0 unless it is laid out as expected, and of the size returned. */
static __always_inline u64 gnutls_packet_data(u64 variable, u64 bytes) {
    u64 address = 0;
    struct gnutls_packet packet = {};
    if (bpf_probe_read_user(&address, sizeof(address), (void *)variable) ||
        bpf_probe_read_user(&packet, sizeof(packet), (void *)address))
        return 0;
    return packet.bytes - packet.mark == bytes ? packet.data + packet.mark : 0;
}
