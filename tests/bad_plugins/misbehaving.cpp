// A processor, a dataset, a load pattern and a tokenizer that break the rules of calls. What is broken is
// chosen by the text of the configuration (for create) and of the prompt (for the rest).
#include <tokometer/abi.h>

#include <csignal>
#include <stdexcept>
#include <string>
#include <string_view>

struct tkm_processor {};
struct tkm_stream {};
struct tkm_dataset {
  std::string fault;
};
struct tkm_pattern {
  std::string fault;
};
struct tkm_tokenizer {
  std::string fault;
};

namespace {

std::string_view view(tkm_str text) {
  return {text.data, text.size};
}
tkm_str str(std::string_view text) {
  return {text.data(), text.size()};
}

// What every call with a status may do wrong; TKM_OK for a text that means nothing here.
tkm_status misbehave(std::string_view fault, const tkm_writer* err) {
  const auto say = [err](std::string_view text) { err->write(err->ctx, str(text)); };
  if (fault == "throw") throw std::runtime_error("never to be seen by C");
  if (fault == "throw int") throw 7;
  if (fault == "no sentence") return TKM_E_INTERNAL;
  if (fault == "unknown status") return say("lost"), 42;
  if (fault == "unknown failure") return say("lost"), -99;
  if (fault == "collect") return TKM_COLLECT;
  if (fault == "end") return TKM_END;
  if (fault == "escape sequences") return say("bad \x1b[31mred\x1b[0m\r\nnext line \xff\xfe"), TKM_E_INPUT;
  if (fault == "null sentence") return err->write(err->ctx, {nullptr, 10}), TKM_E_INPUT;
  if (fault == "endless sentence") {
    const std::string piece(1 << 20, 'x');
    for (int i = 0; i < 64; ++i) say(piece);
    return TKM_E_INPUT;
  }
  if (fault == "sentence and success") return say("all is well"), TKM_OK;
  if (fault == "crash") *static_cast<volatile int*>(nullptr) = 1;
  if (fault == "abort") std::raise(SIGABRT);
  return TKM_OK;
}

template <class Handle>
tkm_status create_plain(const tkm_create_args* args, const tkm_writer* err, Handle** out) {
  if (const tkm_status status = misbehave(view(args->config), err); status != TKM_OK) return status;
  if (view(args->config) != "no handle") *out = new Handle;
  return TKM_OK;
}
// The fault of later calls comes by the configuration too, where no prompt can bring it: "next: throw".
template <class Handle>
tkm_status create_later(const tkm_create_args* args, const tkm_writer*, Handle** out) {
  *out = new Handle{std::string(view(args->config))};
  return TKM_OK;
}
template <class Handle>
void destroy(Handle* self) {
  delete self;
}

tkm_status describe(tkm_processor*, const tkm_writer* json, const tkm_writer*) {
  const std::string piece(1 << 20, ' ');
  json->write(json->ctx, str(piece));
  json->write(json->ctx, str("{}"));
  return TKM_OK;
}
tkm_status learn(tkm_processor*, const tkm_answer* answer, const tkm_writer* err) {
  return misbehave(view(answer->body), err);
}
tkm_status encode(tkm_processor*, const tkm_prompt* prompt, const tkm_request_out* out,
                  const tkm_writer* err) {
  if (view(prompt->text) == "header with CRLF") {
    const tkm_call call{sizeof call, TKM_HTTP, str("GET"), str("/")};
    out->begin(out->ctx, &call);
    out->header(out->ctx, str("x-a"), str("1\r\nhost: evil"));
  }
  return misbehave(view(prompt->text), err);
}
tkm_status open(tkm_processor*, const tkm_prompt* prompt, const tkm_writer* err, tkm_stream** out) {
  if (const tkm_status status = misbehave(view(prompt->text), err); status != TKM_OK) return status;
  if (view(prompt->text) != "no handle") *out = new tkm_stream;
  return TKM_OK;
}
tkm_status head(tkm_stream*, const tkm_head* head, const tkm_events*, const tkm_writer* err) {
  return head->field_count == 0 ? TKM_OK : misbehave(view(head->fields->value), err);
}
tkm_status data(tkm_stream*, tkm_str bytes, const tkm_events*, const tkm_writer* err) {
  return misbehave(view(bytes), err);
}
tkm_status end(tkm_stream*, const tkm_end* end, const tkm_events*, const tkm_writer* err) {
  return misbehave(view(end->grpc_message), err);
}
void close(tkm_stream* self) {
  delete self;
  throw std::runtime_error("from close");
}

int64_t size(tkm_dataset* self) {
  if (self->fault == "size throws") throw std::runtime_error("from size");
  return self->fault == "size -7" ? -7 : -1;
}
tkm_status next_sample(tkm_dataset* self, const tkm_sample_out*, const tkm_writer* err) {
  return misbehave(self->fault, err);
}
tkm_status next_step(tkm_pattern* self, const tkm_load_state*, tkm_load_step* step, const tkm_writer* err) {
  step->action = self->fault == "unknown action" ? 9 : TKM_LOAD_WAIT;
  return misbehave(self->fault, err);
}

int64_t vocab_size(tkm_tokenizer* self) {
  if (self->fault == "size throws") throw std::runtime_error("from vocab_size");
  return self->fault == "too large" ? int64_t{1} << 40 : 100;
}
tkm_status encode_text(tkm_tokenizer*, tkm_str text, int32_t, const tkm_ids_out*, const tkm_writer* err) {
  return misbehave(view(text), err);
}

}  // namespace

extern "C" const tkm_module* tkm_module_v1() {
  static const tkm_processor_ops processor_ops{sizeof processor_ops,
                                               0,
                                               create_plain<tkm_processor>,
                                               destroy<tkm_processor>,
                                               describe,
                                               learn,
                                               encode,
                                               open,
                                               head,
                                               data,
                                               end,
                                               close};
  static const tkm_dataset_ops dataset_ops{sizeof dataset_ops,   0,    create_later<tkm_dataset>,
                                           destroy<tkm_dataset>, size, next_sample};
  static const tkm_pattern_ops pattern_ops{sizeof pattern_ops, 0, create_later<tkm_pattern>,
                                           destroy<tkm_pattern>, next_step};
  static const tkm_str closed_loop[] = {str("closed-loop")};
  static const tkm_component processor{sizeof processor, TKM_KIND_PROCESSOR, str("calls"), {}, {}, nullptr, 0,
                                       &processor_ops};
  static const tkm_component dataset{sizeof dataset, TKM_KIND_DATASET, str("samples"), {}, {}, nullptr, 0,
                                     &dataset_ops};
  static const tkm_component pattern{sizeof pattern, TKM_KIND_PATTERN, str("steps"), {}, {}, closed_loop, 1,
                                     &pattern_ops};
  static const tkm_tokenizer_ops tokenizer_ops{
      sizeof tokenizer_ops, 0, create_later<tkm_tokenizer>, destroy<tkm_tokenizer>, vocab_size, encode_text};
  static const tkm_component tokenizer{sizeof tokenizer, TKM_KIND_TOKENIZER, str("ids"), {}, {}, nullptr, 0,
                                       &tokenizer_ops};
  static const tkm_component* const components[] = {&processor, &dataset, &pattern, &tokenizer};
  static const tkm_module module{sizeof module,
                                 TKM_ABI_MINOR,
                                 TKM_ABI_MIN_HOST_MINOR,
                                 0,
                                 str("misbehaving"),
                                 str("6.6.6"),
                                 str("Apache-2.0"),
                                 components,
                                 4};
  return &module;
}
TKM_NOTE("misbehaving", "6.6.6");
