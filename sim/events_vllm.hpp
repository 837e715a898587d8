// vLLM's wire form of chats and completions, which NIM has with more members.
#pragma once

#include <string>
#include <string_view>

#include "sim/events.hpp"

namespace tokometer::sim {

class VllmEvents : public EventWriter {
 public:
  VllmEvents(const Generation& generation, ChunkBuffer& buffer);

  Event role(uint32_t choice, const Usage& usage) override;
  Event token(const Token& token, const Usage& usage, std::string& text) override;
  Event finish(uint32_t choice, const char* reason, const Usage& usage) override;
  Event usage(const Usage& usage) override;
  std::string whole_body(const Usage& usage, const char* finish, uint32_t stream) const override;

 private:
  // More members of the last event, or of a whole body, with a comma in front.
  virtual void append_more(std::string&, const Usage&) const {}
  void append_usage(std::string& out, const Usage& usage) const;
  void open_choice(uint32_t choice);
  void delta(const Token& token, std::string_view text);

  std::string start_;  // up to the choices' bracket
};

}  // namespace tokometer::sim
