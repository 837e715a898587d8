// What a prompt asks for, such as a length or an adapter: said to the server, or refused; never left out.
#include <array>
#include <string_view>

#include "check/processor_bench.hpp"
#include "check/subject.hpp"

namespace tokometer::check {
namespace {

struct Wish {
  std::string_view feature;
  const char* what;
  void (*change)(Ask&);
  const char* said_as;  // must stand in the request; empty: it must only differ
};

// A number in a gRPC message is not its digits: then the request must only differ, too.
bool says(const Encoded& it, std::string_view said_as, const Profile& profile) {
  const bool is_number = said_as.find_first_not_of("0123456789") == said_as.npos;
  return (profile.is_grpc() && is_number) || it.bytes().find(said_as) != std::string::npos;
}

// `is_plain`: a plain prompt has what the instance claims already.
Finding says_or_refuses(const Subject& subject, std::span<const Wish> wishes, bool is_plain = false) {
  UsableBench bench = usable_bench(subject);
  if (!bench.it) return bench.problem;
  const std::string plain = bench.it->encode(bench.it->plain()).bytes();
  for (const Wish& wish : wishes) {
    Ask ask = bench.it->plain();
    wish.change(ask);
    const bool claims = bench.it->has(wish.feature);
    if (claims && is_plain) continue;
    const Encoded it = bench.it->encode(ask);
    const bool is_refused = it.status != TKM_OK;
    const std::string feature = "feature " + in_quotes(wish.feature);
    if (it.status == TKM_E_CONFIG || it.status == TKM_E_INTERNAL)
      return fail(std::string(wish.what) + ": " + it.sentence);
    if (is_refused && claims)
      return fail("has " + feature + " and refuses " + wish.what + ": " + it.sentence);
    if (is_refused || !it.fault.empty()) continue;
    const bool is_said = it.bytes() != plain && says(it, wish.said_as, bench.it->profile());
    if (!is_said)
      return fail(std::string(wish.what) + " is left out of the request" +
                  (claims ? ", despite " : "; it lacks ") + feature + (claims ? "" : " and must refuse"));
  }
  return pass();
}

constexpr std::array kExactLength{
    Wish{"output.exact", "an exact length",
         [](Ask& ask) { ask.output_tokens = 7919, ask.output_mode = TKM_OUTPUT_EXACT; }, "7919"}};
constexpr std::array kChoices{Wish{"choices.many", "three choices", [](Ask& ask) { ask.choices = 3; }, "3"}};
constexpr std::array kAdapter{
    Wish{"route.adapter", "an adapter", [](Ask& ask) { ask.adapter = "adapter-7919"; }, "adapter-7919"}};
constexpr std::array kCacheSalt{
    Wish{"cache.salt", "a cache salt", [](Ask& ask) { ask.cache_salt = "salt-7919"; }, "salt-7919"}};
constexpr std::array kForms{
    Wish{"form.chat", "a chat", [](Ask& ask) { ask.form = TKM_FORM_CHAT, ask.text = "chat 7919"; },
         "chat 7919"},
    Wish{"form.text", "a text", [](Ask& ask) { ask.form = TKM_FORM_TEXT, ask.text = "text 7919"; },
         "text 7919"},
    Wish{"form.tokens", "token ids",
         [](Ask& ask) {
           ask.form = TKM_FORM_TOKENS, ask.tokens = {7919, 7920};
         },
         ""}};
constexpr std::array kMedia{Wish{"parts.media", "an image",
                                 [](Ask& ask) { ask.form = TKM_FORM_CHAT, ask.part_kind = TKM_PART_IMAGE; },
                                 ""}};
constexpr std::array kTasks{
    Wish{"task.embed", "an embedding", [](Ask& ask) { ask.task = TKM_TASK_EMBED; }, ""},
    Wish{"task.rank", "a ranking", [](Ask& ask) { ask.task = TKM_TASK_RANK; }, ""}};

Finding says_exact_length(const Subject& subject) {
  return says_or_refuses(subject, kExactLength);
}
Finding says_choices(const Subject& subject) {
  return says_or_refuses(subject, kChoices);
}
Finding says_adapter(const Subject& subject) {
  return says_or_refuses(subject, kAdapter);
}
Finding says_cache_salt(const Subject& subject) {
  return says_or_refuses(subject, kCacheSalt);
}
Finding says_forms(const Subject& subject) {
  return says_or_refuses(subject, kForms);
}
Finding says_media(const Subject& subject) {
  return says_or_refuses(subject, kMedia);
}
Finding says_tasks(const Subject& subject) {
  return says_or_refuses(subject, kTasks, true);
}

// `model` may be left out, but not by one that says it can route.
Finding says_model(const Subject& subject) {
  UsableBench bench = usable_bench(subject);
  if (!bench.it) return bench.problem;
  if (!bench.it->has("route.model")) return skip("lacks route.model");
  Ask ask = bench.it->plain();
  ask.model = "model-7919";
  const Encoded it = bench.it->encode(ask);
  if (it.status != TKM_OK) return fail("refuses another model: " + it.sentence);
  return it.bytes().find("model-7919") != std::string::npos ? pass()
                                                            : fail("the model's name is not in the request");
}

Finding merges_extra(const Subject& subject) {
  UsableBench bench = usable_bench(subject);
  if (!bench.it) return bench.problem;
  Ask ask = bench.it->plain();
  const std::string plain = bench.it->encode(ask).bytes();
  ask.extra = R"({"x_check":7919})";
  const Encoded it = bench.it->encode(ask);
  if (it.status != TKM_OK) return pass("refuses extra members");
  if (it.bytes() == plain || !says(it, "7919", bench.it->profile()))
    return fail("a member of `extra` is left out of the request");
  ask.extra = "no object";
  const Encoded bad = bench.it->encode(ask);
  if (bad.status == TKM_OK && fault_of_body(bad))
    return fail("`extra` that is no JSON object breaks the body");
  return pass();
}

constexpr std::array kTests{
    Test{"processor.exact-length", "an exact length is asked of the server, or refused", says_exact_length},
    Test{"processor.choices", "a number of choices is asked of the server, or refused", says_choices},
    Test{"processor.model", "the model's name is sent where route.model is claimed", says_model},
    Test{"processor.adapter", "an adapter is named to the server, or refused", says_adapter},
    Test{"processor.cache-salt", "a cache salt is sent, or refused", says_cache_salt},
    Test{"processor.forms", "chats, texts and token ids are sent, or refused", says_forms},
    Test{"processor.media", "an image is sent, or refused", says_media},
    Test{"processor.tasks", "embeddings and rankings are asked for, or refused", says_tasks},
    Test{"processor.extra", "extra members are sent, or refused", merges_extra}};

}  // namespace

std::span<const Test> wish_tests() {
  return kTests;
}

}  // namespace tokometer::check
