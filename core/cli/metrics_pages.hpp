// The metrics pages of a server that has not been met before: which of the quantities that a processor knows
// stand there? Blocking.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>

#include "config/run_file.hpp"
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
  // target outlives this.
  MetricsPages(std::shared_ptr<const TlsContext> tls, const RunFile::Target& target)
      : tls_(std::move(tls)), target_(target) {}

  PageFacts look(const Url& server, const Profile& profile, const MetricsPage& page);

 private:
  Result<Answer> fetch_page(const Url& url, const std::string& path) const;

  std::shared_ptr<const TlsContext> tls_;
  const RunFile::Target& target_;
  std::map<std::string, Result<Answer>> texts_;
};

}  // namespace tokometer
