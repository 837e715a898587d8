#include "sim/options.hpp"

#include <cmath>
#include <tokometer/json.hpp>

namespace tokometer::sim {
namespace {

int64_t seconds(const tkm::Json& json, std::string_view key, int64_t fallback_ns) {
  const double value = tkm::get_number(json, key, -1);
  return value < 0 ? fallback_ns : std::llround(value * 1e9);
}

uint64_t count(const tkm::Json& json, std::string_view key, uint64_t fallback) {
  return static_cast<uint64_t>(tkm::get_int(json, key, static_cast<int64_t>(fallback)));
}

// The words of one shape are read by the same code that reads the header.
Result<void> read_shape(Shape& shape, const tkm::Json& json) {
  for (const char* key : {"usage", "first_event", "reasoning_field", "split", "head", "stamp"}) {
    const std::string_view value = tkm::get_string(json, key);
    if (value.empty()) continue;
    if (const auto done = set_shape(shape, key, value); !done) return done.errors();
  }
  shape.ttft_ns = seconds(json, "ttft", shape.ttft_ns);
  shape.itl_ns = seconds(json, "itl", shape.itl_ns);
  shape.comments_ns = seconds(json, "comments", 0);
  shape.tokens_per_event = count(json, "tokens_per_event", 1);
  shape.eos_after = count(json, "eos_after", 0);
  shape.reasoning_tokens = count(json, "reasoning_tokens", 0);
  shape.crlf = tkm::get_bool(json, "crlf");
  shape.incremental = tkm::get_bool(json, "incremental");
  return {};
}

Mode mode_of(std::string_view name) {
  if (name == "model") return Mode::model;
  if (name == "instant") return Mode::instant;
  return name == "script" ? Mode::script : Mode::fixed;
}

Dialect dialect_of(std::string_view name) {
  if (name == "sglang") return Dialect::sglang;
  return name == "tgi" ? Dialect::tgi : Dialect::vllm;
}

Shutdown shutdown_of(std::string_view name) {
  if (name == "abort") return Shutdown::abort;
  if (name == "finish") return Shutdown::finish;
  return name == "stall" ? Shutdown::stall : Shutdown::close;
}

void read_engine(Options& out, const tkm::Json& json) {
  out.preset = tkm::get_string(json, "preset", "h100-80");
  out.max_num_seqs = static_cast<uint32_t>(count(json, "max_num_seqs", 256));
  out.queue_limit = count(json, "queue_limit", 0);
  out.kv_tokens = count(json, "kv_tokens", 0);
  out.max_model_len = count(json, "max_model_len", 131072);
  out.prefix_cache = tkm::get_bool(json, "prefix_cache");
  out.no_tokenize = tkm::get_bool(json, "no_tokenize");
}

void read_server(Options& out, const tkm::Json& json) {
  out.model = tkm::get_string(json, "model", "sim-model");
  if (const auto* names = tkm::find(json, "adapters"); names != nullptr && names->IsArray()) {
    for (const tkm::Json& name : names->GetArray()) out.adapters.emplace_back(tkm::text_of(name));
  }
  out.triton_tensors = tkm::get_string(json, "triton_tensors", "trt_llm");
  out.triton_one_response = tkm::get_bool(json, "triton_one_response");
  out.triton_final_apart = tkm::get_bool(json, "triton_final_apart");
  out.nim = tkm::get_string(json, "nim", "no");
  out.api_key = tkm::get_string(json, "api_key");
  out.startup_ns = seconds(json, "startup", 0);
  out.accept_delay_ns = seconds(json, "accept_delay", 0);
  out.idle_close_ns = seconds(json, "idle_close", 5'000'000'000);
  out.close_after = count(json, "close_after", 0);
  out.max_streams = static_cast<uint32_t>(count(json, "max_streams", 100));
  out.shutdown = shutdown_of(tkm::get_string(json, "shutdown"));
  out.script = tkm::get_string(json, "script");
  out.script_every = static_cast<uint32_t>(count(json, "script_every", 1));
  out.truth = tkm::get_string(json, "truth");
  out.tls = {.certificate = std::string(tkm::get_string(json, "tls_cert")),
             .key = std::string(tkm::get_string(json, "tls_key")),
             .client_ca = std::string(tkm::get_string(json, "tls_client_ca"))};
  out.busy = tkm::get_bool(json, "busy");
}

Result<void> check(const Options& out) {
  if (out.mode == Mode::script && out.script.empty()) return Error{"mode script needs a case file: script"};
  if (out.tls.certificate.empty() != out.tls.key.empty() ||
      (out.tls.certificate.empty() && !out.tls.client_ca.empty()))
    return Error{"TLS needs both tls_cert and tls_key"};
  if (out.step && out.shape.itl_ns == 0) return Error{"phases: step needs an itl above 0s"};
  return {};
}

}  // namespace

Result<Options> read_options(const std::string& text) {
  tkm::JsonDocument json;
  if (!tkm::parse_json(text, json)) return Error{"the options are not JSON"};
  Options out;
  if (auto done = read_shape(out.shape, json); !done) return done.errors();
  out.mode = mode_of(tkm::get_string(json, "mode"));
  out.dialect = dialect_of(tkm::get_string(json, "dialect"));
  out.step = tkm::get_string(json, "phases") == "step";
  out.ttft_spread_ns = seconds(json, "ttft_spread", 0);
  if (const auto* jitter = tkm::find(json, "jitter")) out.jitter = jitter->GetDouble();
  out.output_tokens = count(json, "output_tokens", 128);
  out.seed = count(json, "seed", 42);
  if (const auto* stall = tkm::find(json, "stall")) {
    out.stall_at_ns = seconds(*stall, "at", 0);
    out.stall_for_ns = seconds(*stall, "for", 0);
  }
  read_engine(out, json);
  read_server(out, json);
  out.failure_rate = tkm::get_number(json, "failure_rate");
  Shape unused;
  auto failure = parse_fault(tkm::get_string(json, "failure", "status"), unused);
  if (!failure) return Error{"failure: " + failure.error().message};
  out.failure = *failure;
  if (auto done = check(out); !done) return done.errors();
  return out;
}

}  // namespace tokometer::sim
