#include "net/url.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/un.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "base/text.hpp"
#include "net/ascii.hpp"

namespace tokometer {
namespace {

constexpr size_t kMaxAddresses = 16;

Error fault(std::string_view found, const std::string& what) {
  return Error{what + " (got \"" + escape_terminal(found) + "\")"};
}

bool is_clean(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 127 && c != '\\'; });
}

bool is_host_name(std::string_view host) {
  return !host.empty() && host.size() <= 253 && std::all_of(host.begin(), host.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
  });
}

bool is_ipv6(const std::string& host) {
  in6_addr address{};
  return inet_pton(AF_INET6, host.substr(0, host.find('%')).c_str(), &address) == 1;
}

std::optional<uint16_t> parse_port(std::string_view digits) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{} || end != digits.data() + digits.size() || value < 1 || value > 65535)
    return std::nullopt;
  return static_cast<uint16_t>(value);
}

// "gateway/v1/" -> "/gateway": no slash at the end, and no /v1, which the processors' own paths begin with.
std::string fold_prefix(std::string_view path) {
  while (path.ends_with('/')) path.remove_suffix(1);
  if (path.ends_with("/v1")) path.remove_suffix(3);
  while (path.ends_with('/')) path.remove_suffix(1);
  return std::string(path);
}

uint16_t default_port_of(const std::string& scheme, uint16_t default_port) {
  if (scheme == "https" || scheme == "grpcs") return 443;
  return default_port != 0 ? default_port : uint16_t{80};
}

Result<Url> read_socket(std::string_view path, Url url) {
  if (!path.starts_with('/') || path.size() >= sizeof(sockaddr_un::sun_path))
    return fault(path, "unix:// needs an absolute path of at most 107 bytes");
  url.host = "localhost";
  url.port = 80;
  url.socket_path = path;
  return url;
}

// Splits "host:port" or "[v6]:port" into url.
Result<void> read_authority(std::string_view authority, uint16_t default_port, Url& url) {
  std::string_view port;
  bool has_port = false;
  if (authority.starts_with('[')) {
    const size_t close = authority.find(']');
    if (close == std::string_view::npos) return fault(authority, "the IPv6 address is not closed by \"]\"");
    url.host = ascii_lower(authority.substr(1, close - 1));
    std::string_view rest = authority.substr(close + 1);
    if (!is_ipv6(url.host) || (!rest.empty() && !rest.starts_with(':')))
      return fault(authority, "not a valid IPv6 address");
    has_port = !rest.empty();
    port = has_port ? rest.substr(1) : rest;
  } else {
    const size_t colon = authority.find(':');
    url.host = ascii_lower(authority.substr(0, colon));
    has_port = colon != std::string_view::npos;
    port = has_port ? authority.substr(colon + 1) : std::string_view{};
    if (port.find(':') != std::string_view::npos)
      return fault(authority, "an IPv6 address needs brackets: http://[::1]:8000");
    if (url.host.empty()) return fault(authority, "the host is missing");
    if (!is_host_name(url.host))
      return fault(authority, "the host may hold letters, digits, \"-\", \"_\" and \".\" only");
  }
  if (!has_port) {
    url.port = default_port_of(url.scheme, default_port);
    return {};
  }
  const auto number = parse_port(port);
  if (!number) return Error{"port must be 1-65535 (got " + escape_terminal(port, 16) + ")"};
  url.port = *number;
  return {};
}

Endpoint to_endpoint(const addrinfo& info) {
  Endpoint endpoint;
  std::copy_n(reinterpret_cast<const char*>(info.ai_addr), info.ai_addrlen,
              reinterpret_cast<char*>(&endpoint.address));
  endpoint.length = info.ai_addrlen;
  char host[NI_MAXHOST] = "";
  char port[NI_MAXSERV] = "";
  getnameinfo(info.ai_addr, info.ai_addrlen, host, sizeof host, port, sizeof port,
              NI_NUMERICHOST | NI_NUMERICSERV);
  const bool v6 = info.ai_family == AF_INET6;
  endpoint.text = (v6 ? "[" : "") + std::string(host) + (v6 ? "]:" : ":") + port;
  return endpoint;
}

// host: null for the loopback.
Result<std::vector<Endpoint>> look_up(const char* host, uint16_t port, int flags) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int code = getaddrinfo(host, std::to_string(port).c_str(), &hints, &list);
  const std::string name = host != nullptr ? host : "loopback";
  if (code != 0) return Error{"dns: " + name + ": " + gai_strerror(code)};
  std::vector<Endpoint> endpoints;
  for (const addrinfo* at = list; at != nullptr && endpoints.size() < kMaxAddresses; at = at->ai_next) {
    endpoints.push_back(to_endpoint(*at));
  }
  freeaddrinfo(list);
  if (endpoints.empty()) return Error{"dns: " + name + ": the answer holds no address"};
  return endpoints;
}

bool is_localhost(std::string_view host) {
  return host == "localhost" || host.ends_with(".localhost");
}

// A name. The loopback's, where the system does not know it: the addresses of the loopback (RFC 6761, 6.3).
Result<std::vector<Endpoint>> look_up_name(const std::string& host, uint16_t port) {
  auto found = look_up(host.c_str(), port, 0);
  return found || !is_localhost(host) ? found : look_up(nullptr, port, 0);
}

Endpoint socket_endpoint(const Url& url) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  url.socket_path.copy(address.sun_path, sizeof address.sun_path - 1);
  Endpoint endpoint;
  std::memcpy(&endpoint.address, &address, sizeof address);
  endpoint.length = sizeof address;
  endpoint.text = url.text();
  return endpoint;
}

// What the resolving thread and its asker share. Owned by both, for either may be the last: the asker gives
// up, or the thread comes late.
struct Lookup {
  std::mutex mutex;
  std::condition_variable done;
  std::optional<Result<std::vector<Endpoint>>> result;
};

}  // namespace

std::string Url::authority() const {
  const std::string name = host.find(':') != std::string::npos ? "[" + host + "]" : host;
  const uint16_t own_port = tls ? 443 : 80;
  return port == own_port ? name : name + ":" + std::to_string(port);
}

std::string Url::text() const {
  if (!socket_path.empty()) return scheme + "://" + socket_path;
  return scheme + "://" + authority() + path_prefix;
}

Result<Url> parse_url(std::string_view text, uint16_t default_port) {
  const size_t mark = text.find("://");
  const size_t host_begin = mark == std::string_view::npos ? 0 : mark + 3;
  if (text.substr(host_begin, text.find('/', host_begin) - host_begin).find('@') != std::string_view::npos) {
    // Not shown again.
    return Error{"credentials do not belong in the URL: use target.api_key or target.headers"};
  }
  if (mark == std::string_view::npos) return fault(text, "a URL needs a scheme: http://host:port");
  Url url;
  url.scheme = ascii_lower(text.substr(0, mark));
  url.tls = url.scheme == "https" || url.scheme == "grpcs";
  const bool is_socket = url.scheme == "unix";
  if (!url.tls && !is_socket && url.scheme != "http" && url.scheme != "grpc") {
    return fault(text, "the scheme must be http, https, unix, grpc or grpcs");
  }
  if (!is_clean(text)) return fault(text, "a URL holds no blanks, control characters or \"\\\"");
  const std::string_view rest = text.substr(mark + 3);
  if (rest.find_first_of("?#") != std::string_view::npos)
    return fault(text, "the URL may not have a query or fragment");
  if (is_socket) return read_socket(rest, std::move(url));
  const size_t slash = std::min(rest.find('/'), rest.size());
  if (auto read = read_authority(rest.substr(0, slash), default_port, url); !read) return read.errors();
  url.path_prefix = fold_prefix(rest.substr(slash));
  return url;
}

Result<std::vector<Endpoint>> resolve(const Url& url, int64_t timeout_ns) {
  if (!url.socket_path.empty()) return std::vector<Endpoint>{socket_endpoint(url)};
  if (auto literal = look_up(url.host.c_str(), url.port, AI_NUMERICHOST)) return literal;
  auto lookup = std::make_shared<Lookup>();
  std::thread([lookup, host = url.host, port = url.port] {
    auto result = look_up_name(host, port);
    const std::lock_guard lock(lookup->mutex);
    lookup->result = std::move(result);
    lookup->done.notify_one();
  }).detach();
  std::unique_lock lock(lookup->mutex);
  const bool in_time = lookup->done.wait_for(lock, std::chrono::nanoseconds(timeout_ns),
                                             [&] { return lookup->result.has_value(); });
  if (!in_time) {
    return Error{"timeout.dns: " + url.host + ": no answer from the resolver in " +
                 format_duration(timeout_ns)};
  }
  return std::move(*lookup->result);
}

}  // namespace tokometer
