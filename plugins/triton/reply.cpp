#include "reply.hpp"

#include <tokometer/openai/fault.hpp>

#include <span>

namespace triton {
namespace {

using tkm::Complaints;
using tkm::Events;
using tkm::Json;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const size_t begin = text.find_first_not_of(kBlank);
  return begin == text.npos ? std::string_view()
                            : text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

bool is_event_stream(const tkm_head& head) {
  for (const tkm_field& field : std::span(head.fields, head.field_count)) {
    if (tkm::view(field.name) == "content-type")
      return tkm::fault_detail::contains_word(tkm::view(field.value), "text/event-stream");
  }
  return false;
}

}  // namespace

struct GenerateReply::Sink {
  GenerateReply& reply;
  Events& events;

  void event(std::string_view, std::string_view data) {
    if (!trimmed(data).empty()) reply.object(trimmed(data), events);
  }
  void keep_alive() { events.keep_alive(); }
  void stray_line(std::string_view line) { reply.stray_line(line, events); }
  void too_long(std::string_view what) {
    reply.complaints_.fail(
        TKM_FAIL_FORMAT,
        what == "line" ? "limit: a line of the event stream is over 1 MiB" : "limit: an event is over 4 MiB",
        events);
  }
};

GenerateReply::GenerateReply(Shared& shared, std::string_view model, bool is_stream_asked)
    : shared_(shared), is_stream_asked_(is_stream_asked) {
  auto found = shared.models.find(model);
  if (found == shared.models.end()) found = shared.models.emplace(model).first;
  model_ = &*found;
}

tkm_status GenerateReply::head(const tkm_head& head, Events&) {
  status_ = head.http_status;
  is_collected_ = !is_stream_asked_ || !is_success() || !is_event_stream(head);
  return is_collected_ ? TKM_COLLECT : TKM_OK;
}

void GenerateReply::data(std::string_view bytes, Events& events) {
  if (!is_success()) return rejected(trimmed(bytes), events);
  if (is_collected_) {
    if (!trimmed(bytes).empty()) object(trimmed(bytes), events);
    return;
  }
  Sink sink{*this, events};
  reader_.feed(bytes, sink);
}

void GenerateReply::stray_line(std::string_view line, Events& events) {
  if (line.starts_with('{') || line.starts_with('['))
    complaints_.fail(TKM_FAIL_FORMAT, "JSON where an event stream was promised", line, events);
}

void GenerateReply::end(const tkm_end&, Events& events) {
  if (!is_success()) return rejected({}, events);
  stray_line(trimmed(reader_.unfinished()), events);
  if (complaints_.has_failed()) return;
  outputs_.end_of_body(events);
}

void GenerateReply::rejected(std::string_view body, Events& events) {
  if (complaints_.has_failed()) return;
  if (body.starts_with("data:")) body = trimmed(body.substr(5));
  complaints_.fail(tkm::fault_of_status(status_, shared_.json.parse(body), body), events);
}

void GenerateReply::object(std::string_view text, Events& events) {
  if (complaints_.has_failed()) return;  // a model may go on after its error
  const Json* root = shared_.json.parse(text);
  const bool is_bad_utf8 = shared_.json.had_lone_surrogate() || tkm::invalid_utf8_at(text) != text.npos;
  if (is_bad_utf8) complaints_.warn(Complaints::kBadUtf8, "text that is not valid UTF-8", events);
  if (root == nullptr || !root->IsObject()) {
    return complaints_.fail(TKM_FAIL_FORMAT, root == nullptr ? "not valid JSON" : "JSON, but no object", text,
                            events);
  }
  if (const Json* error = tkm::find(*root, "error"); tkm::fault_detail::is_fault(error))
    return complaints_.fail(tkm::fault_detail::fault_of(*error, *root), events);
  const std::string_view answered = tkm::get_string(*root, "model_name");
  if (!answered.empty() && !model_->empty() && answered != *model_)
    complaints_.warn(Complaints::kWrongModel, answered, events);
  outputs(*root, events);
}

void GenerateReply::outputs(const Json& root, Events& events) {
  std::string_view text;
  if (!read_text(root, text, events)) return;
  outputs_.take({.text = text,
                 .tokens = tkm::get_int(root, "num_output_tokens", -1),
                 .prompt_tokens = tkm::get_int(root, "num_input_tokens", -1),
                 .reason = tkm::get_string(root, "finish_reason")},
                shared_.is_cumulative, complaints_, events);
}

// False: a fault was told. No text tensor is no text.
bool GenerateReply::read_text(const Json& root, std::string_view& text, Events& events) {
  const Json* value = tkm::find(root, shared_.text_tensor);
  if (value != nullptr && value->IsArray() && value->Size() == 1) value = &(*value)[0];
  if (value == nullptr || value->IsNull() || (value->IsArray() && value->Empty())) return true;
  if (!value->IsString()) {
    complaints_.fail(TKM_FAIL_SEMANTICS, "the output \"" + shared_.text_tensor + "\" is not one text",
                     events);
    return false;
  }
  text = tkm::text_of(*value);
  return true;
}

}  // namespace triton
