/* A host built with a later minor of abi.h, for newer_host.sh: drives the plugin of today through one
 * request. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tokometer/abi.h>

#define CHECK(fact)                                                        \
  do {                                                                     \
    if (!(fact)) {                                                         \
      fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #fact); \
      exit(1);                                                             \
    }                                                                      \
  } while (0)

static int deltas, finishes, bodies;

static void write_all(void* ctx, tkm_str bytes) {
  (void)ctx, (void)bytes;
}
static void begin(void* ctx, const tkm_call* call) {
  (void)ctx;
  CHECK(call->protocol == TKM_HTTP);
}
static void body(void* ctx, tkm_str bytes) {
  (void)ctx;
  bodies += bytes.size == 5 && memcmp(bytes.data, "hello", 5) == 0;
}
static void delta(void* ctx, const tkm_delta* it) {
  (void)ctx;
  CHECK(TKM_HAS(it, text));
  CHECK(!TKM_HAS(it, later)); /* absent, and not to be read */
  deltas += it->text.size == 5 && it->tokens == -1;
}
static void finish(void* ctx, uint32_t choice, int32_t reason, tkm_str raw) {
  (void)ctx, (void)raw;
  finishes += choice == 0 && reason == TKM_FINISH_STOP;
}
static void never(void* ctx, int64_t number) {
  (void)ctx, (void)number;
  CHECK(!"an old plugin cannot know this sink");
}

int main(void) {
  const tkm_module* module = tkm_module_v1();
  const tkm_component* component = module->components[0];
  const tkm_processor_ops* ops = component->ops;
  const tkm_writer err = {NULL, write_all};
  tkm_create_args args = {.struct_size = sizeof args, .shard_count = 1};
  tkm_prompt prompt = {.struct_size = sizeof prompt, .text = {"hello", 5}, .later = 7};
  tkm_request_out out = {.struct_size = sizeof out, .begin = begin, .body = body};
  tkm_events events = {.struct_size = sizeof events, .delta = delta, .finish = finish, .later = never};
  tkm_head head = {.struct_size = sizeof head, .http_status = 200};
  tkm_end end = {.struct_size = sizeof end, .grpc_status = -1};
  tkm_processor* processor = NULL;
  tkm_stream* stream = NULL;
  const tkm_str bytes = {"x", 1};

  CHECK(module->abi_minor < TKM_ABI_MINOR);
  CHECK(TKM_HAS(component, ops) && !TKM_HAS(component, later));
  CHECK(TKM_CAN(ops, close) && !TKM_CAN(ops, later));
  CHECK(ops->create(&args, &err, &processor) == TKM_OK);
  CHECK(ops->encode(processor, &prompt, &out, &err) == TKM_OK);
  CHECK(ops->open(processor, &prompt, &err, &stream) == TKM_OK);
  CHECK(ops->head(stream, &head, &events, &err) == TKM_OK);
  CHECK(ops->data(stream, bytes, &events, &err) == TKM_OK);
  CHECK(ops->end(stream, &end, &events, &err) == TKM_OK);
  ops->close(stream);
  ops->destroy(processor);
  CHECK(bodies == 1 && deltas == 1 && finishes == 1);
  puts("an older plugin works under a newer host");
  return 0;
}
