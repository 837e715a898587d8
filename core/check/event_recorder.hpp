// The sink for one response's events: writes each down as a line, in the words of the authors' files, and
// checks it against the rules of abi.h. Used by the player; not copied, since its sink points into it.
#pragma once

#include <tokometer/abi.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tokometer::check {

class EventRecorder {
 public:
  explicit EventRecorder(uint32_t choices);
  EventRecorder(const EventRecorder&) = delete;
  EventRecorder& operator=(const EventRecorder&) = delete;

  const tkm_events& sink() const { return sink_; }
  const std::string& lines() const { return lines_; }
  const std::string& fault() const { return fault_; }  // the first rule that was broken
  int errors() const { return errors_; }
  const std::vector<std::string>& metrics() const { return metrics_; }  // the names told, in order

 private:
  static EventRecorder& self(void* ctx) { return *static_cast<EventRecorder*>(ctx); }
  void delta(const tkm_delta* it);
  void usage(const tkm_usage* it);
  void finish(uint32_t choice, int32_t reason, tkm_str raw);
  void error(int32_t kind, int64_t code, tkm_str message);
  void mark(int32_t mark);
  void metric(tkm_str name, double value);
  void refuse(const std::string& sentence);
  bool is_text(tkm_str text, const char* what);
  bool is_choice(uint32_t choice, const char* what);

  tkm_events sink_;
  uint32_t choices_;
  std::vector<bool> finished_;
  std::string lines_, fault_;
  std::vector<std::string> metrics_;
  int errors_ = 0;
};

// As the lines have numbers that are not whole.
std::string number_text(double value);

}  // namespace tokometer::check
