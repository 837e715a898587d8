#include "check/player.hpp"

#include <tokometer/random.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <utility>

#include "base/text.hpp"
#include "check/event_recorder.hpp"
#include "check/finding.hpp"

namespace tokometer::check {
namespace {

tkm_str str(std::string_view text) {
  return {text.data(), text.size()};
}

// A [sized] struct with members at its end that this host does not have yet.
template <class Struct>
class Grown {
 public:
  Grown(const Struct& value, uint32_t more) {
    bytes_.assign(sizeof value + more, '\xa5');
    std::memcpy(bytes_.data(), &value, sizeof value);
    const auto size = static_cast<uint32_t>(bytes_.size());
    std::memcpy(bytes_.data(), &size, sizeof size);
  }
  const Struct& get() const { return *reinterpret_cast<const Struct*>(bytes_.data()); }

 private:
  std::vector<char> bytes_;
};

bool is_success(int32_t status) {
  return status >= 200 && status < 300;
}

}  // namespace

Cut whole() {
  return [](size_t left) { return left; };
}
Cut pieces_of(size_t bytes) {
  return [bytes](size_t left) { return std::min(bytes, left); };
}
Cut split_at(size_t first) {
  return [first, is_first = true](size_t left) mutable {
    return std::exchange(is_first, false) && first > 0 ? std::min(first, left) : left;
  };
}
Cut cut_randomly(uint64_t seed) {
  auto random = std::make_shared<tkm::Random>(seed);
  return [random](size_t left) { return std::min<size_t>(1 + random->below(300), left); };
}

struct Playing::State {
  State(const Response& it, PlayOptions how)
      : response(it),
        options(std::move(how)),
        recorder(it.choices),
        events(recorder.sink(), options.newer_host_bytes) {}

  enum class Next { head, data, end, over };

  void open(Processor& processor);
  void head();
  void data();
  void end();
  size_t next_size();
  void settle(tkm_status status);

  const Response& response;
  PlayOptions options;
  EventRecorder recorder;
  Grown<tkm_events> events;
  Played played;
  Stream stream;
  Next next = Next::over;
  size_t fed = 0, message = 0;
  std::vector<char> piece;
  std::string err;
};

void Playing::State::settle(tkm_status status) {
  if (status < 0) played.failure = "returned " + std::to_string(status) + ": " + err;
  if (status < 0 || fed >= options.close_after) next = Next::over;
  if (next != Next::over) return;
  stream.close();
  played.events = recorder.lines();
  played.fault = recorder.fault();
  played.metrics = recorder.metrics();
  played.errors = recorder.errors();
}

void Playing::State::open(Processor& processor) {
  tkm_prompt prompt{};
  prompt.struct_size = sizeof prompt;
  prompt.form = TKM_FORM_TEXT;
  prompt.reply = response.is_stream ? TKM_REPLY_STREAM : TKM_REPLY_WHOLE;
  prompt.request_name = str("check-1");
  prompt.text = str("Hello");
  const tkm_part part{TKM_PART_TEXT, 0, {}, prompt.text};
  const std::vector<tkm_message> messages(response.inputs, {str("user"), {}, &part, 1});
  if (!messages.empty()) prompt.form = TKM_FORM_CHAT;
  prompt.messages = messages.data();
  prompt.message_count = messages.size();
  prompt.choices = response.choices;
  prompt.model = str(response.model);
  prompt.adapter = str(response.adapter);
  prompt.output_tokens = 16;
  const Grown<tkm_prompt> grown(prompt, options.newer_host_bytes);
  const tkm_status status = processor.open(grown.get(), stream, err);
  next = Next::head;
  if (status < 0) settle(status);
}

void Playing::State::head() {
  std::vector<tkm_field> fields;
  for (const auto& [name, value] : response.headers) fields.push_back({str(name), str(value)});
  const tkm_head head{sizeof head, response.status, fields.data(), fields.size()};
  const Grown<tkm_head> grown(head, options.newer_host_bytes);
  const tkm_status status = stream.head(grown.get(), events.get(), err);
  const bool is_grpc = response.grpc_status >= 0;
  if (!is_grpc && (status == TKM_COLLECT || !response.is_stream || !is_success(response.status)))
    options.cut = whole();
  next = response.body.empty() && response.message_ends.empty() ? Next::end : Next::data;
  settle(status);
}

size_t Playing::State::next_size() {
  const size_t left = response.body.size() - fed;
  if (response.grpc_status >= 0 && message < response.message_ends.size())
    return response.message_ends[message++] - fed;
  const size_t until_close = options.close_after > fed ? options.close_after - fed : left;
  return std::min({options.cut(left), left, std::max<size_t>(until_close, 1)});
}

void Playing::State::data() {
  const size_t size = next_size();
  piece.assign(size + options.behind.size(), '\0');
  std::memcpy(piece.data(), response.body.data() + fed, size);
  std::memcpy(piece.data() + size, options.behind.data(), options.behind.size());
  fed += size;
  const tkm_status status = stream.data({piece.data(), size}, events.get(), err);
  const bool has_more = fed < response.body.size() || message < response.message_ends.size();
  if (!has_more) next = Next::end;
  settle(status);
}

void Playing::State::end() {
  const tkm_end end{sizeof end, response.grpc_status, {}, nullptr, 0};
  const Grown<tkm_end> grown(end, options.newer_host_bytes);
  const tkm_status status = response.has_clean_end ? stream.end(grown.get(), events.get(), err) : TKM_OK;
  next = Next::over;
  settle(status);
}

Playing::Playing(Processor& processor, const Response& response, PlayOptions options)
    : state_(std::make_unique<State>(response, std::move(options))) {
  state_->open(processor);
}

Playing::~Playing() = default;

const Played& Playing::played() const {
  return state_->played;
}

bool Playing::step() {
  switch (state_->next) {
    case State::Next::head:
      state_->head();
      break;
    case State::Next::data:
      state_->data();
      break;
    case State::Next::end:
      state_->end();
      break;
    case State::Next::over:
      return false;
  }
  return state_->next != State::Next::over;
}

Played play(Processor& processor, const Response& response, PlayOptions options) {
  Playing playing(processor, response, std::move(options));
  while (playing.step()) {
  }
  return playing.played();
}

std::string event_line(const tkm::Json& event) {
  std::string line;
  for (const tkm::Json& value : event.GetArray()) {
    if (!line.empty()) line += ' ';
    if (value.IsString()) {
      line += tkm::text_of(value);
    } else if (value.IsInt64()) {
      line += std::to_string(value.GetInt64());
    } else if (value.IsNumber()) {
      line += number_text(value.GetDouble());
    }
  }
  return line + '\n';
}

std::string first_difference(std::string_view expected, std::string_view got) {
  if (expected == got) return {};
  const auto take_line = [](std::string_view& text) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    return line;
  };
  const auto shown = [](std::string_view line, bool is_there) {
    return is_there ? in_quotes(line) : std::string("nothing");
  };
  for (int number = 1;; ++number) {
    const bool has_expected = !expected.empty(), has_got = !got.empty();
    const std::string_view wanted = take_line(expected), found = take_line(got);
    if (wanted == found && has_expected == has_got) continue;
    return "event " + std::to_string(number) + " is " + shown(found, has_got) + ", not " +
           shown(wanted, has_expected);
  }
}

}  // namespace tokometer::check
