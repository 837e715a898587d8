/* tokometer plugin ABI, version 1. DRAFT: until the freeze, plugin and host must carry the same
 * TKM_ABI_DRAFT.
 *
 * The contract between the host (the core of tokometer) and a module (one plugin .so). A module holds
 * components: request processors, datasets, load patterns, tokenizers. It exports one symbol, tkm_module_v1,
 * and carries one ELF note, TKM_NOTE, which the host reads before any code of the module runs. This file is
 * the text of record: what a comment here says, holds. Plain C11, C++11 and later; C++ authors will rather
 * include <tokometer/plugin.hpp>.
 *
 * Structs
 *   [frozen]  never changes in version 1 and may stand in arrays.
 *   [sized]   begins with struct_size, which its maker sets to sizeof of what it was compiled with, and grows
 * only at its end. Nobody reads or writes past struct_size: ask TKM_HAS or TKM_CAN before using a member that
 * is newer than minor 0. Never in arrays, never inside another struct. Members named "reserved" are 0. No
 * struct has hidden padding.
 *
 * Constants are int32_t. A value that its reader does not know is read as ..._OTHER where the group has one,
 * else refused.
 *
 * Text is pointer and length, UTF-8, without a NUL at its end, and may contain NUL. An empty text may have a
 * NULL data.
 *
 * Ownership. Neither side frees the other's memory. Inputs are borrowed; results go into sinks that the host
 * owns; only the opaque handles live longer than a call. There are three lifetimes: static    until the
 * process ends: the module descriptor and all that it points to (a module is never unloaded); handle    until
 * destroy() of the component: tkm_host; call      everything else: valid until the call that passed it
 * returns. Copy what you keep. A sink (tkm_writer, tkm_request_out, tkm_events, tkm_sample_out, tkm_ids_out)
 * cannot fail, is used only inside the call that got it, and never calls the module.
 *
 * Threads. A handle is never entered by two threads at once, but calls may move between threads: no
 * thread_local state, no threads of your own. The tag of a function says who calls it and what it may do:
 *   [load]   main thread, once per module: return static data; no I/O, no threads
 *   [setup]  main thread, while no other call on the handle runs: read files named in the configuration,
 * allocate, log [feed]   feeder thread: read files, allocate, log [sched]  scheduler thread: compute [io] the
 * I/O thread of this processor instance and its streams: compute, allocate; no I/O, lock, sleep, clock [any]
 * any thread, inside one of the calls above A call that takes 100 ms is reported; one that takes 5 s names
 * the module and ends the run.
 *
 * Errors. A call that returns a negative tkm_status has written one sentence to `err`: what is wrong, and
 * where (4 KiB at most; without it, it is reported as a bug of the module). No exception may leave a call.
 *
 * The same configuration, seed and input give the same output, for every component: runs are replayed and
 * split.
 */
#ifndef TOKOMETER_ABI_H
#define TOKOMETER_ABI_H

#include <stddef.h>
#include <stdint.h>

#define TKM_ABI_MAJOR 1 /* also in the name of the symbol and of the folder plugins-1 */
#define TKM_ABI_MINOR 0 /* revision of this header; struct_size decides access, this is for messages */
#define TKM_ABI_DRAFT 1 /* 0 once version 1 is frozen; until then host and module must agree exactly */

/* The lowest host minor that the module can work with. Define it before including this file to ask for a
 * newer host. */
#ifndef TKM_ABI_MIN_HOST_MINOR
#define TKM_ABI_MIN_HOST_MINOR 0
#endif

/* Makes the one exported symbol visible in a module built with -fvisibility=hidden. */
#define TKM_EXPORT __attribute__((visibility("default")))

#ifdef __cplusplus
extern "C" {
#endif

/* Text, messages, sinks. */

/* [frozen] Borrowed bytes. */
typedef struct tkm_str {
  const char* data;
  size_t size; /* bytes */
} tkm_str;

/* [frozen] One header, trailer or gRPC metadata entry. Names from the host are lower-case. */
typedef struct tkm_field {
  tkm_str name;
  tkm_str value;
} tkm_field;

/* [frozen] One piece of a chat message. */
typedef struct tkm_part {
  int32_t kind; /* TKM_PART_* */
  int32_t reserved;
  tkm_str type; /* media type of the bytes in data ("image/png"); empty: data is text, or a URL */
  tkm_str data;
} tkm_part;

/* [frozen] One chat message. */
typedef struct tkm_message {
  tkm_str role;
  tkm_str extra; /* empty, or a JSON object with OpenAI's names: tool_calls, tool_call_id */
  const tkm_part* parts;
  size_t part_count;
} tkm_message;

/* [frozen] Host-owned sink for bytes: an error sentence, a profile. write() appends all bytes and cannot
 * fail; pieces are joined. */
typedef struct tkm_writer {
  void* ctx;
  void (*write)(void* ctx, tkm_str bytes);
} tkm_writer;

/* Opaque handles. Made and destroyed by the module; the host only passes them back. */
typedef struct tkm_processor tkm_processor;
typedef struct tkm_stream tkm_stream;
typedef struct tkm_dataset tkm_dataset;
typedef struct tkm_pattern tkm_pattern;
typedef struct tkm_tokenizer tkm_tokenizer;

/* Constants. */

/* The result of a call: 0 or more is success, less is an error with a sentence in `err`. */
typedef int32_t tkm_status;
enum {
  TKM_OK = 0,
  TKM_END = 1,       /* dataset: there are no more samples; sticky */
  TKM_COLLECT = 2,   /* head: buffer the body and call data() once */
  TKM_E_CONFIG = -1, /* the configuration or the server cannot work; the run is refused before any request */
  TKM_E_INPUT = -2,  /* about one sample, prompt or probe; the others may be good */
  TKM_E_UNSUPPORTED = -3, /* the sentence names the feature that is missing */
  TKM_E_INTERNAL = -4     /* a bug or lack of memory in the module */
};

/* Kinds of components. A host skips kinds that it does not know. */
enum {
  TKM_KIND_PROCESSOR = 1, /* ops: tkm_processor_ops */
  TKM_KIND_DATASET = 2,   /* ops: tkm_dataset_ops */
  TKM_KIND_PATTERN = 3,   /* ops: tkm_pattern_ops */
  TKM_KIND_TOKENIZER = 4  /* ops: tkm_tokenizer_ops */
};

enum { TKM_TASK_GENERATE = 0, TKM_TASK_EMBED = 1, TKM_TASK_RANK = 2 };
enum { TKM_FORM_CHAT = 0, TKM_FORM_TEXT = 1, TKM_FORM_TOKENS = 2 };
enum { TKM_PART_TEXT = 0, TKM_PART_IMAGE = 1, TKM_PART_AUDIO = 2, TKM_PART_VIDEO = 3 };
enum { TKM_REPLY_WHOLE = 0, TKM_REPLY_STREAM = 1 };
enum { TKM_OUTPUT_AT_MOST = 0, TKM_OUTPUT_EXACT = 1 };
enum { TKM_HTTP = 1, TKM_GRPC = 2 };

/* Where output belongs. The first delta on CHANNEL_TEXT is timed of its own, so that reasoning does not hide
 * it. */
enum {
  TKM_CHANNEL_TEXT = 0,
  TKM_CHANNEL_REASONING = 1,
  TKM_CHANNEL_TOOL = 2,
  TKM_CHANNEL_REFUSAL = 3,
  TKM_CHANNEL_OTHER = 4
};

/* How the tokens of a delta were counted. Never by logprobs: some servers leave some out. */
enum {
  TKM_COUNT_NONE = 0,   /* not counted: tokens is -1 */
  TKM_COUNT_SERVER = 1, /* the server said the number */
  TKM_COUNT_IDS = 2,    /* the server gave the token ids */
  TKM_COUNT_EVENT = 3   /* this server sends one event for each token */
};

/* Why a choice ended. ABORT fails the request. */
enum {
  TKM_FINISH_STOP = 1,
  TKM_FINISH_LENGTH = 2,
  TKM_FINISH_TOOL = 3,
  TKM_FINISH_FILTER = 4,
  TKM_FINISH_ABORT = 5,
  TKM_FINISH_OTHER = 6
};

/* Whose fault a server's error is. */
enum {
  TKM_FAIL_IN_BAND = 1,  /* an error message in place of, or inside, a response; also under status 200 */
  TKM_FAIL_REJECTED = 2, /* the server is full or stopping */
  TKM_FAIL_REQUEST = 3,  /* the server says that the request is bad */
  TKM_FAIL_FORMAT = 4,   /* the response is not what the protocol says: no JSON, a wrong type */
  TKM_FAIL_SEMANTICS = 5 /* well-formed, but contradicts itself or the request */
};

enum {
  TKM_MARK_BEGAN = 1,     /* the response began, without a token: a role-only chunk */
  TKM_MARK_KEEPALIVE = 2, /* a ping or comment */
  TKM_MARK_DONE = 3       /* logical end: the request is complete, even if the connection stays open */
};

enum {
  TKM_LOAD_RELEASE = 1, /* start one entry at at_ns: a commitment */
  TKM_LOAD_WAIT = 2,    /* ask again when an entry ends or at at_ns, whichever is first; INT64_MAX: no time */
  TKM_LOAD_DONE = 3     /* no more entries; sticky */
};

/* What the core puts in front of a later turn: nothing, what the server really answered, or the scripted
 * answers. */
enum { TKM_HISTORY_NONE = 0, TKM_HISTORY_SERVER = 1, TKM_HISTORY_SCRIPT = 2 };

/* What a tokenizer encodes: the text alone, or the text as a prompt, with the ids that the model's tokenizer
 * puts around one (a begin-of-text). A chat template is the server's and never part of it. */
enum { TKM_ENCODE_TEXT = 0, TKM_ENCODE_PROMPT = 1 };

enum { TKM_LOG_DEBUG = 0, TKM_LOG_INFO = 1, TKM_LOG_WARN = 2, TKM_LOG_ERROR = 3 };

/* Host and creation. */

/* [sized] host -> plugin. Lives as long as the handle whose create() got it. */
typedef struct tkm_host {
  uint32_t struct_size;
  uint32_t abi_minor; /* of the host; for messages only */
  void* ctx;          /* the host's own */

  /* [any] One line for the log; level is TKM_LOG_*. The text is copied. Not in the hot path. */
  void (*log)(const struct tkm_host* host, int32_t level, tkm_str text);

  /* [setup] Optional host features: a static table, or NULL where the host does not know the id. Ids are
   * "tkm.name/1", third parties' "com.vendor.name/1". Only inside create(). */
  const void* (*extension)(const struct tkm_host* host, tkm_str id);
} tkm_host;

/* [sized] host -> plugin. What a component is made from. Valid inside create(), but `host`: as long as the
 * handle. */
typedef struct tkm_create_args {
  uint32_t struct_size;
  uint32_t
      shard; /* 0 to shard_count - 1. A closed-loop pattern takes its exact integer share; others ignore it */
  uint32_t shard_count; /* at least 1 */
  uint32_t reserved;
  const tkm_host* host;
  tkm_str config; /* canonical JSON: checked against config_schema, defaults present, durations in seconds,
                     sizes in bytes, paths absolute */
  const tkm_str* models; /* all model names that the plan has */
  size_t model_count;
  uint64_t seed; /* all randomness of the component comes from it */
} tkm_create_args;

/* Processor: builds requests, reads responses; owns no connection and sees no clock. */

/* [sized] host -> plugin. One request to make. The prompt decides the load: what cannot be said to this
 * server is TKM_E_UNSUPPORTED, never dropped (but `model` without the capability route.model). */
typedef struct tkm_prompt {
  uint32_t struct_size;
  int32_t task;  /* TKM_TASK_* */
  int32_t form;  /* TKM_FORM_*: which of messages, text, tokens holds the prompt */
  int32_t reply; /* TKM_REPLY_* */
  uint64_t request_id;
  tkm_str request_name; /* unique, and safe as a header value */
  const tkm_message*
      messages; /* CHAT. EMBED and RANK: each message is one input; RANK's first is the query */
  size_t message_count;
  size_t history_count;  /* CHAT: so many messages at the start are earlier turns */
  tkm_str text;          /* TEXT */
  const int32_t* tokens; /* TOKENS */
  size_t token_count;
  tkm_str model;
  tkm_str adapter;    /* LoRA; empty: none */
  tkm_str session;    /* empty: the request stands alone */
  tkm_str carry;      /* what events->carry said in the turn before */
  tkm_str cache_salt; /* prompts with another salt share no cached prefix; empty: none */
  tkm_str
      sampling; /* JSON object with OpenAI's names (temperature, top_p ...), to be translated; empty: none */
  tkm_str
      extra; /* JSON object to merge into the request as it is; may replace none of the above; empty: none */
  uint32_t turn;
  uint32_t choices;      /* at least 1 */
  int64_t output_tokens; /* -1: no limit */
  int32_t output_mode;   /* TKM_OUTPUT_*. EXACT: ask the server for exactly output_tokens */
  int32_t reserved;
  tkm_str authority;   /* host and port of the target; only for the capability auth.own */
  int64_t unix_time_s; /* only for auth.own */
} tkm_prompt;

/* [sized] plugin -> host. What to send. */
typedef struct tkm_call {
  uint32_t struct_size;
  int32_t protocol; /* TKM_HTTP or TKM_GRPC; HTTP/1.1 or 2 is the run file's choice */
  tkm_str method;   /* HTTP: "POST"; gRPC: empty */
  tkm_str
      path; /* HTTP: "/v1/..." (the target's own prefix comes in front); gRPC: "/package.Service/Method" */
} tkm_call;

/* [sized] Host-owned sink for one request; all texts are copied. The host owns and refuses: host
 * content-length transfer-encoding connection te trailer upgrade expect accept-encoding user-agent
 * x-request-id authorization cookie, proxy-*, grpc-*, gRPC's content-type. CR, LF or NUL in a header or path
 * fails the request. */
typedef struct tkm_request_out {
  uint32_t struct_size;
  uint32_t reserved;
  void* ctx;
  void (*begin)(void* ctx, const tkm_call* call);         /* first, exactly once */
  void (*header)(void* ctx, tkm_str name, tkm_str value); /* lower-case name; gRPC: metadata */
  void (*body)(void* ctx, tkm_str bytes); /* HTTP: pieces of one body; gRPC: one call, one message */
} tkm_request_out;

/* [sized] host -> plugin. The answer of one `discover` probe of the profile. */
typedef struct tkm_answer {
  uint32_t struct_size;
  int32_t status; /* HTTP or gRPC status; -1: no answer */
  tkm_str probe;  /* the probe's id */
  tkm_str body;
} tkm_answer;

/* [sized] host -> plugin. The head of a response. */
typedef struct tkm_head {
  uint32_t struct_size;
  int32_t http_status;
  const tkm_field* fields;
  size_t field_count;
} tkm_head;

/* [sized] host -> plugin. The clean end of a response. */
typedef struct tkm_end {
  uint32_t struct_size;
  int32_t grpc_status; /* -1: HTTP */
  tkm_str grpc_message;
  const tkm_field* trailers;
  size_t trailer_count;
} tkm_end;

/* [sized] plugin -> host. Output that the server generated; only the new part, even where the server repeats
 * all. */
typedef struct tkm_delta {
  uint32_t struct_size;
  uint32_t choice;    /* 0 to prompt.choices - 1 */
  int32_t channel;    /* TKM_CHANNEL_* */
  int32_t counted_by; /* TKM_COUNT_* */
  int64_t tokens;     /* new tokens; -1: not known */
  tkm_str text;       /* may be empty, or end inside a character */
} tkm_delta;

/* [sized] plugin -> host. Totals so far over all choices; -1: not given. */
typedef struct tkm_usage {
  uint32_t struct_size;
  uint32_t reserved;
  int64_t prompt_tokens;
  int64_t cached_tokens; /* of prompt_tokens: found in the server's prefix cache */
  int64_t output_tokens;
  int64_t reasoning_tokens; /* of output_tokens */
} tkm_usage;

/* [sized] Host-owned sink for what a response says; all texts are copied or used at once. Each event takes
 * the receive time of the socket read that completed it. */
typedef struct tkm_events {
  uint32_t struct_size;
  uint32_t reserved;
  void* ctx;
  void (*delta)(void* ctx, const tkm_delta* delta);
  void (*usage)(void* ctx,
                const tkm_usage* usage); /* the last one counts; it may come after finish and error */
  /* Once for each choice; reason is TKM_FINISH_*, raw the server's own word. */
  void (*finish)(void* ctx, uint32_t choice, int32_t reason, tkm_str raw);
  /* The server's fault, which fails the request: kind is TKM_FAIL_*, code the server's own (-1: none). At
   * most once. */
  void (*error)(void* ctx, int32_t kind, int64_t code, tkm_str message);
  void (*mark)(void* ctx, int32_t mark); /* TKM_MARK_* */
  /* A number for this request, declared in the profile under request_metrics; not finite: dropped with a
   * warning. */
  void (*metric)(void* ctx, tkm_str name, double value);
  /* Opaque state of the conversation (a response id); comes back as prompt.carry in the session's next turn,
   * perhaps at another instance. The last one counts. */
  void (*carry)(void* ctx, tkm_str bytes);
  void (*warn)(void* ctx, tkm_str id, tkm_str text); /* the request stays good, with a flag */
} tkm_events;

/* [sized] plugin -> host; static. A request is encode(), then open(), head(), data() ..., end(), close(). One
 * instance per I/O thread, all with the same configuration and seed, and taught the same answers; its streams
 * interleave freely. */
typedef struct tkm_processor_ops {
  uint32_t struct_size;
  uint32_t reserved;

  /* [setup] Makes an instance. Sets *out and returns TKM_OK, or returns an error and makes nothing. */
  tkm_status (*create)(const tkm_create_args* args, const tkm_writer* err, tkm_processor** out);

  /* [setup] Frees the instance. All its streams are closed by then. */
  void (*destroy)(tkm_processor* processor);

  /* [setup] Writes the profile (sdk/profile/v1.schema.json): the server described as data. Called again after
   * learn(), until no new `discover` probe comes (4 rounds at most). */
  tkm_status (*describe)(tkm_processor* processor, const tkm_writer* json, const tkm_writer* err);

  /* [setup] The answer of a `discover` probe. TKM_E_CONFIG: this server cannot be measured, and why. */
  tkm_status (*learn)(tkm_processor* processor, const tkm_answer* answer, const tkm_writer* err);

  /* [io] Builds the request, before its release: nothing in here is in a latency. Pure in configuration, what
   * was learned, and prompt. TKM_E_INPUT, TKM_E_UNSUPPORTED: this prompt cannot be sent. */
  tkm_status (*encode)(tkm_processor* processor, const tkm_prompt* prompt, const tkm_request_out* out,
                       const tkm_writer* err);

  /* [io] At the send. Sets *out to the reader of the response; the stream may keep no pointer into the
   * prompt. An error: the request fails, nothing more is called for it. */
  tkm_status (*open)(tkm_processor* processor, const tkm_prompt* prompt, const tkm_writer* err,
                     tkm_stream** out);

  /* [io] Once. TKM_COLLECT (HTTP only): the body comes in one piece, up to 64 MiB. Bodies of TKM_REPLY_WHOLE
   * and of statuses other than 2xx (64 KiB) come so unasked. A negative status here, in data() and in end()
   * is the module's own fault: the request fails as such, and only close() follows. */
  tkm_status (*head)(tkm_stream* stream, const tkm_head* head, const tkm_events* events,
                     const tkm_writer* err);

  /* [io] HTTP: body bytes after transport decoding, cut anywhere, even inside a character. gRPC: one whole
   * message. At least 64 readable bytes of unspecified content follow, for parsers that read past the end. */
  tkm_status (*data)(tkm_stream* stream, tkm_str bytes, const tkm_events* events, const tkm_writer* err);

  /* [io] At a clean end only: a cut connection, a time-out or a cancel gives close() without end(). A choice
   * unfinished here without TKM_MARK_DONE or an error counts as a truncated stream. */
  tkm_status (*end)(tkm_stream* stream, const tkm_end* end, const tkm_events* events, const tkm_writer* err);

  /* [io] Always, once, last. Frees the stream. */
  void (*close)(tkm_stream* stream);
} tkm_processor_ops;

/* Dataset: an iterator over samples. */

/* [sized] plugin -> host. Makes a sample turn n of a session. Turns of a session follow each other, each with
 * only its new messages. */
typedef struct tkm_turn {
  uint32_t struct_size;
  uint32_t turn;         /* from 0 */
  int32_t last;          /* 1: the session ends with this turn */
  int32_t history;       /* TKM_HISTORY_* */
  int64_t think_time_ns; /* from the end of the turn before to the schedule of this one */
  tkm_str session;
} tkm_turn;

/* [sized] Host-owned sink for one sample; all texts are copied. A sample is all that was said in one next()
 * that returned TKM_OK. It is a chat (message, part), a text, or token ids. */
typedef struct tkm_sample_out {
  uint32_t struct_size;
  uint32_t reserved;
  void* ctx;
  void (*message)(void* ctx, tkm_str role, tkm_str extra); /* CHAT: a message, then its parts */
  void (*part)(void* ctx, const tkm_part* part);
  void (*text)(void* ctx, tkm_str text);
  void (*tokens)(void* ctx, const int32_t* ids, size_t count);
  /* -1: not known. output_mode is TKM_OUTPUT_*. The run file's request.output beats it. */
  void (*lengths)(void* ctx, int64_t prompt_tokens, int64_t output_tokens, int32_t output_mode);
  void (*turn)(void* ctx, const tkm_turn* turn);
  void (*answer)(void* ctx, tkm_str text); /* the scripted reply of this turn */
  /* Beats the run file's weighted mix of models, which beats the processor's option. */
  void (*route)(void* ctx, tkm_str model, tkm_str adapter);
  /* For trace patterns: when turn 0 is due, in ns from a zero of the dataset's own; the host counts from the
   * first sample of the phase. */
  void (*arrival)(void* ctx, int64_t ns_since_start);
  void (*extra)(void* ctx, tkm_str json);                 /* JSON object to merge into the request */
  void (*tag)(void* ctx, tkm_str name, tkm_str value);    /* groups reports */
  void (*header)(void* ctx, tkm_str name, tkm_str value); /* goes with the sample's requests */
} tkm_sample_out;

/* [sized] plugin -> host; static. One instance per workload, and one more for preflight, made and destroyed
 * first. */
typedef struct tkm_dataset_ops {
  uint32_t struct_size;
  uint32_t reserved;

  /* [setup] As in tkm_processor_ops. A missing file is TKM_E_CONFIG with its path. */
  tkm_status (*create)(const tkm_create_args* args, const tkm_writer* err, tkm_dataset** out);
  void (*destroy)(tkm_dataset* dataset); /* [setup] */

  /* [feed] How many samples in all, exactly; -1: endless, -2: unknown. */
  int64_t (*size)(tkm_dataset* dataset);

  /* [feed] The next sample. TKM_END: no more, now and ever after. TKM_E_INPUT: one bad record (file, record
   * and byte in the sentence); the run file says whether to skip it, and next() goes on behind it. */
  tkm_status (*next)(tkm_dataset* dataset, const tkm_sample_out* out, const tkm_writer* err);
} tkm_dataset_ops;

/* [sized] host -> plugin. The extension "tkm.calibration/1" for datasets: what the server counted in
 * preflight. NULL from extension(): not known (yet). */
typedef struct tkm_calibration {
  uint32_t struct_size;
  uint32_t reserved;
  double tokens_per_word;
  int64_t overhead_tokens; /* of the chat template, for each request */
} tkm_calibration;

/* Load pattern: returns times; is not polled and never sleeps. */

/* [sized] host -> plugin. What has happened. Times count from the start of the phase. An entry is one
 * request, or one whole session. */
typedef struct tkm_load_state {
  uint32_t struct_size;
  uint32_t active;    /* entries from their RELEASE, even if at_ns lies ahead, to their end */
  uint32_t in_flight; /* requests on the wire */
  uint32_t reserved;
  int64_t now_ns;          /* closed loop: the end of the entry that ended; may lie before the last one's */
  int64_t next_arrival_ns; /* with the capability trace: when the sample of the next RELEASE is due, since the
                              first one of the phase; -1: there are no more */
  uint64_t released;
  uint64_t completed; /* entries that ended well */
  uint64_t failed;    /* entries that ended in any other way */
} tkm_load_state;

/* [sized] Host-owned; the plugin fills it member by member. */
typedef struct tkm_load_step {
  uint32_t struct_size; /* set by the host */
  int32_t action;       /* TKM_LOAD_* */
  int64_t at_ns;        /* RELEASE, WAIT */
  uint32_t users;       /* closed loop: how many active entries are wanted now; open loop: 0 */
  uint32_t reserved;
} tkm_load_step;

/* [sized] plugin -> host; static. One instance for each workload and phase. Capability "open-loop" or
 * "closed-loop". An open loop plans by its own schedule, never by now_ns: its times never fall, and are the
 * same whatever completes and whenever it is asked. A closed loop plans by now_ns: its times are never before
 * it; it is asked after each ended entry. Limits of time and count, warm-up and drain are the core's. */
typedef struct tkm_pattern_ops {
  uint32_t struct_size;
  uint32_t reserved;

  /* [setup] As in tkm_processor_ops. */
  tkm_status (*create)(const tkm_create_args* args, const tkm_writer* err, tkm_pattern** out);
  void (*destroy)(tkm_pattern* pattern); /* [setup] */

  /* [sched] Fills *out. Waiting for ever with nothing active is an error. */
  tkm_status (*next)(tkm_pattern* pattern, const tkm_load_state* state, tkm_load_step* out,
                     const tkm_writer* err);
} tkm_pattern_ops;

/* Tokenizer: text to token ids. */

/* [sized] Host-owned sink for token ids; all are copied, pieces are joined. */
typedef struct tkm_ids_out {
  uint32_t struct_size;
  uint32_t reserved;
  void* ctx;
  void (*ids)(void* ctx, const int32_t* ids, size_t count);
} tkm_ids_out;

/* [sized] plugin -> host; static. One instance for each run, shared by its datasets, and others where a
 * component is checked. Same configuration and text, same ids. */
typedef struct tkm_tokenizer_ops {
  uint32_t struct_size;
  uint32_t reserved;

  /* [setup] As in tkm_processor_ops. A missing file is TKM_E_CONFIG with its path; a part of a file that this
   * tokenizer does not know is TKM_E_UNSUPPORTED with its name, never skipped. */
  tkm_status (*create)(const tkm_create_args* args, const tkm_writer* err, tkm_tokenizer** out);
  void (*destroy)(tkm_tokenizer* tokenizer); /* [setup] */

  /* [setup] [feed] Every id that encode() can give is at least 0 and below it. */
  int64_t (*vocab_size)(tkm_tokenizer* tokenizer);

  /* [setup] [feed] The ids of `text`; mode is TKM_ENCODE_*. An empty text has none of its own. TKM_E_INPUT:
   * this text cannot be encoded (not UTF-8); what the sink has heard of it does not count. */
  tkm_status (*encode)(tkm_tokenizer* tokenizer, tkm_str text, int32_t mode, const tkm_ids_out* out,
                       const tkm_writer* err);
} tkm_tokenizer_ops;

/* [sized] host -> plugin. The extension "tkm.tokenizer/1" for datasets: the tokenizer that the run file names
 * under model.tokenizer, to be used from create() on, as long as the handle lives, inside the dataset's own
 * calls. NULL from extension(): the run has none. */
typedef struct tkm_host_tokenizer {
  uint32_t struct_size;
  uint32_t reserved;
  void* ctx;
  int64_t vocab_size;
  /* [setup] [feed] As in tkm_tokenizer_ops, with ctx for the handle. */
  tkm_status (*encode)(void* ctx, tkm_str text, int32_t mode, const tkm_ids_out* out, const tkm_writer* err);
} tkm_host_tokenizer;

/* Module. */

/* [sized] plugin -> host; static. */
typedef struct tkm_component {
  uint32_t struct_size;
  int32_t kind;          /* TKM_KIND_* */
  tkm_str id;            /* [a-z][a-z0-9_-]*, unique for its kind in the module */
  tkm_str summary;       /* one line for people */
  tkm_str config_schema; /* JSON Schema (the subset of docs/plugins.md) of the options */
  /* Processor: proto.http proto.grpc reply.whole reply.stream output.exact choices.many channel.reasoning
   * channel.tools form.chat form.text form.tokens parts.media task.embed task.rank session.carry route.model
   * route.adapter cache.salt count.server auth.own. Dataset: endless arrival sessions shared-prefix made-text
   * (prompts are not read but made: the core may put a word in front, and calibrates). Pattern: one of
   * open-loop closed-loop; trace unsteady (no automatic warm-up, no steady-state check). Others:
   * com.vendor.name. Unknown ones are skipped. */
  const tkm_str* capabilities;
  size_t capability_count;
  const void* ops; /* the table of its kind */
} tkm_component;

/* [sized] plugin -> host; static. */
typedef struct tkm_module {
  uint32_t struct_size;
  uint32_t abi_minor;      /* TKM_ABI_MINOR at compile time; for messages */
  uint32_t min_host_minor; /* a host below it refuses the module */
  uint32_t reserved;
  tkm_str name; /* [a-z][a-z0-9-]*, the name of the file without .so */
  tkm_str version;
  tkm_str license; /* SPDX */
  const tkm_component* const* components;
  size_t component_count;
} tkm_module;

/* [load] The only exported symbol. Pure: no I/O, no threads, the same pointer each time, never NULL. */
TKM_EXPORT const tkm_module* tkm_module_v1(void);

/* Access to members newer than minor 0. */

/* Does `member` lie within ptr->struct_size? `ptr` points to a [sized] struct and is evaluated more than
 * once. */
#define TKM_HAS(ptr, member) \
  ((size_t)((const char*)(&(ptr)->member + 1) - (const char*)(ptr)) <= (ptr)->struct_size)

/* The same for a function, which must not be NULL either. */
#define TKM_CAN(ptr, fn) (TKM_HAS(ptr, fn) && (ptr)->fn != NULL)

/* The note. */

/* Emits the ELF note that the host reads before it loads the file: section .note.tokometer, owner
 * "tokometer", type 1, four 32-bit words (major, minor, lowest host minor, draft), then the lines module=...
 * and version=..., filled up to a multiple of 4 with NUL. `module` and `version` are string literals (or
 * macros of one). Once in a module, at file scope, in C; in C++ TKM_MODULE of plugin.hpp does it. In
 * assembler, since no compiler attribute gives a section its type. */
#define TKM_NOTE(module, version) \
  TKM_NOTE_EXPANDED(module, version, TKM_ABI_MAJOR, TKM_ABI_MINOR, TKM_ABI_MIN_HOST_MINOR, TKM_ABI_DRAFT)
#define TKM_NOTE_EXPANDED(module, version, major, minor, min_host_minor, draft) \
  TKM_NOTE_TEXT(module, version, major, minor, min_host_minor, draft)
#define TKM_NOTE_TEXT(module, version, major, minor, min_host_minor, draft) \
  __asm__(                                                                  \
      ".pushsection .note.tokometer,\"a\",%note\n\t.balign 4\n"             \
      "\t.long 2f - 1f\n\t.long 4f - 3f\n\t.long 1\n"                       \
      "1:\t.asciz \"tokometer\"\n2:\t.balign 4\n"                           \
      "3:\t.long " #major ", " #minor ", " #min_host_minor ", " #draft      \
      "\n"                                                                  \
      "\t.ascii \"module=\"\n\t.ascii " #module                             \
      "\n\t.ascii \"\\n\"\n"                                                \
      "\t.ascii \"version=\"\n\t.ascii " #version                           \
      "\n\t.ascii \"\\n\"\n"                                                \
      "\t.balign 4\n4:\t.popsection\n")

/* Layout of what never changes, on 64-bit machines. */

#ifdef __cplusplus
#define TKM_LAYOUT(fact) static_assert(fact, #fact)
#else
#define TKM_LAYOUT(fact) _Static_assert(fact, #fact)
#endif
#if UINTPTR_MAX == UINT64_MAX
TKM_LAYOUT(sizeof(tkm_str) == 16);
TKM_LAYOUT(offsetof(tkm_str, data) == 0);
TKM_LAYOUT(offsetof(tkm_str, size) == 8);
TKM_LAYOUT(sizeof(tkm_field) == 32);
TKM_LAYOUT(offsetof(tkm_field, name) == 0);
TKM_LAYOUT(offsetof(tkm_field, value) == 16);
TKM_LAYOUT(sizeof(tkm_part) == 40);
TKM_LAYOUT(offsetof(tkm_part, kind) == 0);
TKM_LAYOUT(offsetof(tkm_part, type) == 8);
TKM_LAYOUT(offsetof(tkm_part, data) == 24);
TKM_LAYOUT(sizeof(tkm_message) == 48);
TKM_LAYOUT(offsetof(tkm_message, role) == 0);
TKM_LAYOUT(offsetof(tkm_message, extra) == 16);
TKM_LAYOUT(offsetof(tkm_message, parts) == 32);
TKM_LAYOUT(offsetof(tkm_message, part_count) == 40);
TKM_LAYOUT(sizeof(tkm_writer) == 16);
TKM_LAYOUT(offsetof(tkm_writer, ctx) == 0);
TKM_LAYOUT(offsetof(tkm_writer, write) == 8);
#endif

#ifdef __cplusplus
}
#endif

#endif
