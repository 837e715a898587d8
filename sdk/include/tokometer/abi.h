/* tokometer plugin ABI, version 1 (draft). */
#ifndef TOKOMETER_ABI_H
#define TOKOMETER_ABI_H
#include <stddef.h>
#include <stdint.h>

#define TKM_ABI_MAJOR 1
#define TKM_ABI_MINOR 0
#define TKM_ABI_MIN_HOST_MINOR 0
#define TKM_ABI_DRAFT 1
#define TKM_EXPORT __attribute__((visibility("default")))
#ifdef __cplusplus
extern "C" {
#endif
typedef struct tkm_str     { const char *data; size_t size; } tkm_str;                 /* [frozen] borrowed bytes, no NUL at the end */
typedef struct tkm_field   { tkm_str name, value; } tkm_field;                         /* [frozen] header, trailer, gRPC metadata */
typedef struct tkm_part    { int32_t kind, reserved; tkm_str type, data; } tkm_part;   /* [frozen] type: media type of the bytes in data; empty: data is text or a URL */
typedef struct tkm_message { tkm_str role, extra; const tkm_part *parts; size_t part_count; } tkm_message; /* [frozen] extra: JSON object, OpenAI's names: tool_calls, tool_call_id */
typedef struct tkm_writer  { void *ctx; void (*write)(void *ctx, tkm_str bytes); } tkm_writer; /* [frozen] takes all bytes, cannot fail */
typedef struct tkm_processor tkm_processor; typedef struct tkm_stream tkm_stream;   /* opaque handles, made by the plugin */
typedef struct tkm_dataset tkm_dataset; typedef struct tkm_pattern tkm_pattern;

typedef int32_t tkm_status; enum { TKM_OK = 0, TKM_END = 1, TKM_COLLECT = 2, TKM_E_CONFIG = -1, TKM_E_INPUT = -2, TKM_E_UNSUPPORTED = -3, TKM_E_INTERNAL = -4 };
enum { TKM_KIND_PROCESSOR = 1, TKM_KIND_DATASET = 2, TKM_KIND_PATTERN = 3, TKM_KIND_TOKENIZER = 4 /* reserved for a later minor */ };
enum { TKM_TASK_GENERATE = 0, TKM_TASK_EMBED = 1, TKM_TASK_RANK = 2 };    enum { TKM_FORM_CHAT = 0, TKM_FORM_TEXT = 1, TKM_FORM_TOKENS = 2 };
enum { TKM_PART_TEXT = 0, TKM_PART_IMAGE = 1, TKM_PART_AUDIO = 2, TKM_PART_VIDEO = 3 };   enum { TKM_REPLY_WHOLE = 0, TKM_REPLY_STREAM = 1 };
enum { TKM_OUTPUT_AT_MOST = 0, TKM_OUTPUT_EXACT = 1 };                    enum { TKM_HTTP = 1, TKM_GRPC = 2 };
enum { TKM_CHANNEL_TEXT = 0, TKM_CHANNEL_REASONING = 1, TKM_CHANNEL_TOOL = 2, TKM_CHANNEL_REFUSAL = 3, TKM_CHANNEL_OTHER = 4 };
enum { TKM_COUNT_NONE = 0, TKM_COUNT_SERVER = 1, TKM_COUNT_IDS = 2, TKM_COUNT_EVENT = 3 };   /* server's count; token ids given; one event is one token */
enum { TKM_FINISH_STOP = 1, TKM_FINISH_LENGTH = 2, TKM_FINISH_TOOL = 3, TKM_FINISH_FILTER = 4, TKM_FINISH_ABORT = 5, TKM_FINISH_OTHER = 6 };
enum { TKM_FAIL_IN_BAND = 1, TKM_FAIL_REJECTED = 2, TKM_FAIL_REQUEST = 3, TKM_FAIL_FORMAT = 4, TKM_FAIL_SEMANTICS = 5 };
enum { TKM_MARK_BEGAN = 1, TKM_MARK_KEEPALIVE = 2, TKM_MARK_DONE = 3 };   enum { TKM_LOAD_RELEASE = 1, TKM_LOAD_WAIT = 2, TKM_LOAD_DONE = 3 };
enum { TKM_HISTORY_NONE = 0, TKM_HISTORY_SERVER = 1, TKM_HISTORY_SCRIPT = 2 }; enum { TKM_LOG_DEBUG = 0, TKM_LOG_INFO = 1, TKM_LOG_WARN = 2, TKM_LOG_ERROR = 3 };

typedef struct tkm_host {          /* [sized] host -> plugin */ uint32_t struct_size, abi_minor; void *ctx;
  void        (*log)(const struct tkm_host *, int32_t level, tkm_str text);                               /* [any] */
  const void *(*extension)(const struct tkm_host *, tkm_str id); } tkm_host;                              /* [setup] NULL: unknown id */
typedef struct tkm_create_args {   /* [sized] host -> plugin */ uint32_t struct_size, shard, shard_count, reserved;         /* shard: closed loops */
  const tkm_host *host; tkm_str config; const tkm_str *models; size_t model_count; uint64_t seed; } tkm_create_args;  /* models: all that the plan names */
typedef struct tkm_prompt {        /* [sized] host -> plugin: one request to make */ uint32_t struct_size; int32_t task, form, reply;
  uint64_t request_id; tkm_str request_name;                             /* the name is unique and safe as a header value */
  const tkm_message *messages; size_t message_count, history_count;      /* CHAT: the first history_count are earlier turns */
  tkm_str text; const int32_t *tokens; size_t token_count;               /* TEXT, TOKENS */
  tkm_str model, adapter, session, carry, cache_salt, sampling, extra;   /* sampling: JSON, OpenAI's names; extra: JSON object to merge as it is */
  uint32_t turn, choices; int64_t output_tokens; int32_t output_mode, reserved; tkm_str authority; int64_t unix_time_s; } tkm_prompt;  /* last two: auth.own */

typedef struct tkm_call {          /* [sized] plugin -> host: what to send */ uint32_t struct_size; int32_t protocol;
  tkm_str method, path; } tkm_call;                                      /* HTTP "POST" "/v1/..."; gRPC "" "/package.Service/Method" */
typedef struct tkm_request_out {   /* [sized] host-owned sink */ uint32_t struct_size, reserved; void *ctx;
  void (*begin)(void *, const tkm_call *);                               /* first, exactly once */
  void (*header)(void *, tkm_str name, tkm_str value);                   /* lower-case name; gRPC: metadata */
  void (*body)(void *, tkm_str bytes); } tkm_request_out;                /* HTTP: pieces, joined; gRPC: one call = one message */
typedef struct tkm_answer {        /* [sized] host -> plugin */ uint32_t struct_size; int32_t status; tkm_str probe, body; } tkm_answer;   /* HTTP or gRPC status, -1: no answer */
typedef struct tkm_head {          /* [sized] host -> plugin */ uint32_t struct_size; int32_t http_status; const tkm_field *fields; size_t field_count; } tkm_head;
typedef struct tkm_end {           /* [sized] host -> plugin */ uint32_t struct_size; int32_t grpc_status; tkm_str grpc_message;  /* status -1: HTTP */
  const tkm_field *trailers; size_t trailer_count; } tkm_end;
typedef struct tkm_delta {         /* [sized] plugin -> host */ uint32_t struct_size, choice; int32_t channel, counted_by; int64_t tokens; tkm_str text; } tkm_delta;
typedef struct tkm_usage {         /* [sized] plugin -> host; -1 = not given */ uint32_t struct_size, reserved;
  int64_t prompt_tokens, cached_tokens, output_tokens, reasoning_tokens; } tkm_usage;
typedef struct tkm_events {        /* [sized] host-owned sink */ uint32_t struct_size, reserved; void *ctx;
  void (*delta)(void *, const tkm_delta *);                              /* new output; tokens = new tokens, -1 unknown */
  void (*usage)(void *, const tkm_usage *);                              /* totals so far over all choices; the last one counts */
  void (*finish)(void *, uint32_t choice, int32_t reason, tkm_str raw);  /* once for each choice */
  void (*error)(void *, int32_t kind, int64_t code, tkm_str message);    /* the server's fault; code -1 = none given */
  void (*mark)(void *, int32_t mark);                                    /* began (no token yet), keep-alive, logical end */
  void (*metric)(void *, tkm_str name, double value);                    /* a number for this request, declared in the profile */
  void (*carry)(void *, tkm_str bytes);                                  /* comes back as prompt.carry in the session's next turn */
  void (*warn)(void *, tkm_str id, tkm_str text); } tkm_events;          /* the request stays good, with a flag */

typedef struct tkm_processor_ops { /* [sized] */ uint32_t struct_size, reserved;
  tkm_status (*create)(const tkm_create_args *, const tkm_writer *err, tkm_processor **);                /* [setup] */
  void       (*destroy)(tkm_processor *);                                                                /* [setup] */
  tkm_status (*describe)(tkm_processor *, const tkm_writer *json, const tkm_writer *err);                /* [setup] the profile, section 4 */
  tkm_status (*learn)(tkm_processor *, const tkm_answer *, const tkm_writer *err);                       /* [setup] */
  tkm_status (*encode)(tkm_processor *, const tkm_prompt *, const tkm_request_out *, const tkm_writer *err); /* [io] before the release */
  tkm_status (*open)(tkm_processor *, const tkm_prompt *, const tkm_writer *err, tkm_stream **);         /* [io] at send */
  tkm_status (*head)(tkm_stream *, const tkm_head *, const tkm_events *, const tkm_writer *err);         /* [io] may say COLLECT */
  tkm_status (*data)(tkm_stream *, tkm_str bytes, const tkm_events *, const tkm_writer *err);            /* [io] */
  tkm_status (*end)(tkm_stream *, const tkm_end *, const tkm_events *, const tkm_writer *err);           /* [io] clean end only */
  void       (*close)(tkm_stream *); } tkm_processor_ops;                                                /* [io] always, last */
typedef struct tkm_turn {          /* [sized] plugin -> host */ uint32_t struct_size, turn; int32_t last, history; int64_t think_time_ns; tkm_str session; } tkm_turn;
typedef struct tkm_sample_out {    /* [sized] host-owned sink */ uint32_t struct_size, reserved; void *ctx;
  void (*message)(void *, tkm_str role, tkm_str extra);  void (*part)(void *, const tkm_part *);        /* CHAT: a message, then its parts */
  void (*text)(void *, tkm_str text);     void (*tokens)(void *, const int32_t *ids, size_t count);     /* TEXT or TOKENS instead */
  void (*lengths)(void *, int64_t prompt_tokens, int64_t output_tokens, int32_t output_mode);           /* -1: not known; the run file's `output` wins */
  void (*turn)(void *, const tkm_turn *); void (*answer)(void *, tkm_str text);                         /* scripted reply of this turn */
  void (*route)(void *, tkm_str model, tkm_str adapter);  void (*arrival)(void *, int64_t ns_since_start);  void (*extra)(void *, tkm_str json);
  void (*tag)(void *, tkm_str name, tkm_str value);       void (*header)(void *, tkm_str name, tkm_str value); } tkm_sample_out;
typedef struct tkm_dataset_ops {   /* [sized] */ uint32_t struct_size, reserved;
  tkm_status (*create)(const tkm_create_args *, const tkm_writer *err, tkm_dataset **);   void (*destroy)(tkm_dataset *); /* [setup] */
  int64_t    (*size)(tkm_dataset *);                                                      /* [feed] -1: endless, -2: unknown */
  tkm_status (*next)(tkm_dataset *, const tkm_sample_out *, const tkm_writer *err); } tkm_dataset_ops;     /* [feed] END: no more */
typedef struct tkm_calibration {   /* [sized] host -> plugin, extension "tkm.calibration/1" */ uint32_t struct_size, reserved; double tokens_per_word; int64_t overhead_tokens; } tkm_calibration;
typedef struct tkm_load_state {    /* [sized] host -> plugin */ uint32_t struct_size, active, in_flight, reserved; int64_t now_ns, next_arrival_ns; /* -1: none */
  uint64_t released, completed, failed; } tkm_load_state;
typedef struct tkm_load_step {     /* [sized] host-owned, plugin fills it */ uint32_t struct_size; int32_t action; int64_t at_ns; uint32_t users, reserved; } tkm_load_step; /* users: closed loop */
typedef struct tkm_pattern_ops {   /* [sized] */ uint32_t struct_size, reserved;
  tkm_status (*create)(const tkm_create_args *, const tkm_writer *err, tkm_pattern **);   void (*destroy)(tkm_pattern *); /* [setup] */
  tkm_status (*next)(tkm_pattern *, const tkm_load_state *, tkm_load_step *, const tkm_writer *err); } tkm_pattern_ops;  /* [sched] */

typedef struct tkm_component {     /* [sized] */ uint32_t struct_size; int32_t kind; tkm_str id, summary, config_schema;
  const tkm_str *capabilities; size_t capability_count; const void *ops; } tkm_component;
typedef struct tkm_module {        /* [sized] */ uint32_t struct_size, abi_minor, min_host_minor, reserved;
  tkm_str name, version, license; const tkm_component *const *components; size_t component_count; } tkm_module;
TKM_EXPORT const tkm_module *tkm_module_v1(void);   /* [load] the only exported symbol: pure, no I/O, no threads, the same pointer each time */
#define TKM_HAS(ptr, member) \
  ((size_t)((const char *)(&(ptr)->member + 1) - (const char *)(ptr)) <= (ptr)->struct_size)
#define TKM_CAN(ptr, fn) (TKM_HAS(ptr, fn) && (ptr)->fn != NULL)
#define TKM_NOTE(module, version) \
  TKM_NOTE_EXPANDED(module, version, TKM_ABI_MAJOR, TKM_ABI_MINOR, TKM_ABI_MIN_HOST_MINOR, TKM_ABI_DRAFT)
#define TKM_NOTE_EXPANDED(module, version, major, minor, min_host_minor, draft) \
  TKM_NOTE_TEXT(module, version, major, minor, min_host_minor, draft)
#define TKM_NOTE_TEXT(module, version, major, minor, min_host_minor, draft)      \
  __asm__(".pushsection .note.tokometer,\"a\",%note\n\t.balign 4\n"               \
          "\t.long 2f - 1f\n\t.long 4f - 3f\n\t.long 1\n"                         \
          "1:\t.asciz \"tokometer\"\n2:\t.balign 4\n"                             \
          "3:\t.long " #major ", " #minor ", " #min_host_minor ", " #draft "\n"   \
          "\t.ascii \"module=\"\n\t.ascii " #module "\n\t.ascii \"\\n\"\n"         \
          "\t.ascii \"version=\"\n\t.ascii " #version "\n\t.ascii \"\\n\"\n"       \
          "\t.balign 4\n4:\t.popsection\n")
#ifdef __cplusplus
}
#endif
#endif
