/* A module that breaks one rule of loading. CMakeLists.txt builds it once for each rule, as MODULE, with
 * FAULT_... set; without one it is good. */
#include <tokometer/abi.h>

#define STR(text) \
  { text, sizeof(text) - 1 }
#define USED __attribute__((used)) /* a fault may leave out the reference */

#if defined FAULT_OTHER_ABI
TKM_NOTE_EXPANDED(MODULE, "1.0.0", 2, 0, 0, 0);
#elif defined FAULT_OTHER_DRAFT
TKM_NOTE_EXPANDED(MODULE, "1.0.0", 1, 0, 0, 999);
#elif defined FAULT_NEWER_HOST
TKM_NOTE_EXPANDED(MODULE, "1.0.0", TKM_ABI_MAJOR, 9, 9, TKM_ABI_DRAFT);
#elif defined FAULT_NAME_IN_NOTE
TKM_NOTE("other-name", "1.0.0");
#elif defined FAULT_BAD_NAME_IN_NOTE
TKM_NOTE("Other Name", "1.0.0");
#elif !defined FAULT_NO_NOTE
TKM_NOTE(MODULE, "1.0.0");
#endif

static tkm_status create(const tkm_create_args* args, const tkm_writer* err, tkm_dataset** out) {
  (void)args, (void)err, (void)out;
  return TKM_E_INTERNAL;
}
static void destroy(tkm_dataset* self) {
  (void)self;
}
static int64_t size(tkm_dataset* self) {
  (void)self;
  return 0;
}
#ifndef FAULT_NULL_CALL
static tkm_status next(tkm_dataset* self, const tkm_sample_out* out, const tkm_writer* err) {
  (void)self, (void)out, (void)err;
  return TKM_END;
}
#else
#define next NULL
#endif

static const tkm_dataset_ops ops USED = {
#ifdef FAULT_SHORT_OPS
    16,
#else
    sizeof ops,
#endif
    0,  create, destroy, size, next};

#if defined FAULT_BAD_SCHEMA
#define SCHEMA STR("{\"type\": \"object\", \"oneOf\": []}")
#elif defined FAULT_NULL_TEXT
#define SCHEMA \
  { NULL, 40 }
#else
#define SCHEMA STR("{\"type\": \"object\", \"properties\": {}}")
#endif
#if defined FAULT_BAD_ID
#define ID STR("Bad Id")
#else
#define ID STR("items")
#endif
#if defined FAULT_NOT_UTF8
#define SUMMARY STR("caf\xe9")
#else
#define SUMMARY STR("")
#endif
#if defined FAULT_BAD_CAPABILITY
static const tkm_str capabilities[] = {STR("End Less")};
#define CAPABILITIES capabilities, 1
#elif defined FAULT_NULL_CAPABILITIES
#define CAPABILITIES NULL, 2
#else
#define CAPABILITIES NULL, 0
#endif
#if defined FAULT_NO_LOOP
#define KIND TKM_KIND_PATTERN
#else
#define KIND TKM_KIND_DATASET
#endif
#if defined FAULT_NULL_OPS
#define OPS NULL
#else
#define OPS &ops
#endif

static const tkm_component item = {
#ifdef FAULT_SHORT_COMPONENT
    8,
#else
    sizeof item,
#endif
    KIND, ID, SUMMARY, SCHEMA, CAPABILITIES, OPS};

static const tkm_component* const components[] USED = {
    &item,
#ifdef FAULT_NULL_COMPONENT
    NULL,
#endif
#ifdef FAULT_TWICE
    &item,
#endif
};

static const tkm_module module USED = {
#ifdef FAULT_HUGE_MODULE
    0xffffffffu,
#else
    sizeof module,
#endif
    TKM_ABI_MINOR,
    TKM_ABI_MIN_HOST_MINOR,
    0,
#ifdef FAULT_NAME_IN_DESCRIPTOR
    STR("other-name"),
#else
    STR(MODULE),
#endif
#ifdef FAULT_VERSION_IN_DESCRIPTOR
    STR("2.0.0"),
#else
    STR("1.0.0"),
#endif
    STR("Apache-2.0"),
#ifdef FAULT_NULL_LIST
    NULL,
#else
    components,
#endif
    sizeof components / sizeof *components};

#ifdef FAULT_UNDEFINED_SYMBOL
void foo(void);
#endif
#ifdef FAULT_CRASH_AT_LOAD
__attribute__((constructor)) static void crash(void) {
  __builtin_trap();
}
#endif

#ifdef FAULT_NO_ENTRY
const void* reference_to_keep_the_module(void) {
  return &module;
}
#else
const tkm_module* tkm_module_v1(void) {
#ifdef FAULT_UNDEFINED_SYMBOL
  foo();
#endif
#ifdef FAULT_NULL_MODULE
  return NULL;
#else
  return &module;
#endif
}
#endif
