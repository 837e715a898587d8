// What the server answers to a request: a page, a refusal, or an Exchange that will send tokens.
#include <algorithm>
#include <tokometer/json.hpp>
#include <tokometer/random.hpp>

#include "sim/error_forms.hpp"
#include "sim/refusals.hpp"
#include "sim/server.hpp"
#include "sim/triton.hpp"
#include "sim/triton_grpc.hpp"

namespace tokometer::sim {
namespace {

Page error_page(int status, std::string_view form, std::string_view message, std::string fields = {}) {
  ErrorBody body = error_body(form, status, message);
  return {.status = status,
          .media_type = std::string(body.media_type),
          .body = std::move(body.text),
          .fields = std::move(fields)};
}

Page login_page() {
  return {.media_type = "text/html; charset=utf-8",
          .body =
              "<!doctype html>\n<html><head><title>Sign in</title></head><body><form action=\"/login\" "
              "method=\"post\"><input name=\"user\"></form></body></html>\n"};
}

}  // namespace

void Server::read_requests(uint32_t slot) {
  if (slots_[slot]->parent() != nullptr) return settle(slot);
  if (read_http2(slot)) return;
  while (slots_[slot] != nullptr) {
    Connection& connection = *slots_[slot];
    if (connection.exchange != nullptr || connection.script != nullptr || connection.close_when_sent)
      return settle(slot);
    if (connection.reader.buffered() > 0) ++connection.idle_serial;  // no longer idle
    const auto state = connection.reader.read();
    if (state == RequestReader::State::bad) {
      connection.send(whole_response(400, "text/plain; charset=utf-8", "Invalid HTTP request received.",
                                     "connection: close\r\n"));
      connection.close_when_sent = true;
      continue;
    }
    if (state == RequestReader::State::need_more) {
      if (connection.reader.wants_continue()) connection.send("HTTP/1.1 100 Continue\r\n\r\n");
      return settle(slot);
    }
    answer(slot, connection.reader.take());
  }
}

void Server::answer(uint32_t slot, const Request& request) {
  Connection& connection = *slots_[slot];
  connection.keep_alive = request.keep_alive;
  if (is_grpc(request)) return answer_grpc(slot, request);
  const bool generates = is_generation(request, options_);
  if (connection.parent() == nullptr && plays_script(connection.number()) && generates) {
    connection.script = std::make_unique<ScriptPlay>(script_);
    return play_script(slot);
  }
  if (!is_authorized(request, options_)) return send_page(slot, request, unauthorized());
  if (generates) return answer_generation(slot, request);
  const Page page = make_page(request, {.options = options_,
                                        .metrics = books_.metrics,
                                        .gauges = gauges(),
                                        .starting = is_starting(clock_.now_ns())});
  if (page.resets_cache) prefixes_.clear();
  if (page.adapters) options_.adapters = *page.adapters;
  send_page(slot, request, page);
}

void Server::send_page(uint32_t slot, const Request& request, const Page& page) {
  if (request.grpc) return send_grpc_page(slot, request, page);
  Connection& connection = *slots_[slot];
  const std::string fields = page.fields + (connection.keep_alive ? "" : "connection: close\r\n");
  std::string reply = whole_response(page.status, page.media_type, page.body, fields);
  if (request.method == "HEAD") reply.resize(reply.size() - page.body.size());
  ++books_.metrics
        .http["handler=\"" + std::string(page.status == 404 ? "none" : request.target) + "\",method=\"" +
              request.method + "\",status=\"" + std::to_string(page.status / 100) + "xx\""];
  connection.send(reply);
  end_of_reply(slot);
}

void Server::answer_generation(uint32_t slot, const Request& request) {
  const int64_t now_ns = clock_.now_ns();
  const uint32_t stream = requests_++;
  if (stream == 0 && options_.stall_at_ns) {
    freeze_at_ns_ = now_ns + *options_.stall_at_ns;
    freeze_until_ns_ = freeze_at_ns_ + options_.stall_for_ns;
    pace_.set_stall(Stall(freeze_at_ns_, options_.stall_for_ns));
  }
  const bool wants_ids = options_.prefix_cache;
  auto read = read_generation(request, options_, wants_ids, stream);
  if (const auto* error = std::get_if<ErrorReply>(&read)) {
    return refuse(slot, request, stream,
                  is_triton(request.target) ? Page{.status = error->status,
                                                   .media_type = "application/json",
                                                   .body = triton_error_json(error->message),
                                                   .is_response = true}
                                            : refusal(options_.dialect, request.target, *error));
  }
  Generation& generation = std::get<Generation>(read);
  if (generation.fault.kind == FaultKind::none) draw_failure(generation, stream);
  if (const auto page = early_failure(generation, request.target, now_ns))
    return refuse(slot, request, stream, *page);
  ++books_.metrics.http["handler=\"" + request.target + "\",method=\"POST\",status=\"2xx\""];
  begin_exchange(slot, std::move(generation), stream, now_ns);
}

void Server::draw_failure(Generation& generation, uint32_t stream) {
  if (options_.failure_rate <= 0) return;
  tkm::Random random(options_.seed ^ (uint64_t{stream} << 20u), "failure");
  if (!random.chance(options_.failure_rate)) return;
  generation.fault = options_.failure;
  shorten(generation);
}

// A reply that is no generation: the fault asked for, or an overloaded, starting server.
std::optional<Page> Server::early_failure(const Generation& generation, std::string_view path,
                                          int64_t now_ns) {
  const Fault& fault = generation.fault;
  const bool triton = generation.dialect == Dialect::triton;
  const char* const form = triton ? "triton" : "nested";
  if (is_starting(now_ns)) return error_page(503, form, "The model is still loading.");
  if (fault.kind == FaultKind::html) return login_page();
  if (fault.kind == FaultKind::status) {
    const std::string fields = fault.retry_after.empty() ? "" : "retry-after: " + fault.retry_after + "\r\n";
    return error_page(fault.code, fault.body, "simulated failure", fields);
  }
  if (options_.mode != Mode::model) return std::nullopt;
  if (!engine_.fits(generation.prompt_tokens, generation.output_tokens)) {
    constexpr const char* kTooLong = "The prompt and its output do not fit into the KV cache.";
    if (triton) return error_page(400, form, kTooLong);
    return refusal(options_.dialect, path,
                   {.status = 400,
                    .message = kTooLong,
                    .type = "BadRequestError",
                    .param = {},
                    .stream = generation.stream});
  }
  if (!engine_.full(entering_)) return std::nullopt;
  ++books_.metrics.rejected;
  if (triton) {
    Page full = error_page(503, form, "[request id: <id_unknown>] Exceeds maximum queue size");
    full.is_response = true;
    return full;
  }
  return refusal(
      options_.dialect, path,
      {.status = 429,
       .message = "The engine is currently busy and cannot accept new requests. Please try again later.",
       .type = "RateLimitError",
       .param = {},
       .stream = generation.stream});
}

void Server::refuse(uint32_t slot, const Request& request, uint32_t stream, const Page& page) {
  if (books_.truth != nullptr) {
    std::string line;
    tkm::JsonWriter json(line);
    json.begin_object().member("stream", stream).member("x_request_id", request.field("x-request-id"));
    json.member("outcome", "status." + std::to_string(page.status))
        .member("tokens", 0)
        .member("arrived_ns", slots_[slot]->arrived_ns())
        .member("received_ns", clock_.now_ns());
    json.end_object();
    if (!books_.truth->add_request(line)) books_.truth_lost = true;
  }
  send_page(slot, request, page);
}

int64_t Server::look_up_prefix(const Generation& generation) {
  if (!options_.prefix_cache) return -1;
  const uint64_t cached =
      prefixes_.look_up(generation.prompt_ids, generation.model + '\0' + generation.cache_salt);
  books_.metrics.prefix_queries += generation.prompt_tokens;
  books_.metrics.prefix_hits += cached;
  books_.metrics.cached_tokens += cached;
  return static_cast<int64_t>(cached);
}

void Server::begin_exchange(uint32_t slot, Generation generation, uint32_t stream, int64_t now_ns) {
  Connection& connection = *slots_[slot];
  const Fault& fault = generation.fault;
  if (fault.kind == FaultKind::not_streamed) generation.stream = false;
  if (fault.kind == FaultKind::close && fault.announced) {
    connection.keep_alive = false;
    connection.refuse_later_streams();  // HTTP/2: before the end, so that nobody sends into it
  }
  const int64_t cached = look_up_prefix(generation);
  connection.exchange =
      std::make_unique<Exchange>(books_, connection, std::move(generation), stream, now_ns, cached);
  ++running_;
  const int64_t comments_ns = connection.exchange->generation().shape.comments_ns;
  if (comments_ns > 0 && connection.exchange->generation().stream) {
    loop_.push(now_ns + comments_ns, Wake::Kind::comment, slot, stream);
  }
  schedule(slot, connection.exchange->start(), now_ns, true);
}

}  // namespace tokometer::sim
