/*
 * SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause
 *
 * The layout of every record that passes from the kernel to user space, for BPF C and C++.
 *
 * Rules: fixed-width members only, padding written out (compiled with -Wpadded -Werror), 8-byte
 * alignment, byte order of the machine. Times are nanoseconds of CLOCK_BOOTTIME.
 * src/capture/kernel-record.ts repeats the offsets; test/contract/abi.test.ts compares them.
 */
#pragma once

#include <linux/types.h>

/* Bumped with every change of a record's layout. */
#define SL_ABI_VERSION 7

/* Largest payload of one data or argument record; a slab of user space must hold one such record.
 */
#define SL_CHUNK_MAX 65536

/* Largest part of one TLS call that is copied; the rest is reported as lost with
 * SL_DROP_CALL_LIMIT. */
#define SL_CALL_MAX (4 * 1024 * 1024)

/* Largest part of a program's arguments that is copied; the rest is counted in
 * sl_exec_record.argv_bytes. */
#define SL_ARGV_MAX (512 * 1024)

#define SL_COMM_BYTES 16
#define SL_SERVICE_NAME_MAX 256
#define SL_PATH_MAX 4096
/* A path component is at most 255 bytes and its terminator. */
#define SL_PATH_COMPONENT_MAX 256

enum sl_record_kind {
    SL_RECORD_DATA = 1,
    SL_RECORD_LOSS = 2,
    SL_RECORD_CLOSE = 3,
    SL_RECORD_FORK = 4,
    SL_RECORD_ARGV = 5,
    SL_RECORD_EXEC = 6,
    SL_RECORD_EXIT = 7,
    SL_RECORD_SKIP = 8,
    SL_RECORD_MAPPING = 9,
    SL_RECORD_PEER = 10,
    SL_RECORD_HANDSHAKE = 11,
    SL_RECORD_SERVER_NAME = 12,
    SL_RECORD_RENAME = 13,
    SL_RECORD_WAKE = 14,
};

enum sl_side {
    SL_SIDE_UNKNOWN = 0,
    SL_SIDE_CLIENT = 1,
    SL_SIDE_SERVER = 2,
};

enum sl_handshake {
    SL_HANDSHAKE_COMPLETED = 1,
    SL_HANDSHAKE_FAILED = 2,
    /* The connection was given up before either. */
    SL_HANDSHAKE_ABANDONED = 3,
    /* The program has asked what is wrong with the other side's certificate, and got an answer. */
    SL_HANDSHAKE_UNVERIFIED = 4,
};

/* Whose number a handshake's code is. */
enum sl_code {
    SL_CODE_NONE = 0,
    /* SSL_R_... of openssl/sslerr.h; from 1000 on the alert of the other side. */
    SL_CODE_OPENSSL = 1,
    /* X509_V_ERR_... of openssl/x509_vfy.h. */
    SL_CODE_X509 = 2,
    /* GNUTLS_E_... of gnutls/gnutls.h, without the sign. */
    SL_CODE_GNUTLS = 3,
    /* Bits of gnutls_certificate_status_t. */
    SL_CODE_GNUTLS_STATUS = 4,
    /* SSL_ERROR_..., SEC_ERROR_... and PR_..._ERROR, without the sign. */
    SL_CODE_NSS = 5,
    /* Alerts of RFC 8446, 6. */
    SL_CODE_ALERT_SENT = 6,
    SL_CODE_ALERT_RECEIVED = 7,
    /* SSL_R_... of BoringSSL's openssl/ssl.h; from 1000 on the alert of the other side. */
    SL_CODE_BORINGSSL = 8,
};

enum sl_direction {
    SL_DIRECTION_READ = 0,
    SL_DIRECTION_WRITE = 1,
};

enum sl_stack {
    SL_STACK_OPENSSL = 1,
    SL_STACK_BORINGSSL = 2,
    SL_STACK_GNUTLS = 3,
    SL_STACK_NSS = 4,
    SL_STACK_GO = 5,
    SL_STACK_RUSTLS = 6,
    /* No TLS: the bytes of a socket. */
    SL_STACK_PLAIN = 7,
};

/* Why something was not handed over. Index into the per-CPU counters; 0 counts what was. */
enum sl_drop {
    SL_DROP_NONE = 0,
    /* TLS bytes: the ring had no room beside the reserve kept for control records. */
    SL_DROP_RING_FULL = 1,
    /* TLS bytes: the process's memory was not readable at the return of the call. */
    SL_DROP_FAULT = 2,
    /* TLS bytes: beyond SL_CALL_MAX in one call. */
    SL_DROP_CALL_LIMIT = 3,
    /* A loss, close, fork, exec or exit record found no room even in the reserve. */
    SL_DROP_CONTROL = 4,
    /* Program arguments found no room; their bytes are in the exec record's total. */
    SL_DROP_ARGV = 5,
    /* A call returned whose entry was not kept (attached or watched midway, or evicted from the
       table of calls), or was left without a return, as a write is when its program ends. */
    SL_DROP_ORPHAN = 6,
    /* A table of calls or connections did not take an entry. */
    SL_DROP_TABLE = 7,
    /* A call claimed more bytes than its buffer has: the probed function is not what it was taken
       for. */
    SL_DROP_BAD_LENGTH = 8,
    /* A record of a library without a stable layout, which was not laid out as expected. */
    SL_DROP_LAYOUT = 9,
    /* Numbered records of a connection were missed; how many bytes is not known. */
    SL_DROP_SEQUENCE = 10,
    SL_DROP_COUNT = 11,
};

/* What the process policy table says; a process without an entry has the default. */
enum sl_policy {
    /* Seen where everything is (sl_config.watch_all), else not. */
    SL_POLICY_DEFAULT = 0,
    /* Seen, whatever program it starts. Its children are watched, too. */
    SL_POLICY_WATCHED = 1,
    /* Never seen. Its children have the default. */
    SL_POLICY_EXCLUDED = 2,
    /* Never seen, and its children are not either. */
    SL_POLICY_TREE_EXCLUDED = 3,
    /* It started a program that user space has not judged yet (sl_config.judges_programs): seen. */
    SL_POLICY_UNJUDGED = 4,
    /* Not seen as long as it runs the program that was judged; the next one is unjudged. */
    SL_POLICY_UNWANTED = 5,
};

struct sl_process_policy {
    /* Of SL_POLICY_UNWANTED: which of its programs that is about, as in sl_exec_record. */
    __u64 exec_id;
    /* enum sl_policy. */
    __u32 policy;
    __u32 pad;
};

enum sl_exec_flag {
    /* The path has more or longer components than are copied: its beginning is missing. */
    SL_EXEC_PATH_CUT = 1,
    /* The environment is longer than is searched: the absence of a service name is unknown. */
    SL_EXEC_ENVIRONMENT_CUT = 2,
};

/* Set by user space before the programs are loaded, constant from then on. */
struct sl_config {
    /* Data records are refused when more than this many bytes would be pending. */
    __u64 data_limit_bytes;
    /* User space is woken when at least this many bytes are pending; below it polls. */
    __u64 wake_bytes;
    /* 1: every process is seen unless excluded; 0: only watched ones. */
    __u32 watch_all;
    /* 1: programs that start in unwatched processes are reported, to be judged by user space. */
    __u32 judges_programs;
};

/* One per CPU and sl_drop. */
struct sl_counter {
    __u64 records;
    __u64 bytes;
};

/* In sl_verdict.until: without end. In sl_verdict.while_other_at: whatever the other direction
 * does.
 */
#define SL_ANY_POSITION 0xffffffffffffffffULL

/*
 * What user space does not want of a connection: in each direction (enum sl_direction) the calls
 * that end at `until` or before it, as long as the other direction stands at `while_other_at`, so
 * that a new request lifts the verdict on its response. Zero in `until` wants everything. With a
 * stream, of HTTP/2, only calls that carry nothing but DATA frames of that stream are unwanted.
 */
struct sl_verdict {
    __u64 generation;
    __u64 until[2];
    __u64 while_other_at[2];
    __u32 stream[2];
};

/* First member of every record. */
struct sl_record_header {
    /* Bytes of the record that mean something, header included, without padding at its end. */
    __u32 size;
    __u16 kind;
    __u16 flags;
};

struct sl_process {
    /* start_boottime of the thread group's leader. */
    __u64 start_ns;
    __u32 pid;
    /* Thread that caused the record; 0 where none did. */
    __u32 tid;
};

/*
 * SL_RECORD_DATA, followed by the payload, and without one SL_RECORD_LOSS and SL_RECORD_SKIP: bytes
 * that a verdict kept from being copied; its time is the return of the last call that had some.
 */
struct sl_stream_record {
    struct sl_record_header header;
    /* Return of the call. */
    __u64 time_ns;
    /* Entry of the call. */
    __u64 enter_ns;
    struct sl_process process;
    __u64 object;
    __u64 generation;
    /* Of the first byte, in this direction's stream. */
    __u64 position;
    /* Per connection and direction, counted before room is asked for. */
    __u64 sequence;
    /* Of a skip with a stream: from its end to the next frame header. */
    __u64 call_bytes;
    /* Of a skip: calls in it; with a stream, frame headers. */
    __u64 call_offset;
    /* Of the payload, or lost (0: how many is not known), or skipped. */
    __u64 bytes;
    __u8 direction;
    __u8 stack;
    /* enum sl_drop. */
    __u8 reason;
    __u8 pad;
    /* HTTP/2 stream whose DATA frames were skipped; 0 of any other record. */
    __u32 frame_stream;
};

struct sl_close_record {
    struct sl_record_header header;
    __u64 time_ns;
    struct sl_process process;
    __u64 object;
    __u64 generation;
    __u64 read_position;
    __u64 write_position;
    __u8 stack;
    __u8 pad[7];
};

/* Whom a connection is with: the socket that carries it was found. */
struct sl_peer_record {
    struct sl_record_header header;
    __u64 time_ns;
    struct sl_process process;
    __u64 object;
    __u64 generation;
    /* In the order of the network; of version 4 the first four bytes. */
    __u8 address[16];
    __u8 local_address[16];
    __u16 port;
    __u16 local_port;
    /* 4 or 6. */
    __u8 ip_version;
    __u8 stack;
    /* The socket was used next to the connection's calls, not in them. */
    __u8 is_inferred;
    __u8 pad;
};

struct sl_handshake_record {
    struct sl_record_header header;
    __u64 time_ns;
    __u64 begin_ns;
    struct sl_process process;
    __u64 object;
    __u64 generation;
    __u32 code;
    __u8 code_kind;
    __u8 outcome;
    __u8 side;
    __u8 stack;
};

#define SL_SERVER_NAME_MAX 256

/* The name of the server that a client wants. */
struct sl_server_name_record {
    struct sl_record_header header;
    __u64 time_ns;
    struct sl_process process;
    __u64 object;
    __u64 generation;
    __u16 name_bytes;
    __u8 stack;
    __u8 pad[5];
    __u8 name[SL_SERVER_NAME_MAX];
};

struct sl_fork_record {
    struct sl_record_header header;
    __u64 time_ns;
    struct sl_process process;
    struct sl_process parent;
};

/* A process is about to be called something else, by itself. */
struct sl_rename_record {
    struct sl_record_header header;
    __u64 time_ns;
    struct sl_process process;
    /* As in sl_exec_record. */
    __u64 exec_id;
    __u8 comm[SL_COMM_BYTES];
};

/* A file as the kernel tells it from others. One that was written anew in its place has another
 * size, one that took over the number of a deleted one another generation, where the file system
 * counts them. */
struct sl_file {
    __u64 inode;
    __u64 bytes;
    __u32 device;
    __u32 generation;
};

/* A file that user space does not know is mapped executable. */
struct sl_mapping_record {
    struct sl_record_header header;
    __u64 time_ns;
    struct sl_process process;
    struct sl_file file;
};

/* A process whose probes were taken away connects to another host, or makes a child. */
struct sl_wake_record {
    struct sl_record_header header;
    __u64 time_ns;
    struct sl_process process;
};

struct sl_exit_record {
    struct sl_record_header header;
    __u64 time_ns;
    struct sl_process process;
    /* Value given to exit(2), when signal is 0. */
    __u32 code;
    __u32 signal;
};

/* A part of a program's arguments, followed by its bytes; precedes the exec record with the same
 * process and time. */
struct sl_argv_record {
    struct sl_record_header header;
    __u64 time_ns;
    struct sl_process process;
    __u64 offset;
    __u64 bytes;
};

struct sl_exec_record {
    struct sl_record_header header;
    __u64 time_ns;
    struct sl_process process;
    struct sl_process parent;
    __u64 cgroup_id;
    /* True size of the arguments, each with its terminator. */
    __u64 argv_bytes;
    /* Counts the programs that the process and those it descends from have started. */
    __u64 exec_id;
    __u32 uid;
    __u32 gid;
    __u32 service_name_bytes;
    __u32 path_bytes;
    __u8 comm[SL_COMM_BYTES];
    __u8 service_name[SL_SERVICE_NAME_MAX];
    /* Components from the file up to the root, each with its terminator; the last component may be
     * followed by more. */
    __u8 path[SL_PATH_MAX + SL_PATH_COMPONENT_MAX];
};
