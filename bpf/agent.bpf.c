/*
 * SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Everything that runs in the kernel, one concern a header.
 */
#include "kernel/types.h"
#include <bpf/bpf_helpers.h>

#include "tls/openssl.h"
#include "tls/boringssl.h"
#include "tls/gnutls.h"
#include "tls/nss.h"
#include "tls/go.h"
#include "tls/rustls.h"
#include "tls/handshake.h"
#include "tls/go_handshake.h"
#include "tls/server_name.h"
#include "process/lifecycle.h"
#include "process/exec.h"
#include "process/mapping.h"
#include "process/rename.h"
#include "process/resting.h"
#include "socket/peer.h"
#include "socket/plain.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";
