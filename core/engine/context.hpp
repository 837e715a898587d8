// What all requests of a workload share: facts that preflight and plan have fixed. Immutable while workers
// run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/secret.hpp"
#include "config/run_file.hpp"
#include "net/proxy.hpp"
#include "net/tls_context.hpp"
#include "net/url.hpp"

namespace tokometer {

// One of the servers that take turns: an entry of target.url.
struct TargetServer {
  Url url;
  std::string authority;                    // of url, as the Host header has it
  std::vector<Endpoint> endpoints;          // of url or of its proxy, resolved once
  std::shared_ptr<const Proxy> proxy = {};  // null: none
  std::string origin = {};  // what the proxy wants before the path; empty: it tunnels, or there is none
};

// What the requests of one workload share in one phase. Lives as long as the load driver.
struct PhaseFacts {
  size_t workload = 0;  // of the plan's
  std::string name;
  std::string salt;  // cache salt: no phase meets the cached prompts of another; empty: none is sent
};

struct RunContext {
  const Clock* clock = nullptr;
  int64_t start_ns = 0;   // all times of the records count from here
  std::string id_prefix;  // request ids are this and the sequence number: "3f9c1a-17"
  std::string workload = "default";

  std::vector<TargetServer> servers;      // at least one; request n goes to server n modulo their number
  std::shared_ptr<const TlsContext> tls;  // for those with https
  bool http2 = false;                     // connections.http is 2, or gRPC
  bool grpc = false;                      // the requests are gRPC calls
  bool sticky = false;                    // the turns of a session share a connection
  bool keep_alive = true;                 // false: connections.policy is fresh
  std::vector<std::pair<std::string, std::string>> headers;  // of the run file, the credential among them

  std::string model;  // as sent; adapters replace it where they are the model's name
  int32_t task = 0;   // TKM_TASK_*: but for texts, one answer at once, with no output
  RunFile::Request request;
  RunFile::Timeouts timeouts;
  int32_t declared_output_mode = 0;  // TKM_OUTPUT_*: what the dataset's own lengths mean in this run
  std::string salt;                  // cache salt of the run; empty: the server's cache is left as it is
  bool salt_per_request = false;     // nothing is shared between two requests
  std::vector<std::string> request_metrics;  // names that the processor's profile declares
  const Redactor* redactor = nullptr;        // masks secrets in foreign text before it is kept
};

}  // namespace tokometer
