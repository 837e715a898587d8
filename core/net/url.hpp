// A target's URL and the addresses behind it. The run file's reader calls parse_url (no socket is opened);
// the engine calls resolve once per target before the run and pins what it got.
//
//   auto url = parse_url("http://gpu-1:8000/v1", 8000);     // path_prefix is "": /v1 is never doubled
//   auto endpoints = resolve(*url, 5'000'000'000);
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace tokometer {

struct Url {
  std::string scheme;  // "http", "https", "unix", "grpc" or "grpcs", in lower case
  std::string host;    // name or address; IPv6 without brackets; "localhost" of a socket
  uint16_t port = 0;   // never 0 after parse_url
  std::string
      path_prefix;   // "" or "/gateway": put before every path. A closing "/" and a closing "/v1" are gone
  bool tls = false;  // https, grpcs
  std::string socket_path;  // of unix:///run/vllm.sock; it has no prefix

  // "host:port" as the Host header wants it: IPv6 in brackets, the scheme's own port (80, 443) left out.
  std::string authority() const;
  // "http://host:port/prefix", for messages and reports.
  std::string text() const;
};

// One address of a target, ready for connect().
struct Endpoint {
  sockaddr_storage address{};
  socklen_t length = 0;
  std::string text;  // "127.0.0.1:8000", "[::1]:8000" or "unix:///run/vllm.sock"
};

// default_port is the profile's port for schemes http and grpc; https and grpcs default to 443. 0 means 80.
// The Error's message says what is wrong with the value; the caller adds key and position.
Result<Url> parse_url(std::string_view text, uint16_t default_port);

// All addresses in the system's order of preference, at most 16. Literal addresses need no resolver. Names
// are asked for on a thread of their own that is abandoned after timeout_ns: a silent resolver cannot hold
// the program. Errors begin with "dns: " or "timeout.dns: ".
Result<std::vector<Endpoint>> resolve(const Url& url, int64_t timeout_ns);

}  // namespace tokometer
