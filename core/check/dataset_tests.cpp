// Samples: the same for the same seed, as many as promised, each a valid one; and files that are not there.
#include <tokometer/json.hpp>

#include <array>
#include <optional>

#include "check/bad_files.hpp"
#include "check/memory_in_use.hpp"
#include "check/sample_options.hpp"
#include "check/sample_reader.hpp"
#include "check/subject.hpp"

namespace tokometer::check {
namespace {

constexpr size_t kSome = 300;
constexpr size_t kMany = 20'000;
constexpr int64_t kEndless = -1, kUnknown = -2;

Result<Dataset> make(const Subject& subject, uint64_t seed = 1) {
  return Dataset::create(*subject.component,
                         {.config_json = subject.options_json, .models = {"a-model"}, .seed = seed});
}

Finding no_dataset(const Error& error) {
  return skip("see module.creates: " + error.message);
}

std::string number(size_t index) {
  return "sample " + std::to_string(index + 1);
}

Finding gives_samples(const Subject& subject) {
  auto dataset = make(subject);
  if (!dataset) return no_dataset(dataset.error());
  const Reading reading = read_samples(*dataset, kSome);
  if (!reading.failure.empty()) return fail(number(reading.samples.size()) + ": " + reading.failure);
  if (reading.samples.empty()) return warn("has no sample");
  return pass(std::to_string(reading.samples.size()) + " samples read");
}

Finding repeats_itself(const Subject& subject) {
  auto one = make(subject), other = make(subject);
  if (!one || !other) return no_dataset(one ? other.error() : one.error());
  const Reading first = read_samples(*one, kSome), second = read_samples(*other, kSome);
  if (first.samples.size() != second.samples.size())
    return fail("the same seed gives another number of samples");
  for (size_t i = 0; i < first.samples.size(); ++i) {
    if (first.samples[i].text != second.samples[i].text)
      return fail(number(i) + " is another one with the same seed");
  }
  return pass();
}

Finding gives_valid_samples(const Subject& subject) {
  auto dataset = make(subject);
  if (!dataset) return no_dataset(dataset.error());
  const Reading reading = read_samples(*dataset, kSome);
  for (size_t i = 0; i < reading.samples.size(); ++i) {
    if (!reading.samples[i].fault.empty()) return fail(number(i) + ": " + reading.samples[i].fault);
  }
  return pass();
}

Finding ends_for_good(const Subject& subject) {
  auto dataset = make(subject);
  if (!dataset) return no_dataset(dataset.error());
  const Reading reading = read_samples(*dataset, kMany);
  if (!reading.ended)
    return skip("has not ended after " + std::to_string(reading.samples.size()) + " samples");
  for (int again = 0; again < 3; ++again) {
    const Reading more = read_samples(*dataset, 1);
    if (!more.ended || !more.failure.empty()) return fail("goes on after TKM_END");
  }
  return pass();
}

Finding tells_its_size(const Subject& subject) {
  auto dataset = make(subject);
  if (!dataset) return no_dataset(dataset.error());
  const int64_t size = dataset->size();
  const bool claims_endless = subject.component->has_capability("endless");
  const Reading reading = read_samples(*dataset, kMany);
  const auto count = static_cast<int64_t>(reading.samples.size()) + reading.bad_records;
  if (size == kEndless && reading.ended)
    return fail("size is -1, endless, and it ends after " + std::to_string(count));
  if (size == kEndless && !claims_endless)
    return fail("size is -1, endless, and the capability \"endless\" is missing");
  if (size >= 0 && (reading.ended ? size != count : size < count)) {
    return fail("size is " + std::to_string(size) + ", but there are " + (reading.ended ? "" : "at least ") +
                std::to_string(count));
  }
  if (size == kUnknown) return pass("size is not known before the end");
  return pass("size " + std::to_string(size));
}

Finding orders_turns(const Subject& subject) {
  auto dataset = make(subject);
  if (!dataset) return no_dataset(dataset.error());
  const Reading reading = read_samples(*dataset, kSome);
  const bool claims = subject.component->has_capability("sessions");
  const Sample* before = nullptr;  // of a session that is not over
  bool has_turns = false;
  for (size_t i = 0; i < reading.samples.size(); ++i) {
    const Sample& it = reading.samples[i];
    has_turns |= it.has_turn;
    const bool goes_on = before != nullptr && it.has_turn && it.session == before->session && it.turn > 0;
    if (before != nullptr && !goes_on)
      return fail(number(i) + ": the session " + in_quotes(before->session) +
                  " is not over, and this is another");
    if (goes_on && it.turn != before->turn + 1) {
      return fail(number(i) + ": turn " + std::to_string(it.turn) + " after turn " +
                  std::to_string(before->turn));
    }
    if (!goes_on && it.has_turn && it.turn != 0)
      return fail(number(i) + ": a session begins with turn " + std::to_string(it.turn));
    before = it.has_turn && !it.is_last ? &it : nullptr;
  }
  if (before != nullptr && reading.ended)
    return fail("the session " + in_quotes(before->session) + " has no last turn");
  if (has_turns && !claims) return warn("has turns, and the capability \"sessions\" is missing");
  return has_turns ? pass() : skip("has no sessions");
}

Finding orders_arrivals(const Subject& subject) {
  auto dataset = make(subject);
  if (!dataset) return no_dataset(dataset.error());
  const bool claims = subject.component->has_capability("arrival");
  int64_t latest_ns = -1;
  const Reading reading = read_samples(*dataset, kSome);
  for (size_t i = 0; i < reading.samples.size(); ++i) {
    const Sample& it = reading.samples[i];
    if (it.has_turn && it.turn > 0) continue;
    if (claims && it.arrival_ns < 0)
      return fail(number(i) + " tells no arrival, despite the capability \"arrival\"");
    if (it.arrival_ns >= 0 && it.arrival_ns < latest_ns) return fail(number(i) + ": time goes back");
    latest_ns = it.arrival_ns;
  }
  return claims ? pass() : skip("tells no arrivals");
}

// ---- files

Finding misses_files(const Subject& subject) {
  const auto names = option_names(*subject.component, "path");
  if (names.empty()) return skip("reads no file");
  for (const std::string& name : names) {
    const std::string path = "/no/such/folder/7919.file";
    const auto options = options_with_path(subject, name, path);
    if (!options) continue;
    const auto dataset = Dataset::create(*subject.component, {.config_json = *options, .seed = 1});
    if (dataset)
      return fail("option " + in_quotes(name) + ": a file that does not exist is not missed in create()");
    const std::string& sentence = dataset.error().message;
    if (sentence.find(path) == std::string::npos)
      return fail("option " + in_quotes(name) + ": the sentence does not name the file: " + sentence);
  }
  return pass();
}

Finding bears_bad_files(const Subject& subject) {
  const auto names = option_names(*subject.component, "path");
  if (names.empty()) return skip("reads no file");
  const BadFiles files;
  for (const std::string& name : names) {
    for (const auto& path : files.paths()) {
      const auto options = options_with_path(subject, name, path.string());
      if (!options) continue;
      auto dataset = Dataset::create(*subject.component, {.config_json = *options, .seed = 1});
      std::string sentence;
      if (!dataset) sentence = dataset.error().message;
      if (dataset) sentence = read_samples(*dataset, kSome).failure;
      if (sentence.starts_with("plugin bug:"))
        return fail("option " + in_quotes(name) + ", a damaged file: " + sentence);
    }
  }
  return pass();
}

Finding leaks_nothing(const Subject& subject) {
  if (auto dataset = make(subject); !dataset) return no_dataset(dataset.error());
  const size_t lost = bytes_lost_per_round([&] {
    auto dataset = make(subject);
    if (dataset) read_samples(*dataset, kSome);
  });
  return lost == 0 ? pass()
                   : fail(std::to_string(lost) + " bytes are left behind when it is read and destroyed");
}

constexpr std::array kTests{
    Test{"dataset.samples", "it gives samples", gives_samples},
    Test{"dataset.repeatable", "the same seed gives the same samples", repeats_itself},
    Test{"dataset.valid-samples",
         "each sample is one chat, text or list of ids, and obeys the rules of abi.h", gives_valid_samples},
    Test{"dataset.end", "after TKM_END nothing comes", ends_for_good},
    Test{"dataset.size", "its size is true", tells_its_size},
    Test{"dataset.turns", "turns of a session follow each other, from 0 to the last", orders_turns},
    Test{"dataset.arrivals", "arrivals are there where they are claimed, and never go back", orders_arrivals},
    Test{"dataset.missing-file", "create() misses a file that is not there, and names it", misses_files},
    Test{"dataset.bad-files", "empty and damaged files give a sentence", bears_bad_files},
    Test{"dataset.no-leak", "read and destroyed, it leaves no memory behind", leaks_nothing}};

}  // namespace

std::span<const Test> dataset_tests() {
  return kTests;
}

}  // namespace tokometer::check
