// The path of a token allocates nothing once warm, whichever way the event takes through the decoder. All of
// malloc, calloc, realloc (wrapped by the linker) and operator new are counted.
#include <doctest/doctest.h>

#include <tokometer/abi.h>
#include <tokometer/plugin.hpp>

#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include "standard/openai.hpp"

namespace {
int64_t allocations = 0;
}

extern "C" {
void* __real_malloc(size_t);
void* __real_calloc(size_t, size_t);
void* __real_realloc(void*, size_t);
void* __wrap_malloc(size_t size) {
  return ++allocations, __real_malloc(size);
}
void* __wrap_calloc(size_t count, size_t size) {
  return ++allocations, __real_calloc(count, size);
}
void* __wrap_realloc(void* old, size_t size) {
  return ++allocations, __real_realloc(old, size);
}
}

void* operator new(size_t size) {
  ++allocations;
  if (void* memory = __real_malloc(size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}

namespace {

struct Counts {
  int64_t deltas = 0, others = 0;
};

tkm_events counter(Counts& counts) {
  tkm_events sink{};
  sink.struct_size = sizeof sink;
  sink.ctx = &counts;
  sink.delta = [](void* ctx, const tkm_delta*) { ++static_cast<Counts*>(ctx)->deltas; };
  sink.usage = [](void* ctx, const tkm_usage*) { ++static_cast<Counts*>(ctx)->others; };
  sink.finish = [](void* ctx, uint32_t, int32_t, tkm_str) { ++static_cast<Counts*>(ctx)->others; };
  sink.error = [](void* ctx, int32_t, int64_t, tkm_str) { ++static_cast<Counts*>(ctx)->others; };
  sink.mark = [](void* ctx, int32_t) { ++static_cast<Counts*>(ctx)->others; };
  sink.metric = [](void* ctx, tkm_str, double) { ++static_cast<Counts*>(ctx)->others; };
  sink.carry = [](void* ctx, tkm_str) { ++static_cast<Counts*>(ctx)->others; };
  sink.warn = [](void* ctx, tkm_str, tkm_str) { ++static_cast<Counts*>(ctx)->others; };
  return sink;
}

const tkm_writer kNoErrors{nullptr, [](void*, tkm_str) {}};

class Stream {
 public:
  Stream(const tkm_component* component, uint32_t choices)
      : ops_(*static_cast<const tkm_processor_ops*>(component->ops)) {
    tkm_create_args args{};
    args.struct_size = sizeof args;
    tkm_prompt prompt{};
    prompt.struct_size = sizeof prompt;
    prompt.reply = TKM_REPLY_STREAM;
    prompt.choices = choices;
    prompt.model = tkm::str("tiny");
    REQUIRE(ops_.create(&args, &kNoErrors, &processor_) == TKM_OK);
    REQUIRE(ops_.open(processor_, &prompt, &kNoErrors, &stream_) == TKM_OK);
    const tkm_head head{sizeof(tkm_head), 200, nullptr, 0};
    REQUIRE(ops_.head(stream_, &head, &sink_, &kNoErrors) == TKM_OK);
  }
  ~Stream() {
    ops_.close(stream_);
    ops_.destroy(processor_);
  }
  void feed(std::string_view bytes) { ops_.data(stream_, tkm::str(bytes), &sink_, &kNoErrors); }
  const Counts& counts() const { return counts_; }

 private:
  const tkm_processor_ops& ops_;
  Counts counts_;
  tkm_events sink_ = counter(counts_);
  tkm_processor* processor_ = nullptr;
  tkm_stream* stream_ = nullptr;
};

std::string chunk(int choice, const std::string& text, const std::string& rest = "") {
  return R"(data: {"id":"c1","object":"chat.completion.chunk","created":1795666445,"model":"tiny","choices":[{"index":)" +
         std::to_string(choice) + R"(,"delta":{"content":")" + text +
         R"("},"logprobs":null,"finish_reason":null)" + rest + "}\n\n";
}

}  // namespace

TEST_CASE("no allocation per token event") {
  struct Row {
    std::string name;
    uint32_t choices;
    std::string a, b;
  };
  const auto usage = [](int tokens) {
    return R"(}],"usage":{"prompt_tokens":9,"completion_tokens":)" + std::to_string(tokens) + "}";
  };
  const Row rows[] = {
      {"plain text", 1, chunk(0, "tok", "}]"), chunk(0, " en", "}]")},
      {"escapes and UTF-8", 1, chunk(0, R"(\n\"\u20ac\ud83d\ude00)", "}]"), chunk(0, "\xE2\x82\xAC", "}]")},
      {"two choices in turn", 2, chunk(0, "a", "}]"), chunk(1, "b", "}]")},
      {"token ids", 1, chunk(0, "a", R"(,"token_ids":[1,2]}])"), chunk(0, "b", R"(,"token_ids":[3]}])")},
      {"running usage", 1, chunk(0, "a", usage(3)), chunk(0, "b", usage(3))},
      {"logprobs", 1,
       chunk(0, "a", R"(,"x":{"content":[{"token":"dout","logprob":-1.9,"bytes":[100,111]}]}}])"),
       chunk(0, "b", "}]")},
      {"changing heads", 1, chunk(0, "a", "}]"), chunk(0, "b", R"(,"created":5}])")},
      {"comments", 1, chunk(0, "a", "}]"), ": ping\n\n" + chunk(0, "b", "}]")},
  };
  for (const tkm_component* component : {tkm_module_v1()->components[0], standard::openai_processor()}) {
    for (const Row& row : rows) {
      for (const size_t cut : {size_t{0}, size_t{1}, size_t{100}}) {  // 0: events whole
        CAPTURE(row.name);
        CAPTURE(cut);
        Stream stream(component, row.choices);
        const auto feed_both = [&] {
          for (const std::string_view event : {std::string_view(row.a), std::string_view(row.b)}) {
            if (cut > 0) stream.feed(event.substr(0, cut));
            stream.feed(event.substr(cut));
          }
        };
        for (int round = 0; round < 3; ++round) feed_both();
        const int64_t before = allocations;
        for (int round = 0; round < 1000; ++round) feed_both();
        const int64_t used = allocations - before;
        CHECK(used == 0);
        CHECK(stream.counts().deltas == 2 * 1003);
      }
    }
  }
}

TEST_CASE("the count counts") {
  const int64_t before = allocations;
  const std::vector<char> big(1000);
  CHECK(big.size() == 1000);
  CHECK(allocations > before);
  void* volatile memory = std::malloc(10);  // volatile: the compiler must not leave it out
  CHECK(allocations > before + 1);
  std::free(memory);
}
