// The metrics pages of a server that has not been met before: which of the quantities that a processor knows
// stand there? Blocking.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>

#include "net/fetch.hpp"
#include "plugin/profile.hpp"

namespace tokometer {

struct PageFacts {
  std::string url;
  std::string fault;            // empty: it answered
  size_t known = 0, asked = 0;  // quantities
};

// Fetches each page once, whoever asks.
class MetricsPages {
 public:
  MetricsPages(std::shared_ptr<const TlsContext> tls, bool http2) : tls_(std::move(tls)), http2_(http2) {}

  PageFacts look(const Url& server, const Profile& profile, const MetricsPage& page);

 private:
  std::shared_ptr<const TlsContext> tls_;
  bool http2_;
  std::map<std::string, Result<Answer>> texts_;
};

}  // namespace tokometer
