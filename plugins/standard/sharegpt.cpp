// Conversations in the ShareGPT form. Of each one the first question is asked; the answer in the file is kept
// as the scripted one. Known variants: "conversation" for "conversations", turns {role, content}, rows that
// are a list of turns or a JSON text in a string, a JSON array or a record per line.
#include <tokometer/options.hpp>
#include <tokometer/plugin.hpp>

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "components.hpp"
#include "readers.hpp"
#include "session_turns.hpp"

namespace standard {
namespace {

struct ShareGptOptions : SessionOptions {
  std::string file;

  static void options(tkm::OptionSet<ShareGptOptions>& o) {
    o.add("file", &ShareGptOptions::file)
        .path()
        .required()
        .not_empty()
        .help("A JSON array of conversations, or one per line.")
        .example("\"sharegpt.json\"");
    SessionOptions::add_to(o);
  }
};

struct Turn {
  std::string_view role, text;
  bool from_user() const { return role == "human" || role == "user"; }
  bool from_system() const { return role == "system"; }
};

class ShareGpt {
 public:
  static constexpr auto kId = "sharegpt",
                        kSummary = "conversations in the ShareGPT form; the first question of each, or all";
  static constexpr std::array kCapabilities{"sessions"};
  using Options = ShareGptOptions;

  ShareGpt(const Options& options, const tkm_create_args& args) : records_(options.file) {
    if (options.sessions) session_.emplace(options, args);
  }

  int64_t size() const { return -2; }

  bool next(tkm::SampleOut& out) {
    if (session_ && session_->goes_on()) return say_turn(out), true;
    if (!records_.next()) return false;
    const tkm::Json& turns = turns_of(records_.unwrap(records_.value()));
    if (session_) {
      find_exchanges(turns);
      session_->begin(static_cast<uint32_t>(exchanges_.size()));
      return say_turn(out), true;
    }
    const rapidjson::SizeType asked = first_question(turns);
    const std::string_view prompt = turn(turns, asked).text;
    if (is_blank(prompt)) throw records_.fault("empty prompt");
    say_prompt(turns, asked, prompt, out);
    if (asked + 1 < turns.Size()) {
      const Turn reply = turn(turns, asked + 1);
      if (!reply.from_user() && !reply.from_system()) out.answer(reply.text);
    }
    return true;
  }

 private:
  const tkm::Json& turns_of(const tkm::Json& row) {
    if (row.IsArray()) return row;
    if (!row.IsObject())
      throw records_.fault("must be an object or a list of turns (got " + shown(row) + ")");
    const tkm::Json* found = tkm::find(row, "conversations");
    if (found == nullptr) found = tkm::find(row, "conversation");
    if (found == nullptr) throw records_.missing(row, "conversations");
    const tkm::Json& turns = records_.unwrap(*found);
    if (!turns.IsArray()) throw records_.fault("\"conversations\" must be a list (got " + shown(turns) + ")");
    return turns;
  }

  Turn turn(const tkm::Json& turns, rapidjson::SizeType index) const {
    const tkm::Json& it = turns[index];
    const std::string where = "turn " + std::to_string(index + 1) + ": ";
    if (!it.IsObject()) throw records_.fault(where + "must be an object (got " + shown(it) + ")");
    return {member(it, "from", "role", where), member(it, "value", "content", where)};
  }

  std::string_view member(const tkm::Json& turn, std::string_view name, std::string_view other,
                          std::string_view where) const {
    const bool variant = tkm::find(turn, name) == nullptr && tkm::find(turn, other) != nullptr;
    return text_member(turn, variant ? other : name, records_, where);
  }

  // Some conversations begin in the middle, with an answer.
  rapidjson::SizeType first_question(const tkm::Json& turns) const {
    for (rapidjson::SizeType index = 0; index < turns.Size(); ++index) {
      if (turn(turns, index).from_user()) return index;
    }
    throw records_.fault("no turn from \"human\" or \"user\"");
  }

  void say_prompt(const tkm::Json& turns, rapidjson::SizeType asked, std::string_view prompt,
                  tkm::SampleOut& out) const {
    bool chat = false;
    for (rapidjson::SizeType index = 0; index < asked; ++index) {
      const Turn before = turn(turns, index);
      if (!before.from_system() || is_blank(before.text)) continue;
      out.message("system", before.text);
      chat = true;
    }
    if (chat) {
      out.message("user", prompt);
    } else {
      out.text(prompt);
    }
  }

  // A question, what the system says in front of it, and the answer in the file.
  struct Exchange {
    std::vector<std::string_view> system;
    std::string_view question, answer;
  };

  // The texts stay in the record. Questions without a word are left out, and so is an answer to none.
  void find_exchanges(const tkm::Json& turns) {
    exchanges_.clear();
    std::vector<std::string_view> system;
    bool answered = true;
    for (rapidjson::SizeType index = 0; index < turns.Size(); ++index) {
      const Turn it = turn(turns, index);
      if (is_blank(it.text)) continue;
      if (it.from_system()) {
        system.push_back(it.text);
      } else if (it.from_user()) {
        exchanges_.push_back({std::exchange(system, {}), it.text, {}});
        answered = false;
      } else if (!std::exchange(answered, true)) {
        exchanges_.back().answer = it.text;
      }
    }
    if (exchanges_.empty()) throw records_.fault("no turn from \"human\" or \"user\" that asks anything");
  }

  void say_turn(tkm::SampleOut& out) {
    const Exchange& exchange = exchanges_[session_->turn()];
    for (const std::string_view text : exchange.system) out.message("system", text);
    out.message("user", exchange.question);
    if (!exchange.answer.empty()) out.answer(exchange.answer);
    session_->say(out);
  }

  JsonRecords records_;
  std::optional<Turns> session_;     // where conversations are played as a whole
  std::vector<Exchange> exchanges_;  // of the record at hand
};

// BillSum is published in this form for benchmarks.
class BillSum : public ShareGpt {
 public:
  static constexpr auto kId = "billsum", kSummary = "BillSum in the ShareGPT form: bills to summarize";
  using ShareGpt::ShareGpt;
};

}  // namespace

const tkm_component* sharegpt_dataset() {
  return tkm::dataset<ShareGpt>();
}
const tkm_component* billsum_dataset() {
  return tkm::dataset<BillSum>();
}

}  // namespace standard
