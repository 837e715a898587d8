/* A plugin in plain C that does everything right: a load pattern, a dataset, and a component of a kind that
 * only a later host will know. */
#include <stdlib.h>
#include <string.h>
#include <tokometer/abi.h>

#define STR(text) \
  { text, sizeof(text) - 1 }

struct tkm_pattern {
  int64_t next_ns;
  uint32_t share; /* one in `share` */
};

static tkm_status ticks_create(const tkm_create_args* args, const tkm_writer* err, tkm_pattern** out) {
  (void)err;
  tkm_pattern* self = malloc(sizeof *self);
  if (self == NULL) return TKM_E_INTERNAL;
  self->next_ns = 0;
  self->share = args->shard_count;
  *out = self;
  return TKM_OK;
}
static void ticks_destroy(tkm_pattern* self) {
  free(self);
}
static tkm_status ticks_next(tkm_pattern* self, const tkm_load_state* state, tkm_load_step* step,
                             const tkm_writer* err) {
  (void)err;
  if (state->released == 3) {
    step->action = TKM_LOAD_DONE;
    return TKM_OK;
  }
  step->action = TKM_LOAD_RELEASE;
  step->at_ns = self->next_ns;
  self->next_ns += 1000;
  return TKM_OK;
}
static const tkm_pattern_ops ticks_ops = {sizeof ticks_ops, 0, ticks_create, ticks_destroy, ticks_next};

struct tkm_dataset {
  int given;
  double tokens_per_word; /* what the host told by extension; 0: nothing */
};

static tkm_status words_create(const tkm_create_args* args, const tkm_writer* err, tkm_dataset** out) {
  static const tkm_str id = STR("tkm.calibration/1"), hello = STR("words ready");
  const tkm_calibration* calibration = args->host->extension(args->host, id);
  (void)err;
  tkm_dataset* self = calloc(1, sizeof *self);
  if (self == NULL) return TKM_E_INTERNAL;
  if (calibration != NULL) self->tokens_per_word = calibration->tokens_per_word;
  args->host->log(args->host, TKM_LOG_INFO, hello);
  *out = self;
  return TKM_OK;
}
static void words_destroy(tkm_dataset* self) {
  free(self);
}
static int64_t words_size(tkm_dataset* self) {
  return self->tokens_per_word > 0 ? 3 : -2;
}
static tkm_status words_next(tkm_dataset* self, const tkm_sample_out* out, const tkm_writer* err) {
  static const tkm_str words[] = {STR("one"), STR("two")};
  static const tkm_str sentence = STR("words: record 3: empty prompt");
  if (self->given == 3) return TKM_END;
  if (self->given++ == 2) {
    err->write(err->ctx, sentence);
    return TKM_E_INPUT;
  }
  out->text(out->ctx, words[self->given - 1]);
  return TKM_OK;
}
static const tkm_dataset_ops words_ops = {sizeof words_ops, 0,          words_create,
                                          words_destroy,    words_size, words_next};

static const tkm_str open_loop[] = {STR("open-loop")};
static const tkm_str later[] = {STR("com.acme.later")};
static const tkm_component ticks = {sizeof ticks,
                                    TKM_KIND_PATTERN,
                                    STR("ticks"),
                                    STR("Three requests, 1 us apart"),
                                    STR("{\"type\": \"object\", \"properties\": {}}"),
                                    open_loop,
                                    1,
                                    &ticks_ops};
static const tkm_component words = {
    sizeof words, TKM_KIND_DATASET, STR("words"), STR("Two words and a bad record"), STR(""), later, 1,
    &words_ops};
static const tkm_component unknown = {
    sizeof unknown, 99, STR("Of The Future"), STR(""), STR(""), NULL, 0, NULL};
static const tkm_component* const components[] = {&unknown, &ticks, &words};
static const tkm_module module = {sizeof module,
                                  TKM_ABI_MINOR,
                                  TKM_ABI_MIN_HOST_MINOR,
                                  0,
                                  STR("plain-c"),
                                  STR("1.2.3"),
                                  STR("Apache-2.0"),
                                  components,
                                  sizeof components / sizeof *components};

TKM_NOTE("plain-c", "1.2.3");
const tkm_module* tkm_module_v1(void) {
  return &module;
}
