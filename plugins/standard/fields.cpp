#include "fields.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace standard {

bool FieldPrompts::Source::is_empty_cell(const tkm::Json& value) const {
  return records.all_texts() && value.GetStringLength() == 0;
}

const tkm::Json* FieldPrompts::Source::find(const Field& field) const {
  for (const auto& name : field.names) {
    const tkm::Json* found = tkm::find(record, name);
    if (found != nullptr && !found->IsNull() && !is_empty_cell(*found)) return found;
  }
  if (field.needed) throw absent(field);
  return nullptr;
}

tkm::Error FieldPrompts::Source::absent(const Field& field) const {
  for (const auto& name : field.names) {
    if (tkm::find(record, name) != nullptr) return records.fault("\"" + name + "\" is empty");
  }
  return records.missing(record, field.names.front());
}

std::string_view FieldPrompts::Source::text(const Field& field, std::string_view called) const {
  const tkm::Json* found = find(field);
  if (found == nullptr) return {};
  if (!found->IsString()) {
    throw records.fault("the " + std::string(called) + " must be text (got " + shown(*found) + ")");
  }
  return is_blank(tkm::text_of(*found)) ? std::string_view() : tkm::text_of(*found);
}

FieldPrompts::FieldPrompts(Fields fields, const ArrivalOptions& arrivals)
    : fields_(std::move(fields)), times_(arrivals) {
  fields_.timestamp.needed = fields_.timestamp.needed || times_.cuts();
}

void FieldPrompts::play_sessions(const TurnOptions& options, const tkm_create_args& args) {
  turns_.emplace(options, args);
}

bool FieldPrompts::next(Records& records, tkm::SampleOut& out) {
  if (turns_ && turns_->goes_on()) return say_turn_of({records.value(), records}, out), true;
  while (records.next()) {
    const Source from{records.object(), records};
    const auto at_ns = arrival(from);
    if (at_ns && !times_.is_inside(*at_ns)) continue;
    if (at_ns) out.arrival(*at_ns);
    if (turns_) begin_session(from);
    turns_ ? say_turn_of(from, out) : say(from, out);
    return true;
  }
  return false;
}

// A field of the usual name may hold other things: it counts only where it is needed, or is a time.
std::optional<int64_t> FieldPrompts::arrival(const Source& from) {
  const tkm::Json* timestamp = from.find(fields_.timestamp);
  if (timestamp == nullptr) return std::nullopt;
  const auto at_ns = times_.at_ns(*timestamp);
  if (at_ns || !fields_.timestamp.needed) return at_ns;
  throw from.records.fault("\"" + fields_.timestamp.names.front() + "\" must be a time (got " +
                           shown(*timestamp) + ")");
}

void FieldPrompts::begin_session(const Source& from) {
  const tkm::Json* messages = from.find(fields_.messages);
  turn_messages_ = messages != nullptr ? turns_of(*messages, from.records) : std::vector<TurnMessages>();
  turns_->begin(static_cast<uint32_t>(std::max<size_t>(turn_messages_.size(), 1)));
}

void FieldPrompts::say_turn_of(const Source& from, tkm::SampleOut& out) {
  const uint32_t turn = turns_->turn();
  if (turn_messages_.empty()) {
    say(from, out);
  } else {
    say_turn(*from.find(fields_.messages), turn_messages_[turn], from.records, out);
    out.lengths(-1, output_length(from));
  }
  turns_->say(out);
}

void FieldPrompts::say(const Source& from, tkm::SampleOut& out) {
  if (const tkm::Json* messages = from.find(fields_.messages)) {
    say_messages(*messages, from.records, out);
    out.lengths(-1, output_length(from));
  } else {
    say_prompt(from, out);
  }
  if (const std::string_view answer = from.text(fields_.answer, "answer"); !answer.empty())
    out.answer(answer);
}

void FieldPrompts::say_prompt(const Source& from, tkm::SampleOut& out) {
  const tkm::Json* prompt = from.find(fields_.prompt);
  if (prompt == nullptr) throw from.absent(fields_.prompt);
  const std::string_view system = from.text(fields_.system, "system prompt");
  if (prompt->IsArray()) {
    say_ids(from, *prompt, system, out);
  } else {
    say_text(from, *prompt, system, out);
  }
  out.lengths(prompt->IsArray() ? int64_t{prompt->Size()} : -1, output_length(from));
}

void FieldPrompts::say_text(const Source& from, const tkm::Json& prompt, std::string_view system,
                            tkm::SampleOut& out) {
  if (!prompt.IsString()) {
    throw from.records.fault("the prompt must be text or a list of token ids (got " + shown(prompt) + ")");
  }
  std::string_view text = tkm::text_of(prompt);
  if (is_blank(text)) throw from.records.fault("empty prompt");
  const std::string_view appendix = from.text(fields_.appendix, "input");
  if (!fields_.lead.empty() || !appendix.empty()) {
    text_ = fields_.lead.empty() ? "" : fields_.lead + "\n\n";
    text_.append(text);
    if (!appendix.empty()) text_.append("\n\n").append(appendix);
    text = text_;
  }
  if (system.empty()) return out.text(text);
  out.message("system", system);
  out.message("user", text);
}

void FieldPrompts::say_ids(const Source& from, const tkm::Json& prompt, std::string_view system,
                           tkm::SampleOut& out) {
  if (prompt.Empty()) throw from.records.fault("empty prompt");
  if (!system.empty()) throw from.records.fault("a system prompt cannot go in front of token ids");
  ids_.clear();
  for (const tkm::Json& item : prompt.GetArray()) {
    const auto id = tkm::int_of(item);
    if (!id || *id < 0 || *id > std::numeric_limits<int32_t>::max()) {
      throw from.records.fault("a token id must be a whole number from 0 (got " + shown(item) + ")");
    }
    ids_.push_back(static_cast<int32_t>(*id));
  }
  out.tokens(ids_);
}

int64_t FieldPrompts::output_length(const Source& from) const {
  const tkm::Json* length = from.find(fields_.output_tokens);
  if (length == nullptr) return -1;
  return token_count(*length, fields_.output_tokens.names.front(), from.records);
}

}  // namespace standard
