#include "plugin/handles.hpp"

#include <string>

#include "base/log.hpp"
#include "base/text.hpp"
#include "fixtures.hpp"
#include "plugin/request_sink.hpp"

namespace tokometer {
namespace {

using fixtures::all_messages, fixtures::component, fixtures::good;

tkm_str str(std::string_view text) {
  return {text.data(), text.size()};
}

tkm_prompt prompt_of(std::string_view text) {
  tkm_prompt prompt{};
  prompt.struct_size = sizeof prompt;
  prompt.text = str(text);
  return prompt;
}

const Component& misbehaving(int32_t kind) {
  return component(good("misbehaving"), kind);
}

std::string bug(const std::string& rest) {
  return "plugin bug: misbehaving 6.6.6 (" + good("misbehaving").string() + "): call " + rest;
}

// Keeps log lines while it lives.
class LogCapture {
 public:
  LogCapture() {
    set_log_sink([this](LogLevel level, std::string_view line) {
      text_ += std::string(to_string(level)) + ": " + std::string(line) + "\n";
    });
  }
  ~LogCapture() { set_log_sink({}); }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

struct Events {
  std::string text, log;
  tkm_events sink() {
    tkm_events events{};
    events.struct_size = sizeof events;
    events.ctx = this;
    events.delta = [](void* ctx, const tkm_delta* delta) {
      static_cast<Events*>(ctx)->text.append(delta->text.data, delta->text.size);
    };
    events.finish = [](void* ctx, uint32_t choice, int32_t reason, tkm_str) {
      static_cast<Events*>(ctx)->log += "finish " + std::to_string(choice) + " " + std::to_string(reason);
    };
    return events;
  }
};

TEST_CASE("a processor from create to close") {
  const Component& echo = component(good("plain-cpp"), TKM_KIND_PROCESSOR);
  auto created = Processor::create(echo, {.models = {"m"}});
  REQUIRE_MESSAGE(created.ok(), all_messages(created));
  Processor processor = std::move(*created);
  CHECK(*processor.describe() == R"({"profile": 1, "features": ["proto.http"]})");
  CHECK(all_messages(processor.learn(404, "version", "")) ==
        "processor \"plain-cpp\": version 3 or later is needed\n");
  CHECK(processor.learn(200, "version", "proto.grpc").ok());
  CHECK(*processor.describe() == R"({"profile": 1, "features": ["proto.grpc"]})");

  std::string err;
  RequestSink sink;
  CHECK(processor.encode(prompt_of("hello"), sink.out(), err) == TKM_OK);
  CHECK(sink.fault().empty());
  CHECK(sink.path() == "/echo");
  CHECK(sink.body() == "hello");

  Stream stream;
  CHECK(!stream.is_open());
  REQUIRE(processor.open(prompt_of("hello"), stream, err) == TKM_OK);
  CHECK(stream.is_open());
  Stream moved = std::move(stream);
  CHECK(!stream.is_open());  // NOLINT: what a moved-from stream promises
  Events seen;
  const tkm_events events = seen.sink();
  const tkm_head ok{sizeof ok, 200, nullptr, 0}, json{sizeof json, 201, nullptr, 0};
  CHECK(moved.head(ok, events, err) == TKM_OK);
  CHECK(moved.head(json, events, err) == TKM_COLLECT);
  CHECK(moved.data(str("he"), events, err) == TKM_OK);
  CHECK(moved.data(str("llo"), events, err) == TKM_OK);
  CHECK(moved.end({sizeof(tkm_end), -1, {}, nullptr, 0}, events, err) == TKM_OK);
  CHECK(seen.text == "hello");
  CHECK(seen.log == "finish 0 1");
  CHECK(err.empty());
  moved.close();
  moved.close();
  CHECK(!moved.is_open());
}

TEST_CASE("a refused configuration is the plugin's own sentence") {
  const auto created = Processor::create(component(good("plain-cpp"), TKM_KIND_PROCESSOR), {});
  CHECK(all_messages(created) == "processor \"plain-cpp\": no model is named\n");
}

TEST_CASE("a dataset: log, extension, samples, a bad record, the end") {
  const LogCapture log;
  const tkm_calibration calibration{sizeof calibration, 0, 1.5, 7};
  CreateOptions options;
  options.extension = [&](std::string_view id) -> const void* {
    return id == "tkm.calibration/1" ? &calibration : nullptr;
  };
  auto dataset = Dataset::create(component(good("plain-c"), TKM_KIND_DATASET), options);
  REQUIRE(dataset.ok());
  CHECK(log.text() == "info: plugin plain-c: words ready\n");
  CHECK(dataset->size() == 3);

  std::string said, err;
  tkm_sample_out out{};
  out.struct_size = sizeof out;
  out.ctx = &said;
  out.text = [](void* ctx, tkm_str text) {
    static_cast<std::string*>(ctx)->append(text.data, text.size).append(";");
  };
  CHECK(dataset->next(out, err) == TKM_OK);
  CHECK(dataset->next(out, err) == TKM_OK);
  CHECK(dataset->next(out, err) == TKM_E_INPUT);
  CHECK(err == "words: record 3: empty prompt");
  CHECK(dataset->next(out, err) == TKM_END);
  CHECK(err.empty());
  CHECK(said == "one;two;");
}

TEST_CASE("without an extension the plugin gets NULL") {
  auto dataset = Dataset::create(component(good("plain-c"), TKM_KIND_DATASET), {});
  REQUIRE(dataset.ok());
  CHECK(dataset->size() == -2);
}

TEST_CASE("a load pattern") {
  auto pattern = Pattern::create(component(good("plain-c"), TKM_KIND_PATTERN), {});
  REQUIRE(pattern.ok());
  tkm_load_state state{};
  state.struct_size = sizeof state;
  tkm_load_step step{};
  std::string err;
  for (; state.released < 3; ++state.released) {
    CHECK(pattern->next(state, step, err) == TKM_OK);
    CHECK(step.action == TKM_LOAD_RELEASE);
    CHECK(step.at_ns == static_cast<int64_t>(state.released) * 1000);
  }
  CHECK(pattern->next(state, step, err) == TKM_OK);
  CHECK(step.action == TKM_LOAD_DONE);
}

// What a misbehaving call comes out as, whichever call it is.
struct Misbehaviour {
  std::string fault;
  tkm_status status;
  std::string sentence;  // with CALL for the name of the call
};
std::vector<Misbehaviour> misbehaviours() {
  return {
      {"throw", TKM_E_INTERNAL, bug("CALL let an exception out")},
      {"throw int", TKM_E_INTERNAL, bug("CALL let an exception out")},
      {"no sentence", TKM_E_INTERNAL, bug("CALL returned -4 without a sentence")},
      {"null sentence", TKM_E_INPUT, bug("CALL returned -2 without a sentence")},
      {"unknown status", TKM_E_INTERNAL, bug("CALL returned 42, which is no status of this call")},
      {"unknown failure", TKM_E_INTERNAL, bug("CALL returned -99, which is no status of this call")},
      {"escape sequences", TKM_E_INPUT, "bad \\x1b[31mred\\x1b[0m\\r\\nnext line \\xff\\xfe"},
      {"sentence and success", TKM_OK, ""},
  };
}
std::string in_call(std::string sentence, const std::string& call) {
  if (const size_t at = sentence.find("CALL"); at != sentence.npos) sentence.replace(at, 4, call);
  return sentence;
}

TEST_CASE("calls that break the contract become statuses with a sentence") {
  const LogCapture log;  // each close lets an exception out, which is logged
  auto processor = Processor::create(misbehaving(TKM_KIND_PROCESSOR), {.config_json = ""});
  REQUIRE(processor.ok());
  Events seen;
  const tkm_events events = seen.sink();
  for (const Misbehaviour& each : misbehaviours()) {
    CAPTURE(each.fault);
    std::string err = "left over";
    RequestSink sink;
    CHECK(processor->encode(prompt_of(each.fault), sink.out(), err) == each.status);
    CHECK(err == in_call(each.sentence, "encode"));

    Stream stream;
    CHECK(processor->open(prompt_of(each.fault), stream, err) == each.status);
    CHECK(err == in_call(each.sentence, "open"));
    CHECK(stream.is_open() == (each.status == TKM_OK));
    stream.close();

    REQUIRE(processor->open(prompt_of(""), stream, err) == TKM_OK);
    const tkm_field field{str("x"), str(each.fault)};
    CHECK(stream.head({sizeof(tkm_head), 200, &field, 1}, events, err) == each.status);
    CHECK(err == in_call(each.sentence, "head"));
    CHECK(stream.data(str(each.fault), events, err) == each.status);
    CHECK(err == in_call(each.sentence, "data"));
    CHECK(stream.end({sizeof(tkm_end), -1, str(each.fault), nullptr, 0}, events, err) == each.status);
    CHECK(err == in_call(each.sentence, "end"));

    auto dataset = Dataset::create(misbehaving(TKM_KIND_DATASET), {.config_json = each.fault});
    CHECK(dataset->next(tkm_sample_out{}, err) == each.status);
    CHECK(err == in_call(each.sentence, "next"));
    auto pattern = Pattern::create(misbehaving(TKM_KIND_PATTERN), {.config_json = each.fault});
    tkm_load_step step{};
    CHECK(pattern->next(tkm_load_state{}, step, err) == each.status);
    CHECK(err == in_call(each.sentence, "next"));
    auto tokenizer = Tokenizer::create(misbehaving(TKM_KIND_TOKENIZER), {.config_json = ""});
    CHECK(tokenizer->encode(str(each.fault), TKM_ENCODE_TEXT, tkm_ids_out{}, err) == each.status);
    CHECK(err == in_call(each.sentence, "encode"));
  }
}

TEST_CASE("statuses that are good for one call are not for another") {
  const LogCapture log;
  auto processor = Processor::create(misbehaving(TKM_KIND_PROCESSOR), {.config_json = ""});
  std::string err;
  Stream stream;
  REQUIRE(processor->open(prompt_of(""), stream, err) == TKM_OK);
  Events seen;
  const tkm_events events = seen.sink();
  const tkm_field field{str("x"), str("collect")};
  CHECK(stream.head({sizeof(tkm_head), 200, &field, 1}, events, err) == TKM_COLLECT);
  CHECK(stream.data(str("collect"), events, err) == TKM_E_INTERNAL);
  CHECK(stream.data(str("end"), events, err) == TKM_E_INTERNAL);
  CHECK(err == bug("data returned 1, which is no status of this call"));
  CHECK(Dataset::create(misbehaving(TKM_KIND_DATASET), {.config_json = "end"})->next(tkm_sample_out{}, err) ==
        TKM_END);
}

TEST_CASE("create, describe, learn and the calls without a status") {
  const auto complaint = [](const char* config) {
    return all_messages(Processor::create(misbehaving(TKM_KIND_PROCESSOR), {.config_json = config}));
  };
  CHECK(complaint("throw") == bug("create let an exception out") + "\n");
  CHECK(complaint("no handle") == bug("create returned TKM_OK and no handle") + "\n");
  CHECK(complaint("no sentence") == bug("create returned -4 without a sentence") + "\n");

  const LogCapture log;
  {
    auto processor = Processor::create(misbehaving(TKM_KIND_PROCESSOR), {.config_json = ""});
    CHECK(all_messages(processor->describe()) == bug("describe wrote more than 1 MiB") + "\n");
    CHECK(all_messages(processor->learn(200, "p", "throw")) == bug("learn let an exception out") + "\n");
    std::string err;
    Stream stream;
    CHECK(processor->open(prompt_of("no handle"), stream, err) == TKM_E_INTERNAL);
    CHECK(err == bug("open returned TKM_OK and no handle"));
    CHECK(!stream.is_open());
    REQUIRE(processor->open(prompt_of(""), stream, err) == TKM_OK);
  }
  CHECK(log.text() == "error: " + bug("close let an exception out") + "\n");
}

TEST_CASE("an odd size is an unknown one") {
  const LogCapture log;
  const auto size = [](const char* fault) {
    return Dataset::create(misbehaving(TKM_KIND_DATASET), {.config_json = fault})->size();
  };
  CHECK(size("") == -1);
  CHECK(size("size -7") == -2);
  CHECK(size("size throws") == -2);
  CHECK(log.text() == "error: " + bug("size let an exception out") + "\n");
}

TEST_CASE("a vocabulary that no id can fill is none") {
  const LogCapture log;
  const auto size = [](const char* fault) {
    return Tokenizer::create(misbehaving(TKM_KIND_TOKENIZER), {.config_json = fault})->vocab_size();
  };
  CHECK(size("") == 100);
  CHECK(size("too large") == 0);
  CHECK(size("size throws") == 0);
  CHECK(log.text() == "error: " + bug("vocab_size let an exception out") + "\n");
}

TEST_CASE("an unknown action is the plugin's bug") {
  auto pattern = Pattern::create(misbehaving(TKM_KIND_PATTERN), {.config_json = "unknown action"});
  tkm_load_step step{};
  std::string err;
  CHECK(pattern->next(tkm_load_state{}, step, err) == TKM_E_INTERNAL);
  CHECK(err == bug("next gave the unknown action 9"));
}

TEST_CASE("a sentence of 64 MiB is kept to 4 KiB") {
  auto processor = Processor::create(misbehaving(TKM_KIND_PROCESSOR), {.config_json = ""});
  std::string err;
  RequestSink sink;
  CHECK(processor->encode(prompt_of("endless sentence"), sink.out(), err) == TKM_E_INPUT);
  CHECK(err.size() == 4096);
  CHECK(is_valid_utf8(err));
}

TEST_CASE("a request against the rules is the sink's to refuse") {
  auto processor = Processor::create(misbehaving(TKM_KIND_PROCESSOR), {.config_json = ""});
  std::string err;
  RequestSink sink;
  CHECK(processor->encode(prompt_of("header with CRLF"), sink.out(), err) == TKM_OK);
  CHECK(sink.fault() == "plugin bug: encode: header \"x-a\": control characters are not allowed");
}

TEST_CASE("handles move, and end what they held") {
  auto first = Dataset::create(component(good("plain-c"), TKM_KIND_DATASET), {});
  auto second = Dataset::create(component(good("plain-c"), TKM_KIND_DATASET), {});
  Dataset dataset = std::move(*first);
  dataset = std::move(*second);
  CHECK(dataset.size() == -2);
  CHECK(dataset.component().name() == "words");
}

}  // namespace
}  // namespace tokometer
