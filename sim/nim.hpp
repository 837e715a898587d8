// What NIM adds to its engine's API: management routes, metrics at /v1/metrics (1.x: without a prefix), and
// the object `stats` of 1.x. Pages are pure; a NimWriter belongs to its request.
#pragma once

#include <optional>
#include <string>

#include "sim/events_vllm.hpp"
#include "sim/pages.hpp"

namespace tokometer::sim {

// Nothing: no route of NIM's own.
std::optional<Page> make_nim_page(const Request& request, const PageState& state);

// 1.x with per-request metrics.
class NimWriter final : public VllmEvents {
 public:
  using VllmEvents::VllmEvents;

 private:
  void append_more(std::string& out, const Usage& usage) const override;
};

}  // namespace tokometer::sim
