// A processor in C++ on the bare ABI that does everything right. It asks for the prompt's text, and takes
// each byte of the answer for a token. A dataset of the same name shows that a name is unique within its kind
// only.
#include <tokometer/abi.h>

#include <string>
#include <string_view>

struct tkm_processor {
  std::string learned;
};
struct tkm_stream {
  uint32_t choice = 0;
};
struct tkm_dataset {};

namespace {

std::string_view view(tkm_str text) {
  return {text.data, text.size};
}
tkm_str str(std::string_view text) {
  return {text.data(), text.size()};
}
void say(const tkm_writer* writer, std::string_view text) {
  writer->write(writer->ctx, str(text));
}

tkm_status create(const tkm_create_args* args, const tkm_writer* err, tkm_processor** out) {
  if (args->model_count == 0) return say(err, "no model is named"), TKM_E_CONFIG;
  *out = new tkm_processor;
  return TKM_OK;
}
void destroy(tkm_processor* self) {
  delete self;
}

tkm_status describe(tkm_processor* self, const tkm_writer* json, const tkm_writer*) {
  say(json, R"({"profile": 1, "features": [")");
  say(json, self->learned.empty() ? "proto.http" : self->learned);
  say(json, "\"]}");
  return TKM_OK;
}

tkm_status learn(tkm_processor* self, const tkm_answer* answer, const tkm_writer* err) {
  if (answer->status != 200) return say(err, "version 3 or later is needed"), TKM_E_UNSUPPORTED;
  self->learned = view(answer->body);
  return TKM_OK;
}

tkm_status encode(tkm_processor*, const tkm_prompt* prompt, const tkm_request_out* out, const tkm_writer*) {
  const tkm_call call{sizeof call, TKM_HTTP, str("POST"), str("/echo")};
  out->begin(out->ctx, &call);
  out->header(out->ctx, str("content-type"), str("text/plain"));
  out->body(out->ctx, prompt->text);
  return TKM_OK;
}

tkm_status open(tkm_processor*, const tkm_prompt*, const tkm_writer*, tkm_stream** out) {
  *out = new tkm_stream;
  return TKM_OK;
}
tkm_status head(tkm_stream*, const tkm_head* head, const tkm_events*, const tkm_writer*) {
  return head->http_status == 200 ? TKM_OK : TKM_COLLECT;
}
tkm_status data(tkm_stream* self, tkm_str bytes, const tkm_events* events, const tkm_writer*) {
  const tkm_delta delta{
      sizeof delta, self->choice, TKM_CHANNEL_TEXT, TKM_COUNT_EVENT, static_cast<int64_t>(bytes.size), bytes};
  events->delta(events->ctx, &delta);
  return TKM_OK;
}
tkm_status end(tkm_stream* self, const tkm_end*, const tkm_events* events, const tkm_writer*) {
  events->finish(events->ctx, self->choice, TKM_FINISH_STOP, str("stop"));
  return TKM_OK;
}
void close(tkm_stream* self) {
  delete self;
}

tkm_status create_dataset(const tkm_create_args*, const tkm_writer*, tkm_dataset** out) {
  *out = new tkm_dataset;
  return TKM_OK;
}
void destroy_dataset(tkm_dataset* self) {
  delete self;
}
int64_t size(tkm_dataset*) {
  return 0;
}
tkm_status next(tkm_dataset*, const tkm_sample_out*, const tkm_writer*) {
  return TKM_END;
}

constexpr std::string_view kSchema = R"({"type": "object", "required": ["api"], "properties": {
  "api": {"type": "string", "enum": ["chat", "completions"], "description": "Which API to speak"},
  "timeout": {"type": "string", "format": "duration", "default": "30s", "description": "How long to wait"},
  "retry": {"type": "object", "properties": {
    "times": {"type": "integer", "minimum": 0, "default": 2, "description": "Tries after the first"},
    "old": {"type": "boolean", "deprecated": true}}},
  "length": {"type": ["integer", "object"], "minimum": 1, "maximum": 1e7, "examples": [512], "properties": {
    "mean": {"type": "number"}}},
  "files": {"type": "array", "items": {"type": "string", "minLength": 2}, "minItems": 1, "default": ["a b"]},
  "key": {"type": "string", "writeOnly": true, "format": "secret", "examples": ["${API_KEY}"]}}})";
constexpr std::string_view kNone;

}  // namespace

extern "C" const tkm_module* tkm_module_v1() {
  static const tkm_processor_ops processor_ops{
      sizeof processor_ops, 0, create, destroy, describe, learn, encode, open, head, data, end, close};
  static const tkm_dataset_ops dataset_ops{sizeof dataset_ops, 0,    create_dataset,
                                           destroy_dataset,    size, next};
  static const tkm_str capabilities[] = {str("proto.http"), str("reply.stream")};
  static const tkm_component processor{sizeof processor,
                                       TKM_KIND_PROCESSOR,
                                       str("plain-cpp"),
                                       str("Echoes the prompt"),
                                       str(kSchema),
                                       capabilities,
                                       2,
                                       &processor_ops};
  static const tkm_component dataset{
      sizeof dataset, TKM_KIND_DATASET, str("plain-cpp"), str("Nothing"), str(kNone), nullptr, 0,
      &dataset_ops};
  static const tkm_component* const components[] = {&processor, &dataset};
  static const tkm_module module{sizeof module,
                                 TKM_ABI_MINOR,
                                 TKM_ABI_MIN_HOST_MINOR,
                                 0,
                                 str("plain-cpp"),
                                 str("0.4.0"),
                                 str("Apache-2.0"),
                                 components,
                                 2};
  return &module;
}
TKM_NOTE("plain-cpp", "0.4.0");
