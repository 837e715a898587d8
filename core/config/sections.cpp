#include "config/sections.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <set>

#include "base/text.hpp"
#include "config/sentences.hpp"
#include "config/url_fault.hpp"

namespace tokometer {
namespace {

using tkm::Json;

constexpr size_t kMaxNameBytes = 64;

const Json& section(const Json& object, std::string_view key) {
  static const Json kEmpty(rapidjson::kObjectType);
  const Json* found = tkm::find(object, key);
  return found != nullptr && found->IsObject() ? *found : kEmpty;
}

int64_t ns_of(double seconds) {
  return std::llround(seconds * 1e9);
}

std::optional<int64_t> find_ns(const Json& object, std::string_view key) {
  const Json* value = tkm::find(object, key);
  if (value == nullptr || !value->IsNumber()) return std::nullopt;
  return ns_of(value->GetDouble());
}

void read_ns(const Json& object, std::string_view key, int64_t& into) {
  if (const auto ns = find_ns(object, key)) into = *ns;
}

std::string json_text(const Json& object, std::string_view key) {
  std::string text;
  tkm::JsonWriter(text).value(section(object, key));
  return text;
}

// The enum value that stands at the same place as the word; `into` keeps its value for any other word.
template <class Enum, size_t N>
void read_word(const Json& object, std::string_view key, const std::array<std::string_view, N>& words,
               Enum& into) {
  const auto found = std::find(words.begin(), words.end(), tkm::get_string(object, key));
  if (found != words.end()) into = static_cast<Enum>(found - words.begin());
}

// The node at a path of keys, or nullptr where nobody wrote it.
const Node* node_at(const Node& root, std::initializer_list<std::string_view> keys) {
  const Node* node = &root;
  for (const std::string_view key : keys) {
    if (node != nullptr) node = node->find(key);
  }
  return node;
}

uint64_t count_of(std::string_view digits) {
  uint64_t count = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), count);
  return read.ec == std::errc() && read.ptr == digits.data() + digits.size() ? count : 0;
}

class SectionReader {
 public:
  SectionReader(const Node& root, RunFile& out, std::vector<Error>& faults)
      : root_(root), out_(out), faults_(faults) {}

  void read(const Json& json) {
    out_.name = tkm::get_string(json, "name", default_name());
    for (const auto& tag : section(json, "tags").GetObject()) {
      out_.tags.emplace(tkm::text_of(tag.name), tkm::text_of(tag.value));
    }
    const Json* seed = tkm::find(json, "seed");
    if (seed != nullptr && seed->IsUint64()) out_.seed = seed->GetUint64();
    target(section(json, "target"));
    model(section(json, "model"));
    request(section(json, "request"));
    rows(section(section(json, "dataset"), "rows"));
    phases(json);
    limits(section(json, "limits"));
    slo(section(json, "slo"));
    output(section(json, "output"));
  }

 private:
  void fault_at(const Node* node, const std::string& sentence) {
    if (node != nullptr && !node->unresolved) faults_.push_back(fault_at_value(*node, sentence));
  }

  // "chat" for chat.yaml; "run" where the file has no name that a directory could carry.
  std::string default_name() const {
    std::string stem = std::filesystem::path(root_.value_position.file).stem().string();
    constexpr std::string_view kAllowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    std::replace_if(
        stem.begin(), stem.end(), [&](char c) { return kAllowed.find(c) == kAllowed.npos; }, '-');
    stem.resize(std::min(stem.size(), kMaxNameBytes));
    return stem.find_first_not_of("-.") == std::string::npos ? "run" : stem;
  }

  void target(const Json& json) {
    const Node* node = root_.find("target");
    const bool has_url = tkm::find(json, "url") != nullptr, has_sim = tkm::find(json, "sim") != nullptr;
    if (node != nullptr && node->kind == Node::Kind::scalar && node->type() == Node::Type::text) {
      fault_at(node, "must be sim, or a map with \"url\" or \"sim\" " + got(*node));
    } else if (node != nullptr && node->kind == Node::Kind::map && has_url == has_sim) {
      const std::string sentence =
          has_url ? "give only one of \"url\", \"sim\"" : "give one of \"url\", \"sim\"";
      faults_.push_back(fault_at_key(*node, sentence));
    }
    out_.target.simulate = has_sim;
    urls(node_at(root_, {"target", "url"}));
    out_.target.api_key = Secret(std::string(tkm::get_string(json, "api_key")));
    headers(section(json, "headers"));
    timeouts(section(json, "timeouts"));
    const Json& connections = section(json, "connections");
    read_word(connections, "policy", std::array<std::string_view, 2>{"reuse", "fresh"},
              out_.target.connections.policy);
    read_ns(connections, "max_idle", out_.target.connections.max_idle_ns);
    read_ns(json, "wait_ready", out_.target.wait_ready_ns);
    out_.target.reset_cache = tkm::get_bool(section(json, "prepare"), "reset_cache");
  }

  void urls(const Node* node) {
    if (node == nullptr) return;
    if (node->kind == Node::Kind::sequence) {
      if (node->items.size() > 1) fault_at(node, "more than one URL is not available in this version");
      for (const Node& item : node->items) url(item);
    } else {
      url(*node);
    }
  }

  void url(const Node& node) {
    if (node.kind != Node::Kind::scalar || node.type() != Node::Type::text || node.unresolved) return;
    const std::string sentence = url_fault(node.text);
    if (!sentence.empty()) fault_at(&node, sentence);
    out_.target.urls.push_back(node.text);
  }

  void headers(const Json& json) {
    const Node* nodes = node_at(root_, {"target", "headers"});
    for (const auto& header : json.GetObject()) {
      const std::string name(tkm::text_of(header.name)), value(tkm::text_of(header.value));
      const Node* node = nodes != nullptr ? nodes->find(name) : nullptr;
      const std::string sentence = header_fault(name, value);
      if (node != nullptr && !sentence.empty()) faults_.push_back(fault_at_key(*node, sentence));
      out_.target.headers.emplace_back(name, value);
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

  void timeouts(const Json& json) {
    RunFile::Timeouts& timeouts = out_.target.timeouts;
    read_ns(json, "dns", timeouts.dns_ns);
    read_ns(json, "connect", timeouts.connect_ns);
    read_ns(json, "send", timeouts.send_ns);
    read_ns(json, "headers", timeouts.headers_ns);
    read_ns(json, "first_token", timeouts.first_token_ns);
    read_ns(json, "idle", timeouts.idle_ns);
    read_ns(json, "total", timeouts.total_ns);
    read_ns(json, "preflight", timeouts.preflight_ns);
  }

  void model(const Json& json) {
    out_.model.name = tkm::get_string(json, "name");
    const Json* adapters = tkm::find(json, "adapters");
    if (adapters == nullptr || !adapters->IsArray()) return;
    for (const Json& adapter : adapters->GetArray()) {
      out_.model.adapters.push_back(
          {std::string(tkm::get_string(adapter, "name")), tkm::get_number(adapter, "weight", 1)});
    }
  }

  void request(const Json& json) {
    RunFile::Request& request = out_.request;
    request.stream = tkm::get_bool(json, "stream", request.stream);
    read_word(json, "output", std::array<std::string_view, 4>{"auto", "exact", "best_effort", "at_most"},
              request.output);
    request.output_tokens = tkm::get_int(json, "output_tokens", -1);
    request.choices = static_cast<uint32_t>(std::clamp<int64_t>(tkm::get_int(json, "choices", 1), 1, 128));
    read_word(json, "cache_salt", std::array<std::string_view, 3>{"auto", "request", "none"},
              request.cache_salt);
    request.empty_is_failure = tkm::get_string(json, "empty") != "ok";
    request.sampling_json = json_text(json, "sampling");
    request.extra_json = json_text(json, "extra");
  }

  void rows(const Json& json) {
    out_.rows.limit = tkm::get_int(json, "limit", -1);
    read_word(json, "order", std::array<std::string_view, 2>{"sequential", "shuffle"}, out_.rows.order);
    read_word(json, "on_end", std::array<std::string_view, 3>{"repeat", "stop", "error"}, out_.rows.on_end);
    read_word(json, "on_bad", std::array<std::string_view, 2>{"error", "skip"}, out_.rows.on_bad);
  }

  void phases(const Json& json) {
    const Json* list = tkm::find(json, "phases");
    const Node* nodes = root_.find("phases");
    if (list == nullptr && nodes == nullptr) {
      out_.phases.emplace_back().name = "main";
      if (root_.kind == Node::Kind::map && out_.rows.on_end != RunFile::Rows::OnEnd::stop) {
        faults_.push_back(fault_at_key(
            root_, "\"phases\" is missing (or dataset.rows.on_end: stop, to end with the data)"));
      }
      return;
    }
    if (list == nullptr || !list->IsArray() || nodes->kind != Node::Kind::sequence) return;
    std::set<std::string> names;
    for (size_t index = 0; index < nodes->items.size(); ++index) {
      const Node& node = nodes->items[index];
      if (node.kind != Node::Kind::map) continue;
      RunFile::Phase& phase = out_.phases.emplace_back();
      phase.name = tkm::get_string((*list)[static_cast<rapidjson::SizeType>(index)], "name",
                                   nodes->items.size() == 1 ? "main" : "phase" + std::to_string(index + 1));
      if (!names.insert(phase.name).second) {
        const Node* name = node.find("name");
        fault_at(name != nullptr ? name : &node, "two phases are named \"" + phase.name + "\"");
      }
      read_phase((*list)[static_cast<rapidjson::SizeType>(index)], node, phase);
    }
  }

  void read_phase(const Json& json, const Node& node, RunFile::Phase& phase) {
    phase.duration_ns = find_ns(json, "duration");
    if (const int64_t requests = tkm::get_int(json, "requests", 0); requests > 0) {
      phase.requests = static_cast<uint64_t>(requests);
    }
    const bool has_duration = node.find("duration") != nullptr,
               has_requests = node.find("requests") != nullptr;
    const bool ends_with_data = out_.rows.on_end == RunFile::Rows::OnEnd::stop;
    if (has_duration && has_requests) fault_at(&node, "give only one of \"duration\", \"requests\"");
    if (!has_duration && !has_requests && !ends_with_data) {
      fault_at(&node, "give one of \"duration\", \"requests\"");
    }
    phase.warmup = span(node.find("warmup"));
    phase.cooldown = span(node.find("cooldown"));
    read_word(json, "drain", std::array<std::string_view, 3>{"wait", "cancel", "none"}, phase.drain);
    phase.measure = tkm::get_bool(json, "measure", true);
    check_warmup(node.find("warmup"), phase);
  }

  RunFile::Span span(const Node* node) {
    using Kind = RunFile::Span::Kind;
    if (node == nullptr || node->kind != Node::Kind::scalar || node->unresolved || node->text == "auto")
      return {};
    if (node->text == "none") return {Kind::none, 0, 0};
    if (node->type() == Node::Type::integer) {
      if (const uint64_t count = count_of(node->text); count > 0) return {Kind::count, 0, count};
    } else if (const auto ns = parse_duration_ns(node->text)) {
      return *ns > 0 ? RunFile::Span{Kind::duration, *ns, 0} : RunFile::Span{Kind::none, 0, 0};
    } else if (node->type() != Node::Type::text) {
      return {};  // the schema said so already
    }
    fault_at(node, "must be auto, none, a time such as 10s, or a number of requests " + got(*node));
    return {};
  }

  void check_warmup(const Node* node, const RunFile::Phase& phase) {
    using Kind = RunFile::Span::Kind;
    if (phase.warmup.kind == Kind::duration && phase.duration_ns && phase.warmup.ns >= *phase.duration_ns) {
      fault_at(node, "must be shorter than the phase's duration, " + format_duration(*phase.duration_ns) +
                         ", which it is part of " + got(*node));
    }
    if (phase.warmup.kind == Kind::count && phase.requests && phase.warmup.count >= *phase.requests) {
      fault_at(node, "must be less than the phase's requests, " + std::to_string(*phase.requests) +
                         ", which it is part of " + got(*node));
    }
  }

  void limits(const Json& json) {
    RunFile::Limits& limits = out_.limits;
    limits.max_in_flight =
        static_cast<uint64_t>(std::max<int64_t>(0, tkm::get_int(json, "max_in_flight", 0)));
    read_word(json, "overload", std::array<std::string_view, 3>{"queue", "drop", "block"}, limits.overload);
    read_ns(json, "drain_timeout", limits.drain_timeout_ns);
    limits.error_budget = tkm::get_number(json, "error_budget", limits.error_budget);
    limits.io_threads =
        static_cast<uint32_t>(std::clamp<int64_t>(tkm::get_int(json, "io_threads", 0), 0, 64));
  }

  void slo(const Json& json) {
    const Json& request = section(json, "per_request");
    out_.slo.ttft_ns = find_ns(request, "ttft");
    out_.slo.tpot_ns = find_ns(request, "tpot");
    out_.slo.e2e_ns = find_ns(request, "e2e");
    out_.slo.itl_p99_ns = find_ns(request, "itl.p99");
    const Json* gates = tkm::find(json, "gates");
    if (gates == nullptr || !gates->IsArray()) return;
    for (const Json& gate : gates->GetArray()) out_.slo.gates.emplace_back(tkm::text_of(gate));
  }

  void output(const Json& json) {
    RunFile::Output& output = out_.output;
    output.dir = tkm::get_string(json, "dir", output.dir);
    output.console = tkm::get_string(json, "console", output.console);
    const Json& records = section(json, "records");
    output.record_gaps = tkm::get_string(records, "events") != "none";
    save_text(node_at(root_, {"output", "records", "save_text"}));
    sync(node_at(root_, {"output", "records", "sync"}));
  }

  void save_text(const Node* node) {
    using Kind = RunFile::SaveText::Kind;
    constexpr std::string_view kSample = "sample:";
    if (node == nullptr || node->unresolved || node->type() != Node::Type::text || node->text == "none")
      return;
    if (node->text == "all") {
      out_.output.save_text.kind = Kind::all;
      return;
    }
    const bool is_sample = node->text.starts_with(kSample);
    const uint64_t count = is_sample ? count_of(std::string_view(node->text).substr(kSample.size())) : 0;
    if (count == 0) return fault_at(node, "must be none, all or sample:N, such as sample:100 " + got(*node));
    out_.output.save_text = {Kind::sample, count};
  }

  void sync(const Node* node) {
    using Kind = RunFile::SyncPolicy::Kind;
    if (node == nullptr || node->unresolved || node->kind != Node::Kind::scalar) return;
    if (node->text == "off" || (node->plain && node->text == "false")) {
      out_.output.sync.kind = Kind::off;
    } else if (node->text == "each") {
      out_.output.sync.kind = Kind::each;
    } else if (const auto ns = parse_duration_ns(node->text); ns && *ns > 0) {
      out_.output.sync.interval_ns = *ns;
    } else if (node->type() == Node::Type::text || node->text == "true") {
      fault_at(node, "must be a time such as 1s, each or off " + got(*node));
    }
  }

  const Node& root_;
  RunFile& out_;
  std::vector<Error>& faults_;
};

}  // namespace

void read_sections(const Json& canonical, const Node& root, RunFile& out, std::vector<Error>& faults) {
  SectionReader(root, out, faults).read(canonical);
}

}  // namespace tokometer
