// The calls of a token's path allocate nothing on the host's side. A program of its own, as it replaces
// operator new.
#include <atomic>
#include <cstdlib>
#include <new>

#include "fixtures.hpp"
#include "plugin/handles.hpp"
#include "plugin/request_sink.hpp"

namespace {
std::atomic<int> allocation_count{0};
}

void* operator new(size_t size) {
  ++allocation_count;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  ++allocation_count;
  return std::malloc(size);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}

namespace tokometer {
namespace {

TEST_CASE("reading a response and encoding the next request allocate nothing once warm") {
  auto processor = Processor::create(fixtures::component(fixtures::good("plain-cpp"), TKM_KIND_PROCESSOR),
                                     {.models = {"m"}});
  REQUIRE(processor.ok());
  tkm_prompt prompt{};
  prompt.struct_size = sizeof prompt;
  prompt.text = {"a prompt that is longer than any small string", 45};
  tkm_events events{};
  events.struct_size = sizeof events;
  events.delta = [](void*, const tkm_delta*) {};
  std::string err;
  RequestSink sink;
  Stream stream;
  REQUIRE(processor->open(prompt, stream, err) == TKM_OK);
  REQUIRE(processor->encode(prompt, sink.out(), err) == TKM_OK);

  const int before = allocation_count;
  for (int i = 0; i < 1000; ++i) {
    stream.data({"token", 5}, events, err);
    sink.clear();
    processor->encode(prompt, sink.out(), err);
  }
  CHECK(allocation_count == before);
  CHECK(sink.fault().empty());
}

}  // namespace
}  // namespace tokometer
