// What is wrong with one response, said once: warnings leave it good and become flags of its record, the
// first fault fails it and later ones are not told.
#pragma once

#include <tokometer/openai/fault.hpp>
#include <tokometer/plugin.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace tkm {

class Complaints {
 public:
  enum Warning : uint8_t { kBadUtf8 = 1, kUsageBad = 2, kDupDone = 4, kWrongModel = 8 };

  bool has_warned(Warning warning) const { return (warned_ & warning) != 0; }
  bool has_failed() const { return has_failed_; }
  uint8_t warned() const { return warned_; }  // all Warnings so far

  void warn(Warning warning, std::string_view text, Events& events) {
    if (has_warned(warning)) return;
    warned_ = static_cast<uint8_t>(warned_ | warning);
    events.warn(id_of(warning), text);
  }

  // `shown`: bytes of the peer that show what is meant; cut here, escaped by the host.
  void fail(int32_t kind, std::string_view problem, std::string_view shown, Events& events) {
    const std::string text = std::string(problem) + ": " + std::string(shown.substr(0, kShownBytes));
    tell(kind, -1, text, events);
  }
  void fail(int32_t kind, std::string_view problem, Events& events) { tell(kind, -1, problem, events); }
  void fail(const ServerFault& fault, Events& events) {
    const std::string_view text = fault.message.empty() ? "an error without a message" : fault.message;
    tell(fault.kind, fault.code, text.substr(0, kMessageBytes), events);
  }

 private:
  static constexpr size_t kShownBytes = 200, kMessageBytes = 4096;

  static std::string_view id_of(Warning warning) {
    switch (warning) {
      case kBadUtf8:
        return "bad_utf8";
      case kUsageBad:
        return "usage_bad";
      case kDupDone:
        return "dup_done";
      case kWrongModel:
        return "wrong_model";
    }
    return {};
  }

  void tell(int32_t kind, int64_t code, std::string_view text, Events& events) {
    if (!has_failed_) events.error(kind, text, code);
    has_failed_ = true;
  }

  uint8_t warned_ = 0;
  bool has_failed_ = false;
};

}  // namespace tkm
