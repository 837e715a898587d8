// The writers of the dialects; events.hpp chooses one. Each refers to the generation and the buffer, which
// must outlive it.
#pragma once

#include <memory>

#include "sim/events.hpp"

namespace tokometer::sim {

std::unique_ptr<EventWriter> make_sglang_events(const Generation& generation, ChunkBuffer& buffer);
std::unique_ptr<EventWriter> make_tgi_events(const Generation& generation, ChunkBuffer& buffer);

}  // namespace tokometer::sim
