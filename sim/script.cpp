#include "sim/script.hpp"

#include <charconv>
#include <optional>

#include "base/text.hpp"
#include "sim/http.hpp"

namespace tokometer::sim {
namespace {

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r'))
    text.remove_suffix(1);
  return text;
}

// The first word of the text, which is cut off.
std::string_view word(std::string_view& text) {
  const size_t end = text.find_first_of(" \t");
  const std::string_view first = text.substr(0, end);
  text = end == text.npos ? std::string_view{} : trim(text.substr(end));
  return first;
}

std::optional<char> hex_byte(std::string_view digits) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  if (digits.size() != 2 || error != std::errc{} || end != digits.data() + 2) return std::nullopt;
  return static_cast<char>(value);
}

// The bytes of "..." with its escapes; nullopt: not such a text.
std::optional<std::string> quoted(std::string_view text) {
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') return std::nullopt;
  text = text.substr(1, text.size() - 2);
  std::string out;
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '\\') {
      out += text[at];
      continue;
    }
    if (++at == text.size()) return std::nullopt;
    const size_t known = std::string_view("rnt0\\\"").find(text[at]);
    if (known != std::string_view::npos) {
      out += std::string_view("\r\n\t\0\\\"", 6)[known];
      continue;
    }
    const auto byte = text[at] == 'x' ? hex_byte(text.substr(at + 1, 2)) : std::nullopt;
    if (!byte) return std::nullopt;
    out += *byte;
    at += 2;
  }
  return out;
}

std::string as_chunk(std::string_view bytes) {
  ChunkBuffer buffer;
  buffer.begin();
  buffer.text().append(bytes);
  return std::string(buffer.end());
}

std::optional<ScriptStep> bytes_step(std::optional<std::string> bytes, bool chunk) {
  if (!bytes) return std::nullopt;
  return ScriptStep{.bytes = chunk ? as_chunk(*bytes) : std::move(*bytes)};
}

std::optional<ScriptStep> head_step(std::string_view rest) {
  int status = 0;
  const std::string_view number = word(rest);
  std::from_chars(number.data(), number.data() + number.size(), status);
  if (status < 100 || status > 999 || rest.empty()) return std::nullopt;
  return ScriptStep{.bytes = response_head(
                        status, "content-type: " + std::string(rest) + "\r\ntransfer-encoding: chunked\r\n")};
}

std::optional<ScriptStep> wait_step(std::string_view rest) {
  const auto ns = parse_duration_ns(rest);
  if (!ns) return std::nullopt;
  return ScriptStep{.kind = ScriptStep::Kind::wait, .wait_ns = *ns};
}

std::optional<ScriptStep> step_of(std::string_view line) {
  std::string_view rest = line;
  const std::string_view verb = word(rest);
  if (verb == "repeat") {
    uint64_t times = 0;
    const std::string_view number = word(rest);
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), times);
    if (error != std::errc{} || end != number.data() + number.size() || times == 0) return std::nullopt;
    auto step = step_of(rest);
    if (step) step->times *= times;
    return step;
  }
  if (verb == "send") return bytes_step(quoted(rest), false);
  if (verb == "chunk") return bytes_step(quoted(rest), true);
  if (verb == "event") return bytes_step("data: " + std::string(rest) + "\n\n", true);
  if (verb == "last") return bytes_step(std::string(kLastChunk), false);
  if (verb == "head") return head_step(rest);
  if (verb == "wait") return wait_step(rest);
  if (verb == "fin") return ScriptStep{.kind = ScriptStep::Kind::fin};
  if (verb == "rst") return ScriptStep{.kind = ScriptStep::Kind::rst};
  if (verb == "hang") return ScriptStep{.kind = ScriptStep::Kind::hang};
  return std::nullopt;
}

}  // namespace

Result<Script> parse_script(std::string_view text, const std::string& file) {
  Script script;
  std::vector<Error> errors;
  for (int number = 1; !text.empty(); ++number) {
    const size_t end = text.find('\n');
    const std::string_view line = trim(text.substr(0, end));
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
    if (line.empty() || line.front() == '#' || line.starts_with("expect ")) continue;
    if (line == "play on accept" || line == "play on request") {
      script.on_accept = line == "play on accept";
      continue;
    }
    auto step = step_of(line);
    if (step) {
      script.steps.push_back(std::move(*step));
    } else {
      errors.push_back({"no step of a case file: " + escape_terminal(line, 80), file, number, 1});
    }
  }
  if (!errors.empty()) return errors;
  return script;
}

const ScriptStep* ScriptPlay::next() {
  if (at_ < script_.steps.size() && played_ == script_.steps[at_].times) ++at_, played_ = 0;
  if (at_ == script_.steps.size()) return nullptr;
  ++played_;
  return &script_.steps[at_];
}

}  // namespace tokometer::sim
