/* A load pattern in plain C: every so often, a volley of requests at the same instant. An open loop: its
 * times depend on nothing but the options. */
#define _GNU_SOURCE /* strtod_l */
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <tokometer/abi.h>

#define TEXT(literal) \
  { literal, sizeof(literal) - 1 }

struct tkm_pattern {
  int64_t size;     /* requests in one volley */
  int64_t every_ns; /* from volley to volley */
  int64_t released; /* in all */
};

/* The number behind "key": in canonical JSON. The host has checked the options against the schema and filled
 * in the defaults, so the key is there and no text value can hold it. */
static double number_of(const char* json, const char* key, locale_t c_locale) {
  const char* at = strstr(json, key);
  return at != NULL ? strtod_l(at + strlen(key), NULL, c_locale) : 0;
}

static int read_options(tkm_str config, struct tkm_pattern* pattern) {
  char* json = malloc(config.size + 1); /* with the NUL that strstr needs */
  locale_t c_locale =
      newlocale(LC_ALL_MASK, "C", (locale_t)0); /* a decimal point, whatever the user's locale */
  const int good = json != NULL && c_locale != (locale_t)0;
  if (good) {
    memcpy(json, config.data, config.size);
    json[config.size] = '\0';
    pattern->size = (int64_t)number_of(json, "\"size\":", c_locale);
    pattern->every_ns = (int64_t)(number_of(json, "\"every\":", c_locale) * 1e9 + 0.5);
  }
  if (c_locale != (locale_t)0) freelocale(c_locale);
  free(json);
  return good && pattern->size > 0 && pattern->every_ns > 0;
}

static void say(const tkm_writer* err, const char* sentence) {
  const tkm_str text = {sentence, strlen(sentence)};
  err->write(err->ctx, text);
}

static tkm_status create(const tkm_create_args* args, const tkm_writer* err, tkm_pattern** out) {
  struct tkm_pattern* pattern = calloc(1, sizeof *pattern);
  if (pattern == NULL) {
    say(err, "volley: out of memory");
    return TKM_E_INTERNAL;
  }
  if (!read_options(args->config, pattern)) {
    say(err, "volley: \"size\" and \"every\" must be greater than 0");
    free(pattern);
    return TKM_E_CONFIG;
  }
  *out = pattern;
  return TKM_OK;
}

static void destroy(tkm_pattern* pattern) {
  free(pattern);
}

static tkm_status next(tkm_pattern* pattern, const tkm_load_state* state, tkm_load_step* out,
                       const tkm_writer* err) {
  (void)state;
  (void)err;
  out->action = TKM_LOAD_RELEASE;
  out->at_ns = pattern->released++ / pattern->size * pattern->every_ns;
  out->users = 0;
  return TKM_OK;
}

static const tkm_pattern_ops ops = {sizeof(tkm_pattern_ops), 0, create, destroy, next};

static const tkm_str capabilities[] = {TEXT("open-loop"), TEXT("unsteady")};

static const tkm_component component = {
    sizeof(tkm_component),
    TKM_KIND_PATTERN,
    TEXT("volley"),
    TEXT("volleys of requests, each at one instant"),
    TEXT("{\"type\":\"object\",\"properties\":{"
         "\"size\":{\"type\":\"integer\",\"minimum\":1,\"default\":10,"
         "\"description\":\"Requests in one volley.\",\"examples\":[100]},"
         "\"every\":{\"type\":\"string\",\"format\":\"duration\",\"exclusiveMinimum\":0,\"default\":\"1s\","
         "\"description\":\"Time from volley to volley.\",\"examples\":[\"200ms\"]}}}"),
    capabilities,
    sizeof capabilities / sizeof *capabilities,
    &ops};

static const tkm_component* const components[] = {&component};

static const tkm_module module = {sizeof(tkm_module),
                                  TKM_ABI_MINOR,
                                  TKM_ABI_MIN_HOST_MINOR,
                                  0,
                                  TEXT("volley"),
                                  TEXT("0.1.0"),
                                  TEXT("Apache-2.0"),
                                  components,
                                  sizeof components / sizeof *components};

TKM_NOTE("volley", "0.1.0");

const tkm_module* tkm_module_v1(void) {
  return &module;
}
