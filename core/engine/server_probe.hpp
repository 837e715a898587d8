// One question to one server, outside the load: with the target's credentials, protocol and TLS. Blocking;
// main thread or preflight's.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "config/run_file.hpp"
#include "engine/preflight.hpp"
#include "net/fetch.hpp"
#include "plugin/probe.hpp"
#include "plugin/profile.hpp"

namespace tokometer {

// gRPC runs on HTTP/2 alone; else the run file says which.
bool needs_http2(const RunFile& file, const Profile& profile);

// The run file's headers for every request, and its credential as the profile says.
std::vector<std::pair<std::string, std::string>> target_headers(const RunFile& file, const Profile& profile);

// The proxy before a server; null: there is none.
Result<std::shared_ptr<const Proxy>> find_proxy(const RunFile::Target& target, const Url& server);

// The server at a URL, by way of its proxy, resolved.
Result<TargetServer> find_server(const RunFile::Target& target, const Url& url, bool http2);

// To this server; what to ask is the caller's to fill in.
FetchRequest request_to(const RunFile& file, const Preflight& found, const TargetServer& server);

// Where a metrics page is, on a port of its own or the server's.
Url page_url(const Url& server, const Profile& profile, const MetricsPage& page);

// One probe. What the answer means is check_answer()'s; of gRPC it has the call's status and one message, or
// why there is none.
Result<Answer> ask_server(const RunFile& file, const Preflight& found, const TargetServer& server,
                          const Probe& probe, const FillValues& values);

}  // namespace tokometer
