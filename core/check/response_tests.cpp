// What a processor says of responses: the author's recordings, common streams, error pages and noise.
#include <algorithm>
#include <array>
#include <memory>

#include "check/confined.hpp"
#include "check/memory_in_use.hpp"
#include "check/player.hpp"
#include "check/processor_bench.hpp"
#include "check/sample_responses.hpp"
#include "check/subject.hpp"

namespace tokometer::check {
namespace {

Finding no_processor(const Error& error) {
  return skip("see module.creates: " + error.message);
}

// The author's recordings, then the common ones, which are one message each for a gRPC processor.
std::vector<NamedResponse> all_responses(const Subject& subject) {
  std::vector<NamedResponse> all;
  for (const Fixture* fixture : subject.responses) all.push_back({fixture->name, fixture->response});
  const auto bench = ProcessorBench::make(subject);
  const bool is_grpc = bench && bench->profile().is_grpc();
  for (NamedResponse& it : common_responses()) {
    if (is_grpc) it.response.grpc_status = 0, it.response.message_ends = {it.response.body.size()};
    all.push_back(std::move(it));
  }
  return all;
}

std::string count_of(size_t count) {
  return std::to_string(count) + " responses";
}

Finding tells_expected_events(const Subject& subject) {
  if (subject.responses.empty())
    return skip("no recorded responses: keep some and name their folder with --fixtures");
  auto processor = make_processor(subject);
  if (!processor) return no_processor(processor.error());
  for (const Fixture* fixture : subject.responses) {
    const Played played = play(*processor, fixture->response);
    if (!played.failure.empty()) return fail(fixture->name + ": " + played.failure);
    const std::string difference = first_difference(fixture->expected, played.events);
    if (!difference.empty()) return fail(fixture->name + ": " + difference);
  }
  return pass(count_of(subject.responses.size()));
}

// ---- however it is cut

using Cuts = std::function<std::vector<Cut>(const Response&)>;

Finding same_events_for(const Subject& subject, const Cuts& cuts) {
  auto processor = make_processor(subject);
  if (!processor) return no_processor(processor.error());
  const auto responses = all_responses(subject);
  for (const NamedResponse& it : responses) {
    const Played reference = play(*processor, it.response);
    size_t number = 0;
    for (Cut& cut : cuts(it.response)) {
      ++number;
      const Played played = play(*processor, it.response, {.cut = std::move(cut)});
      if (played.events == reference.events && played.failure == reference.failure) continue;
      return fail(
          it.name + ", cut " + std::to_string(number) + ": " +
          (played.failure.empty() ? first_difference(reference.events, played.events) : played.failure));
    }
  }
  return pass(count_of(responses.size()));
}

Finding same_byte_by_byte(const Subject& subject) {
  return same_events_for(subject, [](const Response&) { return std::vector{pieces_of(1)}; });
}

// A body of hundreds of kilobytes, fed once for each of its bytes, takes minutes. It is split each 61 bytes:
// a prime below the length of most events, so that in the course of the stream they are cut at all their
// bytes.
Finding same_split_everywhere(const Subject& subject) {
  return same_events_for(subject, [](const Response& it) {
    constexpr size_t kLongBody = 64 * 1024, kLongStep = 61;
    const size_t step = it.body.size() <= kLongBody ? 1 : kLongStep;
    std::vector<Cut> cuts;
    for (size_t point = 1; point < it.body.size(); point += step) cuts.push_back(split_at(point));
    return cuts;
  });
}

Finding same_at_random(const Subject& subject) {
  return same_events_for(subject, [](const Response&) {
    std::vector<Cut> cuts;
    for (uint64_t seed = 0; seed < 20; ++seed) cuts.push_back(cut_randomly(seed));
    return cuts;
  });
}

// ---- what must not matter

Finding ignores_bytes_behind(const Subject& subject) {
  auto processor = make_processor(subject);
  if (!processor) return no_processor(processor.error());
  static const std::array<std::string, 4> kBehind{std::string(64, '\0'), std::string(64, '\n'),
                                                  std::string(64, '\xff'), std::string(64, '"')};
  for (const NamedResponse& it : all_responses(subject)) {
    for (const size_t size : {SIZE_MAX, size_t{7}}) {
      const std::string reference = play(*processor, it.response, {.cut = pieces_of(size)}).events;
      for (const std::string& behind : kBehind) {
        const Played played = play(*processor, it.response, {.cut = pieces_of(size), .behind = behind});
        const std::string difference = first_difference(reference, played.events);
        if (!difference.empty()) return fail(it.name + ": reads behind the end of its piece: " + difference);
      }
    }
  }
  return pass();
}

Finding ignores_newer_members(const Subject& subject) {
  auto processor = make_processor(subject);
  if (!processor) return no_processor(processor.error());
  for (const NamedResponse& it : all_responses(subject)) {
    const Played now = play(*processor, it.response),
                 later = play(*processor, it.response, {.newer_host_bytes = 64});
    const std::string difference = first_difference(now.events, later.events);
    if (!difference.empty() || now.failure != later.failure) {
      return fail(it.name + ": structs that are 64 bytes longer change what is said: look at struct_size");
    }
  }
  return pass();
}

Finding forgets_streams(const Subject& subject) {
  auto processor = make_processor(subject);
  if (!processor) return no_processor(processor.error());
  const auto responses = all_responses(subject);
  std::vector<std::string> first;
  for (const NamedResponse& it : responses) {
    auto fresh = make_processor(subject);
    if (!fresh) return no_processor(fresh.error());
    first.push_back(play(*fresh, it.response).events);
  }
  for (size_t i = 0; i < responses.size(); ++i) {
    const Response& other = responses[(i + 1) % responses.size()].response;
    play(*processor, other, {.close_after = other.body.size() / 2});
    const std::string difference = first_difference(first[i], play(*processor, responses[i].response).events);
    if (!difference.empty())
      return fail(responses[i].name + ", after another was closed in the middle: " + difference);
  }
  return pass();
}

Finding keeps_streams_apart(const Subject& subject) {
  auto processor = make_processor(subject);
  if (!processor) return no_processor(processor.error());
  const auto responses = all_responses(subject);
  std::vector<std::string> alone;
  for (const NamedResponse& it : responses)
    alone.push_back(play(*processor, it.response, {.cut = pieces_of(11)}).events);
  std::vector<std::unique_ptr<Playing>> together;
  for (const NamedResponse& it : responses) {
    together.push_back(std::make_unique<Playing>(*processor, it.response, PlayOptions{.cut = pieces_of(11)}));
  }
  for (bool is_moving = true; is_moving;) {
    is_moving = false;
    for (const auto& playing : together) is_moving |= playing->step();
  }
  for (size_t i = 0; i < responses.size(); ++i) {
    const std::string difference = first_difference(alone[i], together[i]->played().events);
    if (!difference.empty())
      return fail(responses[i].name + ", read in turns with " + count_of(responses.size() - 1) + ": " +
                  difference);
  }
  return pass();
}

// ---- rules of events

Finding obeys_event_rules(const Subject& subject) {
  auto processor = make_processor(subject);
  if (!processor) return no_processor(processor.error());
  auto responses = all_responses(subject);
  for (auto& more : {error_responses(), noise()}) responses.insert(responses.end(), more.begin(), more.end());
  for (const NamedResponse& it : responses) {
    const Played played = play(*processor, it.response);
    if (!played.fault.empty()) return fail(it.name + ": " + played.fault);
  }
  return pass(count_of(responses.size()));
}

Finding declares_metrics(const Subject& subject) {
  auto bench = ProcessorBench::make(subject);
  if (!bench) return skip("see processor.profile");
  for (const NamedResponse& it : all_responses(subject)) {
    for (const std::string& name : play(bench->processor(), it.response).metrics) {
      if (bench->profile().request_metrics.count(name) == 0) {
        return warn(it.name + ": metric " + in_quotes(name) +
                    " is not in request_metrics of the profile, so it is dropped");
      }
    }
  }
  return pass();
}

Finding at_most_one_error(const Subject& subject, const std::vector<NamedResponse>& responses) {
  auto processor = make_processor(subject);
  if (!processor) return no_processor(processor.error());
  for (const NamedResponse& it : responses) {
    const Played played = play(*processor, it.response);
    if (!played.failure.empty())
      return fail(it.name + ": " + played.failure +
                  "; what a server sends is an error event, never a status");
    if (played.errors > 1)
      return fail(it.name + ": " + std::to_string(played.errors) + " error events, at most one is allowed");
  }
  return pass(count_of(responses.size()));
}

Finding bears_errors(const Subject& subject) {
  return at_most_one_error(subject, error_responses());
}
Finding bears_noise(const Subject& subject) {
  return at_most_one_error(subject, noise());
}

Finding bears_cuts(const Subject& subject) {
  std::vector<NamedResponse> all;
  for (const NamedResponse& it : all_responses(subject)) {
    constexpr size_t kPoints = 400;
    const size_t step = it.response.body.size() / kPoints + 1;
    for (size_t size = 0; size < it.response.body.size(); size += step) {
      all.push_back({it.name + ", ended after " + std::to_string(size) + " bytes", it.response});
      Response& cut = all.back().response;
      cut.body.resize(size);
      std::erase_if(cut.message_ends, [&](size_t end) { return end > size; });
      if (cut.grpc_status >= 0) cut.body.resize(cut.message_ends.empty() ? 0 : cut.message_ends.back());
    }
  }
  return at_most_one_error(subject, all);
}

// ---- memory and system calls

Finding closes_anywhere(const Subject& subject) {
  auto processor = make_processor(subject);
  if (!processor) return no_processor(processor.error());
  for (const NamedResponse& it : all_responses(subject)) {
    constexpr size_t kPoints = 1000;
    const size_t step = it.response.body.size() / kPoints + 1;
    const size_t lost = bytes_lost_per_round([&] {
      for (size_t point = 0; point <= it.response.body.size(); point += step) {
        play(*processor, it.response, {.close_after = point});
      }
    });
    if (lost > 0)
      return fail(it.name + ": closed at every byte, " + std::to_string(lost) + " bytes are left behind");
  }
  return pass();
}

Finding reads_in_peace(const Subject& subject) {
  auto processor = make_processor(subject);
  if (!processor) return no_processor(processor.error());
  auto responses = all_responses(subject);
  for (auto& more : {error_responses(), noise()}) responses.insert(responses.end(), more.begin(), more.end());
  return run_confined([&] {
    for (const NamedResponse& it : responses) play(*processor, it.response, {.cut = pieces_of(97)});
    return pass();
  });
}

constexpr std::array kTests{
    Test{"responses.expected", "each recorded response gives the events that its author expects",
         tells_expected_events},
    Test{"responses.byte-by-byte", "fed byte by byte, each response gives the same events",
         same_byte_by_byte},
    Test{"responses.split", "split at every point, each response gives the same events",
         same_split_everywhere},
    Test{"responses.random-cuts", "cut at random, each response gives the same events", same_at_random},
    Test{"responses.bytes-behind", "the 64 bytes behind a piece change nothing", ignores_bytes_behind},
    Test{"responses.newer-host", "members that a later host adds to its structs change nothing",
         ignores_newer_members},
    Test{"responses.forgets", "a stream closed in the middle changes nothing for the next", forgets_streams},
    Test{"responses.interleaved", "streams read in turns say what each says alone", keeps_streams_apart},
    Test{"responses.rules", "every event obeys the rules of abi.h", obeys_event_rules},
    Test{"responses.metrics", "every metric is declared in the profile", declares_metrics},
    Test{"responses.error-pages", "4xx and 5xx give at most one error, and no failure of the plugin",
         bears_errors},
    Test{"responses.noise", "damaged and random bodies give at most one error, and no failure of the plugin",
         bears_noise},
    Test{"responses.early-end", "bodies that end early give at most one error, and no failure of the plugin",
         bears_cuts},
    Test{"responses.close", "a stream closed at any byte leaves no memory behind", closes_anywhere},
    Test{"responses.system-calls", "reading makes no system call but for memory", reads_in_peace}};

}  // namespace

std::span<const Test> response_tests() {
  return kTests;
}

}  // namespace tokometer::check
