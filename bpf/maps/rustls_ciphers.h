/*
 * The encrypters and decrypters of rustls: each belongs to one connection and numbers its records.
 * Least recently used ones give way.
 */
#pragma once

#include "calls.h"
#include "connections.h"

struct rustls_cipher {
    u64 process_start_ns;
    u64 exec_id;
    /* The connection's object; 0 while that is not known. */
    u64 connection;
    /* Of the record that comes next; SL_ANY_POSITION when that is not known. */
    u64 next_sequence;
    /* Of a decrypter: what begins a result that is a record, once that is known. */
    u32 success;
    u32 has_success;
};

/* The key's object is the cipher's address. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 32768);
    __type(key, struct connection_key);
    __type(value, struct rustls_cipher);
} rustls_ciphers SEC(".maps");

/* A decryption that has begun and not returned. */
struct rustls_call {
    struct call call;
    /* Where the result goes. */
    u64 result;
    u64 sequence;
};

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 4096);
    __type(key, struct call_key);
    __type(value, struct rustls_call);
} rustls_calls SEC(".maps");

/* What a thread last encrypted for: the addresses of which one is the connection's state. */
struct rustls_sender {
    u64 first;
    u64 second;
};

/* By pid and thread. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 4096);
    __type(key, u64);
    __type(value, struct rustls_sender);
} rustls_senders SEC(".maps");
