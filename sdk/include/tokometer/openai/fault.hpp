// What a server says when something went wrong, in the forms that OpenAI-like servers use: nested, flat, a
// bare string, FastAPI's `detail`, inside a choice, or Anthropic's. Used on events and bodies under status
// 200, and on the bodies of other statuses. Views point into the JSON or the text given.
#pragma once

#include <tokometer/abi.h>
#include <tokometer/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

namespace tkm {

struct ServerFault {
  int32_t kind =
      TKM_FAIL_IN_BAND;  // TKM_FAIL_IN_BAND, _REJECTED (overload: try later) or _REQUEST (our mistake)
  int64_t code = -1;     // the server's own; -1: none given
  std::string_view message;
};

namespace fault_detail {

// `error: null`, "", {}, [], false and 0 are not errors: some servers send the key always.
inline bool is_fault(const Json* value) {
  if (value == nullptr || value->IsNull() || value->IsFalse()) return false;
  if (value->IsString()) return value->GetStringLength() > 0;
  if (value->IsObject()) return !value->ObjectEmpty();
  if (value->IsArray()) return !value->Empty();
  return !(value->IsNumber() && value->GetDouble() == 0);
}

inline std::string_view message_of(const Json& fault) {
  if (fault.IsString()) return text_of(fault);
  if (const Json* error = find(fault, "error"); error != nullptr && error->IsString()) return text_of(*error);
  if (const auto message = get_string(fault, "message"); !message.empty()) return message;
  const Json* detail = find(fault, "detail");
  if (detail == nullptr) return {};
  if (detail->IsString()) return text_of(*detail);
  return detail->IsArray() && !detail->Empty() ? get_string((*detail)[0], "msg") : std::string_view();
}

// A code may be a number or its digits; words ("invalid_api_key") are none.
inline int64_t code_of(const Json& fault) {
  for (const std::string_view key : {"code", "http_status_code", "status_code", "status"}) {
    const Json* value = find(fault, key);
    if (value == nullptr) continue;
    if (const auto number = int_of(*value)) return *number;
    const std::string_view text = text_of(*value);
    int64_t number = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
    if (!text.empty() && read.ec == std::errc() && read.ptr == text.data() + text.size()) return number;
  }
  return -1;
}

inline bool contains_word(std::string_view text, std::string_view lower_case_word) {
  const auto equal = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; };
  return std::search(text.begin(), text.end(), lower_case_word.begin(), lower_case_word.end(), equal) !=
         text.end();
}

inline int32_t kind_of_code(int64_t code) {
  if (code == 429 || code == 503 || code == 529) return TKM_FAIL_REJECTED;
  const bool is_request =
      code >= 400 && code < 499 && code != 424;  // 424: generation failed (TGI); 499: aborted
  return is_request ? TKM_FAIL_REQUEST : TKM_FAIL_IN_BAND;
}

// Some servers tell overload by words alone (TGI's chat: "Model is overloaded" under code 422).
inline int32_t kind_of(int64_t code, std::string_view message,
                       std::initializer_list<std::string_view> types) {
  constexpr std::array kRejected{"overloaded", "rate_limit"};
  constexpr std::array kRequest{"invalid_request", "invalid_prompt", "badrequest", "bad request",
                                "validation"};
  const auto any = [&](const auto& words) {
    return std::any_of(types.begin(), types.end(), [&](std::string_view type) {
      return std::any_of(words.begin(), words.end(),
                         [&](const char* word) { return contains_word(type, word); });
    });
  };
  if (any(kRejected) || contains_word(message, "overloaded")) return TKM_FAIL_REJECTED;
  // There, too, the code of all that goes wrong inside a stream is 422.
  if (contains_word(message, "failed during generation")) return TKM_FAIL_IN_BAND;
  if (code != -1) return kind_of_code(code);
  return any(kRequest) ? TKM_FAIL_REQUEST : TKM_FAIL_IN_BAND;
}

inline ServerFault fault_of(const Json& fault, const Json& root) {
  ServerFault it;
  it.message = message_of(fault);
  it.code = code_of(fault);
  if (it.code == -1) it.code = code_of(root);
  it.kind = kind_of(it.code, it.message,
                    {get_string(fault, "type"), get_string(fault, "code"), get_string(fault, "error_type"),
                     get_string(root, "error_type")});
  return it;
}

inline const Json* fault_in_choices(const Json& root) {
  const Json* choices = find(root, "choices");
  if (choices == nullptr || !choices->IsArray()) return nullptr;
  for (const Json& choice : choices->GetArray()) {
    if (const Json* error = find(choice, "error"); is_fault(error)) return error;
  }
  return nullptr;
}

// An error object that stands for itself, with no `error` key around it.
inline bool is_flat_fault(const Json& root) {
  if (get_string(root, "object") == "error" || get_string(root, "type") == "error") return true;
  return find(root, "choices") == nullptr && find(root, "usage") == nullptr && !message_of(root).empty();
}

}  // namespace fault_detail

// The fault that an event or a body of status 200 tells, if it does. `is_named_error`: the event's name was
// "error".
inline std::optional<ServerFault> find_fault(const Json& root, bool is_named_error) {
  using namespace fault_detail;
  if (const Json* error = find(root, "error"); is_fault(error)) return fault_of(*error, root);
  if (const Json* error = fault_in_choices(root)) return fault_of(*error, root);
  if (is_named_error || is_flat_fault(root)) return fault_of(root, root);
  return std::nullopt;
}

// The fault that a status other than 2xx tells. `root` may be null: the body is not JSON.
inline ServerFault fault_of_status(int32_t status, const Json* root, std::string_view body) {
  using namespace fault_detail;
  ServerFault it;
  if (root != nullptr && root->IsObject()) {
    const Json* error = find(*root, "error");
    it = fault_of(is_fault(error) ? *error : *root, *root);
    if (it.message.empty()) it.message = message_of(*root);
  }
  if (it.kind != TKM_FAIL_REJECTED) it.kind = kind_of_code(status);
  if (it.code == -1) it.code = status;
  if (it.message.empty()) it.message = body.substr(0, 200);
  return it;
}

}  // namespace tkm
