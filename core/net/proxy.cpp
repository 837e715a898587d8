#include "net/proxy.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "base/text.hpp"
#include "net/ascii.hpp"

namespace tokometer {
namespace {

struct Address {
  std::array<uint8_t, 16> bytes{};
  size_t bits = 0;  // 32 or 128
};

std::optional<Address> read_address(std::string_view text) {
  if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
  const std::string name(text);
  Address address;
  if (inet_pton(AF_INET, name.c_str(), address.bytes.data()) == 1) address.bits = 32;
  if (address.bits == 0 && inet_pton(AF_INET6, name.c_str(), address.bytes.data()) == 1) address.bits = 128;
  return address.bits == 0 ? std::nullopt : std::optional(address);
}

// "10.0.0.0/8"
bool is_in_network(std::string_view entry, const Address& server) {
  const size_t slash = entry.find('/');
  const auto network = read_address(entry.substr(0, slash));
  if (!network || network->bits != server.bits) return false;
  size_t bits = network->bits;
  if (slash != std::string_view::npos) {
    const auto [end, error] = std::from_chars(entry.data() + slash + 1, entry.data() + entry.size(), bits);
    if (error != std::errc() || end != entry.data() + entry.size() || bits > network->bits) return false;
  }
  for (size_t i = 0; i < bits; ++i) {
    const auto mask = static_cast<uint8_t>(0x80u >> (i % 8));
    if (((network->bytes[i / 8] ^ server.bytes[i / 8]) & mask) != 0) return false;
  }
  return true;
}

bool is_name_or_below(std::string_view entry, std::string_view host) {
  while (entry.starts_with('.')) entry.remove_prefix(1);
  if (entry.empty() || !host.ends_with(entry)) return false;
  return host.size() == entry.size() || host[host.size() - entry.size() - 1] == '.';
}

bool matches(std::string_view entry, const Url& server) {
  if (entry == "*") return true;
  const size_t colon = entry.find(':');
  if (colon != std::string_view::npos && entry.find(':', colon + 1) == std::string_view::npos) {
    if (entry.substr(colon + 1) != std::to_string(server.port)) return false;
    entry = entry.substr(0, colon);
  }
  const auto address = read_address(server.host);
  return address ? is_in_network(entry, *address) : is_name_or_below(ascii_lower(entry), server.host);
}

// CONNECT wants the port, also where it is the scheme's own.
std::string host_and_port(const Url& url) {
  const std::string host = url.host.find(':') != std::string::npos ? "[" + url.host + "]" : url.host;
  return host + ":" + std::to_string(url.port);
}

}  // namespace

std::string basic_authorization(std::string_view credentials) {
  std::string text = base64(credentials);
  text.resize((text.size() + 3) / 4 * 4, '=');
  return "Basic " + text;
}

bool is_exempt(std::string_view list, const Url& server) {
  while (!list.empty()) {
    const size_t end = std::min(list.find_first_of(", \t"), list.size());
    if (end > 0 && matches(list.substr(0, end), server)) return true;
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return false;
}

std::string tunnel_request(const Proxy& proxy, const Url& server) {
  const std::string where = host_and_port(server);
  std::string request = "CONNECT " + where + " HTTP/1.1\r\nHost: " + where +
                        "\r\nUser-Agent: tokometer/" TOKOMETER_VERSION "\r\n";
  if (!proxy.authorization.empty()) request += "Proxy-Authorization: " + proxy.authorization + "\r\n";
  return request + "\r\n";
}

Result<std::vector<Endpoint>> resolve_through(const Proxy& proxy, const Url& server, int64_t timeout_ns) {
  auto endpoints = resolve(proxy.url, timeout_ns);
  if (!endpoints) return endpoints;
  for (Endpoint& endpoint : *endpoints) endpoint.text = host_and_port(server) + " via " + endpoint.text;
  return endpoints;
}

}  // namespace tokometer
