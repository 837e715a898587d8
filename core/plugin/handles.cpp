#include "plugin/handles.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

#include "base/log.hpp"
#include "base/text.hpp"

namespace tokometer {
namespace {

constexpr size_t kMaxSentenceBytes = 4096;
constexpr size_t kMaxProfileBytes = size_t{1} << 20;

tkm_str as_str(std::string_view text) {
  return {text.data(), text.size()};
}

// A tkm_writer that keeps the first `limit` bytes.
struct CappedText {
  std::string& text;
  size_t limit;
  bool overflowed = false;

  static void write(void* ctx, tkm_str bytes) {
    auto& self = *static_cast<CappedText*>(ctx);
    if (bytes.data == nullptr) return;
    const size_t room = self.limit - self.text.size();
    self.text.append(bytes.data, std::min(room, bytes.size));
    self.overflowed |= bytes.size > room;
  }
};

std::string bug(const Component& component, const char* call, const std::string& what) {
  return "plugin bug: " + std::string(component.module_name()) + " " + std::string(component.version()) +
         " (" + component.path + "): call " + call + " " + what;
}

std::string status_text(tkm_status status) {
  return "returned " + std::to_string(status);
}

bool is_known_failure(tkm_status status) {
  return status <= TKM_E_CONFIG && status >= TKM_E_INTERNAL;
}

// What the caller gets to see of a call that did not simply succeed. `also`: a status beside TKM_OK that is
// good here.
tkm_status settle(const Component& component, const char* call, tkm_status status, tkm_status also,
                  std::string& err) {
  if (status == TKM_OK || status == also) {
    err.clear();
    return status;
  }
  if (!is_known_failure(status)) {
    err = bug(component, call, status_text(status) + ", which is no status of this call");
    return TKM_E_INTERNAL;
  }
  if (err.empty()) {
    err = bug(component, call, status_text(status) + " without a sentence");
  } else {
    err = escape_terminal(err, kMaxSentenceBytes);
  }
  return status;
}

// The one way into a plugin. `invoke` gets the writer for the sentence and returns the status.
template <class Invoke>
tkm_status call_plugin(const Component& component, const char* call, CallTime time, tkm_status also,
                       std::string& err, Invoke&& invoke) {
  err.clear();
  CappedText sentence{err, kMaxSentenceBytes};
  const tkm_writer writer{&sentence, CappedText::write};
  tkm_status status = TKM_E_INTERNAL;
  try {
    const CallScope scope(component.called, call, time);
    status = invoke(&writer);
  } catch (...) {
    err = bug(component, call, "let an exception out");
    return TKM_E_INTERNAL;
  }
  if (status == TKM_OK && err.empty()) return status;
  return settle(component, call, status, also, err);
}

// For destroy, close and size, which have no way to fail.
template <class Invoke>
void call_plugin_void(const Component& component, const char* call, CallTime time, Invoke&& invoke) {
  try {
    const CallScope scope(component.called, call, time);
    invoke();
  } catch (...) {
    log(LogLevel::error, bug(component, call, "let an exception out"));
  }
}

template <class Ops>
const Ops& ops_of(const Component& component) {
  return *static_cast<const Ops*>(component.entry->ops);
}
const tkm_processor_ops& processor_ops(const Component& component) {
  return ops_of<tkm_processor_ops>(component);
}
const tkm_dataset_ops& dataset_ops(const Component& component) {
  return ops_of<tkm_dataset_ops>(component);
}
const tkm_pattern_ops& pattern_ops(const Component& component) {
  return ops_of<tkm_pattern_ops>(component);
}
const tkm_tokenizer_ops& tokenizer_ops(const Component& component) {
  return ops_of<tkm_tokenizer_ops>(component);
}

LogLevel log_level(int32_t level) {
  switch (level) {
    case TKM_LOG_DEBUG:
      return LogLevel::debug;
    case TKM_LOG_INFO:
      return LogLevel::info;
    case TKM_LOG_ERROR:
      return LogLevel::error;
    default:
      return LogLevel::warn;
  }
}

Error with_name(const Component& component, const std::string& sentence) {
  if (sentence.rfind("plugin bug:", 0) == 0) return {sentence};
  return {std::string(kind_name(component.kind())) + " \"" + std::string(component.name()) +
          "\": " + sentence};
}

}  // namespace

class HostContext {
 public:
  HostContext(const Component& component, std::function<const void*(std::string_view)> extension)
      : host_{sizeof(tkm_host), TKM_ABI_MINOR, this, on_log, on_extension},
        component_(component),
        extension_(std::move(extension)) {}
  HostContext(const HostContext&) = delete;
  HostContext& operator=(const HostContext&) = delete;

  const tkm_host& host() const { return host_; }

 private:
  static void on_log(const tkm_host* host, int32_t level, tkm_str text) {
    const auto& self = *static_cast<const HostContext*>(host->ctx);
    if (text.data == nullptr) return;
    log(log_level(level), "plugin " + std::string(self.component_.module_name()) + ": " +
                              escape_terminal({text.data, text.size}, kMaxSentenceBytes));
  }
  static const void* on_extension(const tkm_host* host, tkm_str id) {
    const auto& self = *static_cast<const HostContext*>(host->ctx);
    if (id.data == nullptr || !self.extension_) return nullptr;
    return self.extension_({id.data, id.size});
  }

  tkm_host host_;
  const Component& component_;
  std::function<const void*(std::string_view)> extension_;
};

namespace {

template <class Handle>
struct Created {
  std::unique_ptr<HostContext> host;
  Handle* handle;
};

template <class Handle, class Create>
Result<Created<Handle>> create_handle(const Component& component, const CreateOptions& options,
                                      Create create) {
  auto host = std::make_unique<HostContext>(component, options.extension);
  std::vector<tkm_str> models;
  for (const std::string& model : options.models) models.push_back(as_str(model));
  tkm_create_args args{};
  args.struct_size = sizeof args;
  args.shard = options.shard;
  args.shard_count = options.shard_count;
  args.host = &host->host();
  args.config = as_str(options.config_json);
  args.models = models.data();
  args.model_count = models.size();
  args.seed = options.seed;

  Handle* handle = nullptr;
  std::string err;
  const tkm_status status =
      call_plugin(component, "create", CallTime::unlimited, TKM_OK, err,
                  [&](const tkm_writer* writer) { return create(&args, writer, &handle); });
  if (status != TKM_OK) return with_name(component, err);
  if (handle == nullptr) return Error{bug(component, "create", "returned TKM_OK and no handle")};
  return Created<Handle>{std::move(host), handle};
}

}  // namespace

// --- Stream: handle_ is null when closed

Stream::Stream(Stream&& other) noexcept
    : component_(other.component_), handle_(std::exchange(other.handle_, nullptr)) {}

Stream& Stream::operator=(Stream&& other) noexcept {
  if (this == &other) return *this;
  close();
  component_ = other.component_;
  handle_ = std::exchange(other.handle_, nullptr);
  return *this;
}

tkm_status Stream::head(const tkm_head& head, const tkm_events& events, std::string& err) {
  return call_plugin(*component_, "head", CallTime::limited, TKM_COLLECT, err, [&](const tkm_writer* writer) {
    return processor_ops(*component_).head(handle_, &head, &events, writer);
  });
}

tkm_status Stream::data(tkm_str bytes, const tkm_events& events, std::string& err) {
  return call_plugin(*component_, "data", CallTime::limited, TKM_OK, err, [&](const tkm_writer* writer) {
    return processor_ops(*component_).data(handle_, bytes, &events, writer);
  });
}

tkm_status Stream::end(const tkm_end& end, const tkm_events& events, std::string& err) {
  return call_plugin(*component_, "end", CallTime::limited, TKM_OK, err, [&](const tkm_writer* writer) {
    return processor_ops(*component_).end(handle_, &end, &events, writer);
  });
}

void Stream::close() {
  if (handle_ == nullptr) return;
  tkm_stream* handle = std::exchange(handle_, nullptr);
  call_plugin_void(*component_, "close", CallTime::limited,
                   [&] { processor_ops(*component_).close(handle); });
}

// --- Processor

Processor::Processor(const Component& component, std::unique_ptr<HostContext> host, tkm_processor* handle)
    : component_(&component), host_(std::move(host)), handle_(handle) {}

Processor::Processor(Processor&& other) noexcept
    : component_(other.component_),
      host_(std::move(other.host_)),
      handle_(std::exchange(other.handle_, nullptr)) {}

Processor& Processor::operator=(Processor&& other) noexcept {
  std::swap(component_, other.component_);
  std::swap(host_, other.host_);
  std::swap(handle_, other.handle_);
  return *this;
}

Processor::~Processor() {
  if (handle_ == nullptr) return;
  call_plugin_void(*component_, "destroy", CallTime::unlimited,
                   [&] { processor_ops(*component_).destroy(handle_); });
}

Result<Processor> Processor::create(const Component& component, const CreateOptions& options) {
  auto created = create_handle<tkm_processor>(component, options, processor_ops(component).create);
  if (!created) return created.errors();
  return Processor(component, std::move(created->host), created->handle);
}

Result<std::string> Processor::describe() {
  std::string json, err;
  CappedText profile{json, kMaxProfileBytes};
  const tkm_writer out{&profile, CappedText::write};
  const tkm_status status = call_plugin(
      *component_, "describe", CallTime::unlimited, TKM_OK, err,
      [&](const tkm_writer* writer) { return processor_ops(*component_).describe(handle_, &out, writer); });
  if (status != TKM_OK) return with_name(*component_, err);
  if (profile.overflowed) return Error{bug(*component_, "describe", "wrote more than 1 MiB")};
  return json;
}

Result<void> Processor::learn(int32_t status, std::string_view probe_id, std::string_view body) {
  const tkm_answer answer{sizeof answer, status, as_str(probe_id), as_str(body)};
  std::string err;
  const tkm_status learned = call_plugin(
      *component_, "learn", CallTime::unlimited, TKM_OK, err,
      [&](const tkm_writer* writer) { return processor_ops(*component_).learn(handle_, &answer, writer); });
  if (learned != TKM_OK) return with_name(*component_, err);
  return {};
}

tkm_status Processor::encode(const tkm_prompt& prompt, const tkm_request_out& out, std::string& err) {
  return call_plugin(*component_, "encode", CallTime::limited, TKM_OK, err, [&](const tkm_writer* writer) {
    return processor_ops(*component_).encode(handle_, &prompt, &out, writer);
  });
}

tkm_status Processor::open(const tkm_prompt& prompt, Stream& out, std::string& err) {
  assert(!out.is_open());
  tkm_stream* handle = nullptr;
  const tkm_status status =
      call_plugin(*component_, "open", CallTime::limited, TKM_OK, err, [&](const tkm_writer* writer) {
        return processor_ops(*component_).open(handle_, &prompt, writer, &handle);
      });
  if (status != TKM_OK) return status;
  if (handle == nullptr) {
    err = bug(*component_, "open", "returned TKM_OK and no handle");
    return TKM_E_INTERNAL;
  }
  out.component_ = component_;
  out.handle_ = handle;
  return TKM_OK;
}

// --- Dataset

Dataset::Dataset(const Component& component, std::unique_ptr<HostContext> host, tkm_dataset* handle)
    : component_(&component), host_(std::move(host)), handle_(handle) {}

Dataset::Dataset(Dataset&& other) noexcept
    : component_(other.component_),
      host_(std::move(other.host_)),
      handle_(std::exchange(other.handle_, nullptr)) {}

Dataset& Dataset::operator=(Dataset&& other) noexcept {
  std::swap(component_, other.component_);
  std::swap(host_, other.host_);
  std::swap(handle_, other.handle_);
  return *this;
}

Dataset::~Dataset() {
  if (handle_ == nullptr) return;
  call_plugin_void(*component_, "destroy", CallTime::unlimited,
                   [&] { dataset_ops(*component_).destroy(handle_); });
}

Result<Dataset> Dataset::create(const Component& component, const CreateOptions& options) {
  auto created = create_handle<tkm_dataset>(component, options, dataset_ops(component).create);
  if (!created) return created.errors();
  return Dataset(component, std::move(created->host), created->handle);
}

int64_t Dataset::size() {
  constexpr int64_t kEndless = -1, kUnknown = -2;
  int64_t size = kUnknown;
  call_plugin_void(*component_, "size", CallTime::limited,
                   [&] { size = dataset_ops(*component_).size(handle_); });
  return size >= kEndless ? size : kUnknown;
}

tkm_status Dataset::next(const tkm_sample_out& out, std::string& err) {
  return call_plugin(*component_, "next", CallTime::limited, TKM_END, err, [&](const tkm_writer* writer) {
    return dataset_ops(*component_).next(handle_, &out, writer);
  });
}

// --- Pattern

Pattern::Pattern(const Component& component, std::unique_ptr<HostContext> host, tkm_pattern* handle)
    : component_(&component), host_(std::move(host)), handle_(handle) {}

Pattern::Pattern(Pattern&& other) noexcept
    : component_(other.component_),
      host_(std::move(other.host_)),
      handle_(std::exchange(other.handle_, nullptr)) {}

Pattern& Pattern::operator=(Pattern&& other) noexcept {
  std::swap(component_, other.component_);
  std::swap(host_, other.host_);
  std::swap(handle_, other.handle_);
  return *this;
}

Pattern::~Pattern() {
  if (handle_ == nullptr) return;
  call_plugin_void(*component_, "destroy", CallTime::unlimited,
                   [&] { pattern_ops(*component_).destroy(handle_); });
}

Result<Pattern> Pattern::create(const Component& component, const CreateOptions& options) {
  auto created = create_handle<tkm_pattern>(component, options, pattern_ops(component).create);
  if (!created) return created.errors();
  return Pattern(component, std::move(created->host), created->handle);
}

tkm_status Pattern::next(const tkm_load_state& state, tkm_load_step& step, std::string& err) {
  step = {sizeof step, 0, 0, 0, 0};
  const tkm_status status =
      call_plugin(*component_, "next", CallTime::limited, TKM_OK, err, [&](const tkm_writer* writer) {
        return pattern_ops(*component_).next(handle_, &state, &step, writer);
      });
  if (status != TKM_OK) return status;
  if (step.action >= TKM_LOAD_RELEASE && step.action <= TKM_LOAD_DONE) return TKM_OK;
  err = bug(*component_, "next", "gave the unknown action " + std::to_string(step.action));
  return TKM_E_INTERNAL;
}

// --- Tokenizer

Tokenizer::Tokenizer(const Component& component, std::unique_ptr<HostContext> host, tkm_tokenizer* handle)
    : component_(&component), host_(std::move(host)), handle_(handle) {}

Tokenizer::Tokenizer(Tokenizer&& other) noexcept
    : component_(other.component_),
      host_(std::move(other.host_)),
      handle_(std::exchange(other.handle_, nullptr)) {}

Tokenizer& Tokenizer::operator=(Tokenizer&& other) noexcept {
  std::swap(component_, other.component_);
  std::swap(host_, other.host_);
  std::swap(handle_, other.handle_);
  return *this;
}

Tokenizer::~Tokenizer() {
  if (handle_ == nullptr) return;
  call_plugin_void(*component_, "destroy", CallTime::unlimited,
                   [&] { tokenizer_ops(*component_).destroy(handle_); });
}

Result<Tokenizer> Tokenizer::create(const Component& component, const CreateOptions& options) {
  auto created = create_handle<tkm_tokenizer>(component, options, tokenizer_ops(component).create);
  if (!created) return created.errors();
  return Tokenizer(component, std::move(created->host), created->handle);
}

int64_t Tokenizer::vocab_size() {
  int64_t size = 0;
  call_plugin_void(*component_, "vocab_size", CallTime::limited,
                   [&] { size = tokenizer_ops(*component_).vocab_size(handle_); });
  return size > 0 && size <= int64_t{INT32_MAX} + 1 ? size : 0;
}

tkm_status Tokenizer::encode(tkm_str text, int32_t mode, const tkm_ids_out& out, std::string& err) {
  return call_plugin(*component_, "encode", CallTime::limited, TKM_OK, err, [&](const tkm_writer* writer) {
    return tokenizer_ops(*component_).encode(handle_, text, mode, &out, writer);
  });
}

}  // namespace tokometer
