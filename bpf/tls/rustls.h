/*
 * rustls. https://docs.rs/rustls/0.23/rustls/crypto/cipher/
 *
 * - MessageEncrypter::encrypt(&mut self, message, sequence) -> Result<message, Error>: each record
 *   that is sent, in the clear.
 * - MessageDecrypter::decrypt(&mut self, message, sequence) -> Result<message, Error>: each record
 *   that was received, in the clear once it has returned.
 * - CommonState::send_appdata_encrypt(&mut self, chunks, limit): what cuts data into records. It
 *   calls the encrypter; all that is taken from it is which connection that is. Where it was not
 *   found, RecordLayer::encrypt_outgoing(&mut self, message) between the two serves as well.
 *
 * Rust has no stable layout, so everything that is read is checked, and what does not fit is
 * counted (SL_DROP_LAYOUT) and left. A connection is named by where it keeps its encrypter; beside
 * that is its decrypter. The records' own numbers tell when some were missed, and when an address
 * has come to another connection.
 */
#pragma once

#include "../kernel/bounds.h"
#include "../maps/rustls_ciphers.h"
#include "call.h"
#include "close.h"

/* The result's address is passed before everything else, because it does not fit into registers. */
#define RUSTLS_RESULT(ctx) PT_REGS_PARM1(ctx)
#define RUSTLS_SELF(ctx) PT_REGS_PARM2(ctx)
#define RUSTLS_MESSAGE(ctx) PT_REGS_PARM3(ctx)
#define RUSTLS_SEQUENCE(ctx) PT_REGS_PARM4(ctx)

/* ContentType, by the order in which it is declared. */
#define RUSTLS_ALERT 1
#define RUSTLS_DATA 3
#define RUSTLS_TYPES 6

/* A record's plaintext is at most this (RFC 8446, section 5.1). */
#define RUSTLS_RECORD_MAX 16384
/* What a record gains by encryption, at most (RFC 5246, section 6.2.3). */
#define RUSTLS_EXPANSION_MAX 2048
#define RUSTLS_PIECES_MAX 1024

/* Words of the connection's state in which its encrypter is looked for. */
#define RUSTLS_STATE_WORDS 192
/* The same of the record layer alone, which begins with it. */
#define RUSTLS_LAYER_WORDS 24

/* OutboundPlainMessage: one piece {0, address, bytes}, or some {pieces, count, start, end}. */
struct rustls_outbound {
    u64 words[4];
    u8 type;
    u8 rest[7];
};

/* InboundPlainMessage in a Result: what comes first tells success. */
struct rustls_inbound {
    u8 tag;
    u8 unused[7];
    u64 address;
    u64 bytes;
    u8 type;
    u8 rest[7];
};

struct rustls_piece {
    u64 address;
    u64 bytes;
};

/* A trait object's table begins with this. */
struct rustls_methods {
    u64 drop;
    u64 size;
    u64 alignment;
    u64 first;
};

/* Two trait objects that follow one another. */
struct rustls_objects {
    u64 object;
    u64 methods;
};

static __always_inline struct rustls_cipher *cipher_of(const struct connection_key *key) {
    struct task_struct *task = current_task();
    u64 start_ns = process_start_of(task);
    u64 exec_id = BPF_CORE_READ(task, self_exec_id);
    struct rustls_cipher *cipher = bpf_map_lookup_elem(&rustls_ciphers, key);
    if (cipher && cipher->process_start_ns == start_ns && cipher->exec_id == exec_id)
        return cipher;
    struct rustls_cipher fresh = {
        .process_start_ns = start_ns,
        .exec_id = exec_id,
        .next_sequence = SL_ANY_POSITION,
    };
    bpf_map_update_elem(&rustls_ciphers, key, &fresh, BPF_ANY);
    return bpf_map_lookup_elem(&rustls_ciphers, key);
}

static __always_inline bool is_trait_object(const struct rustls_objects *pair) {
    struct rustls_methods methods;
    if (!pair->object || bpf_probe_read_user(&methods, sizeof(methods), (void *)pair->methods))
        return false;
    return methods.size >= 1 && methods.size <= 65536 && methods.alignment >= 1 &&
           methods.alignment <= 64 && (methods.alignment & (methods.alignment - 1)) == 0 &&
           methods.first;
}

/*
 * Where in the `words` of the state at `address` the encrypter is kept; 0 when it is not there.
 * Global, and given numbers alone, so that the verifier looks at it once.
 */
__noinline u64 find_word(u64 address, u64 encrypter, u64 words) {
    for (u64 i = 0; i < RUSTLS_STATE_WORDS && i < words; i++) {
        u64 word = 0;
        if (bpf_probe_read_user(&word, sizeof(word), (void *)address))
            return 0;
        if (word == encrypter)
            return address;
        address += sizeof(word);
    }
    return 0;
}

/* The same in the state that the thread sends for. */
static __always_inline u64 find_encrypter(u64 pid_tgid, u64 encrypter) {
    struct rustls_sender *sender = bpf_map_lookup_elem(&rustls_senders, &pid_tgid);
    if (!sender)
        return 0;
    u64 second = sender->second;
    u64 place = find_word(sender->first, encrypter, RUSTLS_STATE_WORDS);
    return place ? place : find_word(second, encrypter, RUSTLS_LAYER_WORDS);
}

/* The decrypter is the other trait object: behind the encrypter, or before it. */
static __always_inline u64 find_decrypter(u64 place) {
    struct rustls_objects pair = {};
    bpf_probe_read_user(&pair, sizeof(pair), (void *)(place + sizeof(pair)));
    if (is_trait_object(&pair))
        return pair.object;
    bpf_probe_read_user(&pair, sizeof(pair), (void *)(place - sizeof(pair)));
    return is_trait_object(&pair) ? pair.object : 0;
}

/* Ends what is known under a connection's object, so that what comes next begins another one. */
static __always_inline void end_rustls_connection(u32 pid, u64 object) {
    struct connection_key key = {.object = object, .pid = pid};
    struct connection *connection = bpf_map_lookup_elem(&connections, &key);
    if (!connection)
        return;
    emit_close(&key, connection, bpf_get_current_pid_tgid());
    bpf_map_delete_elem(&verdicts, &key);
    bpf_map_delete_elem(&connections, &key);
}

/*
 * Finds out whose encrypter this is, when the first data goes through it. A place that was known
 * has come to another connection, or its keys were renewed: both begin anew.
 */
static __always_inline void resolve_encrypter(const struct connection_key *key,
                                              struct rustls_cipher *cipher, u64 pid_tgid) {
    u64 place = find_encrypter(pid_tgid, key->object);
    /* Alone then, under its own address. */
    cipher->connection = place ? place : key->object;
    end_rustls_connection(key->pid, cipher->connection);
    if (!place)
        return;
    struct connection_key other_key = {.object = find_decrypter(place), .pid = key->pid};
    struct rustls_cipher *other = other_key.object ? cipher_of(&other_key) : NULL;
    if (!other)
        return;
    other->connection = place;
    other->has_success = 0;
    other->next_sequence = SL_ANY_POSITION;
}

/*
 * Whether `sequence` is the one expected of the cipher. Lower ones are those of other keys at the
 * same address; higher ones mean that records were missed, whose size nobody knows.
 */
enum rustls_order {
    RUSTLS_IN_ORDER,
    RUSTLS_RESTARTED,
    RUSTLS_MISSED,
};

static __always_inline u64 order_of(const struct rustls_cipher *cipher, u64 sequence) {
    if (cipher->next_sequence == SL_ANY_POSITION || cipher->next_sequence == sequence)
        return RUSTLS_IN_ORDER;
    return sequence < cipher->next_sequence ? RUSTLS_RESTARTED : RUSTLS_MISSED;
}

/* Where a record's bytes are: in one piece at `address`, or in some. */
struct rustls_source {
    u64 pieces;
    u64 count;
    /* Bytes before the record in the pieces. */
    u64 skip;
    u64 address;
};

/* Pieces of a record that are copied, and of the same write before it that are passed over. */
#define RUSTLS_STEPS 256

/* In what emit_piece returns: the ring is full, the piece cannot be read. */
#define PIECE_FULL (1ULL << 62)
#define PIECE_FAULT (1ULL << 63)
/* A piece of a record in chunks, of which the smallest but one holds more than half. */
#define PIECE_CHUNKS_MAX 4

/*
 * Copies the piece that `place` describes, without its first `skip` bytes, as the bytes from
 * `offset` on of the call that the thread has begun as a long one: as many as are `wanted` at most.
 * Returns how many that were. Global, and given numbers alone, so that the verifier looks at it
 * once and not for each turn of a loop.
 */
__noinline u64 emit_piece(u64 place, u64 skip, u64 offset, u64 wanted) {
    struct rustls_piece piece = {};
    if (bpf_probe_read_user(&piece, sizeof(piece), (void *)place))
        return PIECE_FAULT;
    u64 bytes = piece.bytes > skip ? piece.bytes - skip : 0;
    if (bytes > wanted)
        bytes = wanted;
    u64 copied = 0;
    for (int i = 0; i < PIECE_CHUNKS_MAX; i++) {
        copied = forget_bounds(copied, place);
        if (copied >= bytes)
            return copied;
        u64 done = emit_next_chunk(piece.address + skip + copied, offset + copied, bytes - copied);
        if (done == 0)
            break;
        copied += done;
    }
    return copied < bytes ? copied | PIECE_FULL : copied;
}

static __always_inline void pass_over_pieces(struct rustls_source *source) {
    for (int i = 0; i < RUSTLS_STEPS; i++) {
        u64 bytes = 0;
        u64 at = source->pieces + __builtin_offsetof(struct rustls_piece, bytes);
        source->skip = forget_bounds(source->skip, at);
        if (source->count == 0 || bpf_probe_read_user(&bytes, sizeof(bytes), (void *)at) ||
            bytes > source->skip)
            return;
        source->skip -= bytes;
        source->pieces += sizeof(struct rustls_piece);
        source->count--;
    }
}

static __always_inline void emit_pieces(const struct transfer *transfer,
                                        struct connection *connection,
                                        struct rustls_source *source) {
    u64 wanted = forget_bounds(transfer->bytes, transfer->time_ns);
    u64 offset = 0;
    u64 result = 0;

    if (!report_loss(transfer, connection, SL_DROP_RING_FULL)) {
        lose(transfer, connection, 0, wanted, SL_DROP_RING_FULL);
        return;
    }
    pass_over_pieces(source);
    begin_long_transfer(transfer);
    u64 place = source->pieces;
    u64 end = place + source->count * sizeof(struct rustls_piece);
    for (int i = 0; i < RUSTLS_STEPS; i++) {
        offset = forget_bounds(offset, end);
        result = forget_bounds(result, end);
        if (offset >= wanted || place >= end || result)
            break;
        result = emit_piece(place, source->skip, offset, wanted - offset);
        offset += result & ~(PIECE_FULL | PIECE_FAULT);
        result &= PIECE_FULL | PIECE_FAULT;
        source->skip = 0;
        place = forget_bounds(place + sizeof(struct rustls_piece), end);
    }
    end_long_transfer();
    if (offset < wanted)
        lose(transfer, connection, offset, wanted - offset,
             result & PIECE_FULL ? SL_DROP_RING_FULL : SL_DROP_FAULT);
}

/* False when the message is not laid out as expected. */
static __always_inline bool read_outbound(const struct rustls_outbound *message,
                                          struct rustls_source *source, u64 *bytes) {
    if (message->type >= RUSTLS_TYPES)
        return false;
    if (message->words[0] == 0) {
        source->address = message->words[1];
        *bytes = message->words[2];
    } else {
        source->pieces = message->words[0];
        source->count = message->words[1];
        source->skip = message->words[2];
        *bytes = message->words[3] - message->words[2];
        if (message->words[3] < message->words[2] || source->count > RUSTLS_PIECES_MAX)
            return false;
    }
    return *bytes <= RUSTLS_RECORD_MAX;
}

static __always_inline void emit_outbound(const struct rustls_cipher *cipher, u64 pid_tgid,
                                          struct rustls_source *source, u64 bytes) {
    u64 now = bpf_ktime_get_boot_ns();
    u64 object = cipher->connection;
    struct connection_key key = {.object = object, .pid = pid_tgid >> 32};
    struct connection *connection = connection_of(&key, now, SL_STACK_RUSTLS);
    if (!connection) {
        count(SL_DROP_TABLE, bytes);
        return;
    }
    struct transfer transfer = {
        .time_ns = now,
        .enter_ns = now,
        .process = {.start_ns = connection->process_start_ns, .pid = key.pid, .tid = pid_tgid},
        .object = object,
        .generation = connection->generation,
        /* Frame headers are looked for where the bytes are in one piece. */
        .buffer = source->address,
        .bytes = bytes,
        .position = connection->position[SL_DIRECTION_WRITE],
        .direction = SL_DIRECTION_WRITE,
        .stack = SL_STACK_RUSTLS,
    };
    bool is_skipped = skip_call(&key, connection, &transfer);
    connection->position[SL_DIRECTION_WRITE] = transfer.position + bytes;
    if (is_skipped)
        return;
    if (source->pieces)
        emit_pieces(&transfer, connection, source);
    else
        emit_transfer(&transfer, connection);
    if (!connection->socket_cookie) {
        struct peer_search search = {
            .connection = key,
            .enter_ns = now,
            .stack = SL_STACK_RUSTLS,
        };
        search_peer(&search, pid_tgid);
        note_unsent(&key, pid_tgid, bytes);
    }
}

/*
 * Entry of CommonState::send_appdata_encrypt(&mut self, …), or of the record layer's functions,
 * which are given the address of their result before themselves.
 */
SEC("uprobe/rustls_send_enter")
int rustls_send_enter(struct pt_regs *ctx) {
    u64 pid_tgid = bpf_get_current_pid_tgid();
    if (!is_seen(pid_tgid >> 32))
        return 0;
    struct rustls_sender sender = {.first = PT_REGS_PARM1(ctx), .second = PT_REGS_PARM2(ctx)};
    bpf_map_update_elem(&rustls_senders, &pid_tgid, &sender, BPF_ANY);
    return 0;
}

/* Entry of a MessageEncrypter::encrypt. What it is given, it sends. */
SEC("uprobe/rustls_encrypt_enter")
int rustls_encrypt_enter(struct pt_regs *ctx) {
    u64 pid_tgid = bpf_get_current_pid_tgid();
    if (!is_seen(pid_tgid >> 32))
        return 0;
    struct rustls_outbound message = {};
    struct rustls_source source = {};
    u64 bytes = 0;
    bpf_probe_read_user(&message, sizeof(message), (void *)RUSTLS_MESSAGE(ctx));
    if (!read_outbound(&message, &source, &bytes)) {
        count(SL_DROP_LAYOUT, 0);
        return 0;
    }
    struct connection_key key = {.object = RUSTLS_SELF(ctx), .pid = pid_tgid >> 32};
    struct rustls_cipher *cipher = cipher_of(&key);
    if (!cipher) {
        count(SL_DROP_TABLE, bytes);
        return 0;
    }
    u64 sequence = RUSTLS_SEQUENCE(ctx);
    u64 order = order_of(cipher, sequence);
    cipher->next_sequence = sequence + 1;
    if (order == RUSTLS_MISSED) {
        count(SL_DROP_SEQUENCE, 0);
        end_rustls_connection(key.pid, cipher->connection);
    }
    if (order == RUSTLS_RESTARTED)
        cipher->connection = 0;
    if (message.type != RUSTLS_DATA || bytes == 0)
        return 0;
    if (!cipher->connection)
        resolve_encrypter(&key, cipher, pid_tgid);
    emit_outbound(cipher, pid_tgid, &source, bytes);
    return 0;
}

/* Entry of a MessageDecrypter::decrypt: notes the cipher, the record's place and its number. */
SEC("uprobe/rustls_decrypt_enter")
int rustls_decrypt_enter(struct pt_regs *ctx) {
    u64 pid_tgid = bpf_get_current_pid_tgid();
    if (!is_seen(pid_tgid >> 32))
        return 0;
    struct call_key key = {
        .pid_tgid = pid_tgid,
        .stack_pointer = PT_REGS_SP(ctx),
    };
    struct rustls_piece record = {};
    bpf_probe_read_user(&record, sizeof(record), (void *)RUSTLS_MESSAGE(ctx));
    struct rustls_call value = {
        .call =
            {
                .enter_ns = bpf_ktime_get_boot_ns(),
                .object = RUSTLS_SELF(ctx),
                .buffer = record.address,
                .capacity = record.bytes,
                .direction = SL_DIRECTION_READ,
                .stack = SL_STACK_RUSTLS,
            },
        .result = RUSTLS_RESULT(ctx),
        .sequence = RUSTLS_SEQUENCE(ctx),
    };
    if (bpf_map_update_elem(&rustls_calls, &key, &value, BPF_ANY))
        count(SL_DROP_TABLE, 0);
    return 0;
}

/*
 * Records are decrypted in place, so the plaintext of one that succeeded begins within the first
 * bytes of what came in and is shorter. A failure leaves those words as they were, perhaps those of
 * the record before: so what tells success is learnt from the first that fits.
 */
static __always_inline bool is_record(const struct call *call, const struct rustls_inbound *result,
                                      struct rustls_cipher *cipher) {
    if (result->address < call->buffer || result->address - call->buffer > 16 ||
        call->capacity > RUSTLS_RECORD_MAX + RUSTLS_EXPANSION_MAX ||
        result->bytes > call->capacity || result->type >= RUSTLS_TYPES)
        return false;
    if (!cipher->has_success) {
        cipher->has_success = 1;
        cipher->success = result->tag;
    }
    return cipher->success == result->tag;
}

static __always_inline bool is_close_notify(const struct rustls_inbound *result) {
    u8 alert[2] = {};
    if (result->type != RUSTLS_ALERT || result->bytes != sizeof(alert))
        return false;
    bpf_probe_read_user(alert, sizeof(alert), (void *)result->address);
    return alert[0] == 1 && alert[1] == 0;
}

SEC("uretprobe/rustls_decrypt_exit")
int rustls_decrypt_exit(struct pt_regs *ctx) {
    u64 pid_tgid = bpf_get_current_pid_tgid();
    if (!is_seen(pid_tgid >> 32))
        return 0;
    struct call_key call_key = {
        .pid_tgid = pid_tgid,
        .stack_pointer = PT_REGS_SP(ctx) - RETURN_ADDRESS_BYTES,
    };
    struct rustls_call *entry = bpf_map_lookup_elem(&rustls_calls, &call_key);
    if (!entry) {
        count(SL_DROP_ORPHAN, 0);
        return 0;
    }
    struct rustls_call value = *entry;
    bpf_map_delete_elem(&rustls_calls, &call_key);
    struct call call = value.call;
    struct connection_key key = {.object = call.object, .pid = pid_tgid >> 32};
    struct rustls_inbound result = {};
    struct rustls_cipher *cipher = cipher_of(&key);
    if (!cipher) {
        count(SL_DROP_TABLE, 0);
        return 0;
    }
    bpf_probe_read_user(&result, sizeof(result), (void *)value.result);
    if (!is_record(&call, &result, cipher)) {
        /* None has fitted yet: either nothing is laid out as expected, or the first has failed. */
        if (!cipher->has_success)
            count(SL_DROP_LAYOUT, 0);
        return 0;
    }
    u64 sequence = value.sequence;
    u64 order = order_of(cipher, sequence);
    cipher->next_sequence = sequence + 1;
    if (order == RUSTLS_MISSED) {
        count(SL_DROP_SEQUENCE, 0);
        end_rustls_connection(key.pid, cipher->connection);
    }
    if (order == RUSTLS_RESTARTED)
        cipher->connection = 0;
    if (is_close_notify(&result)) {
        end_rustls_connection(key.pid, cipher->connection);
        return 0;
    }
    if (result.type != RUSTLS_DATA)
        return 0;
    /* Alone, under its own address, until something is sent that shows whose it is. */
    call.object = cipher->connection ? cipher->connection : call.object;
    call.buffer = result.address;
    finish_call(&call, pid_tgid, result.bytes, false, NO_PLACE);
    return 0;
}
