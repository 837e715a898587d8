/* A processor built with today's abi.h, for newer_host.sh: says back the prompt's text as one delta. */
#include <string.h>
#include <tokometer/abi.h>

#define TEXT(literal) \
  { literal, sizeof(literal) - 1 }

struct tkm_processor {
  int nothing;
};
struct tkm_stream {
  tkm_str text;
};

static struct tkm_processor the_processor;
static struct tkm_stream the_stream;

static tkm_status create(const tkm_create_args* args, const tkm_writer* err, tkm_processor** out) {
  (void)args, (void)err;
  *out = &the_processor;
  return TKM_OK;
}
static void destroy(tkm_processor* processor) {
  (void)processor;
}
static tkm_status describe(tkm_processor* processor, const tkm_writer* json, const tkm_writer* err) {
  const tkm_str profile = TEXT("{\"profile\":1,\"features\":[]}");
  (void)processor, (void)err;
  json->write(json->ctx, profile);
  return TKM_OK;
}
static tkm_status learn(tkm_processor* processor, const tkm_answer* answer, const tkm_writer* err) {
  (void)processor, (void)answer, (void)err;
  return TKM_OK;
}
static tkm_status encode(tkm_processor* processor, const tkm_prompt* prompt, const tkm_request_out* out,
                         const tkm_writer* err) {
  const tkm_call call = {sizeof call, TKM_HTTP, TEXT("POST"), TEXT("/")};
  (void)processor, (void)err;
  out->begin(out->ctx, &call);
  out->body(out->ctx, prompt->text);
  return TKM_OK;
}
static tkm_status open_stream(tkm_processor* processor, const tkm_prompt* prompt, const tkm_writer* err,
                              tkm_stream** out) {
  (void)processor, (void)err;
  the_stream.text = prompt->text;
  *out = &the_stream;
  return TKM_OK;
}
static tkm_status head(tkm_stream* stream, const tkm_head* it, const tkm_events* events,
                       const tkm_writer* err) {
  (void)stream, (void)it, (void)events, (void)err;
  return TKM_OK;
}
static tkm_status data(tkm_stream* stream, tkm_str bytes, const tkm_events* events, const tkm_writer* err) {
  const tkm_delta delta = {sizeof delta, 0, TKM_CHANNEL_TEXT, TKM_COUNT_NONE, -1, stream->text};
  (void)bytes, (void)err;
  events->delta(events->ctx, &delta);
  return TKM_OK;
}
static tkm_status end(tkm_stream* stream, const tkm_end* it, const tkm_events* events,
                      const tkm_writer* err) {
  const tkm_str word = TEXT("stop");
  (void)stream, (void)it, (void)err;
  events->finish(events->ctx, 0, TKM_FINISH_STOP, word);
  return TKM_OK;
}
static void close_stream(tkm_stream* stream) {
  (void)stream;
}

static const tkm_processor_ops ops = {sizeof ops, 0,           create, destroy, describe, learn,
                                      encode,     open_stream, head,   data,    end,      close_stream};
static const tkm_component component = {
    sizeof component, TKM_KIND_PROCESSOR, TEXT("old"), TEXT("of today"), TEXT("{}"), NULL, 0, &ops};
static const tkm_component* const components[] = {&component};
static const tkm_module module = {sizeof module, TKM_ABI_MINOR, 0,          0, TEXT("old"),
                                  TEXT("1"),     TEXT("MIT"),   components, 1};

TKM_NOTE("old", "1");
const tkm_module* tkm_module_v1(void) {
  return &module;
}
