// Plugin instances as move-only values, and the one way to call them. Around each call: the breadcrumb of
// calls.hpp, a catch for exceptions that must not cross, and checks of what came back (status, handle,
// sentence).
//
// Sinks and prompts are the caller's: they are checked where they are filled (request_sink.hpp for encode). A
// handle may move between threads, but is never entered by two at once. All streams are closed before their
// processor ends.
//
// `err`: a string of the caller's that is kept for reuse; empty after success, after a negative status a
// sentence (valid UTF-8, no control characters, at most 4 KiB). A call that breaks the contract gives
// TKM_E_INTERNAL and a sentence that begins with "plugin bug:". Success allocates nothing here.
#pragma once

#include <tokometer/abi.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "plugin/component.hpp"

namespace tokometer {

struct CreateOptions {
  std::string config_json = "{}";  // canonical: defaults filled in, durations in seconds, paths absolute
  std::vector<std::string> models = {};  // every model name that the plan uses
  uint64_t seed = 0;
  uint32_t shard = 0, shard_count = 1;  // closed-loop patterns take their share
  // The answer to tkm_host.extension, asked during setup calls: a struct that outlives the handle, or null
  // for an unknown id. Empty: no extensions. "tkm.calibration/1" -> tkm_calibration, "tkm.tokenizer/1" ->
  // tkm_host_tokenizer. It is kept, with all that it holds, until the handle ends.
  std::function<const void*(std::string_view id)> extension = {};
};

// What a plugin keeps as `tkm_host` until destroy: log() goes to base/log with the plugin's name in front.
class HostContext;

// One response being read. Made by Processor::open; closed by its destructor at the latest.
class Stream {
 public:
  Stream() = default;
  Stream(Stream&& other) noexcept;
  Stream& operator=(Stream&& other) noexcept;
  ~Stream() { close(); }

  bool is_open() const { return handle_ != nullptr; }
  // After a negative status only close() may follow. head: TKM_OK or TKM_COLLECT; data, end: TKM_OK.
  tkm_status head(const tkm_head& head, const tkm_events& events, std::string& err);
  // 64 readable bytes must follow `bytes`.
  tkm_status data(tkm_str bytes, const tkm_events& events, std::string& err);
  tkm_status end(const tkm_end& end, const tkm_events& events, std::string& err);
  // Ends the stream on the plugin's side; harmless when not open.
  void close();

 private:
  friend class Processor;
  const Component* component_ = nullptr;
  tkm_stream* handle_ = nullptr;
};

class Processor {
 public:
  // Error: the plugin's own sentence with its name in front, or a plugin bug.
  static Result<Processor> create(const Component& component, const CreateOptions& options);
  Processor(Processor&& other) noexcept;
  Processor& operator=(Processor&& other) noexcept;
  ~Processor();

  // The profile (profile.hpp), JSON text of at most 1 MiB.
  Result<std::string> describe();
  // Hands over the answer of a `discover` probe; status -1: there was none.
  Result<void> learn(int32_t status, std::string_view probe_id, std::string_view body);

  tkm_status encode(const tkm_prompt& prompt, const tkm_request_out& out, std::string& err);
  // TKM_OK: `out` (which must not be open) is. The prompt is borrowed for the call only.
  tkm_status open(const tkm_prompt& prompt, Stream& out, std::string& err);

  const Component& component() const { return *component_; }

 private:
  Processor(const Component& component, std::unique_ptr<HostContext> host, tkm_processor* handle);
  const Component* component_;
  std::unique_ptr<HostContext> host_;
  tkm_processor* handle_;
};

class Dataset {
 public:
  static Result<Dataset> create(const Component& component, const CreateOptions& options);
  Dataset(Dataset&& other) noexcept;
  Dataset& operator=(Dataset&& other) noexcept;
  ~Dataset();

  // Number of samples; -1: endless, -2: unknown (also when the call misbehaves).
  int64_t size();
  // TKM_OK: one sample was said to the sink. TKM_END: no more, for good. TKM_E_INPUT: one bad record, more
  // may follow.
  tkm_status next(const tkm_sample_out& out, std::string& err);

  const Component& component() const { return *component_; }

 private:
  Dataset(const Component& component, std::unique_ptr<HostContext> host, tkm_dataset* handle);
  const Component* component_;
  std::unique_ptr<HostContext> host_;
  tkm_dataset* handle_;
};

class Pattern {
 public:
  static Result<Pattern> create(const Component& component, const CreateOptions& options);
  Pattern(Pattern&& other) noexcept;
  Pattern& operator=(Pattern&& other) noexcept;
  ~Pattern();

  // TKM_OK: `step` says what to do next; it is reset before the call and its action is checked to be a
  // TKM_LOAD_*. Rules that need memory (open-loop times never fall, deadlock) are the scheduler's.
  tkm_status next(const tkm_load_state& state, tkm_load_step& step, std::string& err);

  const Component& component() const { return *component_; }

 private:
  Pattern(const Component& component, std::unique_ptr<HostContext> host, tkm_pattern* handle);
  const Component* component_;
  std::unique_ptr<HostContext> host_;
  tkm_pattern* handle_;
};

class Tokenizer {
 public:
  static Result<Tokenizer> create(const Component& component, const CreateOptions& options);
  Tokenizer(Tokenizer&& other) noexcept;
  Tokenizer& operator=(Tokenizer&& other) noexcept;
  ~Tokenizer();

  // Every id is below it; checked to be within int32_t. 0: the call misbehaves.
  int64_t vocab_size();
  // TKM_OK: the sink has heard all ids of `text`; mode is TKM_ENCODE_*. May be called from inside a dataset's
  // call.
  tkm_status encode(tkm_str text, int32_t mode, const tkm_ids_out& out, std::string& err);

  const Component& component() const { return *component_; }

 private:
  Tokenizer(const Component& component, std::unique_ptr<HostContext> host, tkm_tokenizer* handle);
  const Component* component_;
  std::unique_ptr<HostContext> host_;
  tkm_tokenizer* handle_;
};

}  // namespace tokometer
