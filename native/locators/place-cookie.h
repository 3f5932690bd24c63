// What kernel programs are told of a place: bpf/abi/place.h.
#pragma once

#include "elf-file.h"
#include "entry-places.h"
#include "location.h"
#include "result-places.h"

#include <optional>

namespace sightline {

// Nothing where the place is not in the file, or something is too far from the stack pointer.
std::optional<KnownPlace> known_place(const ElfFile &file, const ResultPlace &place);
std::optional<KnownPlace> known_place(const ElfFile &file, const EntryPlace &place);

} // namespace sightline
