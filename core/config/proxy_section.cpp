// target.proxy: none, one that is written, or those of the environment.
#include <algorithm>
#include <cstdlib>
#include <optional>

#include "config/section_values.hpp"
#include "config/sections.hpp"
#include "config/sentences.hpp"
#include "config/url_fault.hpp"

namespace tokometer {
namespace {

using namespace section;  // NOLINT: made for this file

constexpr std::string_view kScheme = "http://";

std::optional<int> hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? std::optional(lower - 'a' + 10) : std::nullopt;
}

std::string percent_decoded(std::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : std::nullopt;
    const auto low = high ? hex_digit(text[i + 2]) : std::nullopt;
    plain.push_back(low ? static_cast<char>(*high * 16 + *low) : text[i]);
    if (low) i += 2;
  }
  return plain;
}

// The value of a variable in small letters, else of the same in capitals.
std::string environment(std::string name) {
  if (const char* value = std::getenv(name.c_str()); value != nullptr) return value;
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  const char* value = std::getenv(name.c_str());
  return value != nullptr ? value : "";
}

class ProxyReader {
 public:
  ProxyReader(const Node* node, RunFile& out, std::vector<Error>& faults)
      : node_(node), out_(out), faults_(faults) {}

  void read(const std::string& text) {
    RunFile::Proxies& proxies = out_.target.proxies;
    if (text.empty() || text == "none") return;
    if (out_.target.simulate) return fault("needs target.url: the simulator is on this host");
    if (text != "env") {
      proxies.http = proxies.https = proxy(text, "");
      return;
    }
    proxies.http = from_environment("http_proxy");
    proxies.https = from_environment("https_proxy");
    proxies.exempt = environment("no_proxy");
  }

 private:
  void fault(const std::string& sentence) {
    if (node_ != nullptr && !node_->unresolved) faults_.push_back(fault_at_value(*node_, sentence));
  }

  RunFile::Proxy from_environment(const std::string& name) {
    std::string text = environment(name);
    if (text.empty()) return {};
    if (text.find("://") == std::string::npos) text.insert(0, kScheme);
    return proxy(text, "environment variable " + name + ": ");
  }

  // The text is in no sentence: it may hold a password.
  RunFile::Proxy proxy(std::string_view text, const std::string& whose) {
    if (!text.starts_with(kScheme)) {
      fault(whose + "must be " + (whose.empty() ? "none, env or " : "") +
            "http://[USER:PASSWORD@]HOST[:PORT]");
      return {};
    }
    std::string_view rest = text.substr(kScheme.size());
    if (rest.ends_with('/')) rest.remove_suffix(1);
    const size_t at = rest.rfind('@');
    const std::string_view who = at == std::string_view::npos ? "" : rest.substr(0, at);
    const std::string_view where = at == std::string_view::npos ? rest : rest.substr(at + 1);
    if (who.find_first_of("/@?#") != std::string_view::npos) {
      fault(whose + "in a user or password / is %2F, @ is %40, ? is %3F, # is %23");
      return {};
    }
    if (where.find('/') != std::string_view::npos) {
      fault(whose + "a proxy has no path");
      return {};
    }
    const std::string url = std::string(kScheme) + std::string(where);
    if (const std::string sentence = url_fault(url); !sentence.empty()) {
      fault(whose + sentence);
      return {};
    }
    return {url, credentials(who)};
  }

  Secret credentials(std::string_view who) {
    if (who.empty()) return {};
    std::string plain = percent_decoded(who);
    const size_t colon = plain.find(':');
    if (colon == std::string::npos) plain += ':';
    out_.secrets.emplace_back(std::string(who));
    out_.secrets.emplace_back(plain);
    if (colon != std::string::npos) out_.secrets.emplace_back(plain.substr(colon + 1));
    return Secret(plain);
  }

  const Node* node_;
  RunFile& out_;
  std::vector<Error>& faults_;
};

}  // namespace

void read_proxy(const Json& target, const Node& root, RunFile& out, std::vector<Error>& faults) {
  const std::string text(tkm::get_string(target, "proxy"));
  ProxyReader(node_at(root, {"target", "proxy"}), out, faults).read(text);
}

}  // namespace tokometer
