// QuAC: questions about a section of an article, in dialogues. Both published forms: SQuAD's (one object
// whose "data" holds articles, their paragraphs and "qas"), and a record per dialogue with parallel lists. A
// dialogue gives one sample, its first question; the section's text stands in front of it.
#include <tokometer/options.hpp>
#include <tokometer/plugin.hpp>

#include <array>
#include <string>
#include <string_view>

#include "components.hpp"
#include "published.hpp"
#include "readers.hpp"

namespace standard {
namespace {

// The first element of a list of texts (in a list of lists: of the first of them); empty where there is none.
std::string_view first_text(const tkm::Json* list) {
  while (list != nullptr && list->IsArray()) list = list->Empty() ? nullptr : &(*list)[0];
  return list != nullptr && list->IsString() ? tkm::text_of(*list) : std::string_view();
}

const tkm::Json* member_of(const tkm::Json* object, std::string_view name) {
  return object != nullptr ? tkm::find(*object, name) : nullptr;
}

class QuAC {
 public:
  static constexpr auto kId = "quac", kSummary = "QuAC: questions about a text; the first of each dialogue";
  static constexpr std::array<const char*, 0> kCapabilities{};
  using Options = FileOptions;

  explicit QuAC(const Options& options) : records_(options.file, "data") {}

  int64_t size() const { return -2; }

  bool next(tkm::SampleOut& out) {
    for (;;) {
      if (paragraphs_ != nullptr && paragraph_ < paragraphs_->Size()) return say_paragraph(out), true;
      paragraphs_ = nullptr;
      if (!records_.next()) return false;
      const tkm::Json& record = records_.object();
      if (!record.HasMember("paragraphs")) return say_dialogue(record, out), true;
      paragraphs_ = &list(record, "paragraphs");
      paragraph_ = 0;
    }
  }

 private:
  const tkm::Json& list(const tkm::Json& object, std::string_view name, std::string_view where = {}) const {
    const tkm::Json* found = tkm::find(object, name);
    if (found == nullptr) throw records_.missing(object, name, where);
    if (found->IsArray()) return *found;
    throw records_.fault(std::string(where) + "\"" + std::string(name) + "\" must be a list (got " +
                         shown(*found) + ")");
  }

  // SQuAD's form.
  void say_paragraph(tkm::SampleOut& out) {
    const tkm::Json& paragraph = (*paragraphs_)[paragraph_++];
    const std::string where = "paragraph " + std::to_string(paragraph_) + ": ";
    if (!paragraph.IsObject())
      throw records_.fault(where + "must be an object (got " + shown(paragraph) + ")");
    const tkm::Json& questions = list(paragraph, "qas", where);
    if (questions.Empty()) throw records_.fault(where + "\"qas\" is empty");
    const tkm::Json& first = questions[0];
    if (!first.IsObject())
      throw records_.fault(where + "a question must be an object (got " + shown(first) + ")");
    const tkm::Json* answer = tkm::find(first, "orig_answer");
    if (const tkm::Json* answers = tkm::find(first, "answers");
        answer == nullptr && answers != nullptr && answers->IsArray() && !answers->Empty())
      answer = &(*answers)[0];
    say(text_member(paragraph, "context", records_, where), text_member(first, "question", records_, where),
        first_text(member_of(answer, "text")), out);
  }

  // A record per dialogue.
  void say_dialogue(const tkm::Json& record, tkm::SampleOut& out) {
    const tkm::Json& questions = list(record, "questions");
    if (questions.Empty()) throw records_.fault("\"questions\" is empty");
    if (!questions[0].IsString())
      throw records_.fault("a question must be text (got " + shown(questions[0]) + ")");
    std::string_view answer = first_text(member_of(tkm::find(record, "orig_answers"), "texts"));
    if (answer.empty()) answer = first_text(member_of(tkm::find(record, "answers"), "texts"));
    say(text_member(record, "context", records_), tkm::text_of(questions[0]), answer, out);
  }

  void say(std::string_view context, std::string_view question, std::string_view answer,
           tkm::SampleOut& out) {
    if (is_blank(question)) throw records_.fault("empty prompt");
    prompt_.assign(context).append("\n\n").append(question);
    out.text(prompt_);
    if (!answer.empty()) out.answer(answer);
  }

  JsonRecords records_;
  const tkm::Json* paragraphs_ = nullptr;  // of the record read last
  rapidjson::SizeType paragraph_ = 0;      // the next one
  std::string prompt_;
};

}  // namespace

const tkm_component* quac_dataset() {
  return tkm::dataset<QuAC>();
}

}  // namespace standard
