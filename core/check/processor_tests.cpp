// Profile and requests. A test that builds on another, such as "the same prompt gives the same bytes", is
// skipped where that one fails, so that one fault is told once.
#include <tokometer/json.hpp>
#include <tokometer/random.hpp>

#include <algorithm>
#include <array>
#include <optional>

#include "base/text.hpp"
#include "check/confined.hpp"
#include "check/memory_in_use.hpp"
#include "check/processor_bench.hpp"
#include "check/subject.hpp"

namespace tokometer::check {
namespace {

// ---- the profile

Finding describes_itself(const Subject& subject) {
  auto processor = make_processor(subject);
  if (!processor) return skip("see module.creates: " + processor.error().message);
  const auto json = processor->describe();
  if (!json) return fail(json.error().message);
  const auto profile = parse_profile(*json);
  if (!profile) return fail(profile.error().message);
  if (!profile->warnings.empty()) return warn(profile->warnings.front());
  return pass();
}

Finding describes_the_same(const Subject& subject) {
  auto one = make_processor(subject), other = make_processor(subject);
  if (!one || !other) return skip("see module.creates");
  const auto first = one->describe(), again = one->describe(), third = other->describe();
  if (!first || !again || !third) return skip("see processor.profile");
  if (*first != *again) return fail("describe() writes something else when it is called again");
  if (*first != *third) return fail("two instances with the same options describe themselves differently");
  return pass();
}

Finding features_within_capabilities(const Subject& subject) {
  const auto bench = ProcessorBench::make(subject);
  if (!bench) return skip("see processor.profile");
  for (const std::string& feature : bench->profile().features) {
    if (!subject.component->has_capability(feature))
      return fail("feature " + in_quotes(feature) + " is none of its capabilities");
  }
  return pass();
}

std::vector<std::string> garbage_answers() {
  std::vector<std::string> all{"",
                               "{",
                               "null",
                               "[]",
                               "{\"data\":7}",
                               "<html>502</html>",
                               std::string("a\0b", 3),
                               "\xff\xfe",
                               std::string(100'000, '[')};
  tkm::Random random(1, "learn");
  for (int i = 0; i < 20; ++i) {
    std::string bytes(1 + random.below(200), '\0');
    for (char& byte : bytes) byte = static_cast<char>(random.below(256));
    all.push_back(std::move(bytes));
  }
  return all;
}

Finding survives_garbage_answers(const Subject& subject) {
  const auto bench = ProcessorBench::make(subject);
  if (!bench) return skip("see processor.profile");
  std::vector<std::string> probes{"no-such-probe"};
  for (const Probe& probe : bench->profile().discover) probes.push_back(probe.id);
  for (const std::string& probe : probes) {
    for (const std::string& body : garbage_answers()) {
      for (const int32_t status : {-1, 200, 404, 500}) {
        auto fresh = make_processor(subject);
        if (!fresh) return skip("see module.creates");
        const auto learned = fresh->learn(status, probe, body);
        if (learned) continue;
        const std::string& sentence = learned.error().message;
        if (sentence.starts_with("plugin bug:")) return fail("answer " + in_quotes(body) + ": " + sentence);
      }
    }
  }
  return pass();
}

// ---- requests

Finding encodes(const Subject& subject) {
  auto bench = ProcessorBench::make(subject);
  if (!bench) return skip("see processor.profile");
  const Encoded it = bench->encode(bench->plain());
  if (it.status != TKM_OK) return fail("a plain prompt is refused: " + it.sentence);
  return it.fault.empty() ? pass() : fail(it.fault);
}

// All prompts that the other tests use, to look at every request.
std::vector<Ask> many_asks(const ProcessorBench& bench) {
  std::vector<Ask> all;
  for (const int32_t form : {TKM_FORM_CHAT, TKM_FORM_TEXT, TKM_FORM_TOKENS}) {
    for (const int32_t reply : {TKM_REPLY_WHOLE, TKM_REPLY_STREAM}) {
      Ask ask = bench.plain();
      ask.form = form;
      ask.reply = reply;
      all.push_back(ask);
      ask.output_tokens = 7919;
      ask.output_mode = TKM_OUTPUT_EXACT;
      all.push_back(ask);
      ask = bench.plain();
      ask.form = form;
      ask.model = "a model/with \"odd\" ?#% letters\r\nx: y";
      ask.adapter = "ad/apter ?#\r\n";
      all.push_back(ask);
    }
  }
  return all;
}

Finding makes_valid_requests(const Subject& subject) {
  auto bench = ProcessorBench::make(subject);
  if (!bench) return skip("see processor.profile");
  if (!bench->encode(bench->plain()).is_good()) return skip("see processor.encodes");
  for (const Ask& ask : many_asks(*bench)) {
    const Encoded it = bench->encode(ask);
    if (it.status == TKM_OK && !it.fault.empty()) return fail(it.fault);
    if (it.sentence.starts_with("plugin bug:")) return fail(it.sentence);
  }
  return pass();
}

Finding repeats_itself(const Subject& subject) {
  auto one = ProcessorBench::make(subject), other = ProcessorBench::make(subject);
  if (!one || !other) return skip("see processor.profile");
  const Ask ask = one->plain();
  Ask between = ask;
  between.text = "Something else in between.";
  const Encoded first = one->encode(ask);
  if (!first.is_good()) return skip("see processor.encodes");
  one->encode(between);
  if (one->encode(ask).bytes() != first.bytes())
    return fail("the same prompt gives other bytes the next time");
  if (other->encode(ask).bytes() != first.bytes())
    return fail("two instances with the same options make other bytes of a prompt");
  return pass();
}

Finding ignores_newer_members(const Subject& subject) {
  UsableBench bench = usable_bench(subject);
  if (!bench.it) return bench.problem;
  const Ask ask = bench.it->plain();
  if (bench.it->encode(ask).bytes() == bench.it->encode(ask, 64).bytes()) return pass();
  return fail(
      "a tkm_prompt that is 64 bytes longer gives another request: look at struct_size, and at the members "
      "you know");
}

// ---- hard prompts

struct HardText {
  const char* what;
  std::string text;
};
std::vector<HardText> hard_texts() {
  return {{"an empty text", ""},
          {"quotes and backslashes", R"(say "C:\new\" {"a":1} ${model} %s %n)"},
          {"line ends and control characters", "a\r\nb\n\n\tc\x01\x1f\x7f"},
          {"a NUL", std::string("before\0after", 12)},
          {"letters of many scripts", "\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x98\x80\xe2\x80\xa8"},
          {"1 MB", std::string(1'000'000, 'm')},
          {"bytes that are not UTF-8", "caf\xe9 \xff\xfe \xed\xa0\x80"},
          {"the end of a character missing", "caf\xc3"}};
}

Finding takes_hard_prompts(const Subject& subject) {
  UsableBench bench = usable_bench(subject);
  if (!bench.it) return bench.problem;
  std::string refused;
  for (const HardText& hard : hard_texts()) {
    Ask ask = bench.it->plain();
    ask.text = hard.text;
    const Encoded it = bench.it->encode(ask);
    const std::string about = std::string(hard.what) + ": ";
    if (it.sentence.starts_with("plugin bug:")) return fail(about + it.sentence);
    if (!it.fault.empty()) return fail(about + it.fault);
    if (it.status != TKM_OK) refused += (refused.empty() ? "refuses " : ", ") + std::string(hard.what);
    if (const auto fault = it.status == TKM_OK ? fault_of_body(it) : std::nullopt)
      return fail(about + *fault);
  }
  return pass(refused);
}

bool holds_text(const tkm::Json& value, std::string_view text) {
  if (value.IsString()) return tkm::text_of(value).find(text) != std::string_view::npos;
  if (value.IsArray()) {
    return std::any_of(value.Begin(), value.End(),
                       [&](const tkm::Json& item) { return holds_text(item, text); });
  }
  if (!value.IsObject()) return false;
  return std::any_of(value.MemberBegin(), value.MemberEnd(),
                     [&](const auto& field) { return holds_text(field.value, text); });
}

bool holds_text(const Encoded& it, std::string_view text) {
  tkm::JsonDocument root;
  if (it.is_json() && tkm::parse_json(it.body, root)) return holds_text(root, text);
  return it.body.find(text) != std::string::npos;
}

Finding sends_the_prompt(const Subject& subject) {
  UsableBench bench = usable_bench(subject);
  if (!bench.it) return bench.problem;
  if (bench.it->plain().form == TKM_FORM_TOKENS) return skip("takes token ids only");
  for (const HardText& hard : hard_texts()) {
    Ask ask = bench.it->plain();
    ask.text = hard.text;
    const Encoded it = bench.it->encode(ask);
    if (!it.is_good() || fault_of_body(it) || !is_valid_utf8(hard.text)) continue;
    if (!holds_text(it, hard.text))
      return fail(std::string(hard.what) + ": the request does not hold the prompt as it was");
  }
  return pass();
}

// ---- hot calls

Finding encodes_in_peace(const Subject& subject) {
  UsableBench bench = usable_bench(subject);
  if (!bench.it) return bench.problem;
  return run_confined([&] {
    for (const Ask& ask : many_asks(*bench.it)) bench.it->encode(ask);
    return pass();
  });
}

Finding encodes_without_leak(const Subject& subject) {
  UsableBench bench = usable_bench(subject);
  if (!bench.it) return bench.problem;
  const size_t lost = bytes_lost_per_round([&] {
    for (const Ask& ask : many_asks(*bench.it)) bench.it->encode(ask);
  });
  return lost == 0 ? pass()
                   : fail(std::to_string(lost) + " bytes are left behind by " +
                          std::to_string(many_asks(*bench.it).size()) + " requests");
}

constexpr std::array kTests{
    Test{"processor.profile", "describe() writes a valid profile", describes_itself},
    Test{"processor.same-profile", "describe() writes the same each time and for each instance",
         describes_the_same},
    Test{"processor.features", "its features lie within its capabilities", features_within_capabilities},
    Test{"processor.learn", "answers that make no sense are refused with a sentence, or passed over",
         survives_garbage_answers},
    Test{"processor.encodes", "a plain prompt becomes a request", encodes},
    Test{"processor.valid-requests", "every request has a valid path and headers, and none of the core's",
         makes_valid_requests},
    Test{"processor.repeatable", "the same prompt gives the same bytes, on every instance", repeats_itself},
    Test{"processor.newer-host", "members that a later host adds to a prompt change nothing",
         ignores_newer_members},
    Test{"processor.hard-prompts", "empty, huge, quoted and broken texts give valid JSON or a sentence",
         takes_hard_prompts},
    Test{"processor.prompt", "the request holds the prompt as it was, whatever characters are in it",
         sends_the_prompt},
    Test{"processor.system-calls", "encode() makes no system call but for memory", encodes_in_peace},
    Test{"processor.no-leak", "encode() leaves no memory behind", encodes_without_leak}};

}  // namespace

std::span<const Test> processor_tests() {
  return kTests;
}

}  // namespace tokometer::check
