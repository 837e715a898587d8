#include "processor_harness.hpp"

#include <doctest/doctest.h>

#include <tokometer/json.hpp>
#include <tokometer/plugin.hpp>
#include <tokometer/random.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>

namespace processor_test {
namespace {

constexpr std::array kChannels{"text", "reasoning", "tool", "refusal", "other"};
constexpr std::array kCounts{"none", "server", "ids", "event"};
constexpr std::array kFinishes{"", "stop", "length", "tool", "filter", "abort", "other"};
constexpr std::array kFaults{"", "in_band", "rejected", "request", "format", "semantics"};
constexpr std::array kMarks{"", "began", "keep_alive", "done"};

std::string text_of_number(double value) {
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%.17g", value);
  return text.data();
}

class Line {
 public:
  explicit Line(std::string& out) : out_(out) {}
  ~Line() { out_ += '\n'; }
  Line& operator<<(std::string_view text) { return add(text); }
  Line& operator<<(int64_t number) { return add(std::to_string(number)); }

 private:
  Line& add(std::string_view text) {
    if (!is_first_) out_ += ' ';
    is_first_ = false;
    out_ += text;
    return *this;
  }
  std::string& out_;
  bool is_first_ = true;
};

template <size_t N>
const char* word(const std::array<const char*, N>& words, int32_t value) {
  return words.at(static_cast<size_t>(value));
}

std::string& text(void* ctx) {
  return *static_cast<std::string*>(ctx);
}

tkm_events recorder(std::string& out) {
  using tkm::view;
  tkm_events sink{};
  sink.struct_size = sizeof sink;
  sink.ctx = &out;
  sink.delta = [](void* ctx, const tkm_delta* it) {
    Line(text(ctx)) << "delta" << it->choice << word(kChannels, it->channel) << it->tokens
                    << word(kCounts, it->counted_by) << view(it->text);
  };
  sink.usage = [](void* ctx, const tkm_usage* it) {
    Line(text(ctx)) << "usage" << it->prompt_tokens << it->cached_tokens << it->output_tokens
                    << it->reasoning_tokens;
  };
  sink.finish = [](void* ctx, uint32_t choice, int32_t reason, tkm_str raw) {
    Line(text(ctx)) << "finish" << choice << word(kFinishes, reason) << view(raw);
  };
  sink.error = [](void* ctx, int32_t kind, int64_t code, tkm_str message) {
    Line(text(ctx)) << "error" << word(kFaults, kind) << code << view(message);
  };
  sink.mark = [](void* ctx, int32_t mark) { Line(text(ctx)) << word(kMarks, mark); };
  sink.metric = [](void* ctx, tkm_str name, double value) {
    Line(text(ctx)) << "metric" << view(name) << text_of_number(value);
  };
  sink.carry = [](void* ctx, tkm_str bytes) { Line(text(ctx)) << "carry" << view(bytes); };
  sink.warn = [](void* ctx, tkm_str id, tkm_str) { Line(text(ctx)) << "warn" << view(id); };
  return sink;
}

tkm_writer writer(std::string& out) {
  return {&out, [](void* ctx, tkm_str bytes) { text(ctx).append(bytes.data, bytes.size); }};
}

// The 64 readable bytes after a piece try to be taken for a part of it.
constexpr std::string_view kHostile =
    "\"},\"x\":1}]}\n\ndata: {\"error\":\"read past the end!\"}\n\ndata: [DONE]\n";
static_assert(kHostile.size() == 64);

std::string element(const tkm::Json& value) {
  if (value.IsString()) return std::string(tkm::text_of(value));
  return value.IsDouble() ? text_of_number(value.GetDouble()) : std::to_string(value.GetInt64());
}

Fixture read_fixture(const std::filesystem::path& events) {
  tkm::JsonDocument root;
  REQUIRE(tkm::parse_json(read_text(events.string()), root));
  const tkm::Json& about = root["response"];
  Fixture it;
  it.name = events.stem().stem().string();
  it.response = {.is_stream = tkm::get_bool(about, "stream"),
                 .choices = static_cast<uint32_t>(tkm::get_int(about, "choices")),
                 .inputs = static_cast<uint32_t>(tkm::get_int(about, "inputs", 1)),
                 .model = std::string(tkm::get_string(about, "model")),
                 .status = static_cast<int32_t>(tkm::get_int(about, "status")),
                 .content_type = std::string(tkm::get_string(about, "content_type")),
                 .has_clean_end = tkm::get_bool(about, "clean_end"),
                 .body = read_text(events.parent_path() / (it.name + ".body"))};
  for (const tkm::Json& event : std::as_const(root)["events"].GetArray()) {
    Line line(it.expected);
    for (const tkm::Json& value : event.GetArray()) line << element(value);
  }
  return it;
}

}  // namespace

Cut whole() {
  return [](size_t left) { return left; };
}
Cut pieces_of(size_t bytes) {
  return [bytes](size_t left) { return std::min(bytes, left); };
}
Cut at(size_t first) {
  return [first, is_first = true](size_t left) mutable {
    return std::exchange(is_first, false) && first > 0 ? std::min(first, left) : left;
  };
}
Cut randomly(uint64_t seed) {
  auto random = std::make_shared<tkm::Random>(seed);
  return [random](size_t left) { return std::min<size_t>(1 + random->below(300), left); };
}

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  REQUIRE_MESSAGE(file.good(), path);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

std::vector<Fixture> read_fixtures(const std::string& folder) {
  std::vector<Fixture> all;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().string().ends_with(".events.json")) all.push_back(read_fixture(entry.path()));
  }
  std::sort(all.begin(), all.end(), [](const Fixture& a, const Fixture& b) { return a.name < b.name; });
  return all;
}

Processor::Processor(const tkm_component* component, std::string_view options)
    : ops_(static_cast<const tkm_processor_ops*>(component->ops)) {
  static const tkm_host host{sizeof(tkm_host), 0, nullptr, [](const tkm_host*, int32_t, tkm_str) {},
                             [](const tkm_host*, tkm_str) -> const void* { return nullptr; }};
  tkm_create_args args{};
  args.struct_size = sizeof args;
  args.shard_count = 1;
  args.host = &host;
  args.config = tkm::str(options);
  std::string error;
  const tkm_writer err = writer(error);
  REQUIRE_MESSAGE(ops_->create(&args, &err, &handle_) == TKM_OK, error);
}

Processor::~Processor() {
  ops_->destroy(handle_);
}

std::string Processor::profile() {
  std::string json, error;
  const tkm_writer out = writer(json), err = writer(error);
  REQUIRE_MESSAGE(ops_->describe(handle_, &out, &err) == TKM_OK, error);
  return json;
}

void Processor::learn(std::string_view probe, std::string_view body) {
  std::string error;
  const tkm_writer err = writer(error);
  const tkm_answer answer{sizeof(tkm_answer), 200, tkm::str(probe), tkm::str(body)};
  REQUIRE_MESSAGE(ops_->learn(handle_, &answer, &err) == TKM_OK, error);
}

Request Processor::encode(const tkm_prompt& prompt) {
  Request it;
  tkm_request_out sink{};
  sink.struct_size = sizeof sink;
  sink.ctx = &it;
  sink.begin = [](void* ctx, const tkm_call* call) {
    static_cast<Request*>(ctx)->method = tkm::view(call->method);
    static_cast<Request*>(ctx)->path = tkm::view(call->path);
  };
  sink.header = [](void* ctx, tkm_str name, tkm_str value) {
    static_cast<Request*>(ctx)->headers.emplace_back(tkm::view(name), tkm::view(value));
  };
  sink.body = [](void* ctx, tkm_str bytes) { static_cast<Request*>(ctx)->body += tkm::view(bytes); };
  const tkm_writer err = writer(it.error);
  it.status = ops_->encode(handle_, &prompt, &sink, &err);
  return it;
}

std::string Processor::events(const Response& response, const Cut& cut) {
  std::string said, error;
  const tkm_events sink = recorder(said);
  const tkm_writer err = writer(error);
  tkm_prompt prompt{};
  prompt.struct_size = sizeof prompt;
  prompt.reply = response.is_stream ? TKM_REPLY_STREAM : TKM_REPLY_WHOLE;
  const tkm_part part{TKM_PART_TEXT, 0, {}, tkm::str("Hello")};
  const std::vector<tkm_message> messages(response.inputs, {tkm::str("user"), {}, &part, 1});
  prompt.messages = messages.data();
  prompt.message_count = messages.size();
  prompt.choices = response.choices;
  prompt.model = tkm::str(response.model);
  prompt.adapter = tkm::str(response.adapter);
  tkm_stream* stream = nullptr;
  if (ops_->open(handle_, &prompt, &err, &stream) != TKM_OK) FAIL(error);

  const tkm_field type{tkm::str("Content-Type"), tkm::str(response.content_type)};
  const tkm_head head{sizeof(tkm_head), response.status, &type, response.content_type.empty() ? 0u : 1u};
  tkm_status status = ops_->head(stream, &head, &sink, &err);
  const Cut next = status == TKM_COLLECT ? whole() : cut;
  std::vector<char> piece;
  for (std::string_view left = response.body; !left.empty() && status >= 0;) {
    const size_t size = next(left.size());
    piece.resize(size + kHostile.size());
    std::memcpy(piece.data(), left.data(), size);
    std::memcpy(piece.data() + size, kHostile.data(), kHostile.size());
    status = ops_->data(stream, {piece.data(), size}, &sink, &err);
    left.remove_prefix(size);
  }
  const tkm_end end{sizeof(tkm_end), -1, {}, nullptr, 0};
  if (response.has_clean_end && status >= 0) status = ops_->end(stream, &end, &sink, &err);
  ops_->close(stream);
  if (status < 0) said += "status " + std::to_string(status) + ": " + error + '\n';
  return said;
}

void check_in_all_cuts(Processor& processor, const std::vector<Fixture>& fixtures) {
  for (const Fixture& it : fixtures) {
    CAPTURE(it.name);
    CHECK(processor.events(it.response, whole()) == it.expected);
    CHECK(processor.events(it.response, pieces_of(1)) == it.expected);
    for (uint64_t seed = 0; seed < 20; ++seed)
      CHECK(processor.events(it.response, randomly(seed)) == it.expected);
    for (size_t point = 1; point < it.response.body.size(); ++point) {
      const std::string said = processor.events(it.response, at(point));
      if (said == it.expected) continue;
      CAPTURE(point);
      CHECK(said == it.expected);
    }
  }
}

}  // namespace processor_test
