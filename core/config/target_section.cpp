// The target: where requests go, what they carry, and when they are given up.
#include <algorithm>

#include "base/text.hpp"
#include "config/section_values.hpp"
#include "config/sections.hpp"
#include "config/sentences.hpp"
#include "config/url_fault.hpp"

namespace tokometer {
namespace {

using namespace section;  // NOLINT: made for this file

class TargetReader {
 public:
  TargetReader(const Node& root, RunFile::Target& out, std::vector<Error>& faults)
      : root_(root), out_(out), faults_(faults) {}

  void read(const Json& json) {
    const Node* node = root_.find("target");
    const bool has_url = tkm::find(json, "url") != nullptr, has_sim = tkm::find(json, "sim") != nullptr;
    if (node != nullptr && node->kind == Node::Kind::scalar && node->type() == Node::Type::text) {
      fault_at(node, "must be sim, or a map with \"url\" or \"sim\" " + got(*node));
    } else if (node != nullptr && node->kind == Node::Kind::map && has_url == has_sim) {
      const std::string sentence =
          has_url ? "give only one of \"url\", \"sim\"" : "give one of \"url\", \"sim\"";
      faults_.push_back(fault_at_key(*node, sentence));
    }
    out_.simulate = has_sim;
    urls(node_at(root_, {"target", "url"}));
    ports(child(json, "ports"));
    out_.api_key = Secret(std::string(tkm::get_string(json, "api_key")));
    headers(child(json, "headers"));
    timeouts(child(json, "timeouts"));
    const Json& connections = child(json, "connections");
    read_word(connections, "policy", std::array<std::string_view, 2>{"reuse", "fresh"},
              out_.connections.policy);
    read_ns(connections, "max_idle", out_.connections.max_idle_ns);
    out_.connections.http2 = tkm::get_string(connections, "http") == "2";
    out_.connections.streams = static_cast<uint32_t>(tkm::get_int(connections, "streams_per_connection", 1));
    out_.connections.sticky = tkm::get_string(connections, "sessions") == "sticky";
    check_streams();
    check_sticky();
    tls(child(json, "tls"));
    read_ns(json, "wait_ready", out_.wait_ready_ns);
    const Json& prepare = child(json, "prepare");
    out_.reset_cache = tkm::get_bool(prepare, "reset_cache");
    out_.load_adapters = tkm::get_bool(prepare, "load_adapters");
    out_.profile = tkm::get_bool(prepare, "profile");
  }

 private:
  void fault_at(const Node* node, const std::string& sentence) {
    if (node != nullptr && !node->unresolved) faults_.push_back(fault_at_value(*node, sentence));
  }

  void urls(const Node* node) {
    if (node == nullptr) return;
    if (node->kind == Node::Kind::sequence) {
      for (const Node& item : node->items) url(item);
    } else {
      url(*node);
    }
  }

  void url(const Node& node) {
    if (node.kind != Node::Kind::scalar || node.type() != Node::Type::text || node.unresolved) return;
    const std::string sentence = url_fault(node.text);
    if (!sentence.empty()) fault_at(&node, sentence);
    out_.urls.push_back(node.text);
  }

  void ports(const Json& json) {
    for (const auto& port : json.GetObject()) {
      if (port.value.IsInt()) out_.ports.emplace(tkm::text_of(port.name), port.value.GetInt());
    }
    if (!out_.ports.empty() && out_.simulate)
      fault_at(node_at(root_, {"target", "ports"}),
               "needs target.url: the simulator has one port, a free one");
    const char* const own = is_grpc() ? "grpc" : "http";
    const auto has_port =
        [](const std::string& url) {  // said behind the host, which may be an IPv6 address in [ ]
          const size_t host = url.find("://") + 3, end = std::min(url.find('/', host), url.size());
          const size_t colon = url.rfind(':', end - 1);
          return colon != std::string::npos && colon >= host && url.find(']', colon) >= end;
        };
    if (out_.ports.contains(own) && std::all_of(out_.urls.begin(), out_.urls.end(), has_port) &&
        !out_.urls.empty())
      fault_at(node_at(root_, {"target", "ports", own}), "is not used: target.url has a port");
  }

  bool is_grpc() const {
    return std::any_of(out_.urls.begin(), out_.urls.end(),
                       [](const std::string& url) { return url.starts_with("grpc"); });
  }

  void headers(const Json& json) {
    const Node* nodes = node_at(root_, {"target", "headers"});
    for (const auto& header : json.GetObject()) {
      const std::string name(tkm::text_of(header.name)), value(tkm::text_of(header.value));
      const Node* node = nodes != nullptr ? nodes->find(name) : nullptr;
      const std::string sentence = header_fault(name, value);
      if (node != nullptr && !sentence.empty()) faults_.push_back(fault_at_key(*node, sentence));
      out_.headers.emplace_back(name, value);
    }
  }

  // The value is never shown: it may be secret.
  static std::string header_fault(const std::string& name, const std::string& value) {
    constexpr std::string_view kTokenCharacters =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~";
    const auto is_control = [](char c) {
      return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
    };
    if (std::any_of(name.begin(), name.end(), is_control) ||
        std::any_of(value.begin(), value.end(), is_control)) {
      return "control characters are not allowed";
    }
    if (name.empty() || name.find_first_not_of(kTokenCharacters) != std::string::npos) {
      return "not a valid header name";
    }
    std::string lower = name;
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    for (const char* own : {"host", "content-length", "transfer-encoding", "connection", "te", "trailer",
                            "upgrade", "expect"}) {
      if (lower == own) return "this header is set by tokometer itself";
    }
    return {};
  }

  void tls(const Json& json) {
    out_.tls = {.verify = tkm::get_bool(json, "verify", true),
                .ca_file = std::string(tkm::get_string(json, "ca_file")),
                .cert_file = std::string(tkm::get_string(json, "cert_file")),
                .key_file = std::string(tkm::get_string(json, "key_file"))};
    const Node* node = node_at(root_, {"target", "tls"});
    if (node == nullptr || out_.tls.cert_file.empty() == out_.tls.key_file.empty()) return;
    faults_.push_back(fault_at_key(*node, "a client certificate needs both cert_file and key_file"));
  }

  void check_streams() {
    if (out_.connections.http2 || is_grpc() || out_.connections.streams == 1) return;
    fault_at(node_at(root_, {"target", "connections", "streams_per_connection"}),
             "needs target.connections.http: \"2\"; an HTTP/1.1 connection carries one request at a time");
  }

  void check_sticky() {
    if (!out_.connections.sticky) return;
    const Node* node = node_at(root_, {"target", "connections", "sessions"});
    if (out_.connections.http2 || is_grpc())
      fault_at(node, "sticky: needs HTTP/1.1; a connection of HTTP/2 is shared by the requests of many");
    else if (out_.connections.policy == RunFile::Connections::Policy::fresh)
      fault_at(node, "sticky: needs target.connections.policy: reuse");
  }

  void timeouts(const Json& json) {
    RunFile::Timeouts& timeouts = out_.timeouts;
    read_ns(json, "dns", timeouts.dns_ns);
    read_ns(json, "connect", timeouts.connect_ns);
    read_ns(json, "send", timeouts.send_ns);
    read_ns(json, "headers", timeouts.headers_ns);
    read_ns(json, "first_token", timeouts.first_token_ns);
    read_ns(json, "idle", timeouts.idle_ns);
    read_ns(json, "total", timeouts.total_ns);
    read_ns(json, "preflight", timeouts.preflight_ns);
  }

  const Node& root_;
  RunFile::Target& out_;
  std::vector<Error>& faults_;
};

}  // namespace

void read_target(const tkm::Json& target, const Node& root, RunFile::Target& out,
                 std::vector<Error>& faults) {
  TargetReader(root, out, faults).read(target);
}

}  // namespace tokometer
