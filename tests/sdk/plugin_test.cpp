#include <doctest/doctest.h>
#include <tokometer/options.hpp>
#include <tokometer/plugin.hpp>

#include <array>
#include <cstdint>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

// A component of each kind that does what the "mode" option says.

struct ModeOptions {
  std::string mode = "good";
  static void options(tkm::OptionSet<ModeOptions>& o) {
    o.add("mode", &ModeOptions::mode).help("What to do.");
  }
};

void misbehave(const std::string& mode) {
  if (mode == "config") throw tkm::config_error("the file is missing");
  if (mode == "input") throw tkm::input_error("record 3 is bad");
  if (mode == "unsupported") throw tkm::unsupported("no images");
  if (mode == "zero") throw tkm::Error(TKM_OK, "an error that is none");
  if (mode == "std") throw std::runtime_error("broken");
  if (mode == "memory") throw std::bad_alloc();
  if (mode == "int") throw 42;
}

int alive = 0;  // components and streams

struct Counted {
  Counted() { ++alive; }
  Counted(const Counted&) { ++alive; }
  ~Counted() { --alive; }
};

struct EchoStream : Counted {
  explicit EchoStream(std::string how) : mode(std::move(how)) {}
  tkm_status head(const tkm_head& head, tkm::Events&) {
    return head.http_status == 200 ? TKM_OK : TKM_COLLECT;
  }
  void data(std::string_view bytes, tkm::Events& events) {
    misbehave(mode);
    events.delta({.text = bytes, .tokens = 1, .counted_by = TKM_COUNT_EVENT});
  }
  void end(const tkm_end&, tkm::Events& events) {
    events.usage({.prompt_tokens = 4, .output_tokens = 2});
    events.finish(0, TKM_FINISH_STOP, "stop");
    events.done();
  }
  std::string mode;
};

struct Echo : Counted {
  static constexpr auto kId = "echo", kSummary = "says what it gets";
  static constexpr std::array kCapabilities{"proto.http", "reply.stream"};
  using Options = ModeOptions;

  Echo(ModeOptions options, const tkm_create_args& args) : mode(options.mode), seed(args.seed) {
    if (mode == "create") throw tkm::config_error("cannot be made");
  }
  std::string describe() {
    misbehave(mode);
    return R"({"profile":1,"features":["proto.http"]})";
  }
  void learn(const tkm_answer& answer) { learned = tkm::view(answer.body); }
  void encode(const tkm_prompt& prompt, tkm::RequestOut& out) {
    misbehave(mode);
    out.http("POST", "/echo");
    out.header("content-type", "text/plain");
    out.body(tkm::view(prompt.text));
    out.body(learned);
  }
  EchoStream open(const tkm_prompt&) {
    if (mode == "open") throw tkm::unsupported("not today");
    return EchoStream(mode);
  }
  std::string mode, learned;
  uint64_t seed;
};

struct Three : Counted {
  static constexpr auto kId = "three", kSummary = "three samples";
  static constexpr std::array kCapabilities{"sessions"};
  using Options = ModeOptions;
  explicit Three(ModeOptions options) : mode(options.mode) {}
  int64_t size() { return 3; }
  bool next(tkm::SampleOut& out) {
    misbehave(mode);
    if (at == 3) return false;
    out.message("user", "hello");
    out.lengths(5, 7, TKM_OUTPUT_EXACT);
    out.turn({.session = "s", .turn = at++, .last = at == 3});
    return true;
  }
  std::string mode;
  uint32_t at = 0;
};

struct Plain : Counted {  // no options, no size()
  static constexpr auto kId = "plain", kSummary = "nothing";
  static constexpr std::array kCapabilities{"endless"};
  explicit Plain(const tkm_create_args& args) { tkm::Host(args).log(TKM_LOG_INFO, "made"); }
  bool next(tkm::SampleOut& out) { return out.text("x"), true; }
};

struct Steps : Counted {
  static constexpr auto kId = "steps", kSummary = "each kind of step";
  static constexpr std::array kCapabilities{"closed-loop"};
  using Options = ModeOptions;
  explicit Steps(ModeOptions options) : mode(options.mode) {}
  tkm::LoadStep next(const tkm_load_state& state) {
    misbehave(mode);
    if (state.released == 0) return tkm::release_at(state.now_ns + 5, 2);
    return state.released < 9 ? tkm::wait_for_end(2) : tkm::load_done();
  }
  std::string mode;
};

struct Letters : Counted {
  static constexpr auto kId = "letters", kSummary = "a byte is an id";
  static constexpr std::array<const char*, 0> kCapabilities{};
  using Options = ModeOptions;
  explicit Letters(ModeOptions options) : mode(options.mode) {}
  int64_t vocab_size() { return 300; }
  void encode(std::string_view text, int32_t how, tkm::IdsOut& out) {
    misbehave(mode);
    if (how == TKM_ENCODE_PROMPT) out.ids(std::array<int32_t, 1>{299});
    for (const char c : text) out.ids(std::array<int32_t, 1>{static_cast<unsigned char>(c)});
  }
  std::string mode;
};

// The host's side, as a plugin sees it.

template <class T>
T sized() {
  T it{};
  it.struct_size = sizeof it;
  return it;
}

void append(void* ctx, tkm_str bytes) {
  static_cast<std::string*>(ctx)->append(tkm::view(bytes));
}

struct FakeHost {
  std::string err, logged;
  tkm_writer writer{&err, append};
  tkm_host host{sizeof(tkm_host), TKM_ABI_MINOR, &logged,
                [](const tkm_host* self, int32_t, tkm_str text) { append(self->ctx, text); },
                [](const tkm_host*, tkm_str) -> const void* { return nullptr; }};

  tkm_create_args args(std::string_view config) {
    return {sizeof(tkm_create_args), 0, 1, 0, &host, tkm::str(config), nullptr, 0, 42};
  }
};

const tkm_component* at(size_t index) {
  return tkm_module_v1()->components[index];
}

template <class Ops>
const Ops& ops(size_t index) {
  return *static_cast<const Ops*>(at(index)->ops);
}

const auto& processor_ops() {
  return ops<tkm_processor_ops>(0);
}

// What an events sink heard, as text.
struct Heard {
  std::string text;
  tkm_events sink{sizeof(tkm_events),
                  0,
                  this,
                  [](void* ctx, const tkm_delta* delta) {
                    add(ctx) += "delta:" + std::string(tkm::view(delta->text)) + ":" +
                                std::to_string(delta->tokens) + " ";
                  },
                  [](void* ctx, const tkm_usage* usage) {
                    add(ctx) += "usage:" + std::to_string(usage->prompt_tokens) + "/" +
                                std::to_string(usage->cached_tokens) + "/" +
                                std::to_string(usage->output_tokens) + " ";
                  },
                  [](void* ctx, uint32_t choice, int32_t reason, tkm_str raw) {
                    add(ctx) += "finish:" + std::to_string(choice) + ":" + std::to_string(reason) + ":" +
                                std::string(tkm::view(raw)) + " ";
                  },
                  [](void* ctx, int32_t, int64_t, tkm_str) { add(ctx) += "error "; },
                  [](void* ctx, int32_t mark) { add(ctx) += "mark:" + std::to_string(mark) + " "; },
                  [](void*, tkm_str, double) {},
                  [](void*, tkm_str) {},
                  [](void*, tkm_str, tkm_str) {}};
  static std::string& add(void* ctx) { return static_cast<Heard*>(ctx)->text; }
};

}  // namespace

TKM_MODULE("test-module", "1.2.3", "Apache-2.0", tkm::processor<Echo>(), tkm::dataset<Three>(),
           tkm::dataset<Plain>(), tkm::pattern<Steps>(), tkm::tokenizer<Letters>());

TEST_CASE("plugin: the module describes itself, with the same pointer each time") {
  const tkm_module* module = tkm_module_v1();
  CHECK(module == tkm_module_v1());
  CHECK(module->struct_size == sizeof(tkm_module));
  CHECK(module->abi_minor == TKM_ABI_MINOR);
  CHECK(tkm::view(module->name) == "test-module");
  CHECK(tkm::view(module->version) == "1.2.3");
  CHECK(tkm::view(module->license) == "Apache-2.0");
  REQUIRE(module->component_count == 5);
  CHECK(at(0)->kind == TKM_KIND_PROCESSOR);
  CHECK(at(1)->kind == TKM_KIND_DATASET);
  CHECK(at(3)->kind == TKM_KIND_PATTERN);
  CHECK(at(4)->kind == TKM_KIND_TOKENIZER);
  CHECK(tkm::view(at(0)->id) == "echo");
  CHECK(tkm::view(at(0)->summary) == "says what it gets");
  REQUIRE(at(0)->capability_count == 2);
  CHECK(tkm::view(at(0)->capabilities[1]) == "reply.stream");
  CHECK(tkm::view(at(0)->config_schema) == tkm::options_schema<ModeOptions>());
  CHECK(tkm::view(at(2)->config_schema) == R"({"type":"object","properties":{}})");
  CHECK(ops<tkm_pattern_ops>(3).struct_size == sizeof(tkm_pattern_ops));
}

TEST_CASE("plugin: exceptions become statuses with a sentence") {
  struct Case {
    const char* mode;
    tkm_status status;
    const char* sentence;
  };
  const Case cases[] = {
      {"good", TKM_OK, ""},
      {"config", TKM_E_CONFIG, "the file is missing"},
      {"input", TKM_E_INPUT, "record 3 is bad"},
      {"unsupported", TKM_E_UNSUPPORTED, "no images"},
      {"zero", TKM_E_INTERNAL, "an error that is none"},
      {"std", TKM_E_INTERNAL, "internal error: broken"},
      {"memory", TKM_E_INTERNAL, "internal error: std::bad_alloc"},
      {"int", TKM_E_INTERNAL, "internal error: an exception of an unknown type"},
  };
  for (const Case& each : cases) {
    const std::string mode = each.mode, sentence = each.sentence;
    const tkm_status status = each.status;
    CAPTURE(mode);
    const std::string config = R"({"mode":")" + mode + "\"}";
    FakeHost host;
    const tkm_create_args args = host.args(config);
    SUBCASE("describe") {
      tkm_processor* echo = nullptr;
      REQUIRE(processor_ops().create(&args, &host.writer, &echo) == TKM_OK);
      std::string json;
      const tkm_writer out{&json, append};
      CHECK(processor_ops().describe(echo, &out, &host.writer) == status);
      processor_ops().destroy(echo);
    }
    SUBCASE("dataset") {
      const auto& calls = ops<tkm_dataset_ops>(1);
      tkm_dataset* three = nullptr;
      REQUIRE(calls.create(&args, &host.writer, &three) == TKM_OK);
      tkm_sample_out out{};
      out.message = [](void*, tkm_str, tkm_str) {};
      out.part = [](void*, const tkm_part*) {};
      out.lengths = [](void*, int64_t, int64_t, int32_t) {};
      out.turn = [](void*, const tkm_turn*) {};
      CHECK(calls.next(three, &out, &host.writer) == status);
      calls.destroy(three);
    }
    SUBCASE("pattern") {
      const auto& calls = ops<tkm_pattern_ops>(3);
      tkm_pattern* steps = nullptr;
      REQUIRE(calls.create(&args, &host.writer, &steps) == TKM_OK);
      const auto state = sized<tkm_load_state>();
      auto step = sized<tkm_load_step>();
      CHECK(calls.next(steps, &state, &step, &host.writer) == status);
      calls.destroy(steps);
    }
    SUBCASE("tokenizer") {
      const auto& calls = ops<tkm_tokenizer_ops>(4);
      tkm_tokenizer* letters = nullptr;
      REQUIRE(calls.create(&args, &host.writer, &letters) == TKM_OK);
      const tkm_ids_out out{sizeof(tkm_ids_out), 0, nullptr, [](void*, const int32_t*, size_t) {}};
      CHECK(calls.encode(letters, tkm::str("x"), TKM_ENCODE_TEXT, &out, &host.writer) == status);
      calls.destroy(letters);
    }
    CHECK(host.err == sentence);
    CHECK(alive == 0);
  }
}

TEST_CASE("plugin: a dataset counts with the host's tokenizer") {
  static const tkm_host_tokenizer table{
      sizeof(tkm_host_tokenizer), 0, nullptr, 500,
      [](void*, tkm_str text, int32_t mode, const tkm_ids_out* out, const tkm_writer* err) -> tkm_status {
        if (text.size == 0) return err->write(err->ctx, tkm::str("nothing to do")), TKM_E_INPUT;
        const int32_t ids[] = {mode, 5, 6};
        out->ids(out->ctx, ids, 2);
        out->ids(out->ctx, ids + 2, 1);
        return TKM_OK;
      }};
  FakeHost host;
  CHECK(!tkm::HostTokenizer(tkm::Host(host.args("{}"))));
  host.host.extension = [](const tkm_host*, tkm_str id) -> const void* {
    return tkm::view(id) == "tkm.tokenizer/1" ? &table : nullptr;
  };
  const tkm::HostTokenizer tokenizer{tkm::Host(host.args("{}"))};
  REQUIRE(tokenizer);
  CHECK(tokenizer.vocab_size() == 500);
  CHECK(tokenizer.count("a text") == 3);
  CHECK(tokenizer.encode("a text", TKM_ENCODE_PROMPT) == std::vector<int32_t>{1, 5, 6});
  CHECK_THROWS_WITH_AS(tokenizer.count(""), "nothing to do", tkm::Error);
}

TEST_CASE("plugin: a tokenizer's ids go through") {
  FakeHost host;
  const tkm_create_args args = host.args("{}");
  const auto& calls = ops<tkm_tokenizer_ops>(4);
  tkm_tokenizer* letters = nullptr;
  REQUIRE(calls.create(&args, &host.writer, &letters) == TKM_OK);
  CHECK(calls.vocab_size(letters) == 300);
  std::vector<int32_t> ids;
  const tkm_ids_out out{sizeof(tkm_ids_out), 0, &ids, [](void* ctx, const int32_t* some, size_t count) {
                          static_cast<std::vector<int32_t>*>(ctx)->insert(
                              static_cast<std::vector<int32_t>*>(ctx)->end(), some, some + count);
                        }};
  CHECK(calls.encode(letters, tkm::str("ab"), TKM_ENCODE_PROMPT, &out, &host.writer) == TKM_OK);
  CHECK(ids == std::vector<int32_t>{299, 'a', 'b'});
  calls.destroy(letters);
  CHECK(alive == 0);
}

TEST_CASE("plugin: a failed create or open makes no handle") {
  FakeHost host;
  tkm_processor* echo = nullptr;
  SUBCASE("the constructor throws") {
    const tkm_create_args args = host.args(R"({"mode":"create"})");
    CHECK(processor_ops().create(&args, &host.writer, &echo) == TKM_E_CONFIG);
    CHECK(host.err == "cannot be made");
    CHECK(echo == nullptr);
  }
  SUBCASE("the options do not fit") {
    const tkm_create_args args = host.args(R"({"mode":5})");
    CHECK(processor_ops().create(&args, &host.writer, &echo) == TKM_E_CONFIG);
    CHECK(host.err.find("\"mode\"") != std::string::npos);
    CHECK(echo == nullptr);
  }
  SUBCASE("open throws") {
    const tkm_create_args args = host.args(R"({"mode":"open"})");
    REQUIRE(processor_ops().create(&args, &host.writer, &echo) == TKM_OK);
    const auto prompt = sized<tkm_prompt>();
    tkm_stream* stream = nullptr;
    CHECK(processor_ops().open(echo, &prompt, &host.writer, &stream) == TKM_E_UNSUPPORTED);
    CHECK(stream == nullptr);
    processor_ops().destroy(echo);
  }
  CHECK(alive == 0);
}

TEST_CASE("plugin: a request and its response go through") {
  FakeHost host;
  const tkm_create_args args = host.args("{}");
  tkm_processor* echo = nullptr;
  REQUIRE(processor_ops().create(&args, &host.writer, &echo) == TKM_OK);
  const tkm_answer answer{
      .struct_size = sizeof answer, .status = 200, .probe = tkm::str("p"), .body = tkm::str(" learned")};
  CHECK(processor_ops().learn(echo, &answer, &host.writer) == TKM_OK);

  std::string request;
  tkm_request_out out{};
  out.ctx = &request;
  out.begin = [](void* ctx, const tkm_call* call) {
    CHECK(call->struct_size == sizeof(tkm_call));
    CHECK(call->protocol == TKM_HTTP);
    append(ctx, call->method), append(ctx, tkm::str(" ")), append(ctx, call->path),
        append(ctx, tkm::str("|"));
  };
  out.header = [](void* ctx, tkm_str name, tkm_str value) {
    append(ctx, name), append(ctx, tkm::str("=")), append(ctx, value), append(ctx, tkm::str("|"));
  };
  out.body = append;
  auto prompt = sized<tkm_prompt>();
  prompt.text = tkm::str("text");
  CHECK(processor_ops().encode(echo, &prompt, &out, &host.writer) == TKM_OK);
  CHECK(request == "POST /echo|content-type=text/plain|text learned");

  tkm_stream* stream = nullptr;
  REQUIRE(processor_ops().open(echo, &prompt, &host.writer, &stream) == TKM_OK);
  Heard heard;
  auto head = sized<tkm_head>();
  head.http_status = 503;
  CHECK(processor_ops().head(stream, &head, &heard.sink, &host.writer) == TKM_COLLECT);
  head.http_status = 200;
  CHECK(processor_ops().head(stream, &head, &heard.sink, &host.writer) == TKM_OK);
  CHECK(processor_ops().data(stream, tkm::str("a"), &heard.sink, &host.writer) == TKM_OK);
  CHECK(processor_ops().data(stream, tkm::str("b"), &heard.sink, &host.writer) == TKM_OK);
  auto end = sized<tkm_end>();
  end.grpc_status = -1;
  CHECK(processor_ops().end(stream, &end, &heard.sink, &host.writer) == TKM_OK);
  CHECK(heard.text == "delta:a:1 delta:b:1 usage:4/-1/2 finish:0:1:stop mark:3 ");
  CHECK(alive == 2);
  processor_ops().close(stream);
  processor_ops().destroy(echo);
  CHECK(alive == 0);
  CHECK(host.err.empty());
}

TEST_CASE("plugin: a dataset ends with TKM_END") {
  FakeHost host;
  const tkm_create_args args = host.args("{}");
  const auto& calls = ops<tkm_dataset_ops>(1);
  tkm_dataset* three = nullptr;
  REQUIRE(calls.create(&args, &host.writer, &three) == TKM_OK);
  CHECK(calls.size(three) == 3);
  std::string said;
  tkm_sample_out out{};
  out.ctx = &said;
  out.message = [](void* ctx, tkm_str role, tkm_str) { append(ctx, role); };
  out.part = [](void* ctx, const tkm_part* part) { append(ctx, tkm::str(":")), append(ctx, part->data); };
  out.lengths = [](void* ctx, int64_t prompt, int64_t output, int32_t mode) {
    *static_cast<std::string*>(ctx) +=
        " " + std::to_string(prompt) + " " + std::to_string(output) + " " + std::to_string(mode);
  };
  out.turn = [](void* ctx, const tkm_turn* turn) {
    CHECK(turn->struct_size == sizeof(tkm_turn));
    *static_cast<std::string*>(ctx) += turn->last != 0 ? " last;" : ";";
  };
  for (int i = 0; i < 3; ++i) CHECK(calls.next(three, &out, &host.writer) == TKM_OK);
  CHECK(calls.next(three, &out, &host.writer) == TKM_END);
  CHECK(calls.next(three, &out, &host.writer) == TKM_END);
  CHECK(said == "user:hello 5 7 1;user:hello 5 7 1;user:hello 5 7 1 last;");
  calls.destroy(three);
}

TEST_CASE("plugin: optional methods and options may be left out") {
  FakeHost host;
  const tkm_create_args args = host.args("{}");
  const auto& calls = ops<tkm_dataset_ops>(2);
  tkm_dataset* plain = nullptr;
  REQUIRE(calls.create(&args, &host.writer, &plain) == TKM_OK);
  CHECK(host.logged == "made");
  CHECK(calls.size(plain) == -2);
  calls.destroy(plain);
}

TEST_CASE("plugin: a pattern fills the step member by member") {
  FakeHost host;
  const tkm_create_args args = host.args("{}");
  const auto& calls = ops<tkm_pattern_ops>(3);
  tkm_pattern* steps = nullptr;
  REQUIRE(calls.create(&args, &host.writer, &steps) == TKM_OK);
  auto state = sized<tkm_load_state>();
  state.now_ns = 100;
  auto step = sized<tkm_load_step>();
  step.struct_size = 77;
  REQUIRE(calls.next(steps, &state, &step, &host.writer) == TKM_OK);
  CHECK(step.struct_size == 77);  // the host's own
  CHECK(step.action == TKM_LOAD_RELEASE);
  CHECK(step.at_ns == 105);
  CHECK(step.users == 2);
  state.released = 1;
  REQUIRE(calls.next(steps, &state, &step, &host.writer) == TKM_OK);
  CHECK(step.action == TKM_LOAD_WAIT);
  CHECK(step.at_ns == INT64_MAX);
  state.released = 9;
  REQUIRE(calls.next(steps, &state, &step, &host.writer) == TKM_OK);
  CHECK(step.action == TKM_LOAD_DONE);
  calls.destroy(steps);
  CHECK(alive == 0);
}
