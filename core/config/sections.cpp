#include "config/sections.hpp"

#include "base/text.hpp"
#include "config/section_values.hpp"
#include "config/sentences.hpp"

namespace tokometer {
namespace {

using namespace section;  // NOLINT: made for this file

class SectionReader {
 public:
  SectionReader(const Node& root, RunFile& out, std::vector<Error>& faults)
      : root_(root), out_(out), faults_(faults) {}

  void read(const Json& json) {
    out_.name = tkm::get_string(json, "name");
    for (const auto& tag : child(json, "tags").GetObject()) {
      out_.tags.emplace(tkm::text_of(tag.name), tkm::text_of(tag.value));
    }
    const Json* seed = tkm::find(json, "seed");
    if (seed != nullptr && seed->IsUint64()) out_.seed = seed->GetUint64();
    read_target(child(json, "target"), root_, out_.target, faults_);
    read_proxy(child(json, "target"), root_, out_, faults_);
    model(child(json, "model"));
    request(child(json, "request"));
    rows(child(child(json, "dataset"), "rows"));
    if (root_.find("sweep") == nullptr) read_phases(json, root_, out_, faults_);
    limits(child(json, "limits"));
    slo(child(json, "slo"));
    output(child(json, "output"));
    if (root_.find("sweep") != nullptr) read_sweep(json, root_, out_, faults_);
  }

 private:
  void fault_at(const Node* node, const std::string& sentence) {
    if (node != nullptr && !node->unresolved) faults_.push_back(fault_at_value(*node, sentence));
  }

  void model(const Json& json) {
    out_.model.name = tkm::get_string(json, "name");
    model_mix(json);
    const Json* adapters = tkm::find(json, "adapters");
    if (adapters == nullptr || !adapters->IsArray()) return check_paths();
    for (const Json& adapter : adapters->GetArray()) {
      out_.model.adapters.push_back({std::string(tkm::get_string(adapter, "name")),
                                     tkm::get_number(adapter, "weight", 1),
                                     std::string(tkm::get_string(adapter, "path"))});
    }
    check_paths();
  }

  void model_mix(const Json& json) {
    const Json* mix = tkm::find(json, "mix");
    if (mix == nullptr || !mix->IsArray()) return;
    for (const Json& share : mix->GetArray()) {
      out_.model.mix.push_back(
          {std::string(tkm::get_string(share, "name")), tkm::get_number(share, "weight", 1)});
    }
    const Node* node = node_at(root_, {"model", "mix"});
    if (!out_.model.name.empty())
      fault_at(node, "names the models in place of model.name: leave out one of the two");
    if (tkm::find(json, "adapters") != nullptr && node_at(root_, {"model", "adapters"}) != nullptr)
      fault_at(node, "goes without model.adapters, each of which is of one model: use workloads");
  }

  // A path says that the adapter is to be loaded, and from where.
  void check_paths() {
    const auto& adapters = out_.model.adapters;
    const Node* nodes = node_at(root_, {"model", "adapters"});
    for (size_t at = 0; at < adapters.size(); ++at) {
      if (out_.target.load_adapters || adapters[at].path.empty() || nodes == nullptr) continue;
      fault_at(nodes->items[at].find("path"), "needs target.prepare.load_adapters: true");
    }
    const auto has_path = [](const RunFile::Adapter& it) { return !it.path.empty(); };
    if (out_.target.load_adapters && std::none_of(adapters.begin(), adapters.end(), has_path))
      fault_at(node_at(root_, {"target", "prepare", "load_adapters"}),
               "no entry of model.adapters has a path");
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
    const Json& cancel = child(json, "cancel");
    if (const auto after_ns = find_ns(cancel, "after")) {
      request.cancel = {tkm::get_number(cancel, "share", 0), *after_ns};
    }
    request.sampling_json = json_text(json, "sampling");
    request.extra_json = json_text(json, "extra");
  }

  void rows(const Json& json) {
    out_.rows.limit = tkm::get_int(json, "limit", -1);
    read_word(json, "order", std::array<std::string_view, 2>{"sequential", "shuffle"}, out_.rows.order);
    read_word(json, "on_end", std::array<std::string_view, 3>{"repeat", "stop", "error"}, out_.rows.on_end);
    read_word(json, "on_bad", std::array<std::string_view, 2>{"error", "skip"}, out_.rows.on_bad);
    if (const Json* filter = tkm::find(json, "filter")) row_filter(*filter);
    const Node* output = node_at(root_, {"dataset", "rows", "output_tokens"});
    out_.rows.input_tokens =
        read_token_length(json, node_at(root_, {"dataset", "rows", "input_tokens"}), faults_);
    out_.rows.output_tokens = read_token_length(json, output, faults_);
    if (out_.request.output_tokens >= 0)
      fault_at(output, "give only one of request.output_tokens, dataset.rows.output_tokens");
  }

  // The words are what other clients do with their data (docs/run-file.md).
  void row_filter(const Json& json) {
    RunFile::RowFilter& filter = out_.rows.filter;
    const std::string_view word = json.IsString() ? tkm::text_of(json) : "own";
    if (word == "none") return;
    filter.name = word;
    if (word == "vllm") {
      filter.turns = 2;
      filter.min_prompt = filter.min_output = 4;
      filter.max_prompt = 1024;
      filter.max_total = 2048;
    } else if (word == "sglang") {
      filter.min_prompt = filter.min_output = 2;
    } else if (word == "inference-perf") {
      filter.turns = 2;
    } else if (json.IsString()) {
      const Node* node = node_at(root_, {"dataset", "rows", "filter"});
      fault_at(node, "must be none, vllm, sglang, inference-perf, or rules of your own " + got(*node));
    } else {
      own_filter(json, filter);
    }
  }

  void own_filter(const Json& json, RunFile::RowFilter& filter) {
    filter.turns = tkm::get_int(json, "turns", filter.turns);
    filter.min_prompt = tkm::get_int(json, "min_prompt", filter.min_prompt);
    filter.max_prompt = tkm::get_int(json, "max_prompt", filter.max_prompt);
    filter.min_output = tkm::get_int(json, "min_output", filter.min_output);
    filter.max_output = tkm::get_int(json, "max_output", filter.max_output);
    filter.max_total = tkm::get_int(json, "max_total", filter.max_total);
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
    read_word(json, "spin", std::array<std::string_view, 3>{"auto", "on", "off"}, limits.spin);
    read_word(json, "io", std::array<std::string_view, 3>{"epoll", "io_uring", "auto"}, limits.io);
    read_word(json, "stop", std::array<std::string_view, 2>{"never", "saturated"}, limits.stop);
  }

  void slo(const Json& json) {
    const Json& request = child(json, "per_request");
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
    const Json& records = child(json, "records");
    output.record_gaps = tkm::get_string(records, "events") != "none";
    sync(node_at(root_, {"output", "records", "sync"}));
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
