// A processor, a dataset, a load pattern or a tokenizer that breaks one rule of the ABI: the one that
// $HOSTILE_FAULT names. Without it all is well. What loads well and is wrong later: for `plugin check`, which
// must find each.
#include <fcntl.h>
#include <locale.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <tokometer/abi.h>
#include <tokometer/json.hpp>

#include <atomic>
#include <cfenv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>

struct tkm_processor {
  std::string shared_rest;
};
struct tkm_stream {
  tkm_processor* processor;
  std::string rest, more;
  int32_t status = 200;
  size_t pieces = 0, first_size = 0;
  bool ended = false;
};
struct tkm_dataset {
  int next = 0;
  bool ended = false;
};
struct tkm_tokenizer {
  int asked = 0;
};
struct tkm_pattern {
  uint32_t shard, shard_count, started = 0;
  uint64_t released = 0, calls = 0;
};

namespace {

const std::string fault = std::getenv("HOSTILE_FAULT") != nullptr ? std::getenv("HOSTILE_FAULT") : "";

bool is(std::string_view name) {
  return fault == name;
}
std::string_view view(tkm_str text) {
  return {text.data, text.size};
}
tkm_str str(std::string_view text) {
  return {text.data(), text.size()};
}
tkm_status say(const tkm_writer* err, std::string_view text, tkm_status status) {
  return err->write(err->ctx, str(text)), status;
}
void lose_memory() {
  static std::atomic<void*> last;  // so that the compiler leaves the call in
  last.store(std::malloc(200));
}
void crash() {
  *static_cast<volatile int*>(nullptr) = 1;
}
void call_the_system() {
  ::syscall(SYS_getppid);
}

__attribute__((constructor)) void load() {
  const char* chosen = std::getenv("HOSTILE_FAULT");  // `fault` may not be made yet
  const std::string_view name = chosen != nullptr ? chosen : "";
  if (name == "load: thread") std::thread([] { ::pause(); }).detach();
  if (name == "load: file") static_cast<void>(::open("/dev/zero", O_RDONLY));
  if (name == "load: output") ::dprintf(1, "hello\n");
  if (name == "load: locale") ::setlocale(LC_ALL, "C.UTF-8");
  if (name == "load: signal") std::signal(SIGUSR1, SIG_IGN);
  if (name == "load: umask") ::umask(0777);
  if (name == "load: rounding") std::fesetround(FE_UPWARD);
}

// ---- processor

template <class Handle>
tkm_status create(const tkm_create_args* args, const tkm_writer* err, Handle** out) {
  const std::string_view config = view(args->config);
  if (is("create: crash on no JSON") && config == "{") crash();
  if (!config.starts_with("{") || !config.ends_with("}"))
    return say(err, "the options are no object", TKM_E_CONFIG);
  if (is("create: file")) static_cast<void>(::open("/dev/zero", O_RDONLY));
  if (is("create: leak")) lose_memory();
  *out = new Handle{};
  if constexpr (std::is_same_v<Handle, tkm_pattern>) {
    (*out)->shard = args->shard;
    (*out)->shard_count = args->shard_count;
  }
  if constexpr (std::is_same_v<Handle, tkm_dataset> || std::is_same_v<Handle, tkm_tokenizer>) {
    const size_t at = config.find("\"file\":\"");
    if (at == config.npos || is("dataset: any file") || is("letters: any file")) return TKM_OK;
    const std::string path(config.substr(at + 8, config.find('"', at + 8) - at - 8));
    if (::access(path.c_str(), R_OK) == 0) return TKM_OK;
    delete *out;
    return say(err, path + ": no such file", TKM_E_CONFIG);
  }
  return TKM_OK;
}
template <class Handle>
void destroy(Handle* self) {
  delete self;
}

tkm_status describe(tkm_processor*, const tkm_writer* json, const tkm_writer*) {
  static int calls = 0;
  std::string text =
      R"({"profile":1,"features":["proto.http","reply.stream","form.chat","form.text","route.model"])";
  if (is("describe: no profile")) text = "{\"profile\":9";
  if (is("describe: counter")) text += ",\"x-count\":" + std::to_string(++calls);
  if (is("describe: feature")) text.insert(text.size() - 1, ",\"com.acme.fly\"");
  return json->write(json->ctx, str(text + "}")), TKM_OK;
}

tkm_status learn(tkm_processor*, const tkm_answer* answer, const tkm_writer*) {
  if (is("learn: crash") && view(answer->body) == "null") crash();
  if (is("learn: hang") && view(answer->body) == "null") {
    for (;;) ::pause();
  }
  return TKM_OK;
}

// What this backend has no words for.
const char* missing(const tkm_prompt& prompt) {
  if (prompt.task != TKM_TASK_GENERATE) return "another task";
  if (prompt.form == TKM_FORM_TOKENS) return "token ids";
  if (prompt.form == TKM_FORM_CHAT && prompt.messages->parts->kind != TKM_PART_TEXT &&
      !is("encode: drops media"))
    return "media";
  if (prompt.output_mode == TKM_OUTPUT_EXACT && !is("encode: drops exact length")) return "an exact length";
  if (prompt.choices > 1 && !is("encode: drops choices")) return "choices";
  if (prompt.adapter.size > 0 && !is("encode: drops adapter")) return "adapters";
  if (prompt.cache_salt.size > 0 && !is("encode: drops salt")) return "cache salts";
  return nullptr;
}

std::string body_of(const tkm_prompt& prompt) {
  static int calls = 0;
  const bool is_chat = prompt.form == TKM_FORM_CHAT;
  std::string text(view(is_chat ? prompt.messages->parts->data : prompt.text));
  if (is("encode: cut at NUL")) text.resize(std::strlen(text.c_str()));
  std::string body;
  tkm::JsonWriter json(body);
  json.begin_object().key("prompt");
  is("encode: no escapes") ? json.raw("\"" + text + "\"") : json.value(text);
  json.member("chat", is_chat).member("max", is("encode: drops exact length") ? 16 : prompt.output_tokens);
  if (!is("encode: drops model")) json.member("model", view(prompt.model));
  if (is("encode: counter")) json.member("count", ++calls);
  if (is("encode: struct_size")) json.member("size", prompt.struct_size);
  if (!is("encode: drops extra")) json.raw_members(view(prompt.extra));
  json.end_object();
  return body;
}

tkm_status encode(tkm_processor*, const tkm_prompt* prompt, const tkm_request_out* out,
                  const tkm_writer* err) {
  if (is("encode: refuses all")) return say(err, "no", TKM_E_INPUT);
  if (const char* what = missing(*prompt)) return say(err, what, TKM_E_UNSUPPORTED);
  if (prompt->extra.size > 0 && view(prompt->extra).front() != '{')
    return say(err, "extra is no object", TKM_E_INPUT);
  if (is("encode: leak")) lose_memory();
  if (is("encode: system call")) call_the_system();
  const tkm_call call{sizeof call, TKM_HTTP, str("POST"), str("/generate")};
  out->begin(out->ctx, &call);
  out->header(out->ctx, str("content-type"), str("application/json"));
  if (is("encode: core's header") && prompt->reply == TKM_REPLY_WHOLE)
    out->header(out->ctx, str("host"), str("evil"));
  out->body(out->ctx, str(body_of(*prompt)));
  return TKM_OK;
}

// A response is lines; each is a delta. What is left at the end is a line, too.
bool next_stream_stumbles = false;

tkm_status open(tkm_processor* processor, const tkm_prompt*, const tkm_writer*, tkm_stream** out) {
  *out = new tkm_stream{.processor = processor, .rest = {}, .more = {}};
  processor->shared_rest.clear();
  if (next_stream_stumbles) (*out)->rest = "left over ";
  next_stream_stumbles = false;
  return TKM_OK;
}
tkm_status head(tkm_stream* self, const tkm_head* head, const tkm_events*, const tkm_writer*) {
  self->status = head->http_status;
  if (is("head: struct_size") && head->struct_size > sizeof *head) self->rest = "larger ";
  return TKM_OK;
}
void tell(const tkm_events* events, std::string_view line) {
  const tkm_delta delta{sizeof delta, is("data: choice") ? 5u : 0u, TKM_CHANNEL_TEXT, TKM_COUNT_NONE, -1,
                        str(line)};
  events->delta(events->ctx, &delta);
}
tkm_status data(tkm_stream* self, tkm_str bytes, const tkm_events* events, const tkm_writer* err) {
  ++self->pieces;
  if (self->pieces == 1) self->first_size = bytes.size;
  if (is("data: system call")) call_the_system();
  if (is("data: no noise") && std::memchr(bytes.data, '\xff', bytes.size) != nullptr)
    return say(err, "what is this?", TKM_E_INTERNAL);
  if (is("data: many pieces") && self->pieces > 200) return TKM_OK;
  if (is("data: one split") && self->pieces == 2 && self->first_size == 37 && bytes.size > 300) return TKM_OK;
  if (is("data: end of text") && bytes.data[bytes.size] == '\0') tell(events, "a NUL");
  std::string& rest = is("data: shared") ? self->processor->shared_rest : self->rest;
  rest.append(view(bytes));
  for (size_t end = 0; (end = rest.find('\n')) != rest.npos;) {
    if (self->status == 200) tell(events, std::string_view(rest).substr(0, end));
    rest.erase(0, end + 1);
  }
  return TKM_OK;
}
tkm_status end(tkm_stream* self, const tkm_end*, const tkm_events* events, const tkm_writer* err) {
  self->ended = true;
  if (is("end: refuses a rest") && self->rest == "data: {\"id\"")
    return say(err, "where is the rest?", TKM_E_INTERNAL);
  if (self->status != 200) {
    for (int i = is("end: two errors") ? 0 : 1; i < 2; ++i)
      events->error(events->ctx, TKM_FAIL_IN_BAND, self->status, str("no"));
    return TKM_OK;
  }
  if (!self->rest.empty()) tell(events, self->rest);
  events->finish(events->ctx, 0, TKM_FINISH_STOP, str("end"));
  return TKM_OK;
}
void close(tkm_stream* self) {
  if (!self->ended && is("close: stumbles")) next_stream_stumbles = true;
  if (!self->ended && is("close: leak")) lose_memory();
  delete self;
}

// ---- dataset: three samples

constexpr int kSamples = 3;

int64_t size(tkm_dataset*) {
  return is("dataset: size") ? 5 : kSamples;
}
tkm_status next_sample(tkm_dataset* self, const tkm_sample_out* out, const tkm_writer*) {
  static int calls = 0;
  if (self->next >= kSamples) {
    if (is("dataset: starts again")) self->next = 0;
    return TKM_END;
  }
  if (is("dataset: leak")) lose_memory();
  ++self->next;
  if (is("dataset: nothing said") && self->next == 2) return TKM_OK;
  if (is("dataset: not UTF-8")) return out->text(out->ctx, str("caf\xe9")), TKM_OK;
  out->text(out->ctx, str("sample " + std::to_string(is("dataset: counter") ? ++calls : self->next)));
  if (is("dataset: turns")) {
    const tkm_turn turn{sizeof turn, self->next == 2 ? 7u : 0u, self->next == 1 ? 0 : 1, TKM_HISTORY_NONE, 0,
                        str("s")};
    out->turn(out->ctx, &turn);
  }
  if (is("dataset: arrivals")) out->arrival(out->ctx, 1000 - self->next);
  return TKM_OK;
}

// ---- tokenizer: a byte is an id, and a prompt begins with 256

int64_t vocab_size(tkm_tokenizer*) {
  return is("letters: no size") ? 0 : is("letters: too large") ? 256 : 257;
}

tkm_status encode_text(tkm_tokenizer* self, tkm_str text, int32_t mode, const tkm_ids_out* out,
                       const tkm_writer* err) {
  ++self->asked;
  if (mode > TKM_ENCODE_PROMPT && !is("letters: any mode")) return say(err, "what mode?", TKM_E_UNSUPPORTED);
  if (is("letters: refuses") && text.size == 1) return say(err, "too short", TKM_E_INPUT);
  if (is("letters: leak")) lose_memory();
  if (is("letters: crash") && text.size > 999'999) crash();
  const int32_t begin = 256;
  if (mode == TKM_ENCODE_PROMPT) out->ids(out->ctx, &begin, 1);
  if (is("letters: ids of nothing") && text.size == 0) out->ids(out->ctx, &begin, 1);
  for (const char c : view(text)) {
    int32_t id = static_cast<unsigned char>(c);
    if (is("letters: counter") && self->asked > 25) id = 1;
    if (is("letters: other prompt") && mode == TKM_ENCODE_PROMPT) id = 2;
    out->ids(out->ctx, &id, 1);
  }
  return TKM_OK;
}

// ---- load patterns

tkm_status next_tick(tkm_pattern* self, const tkm_load_state* state, tkm_load_step* step,
                     const tkm_writer* err) {
  static int64_t calls = 0;
  constexpr int64_t kGapNs = 10'000'000;
  ++self->calls;
  if (is("ticks: fails") && self->released == 50) return say(err, "tired", TKM_E_INTERNAL);
  if (is("ticks: leak")) lose_memory();
  if (is("ticks: system call")) call_the_system();
  step->action = TKM_LOAD_WAIT;
  step->at_ns = INT64_MAX;
  if (is("ticks: deadlock") && state->active == 0) return TKM_OK;
  step->at_ns = state->now_ns;
  if (is("ticks: turns round") && self->released == 20) return TKM_OK;
  step->action = TKM_LOAD_DONE;
  if (self->released == 1000 && !(is("ticks: goes on") && self->calls > 1001)) return TKM_OK;
  step->action = TKM_LOAD_RELEASE;
  step->at_ns = static_cast<int64_t>(self->released++) * kGapNs;
  if (is("ticks: falls") && self->released == 30) step->at_ns = 0;
  if (is("ticks: depends")) step->at_ns += static_cast<int64_t>(state->failed);
  if (is("ticks: counter")) step->at_ns += ++calls;
  if (is("ticks: users")) step->users = 3;
  if (is("ticks: shards")) step->at_ns += self->shard;
  return TKM_OK;
}

// Eight people, shared among the shards.
tkm_status next_person(tkm_pattern* self, const tkm_load_state* state, tkm_load_step* step,
                       const tkm_writer*) {
  const uint32_t all = 8;
  const uint32_t share =
      is("people: shards") ? all : (all + self->shard_count - 1 - self->shard) / self->shard_count;
  step->action = share == 0 ? TKM_LOAD_DONE : TKM_LOAD_WAIT;
  step->at_ns = INT64_MAX;
  step->users = is("people: too many") ? 2 : share;
  if (is("people: too many") && self->shard_count > 1) step->users = self->shard < 2 ? 1 : 0;
  if (share == 0 || state->active >= share) return TKM_OK;
  step->action = TKM_LOAD_RELEASE;
  step->at_ns = is("people: early") && state->completed == 20 ? state->now_ns - 1 : state->now_ns;
  return TKM_OK;
}

const tkm_processor_ops processor_ops{sizeof processor_ops,
                                      0,
                                      create<tkm_processor>,
                                      destroy<tkm_processor>,
                                      describe,
                                      learn,
                                      encode,
                                      open,
                                      head,
                                      data,
                                      end,
                                      close};
const tkm_dataset_ops dataset_ops{sizeof dataset_ops,   0,    create<tkm_dataset>,
                                  destroy<tkm_dataset>, size, next_sample};
const tkm_tokenizer_ops letter_ops{sizeof letter_ops,      0,          create<tkm_tokenizer>,
                                   destroy<tkm_tokenizer>, vocab_size, encode_text};
const tkm_pattern_ops tick_ops{sizeof tick_ops, 0, create<tkm_pattern>, destroy<tkm_pattern>, next_tick};
const tkm_pattern_ops people_ops{sizeof people_ops, 0, create<tkm_pattern>, destroy<tkm_pattern>,
                                 next_person};

constexpr std::string_view kGoodSchema =
    R"({"type":"object","properties":{"size":{"type":"integer","minimum":1,"description":"a size","examples":[3]}}})";
constexpr std::string_view kBadSchema =
    R"({"type":"object","properties":{"size":{"type":"integer","minimum":1,"description":"a size","examples":[0]}}})";
constexpr std::string_view kFileSchema =
    R"({"type":"object","properties":{"file":{"type":"string","format":"path","description":"a file"}}})";

const tkm_str processor_words[] = {str("proto.http"), str("reply.stream"), str("form.chat"), str("form.text"),
                                   str("route.model")};
const tkm_str dataset_words[] = {str("sessions")};
const tkm_str open_words[] = {str("open-loop")}, closed_words[] = {str("closed-loop")};

}  // namespace

extern "C" const tkm_module* tkm_module_v1() {
  static const std::string_view schema = is("schema: example") ? kBadSchema : kGoodSchema;
  static const tkm_component talker{
      sizeof talker, TKM_KIND_PROCESSOR, str("talker"), str("talks"), str(schema), processor_words, 5,
      &processor_ops};
  static const tkm_component lines{
      sizeof lines, TKM_KIND_DATASET, str("lines"), str("three lines"), str(kFileSchema), dataset_words, 1,
      &dataset_ops};
  static const tkm_component ticks{
      sizeof ticks, TKM_KIND_PATTERN, str("ticks"), str("an open loop"), {}, open_words, 1, &tick_ops};
  static const tkm_component people{
      sizeof people, TKM_KIND_PATTERN, str("people"), str("a closed loop"), {}, closed_words, 1, &people_ops};
  static const tkm_component letters{
      sizeof letters, TKM_KIND_TOKENIZER, str("letters"), str("bytes"), str(kFileSchema), nullptr, 0,
      &letter_ops};
  static const tkm_component* const components[] = {&talker, &lines, &ticks, &people, &letters};
  static const tkm_module module{sizeof module,
                                 TKM_ABI_MINOR,
                                 TKM_ABI_MIN_HOST_MINOR,
                                 0,
                                 str("hostile"),
                                 str("6.6.6"),
                                 str("Apache-2.0"),
                                 components,
                                 5};
  static const tkm_module other = module;
  static int calls = 0;
  return is("module: two descriptors") && ++calls % 2 == 0 ? &other : &module;
}

TKM_NOTE("hostile", "6.6.6");
