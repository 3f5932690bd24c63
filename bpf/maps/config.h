/* Constants that user space sets before loading. In a section of their own, so that they are found
 * without a skeleton. */
#pragma once

#include "../kernel/types.h"
#include <bpf/bpf_helpers.h>
#include "../abi/events.h"

const volatile struct sl_config config SEC(".rodata.config") = {};
