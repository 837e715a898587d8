// An HTTP proxy between us and a server. Requests in plain HTTP/1.1 are handed to it whole, in absolute form;
// all others (TLS, HTTP/2, gRPC) go through a tunnel that it opens (CONNECT), with the bytes as they would be
// without it. Host header, TLS name and certificates are the server's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "net/url.hpp"

namespace tokometer {

struct Proxy {
  Url url;                    // http://HOST:PORT
  std::string authorization;  // value of Proxy-Authorization, a secret; empty: none is sent
};

// "Basic ...", for "user:password".
std::string basic_authorization(std::string_view credentials);

// Is the server on the list of no_proxy? Entries stand between commas or blanks: "*", a name (which means
// the names below it, too), an address, a network ("10.0.0.0/8"), each perhaps with ":port" behind a name or
// an IPv4 address.
bool is_exempt(std::string_view list, const Url& server);

// Whether requests to this server go through a tunnel.
inline bool needs_tunnel(const Url& server, bool http2) {
  return server.tls || http2;
}

// The request that asks for a tunnel.
std::string tunnel_request(const Proxy& proxy, const Url& server);

// The proxy's addresses; their text says which server is behind it: "gpu-1:8000 via 10.0.0.9:3128".
Result<std::vector<Endpoint>> resolve_through(const Proxy& proxy, const Url& server, int64_t timeout_ns);

}  // namespace tokometer
