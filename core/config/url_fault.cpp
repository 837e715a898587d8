#include "config/url_fault.hpp"

#include <arpa/inet.h>
#include <sys/un.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace tokometer {
namespace {

constexpr std::string_view kDigits = "0123456789";

bool is_scheme(std::string_view word) {
  constexpr std::array<std::string_view, 5> kSchemes{"http", "https", "unix", "grpc", "grpcs"};
  return std::find(kSchemes.begin(), kSchemes.end(), word) != kSchemes.end();
}

std::string got(std::string_view part) {
  return " (got \"" + escape_terminal(part, 100) + "\")";
}

std::string port_fault(std::string_view port) {
  const bool digits = !port.empty() && port.find_first_not_of(kDigits) == std::string_view::npos;
  const std::string_view number = port.substr(std::min(port.find_first_not_of('0'), port.size()));
  const bool in_range =
      digits && !number.empty() && number.size() <= 5 && std::stoi(std::string(number)) <= 65535;
  if (in_range) return {};
  return "port must be 1-65535 (got " + (port.empty() ? "nothing" : escape_terminal(port, 40)) + ")";
}

bool is_ipv6(const std::string& text) {
  in6_addr ignored{};
  return ::inet_pton(AF_INET6, text.c_str(), &ignored) == 1;
}

// "/run/server.sock"
std::string socket_fault(std::string_view path) {
  constexpr size_t kMostBytes = sizeof(sockaddr_un::sun_path) - 1;
  if (!path.starts_with('/') || path.ends_with('/'))
    return "must be unix:///PATH, the socket's absolute path" + got(path);
  if (path.size() > kMostBytes)
    return "a socket's path has at most " + std::to_string(kMostBytes) + " bytes" + got(path);
  return {};
}

// "host", "host:port", "[v6]:port".
std::string authority_fault(std::string_view authority) {
  if (authority.find('@') != std::string_view::npos) {
    return "a user name or password does not belong here; use target.api_key or target.headers";
  }
  if (authority.starts_with('[')) {
    const size_t end = authority.find(']');
    const std::string_view address = authority.substr(1, end == std::string_view::npos ? end : end - 1);
    if (end == std::string_view::npos || !is_ipv6(std::string(address))) {
      return "not an IPv6 address in [ ]" + got(authority);
    }
    const std::string_view rest = authority.substr(end + 1);
    if (rest.empty()) return {};
    return rest.starts_with(':') ? port_fault(rest.substr(1)) : "unexpected text after \"]\"" + got(rest);
  }
  const size_t colon = authority.find(':');
  const std::string_view host = authority.substr(0, colon);
  if (colon != std::string_view::npos && authority.find(':', colon + 1) != std::string_view::npos) {
    return "an IPv6 address needs [ ]" + got(authority);
  }
  if (host.empty()) return "the host is missing";
  return colon == std::string_view::npos ? "" : port_fault(authority.substr(colon + 1));
}

}  // namespace

std::string url_fault(std::string_view url) {
  const auto is_blank = [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f; };
  if (std::any_of(url.begin(), url.end(), is_blank))
    return "blanks and control characters are not allowed" + got(url);
  const size_t scheme_end = url.find("://");
  const bool has_scheme = scheme_end != std::string_view::npos;
  if (!has_scheme || !is_scheme(url.substr(0, scheme_end))) {
    const bool secret_inside = url.find('@') != std::string_view::npos;
    std::string sentence = "must begin with http://, https://, unix:///, grpc:// or grpcs://";
    return secret_inside ? sentence : sentence + got(url);
  }
  const std::string_view rest = url.substr(scheme_end + 3);
  if (rest.find_first_of("?#") != std::string_view::npos) return "a query (?) or fragment (#) is not allowed";
  if (url.starts_with("unix")) return socket_fault(rest);
  return authority_fault(rest.substr(0, rest.find('/')));
}

}  // namespace tokometer
