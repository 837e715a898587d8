// When tokens come in mode `model`: a GPU server's engine loop with continuous batching, as arithmetic. It
// owns the batch slots, the waiting queue, KV blocks and preemption; it knows no sockets and no clock: the
// caller says what time it is, and calls end_step() when the step that begin_step() announced is over. Single
// thread.
//
//   t_step = t0 + W/(ew*BW) + kappa*K/(ek*BW) + 2*P*c/(MFU*F) + r*B   (docs/internals/simulator.md)
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string_view>
#include <tokometer/random.hpp>
#include <vector>

namespace tokometer::sim {

// The constants of one GPU that runs Llama-3.1-8B in BF16, in seconds.
struct GpuModel {
  double base_s = 0;           // t0 + W/(ew*BW)
  double context_token_s = 0;  // kappa/(ek*BW): per token of context in the batch
  double prefill_token_s = 0;  // 2P/(MFU*F)
  double sequence_s = 0;       // r
  uint64_t kv_tokens = 0;
  uint32_t most_seqs = 0;  // what fits; 0: no limit of its own
};

// The preset of that name (the schema lists them).
GpuModel gpu_preset(std::string_view name);

class Engine {
 public:
  struct Options {
    GpuModel gpu;
    uint32_t max_num_seqs = 256;
    uint64_t queue_limit = 0;        // 0: none
    uint64_t kv_tokens = 0;          // 0: the GPU's
    uint64_t prefill_budget = 2048;  // prefill tokens in one step
    double jitter = 0.025;           // sigma of the lognormal factor on a step
    double stall_chance = 1e-4;      // a step that takes U(20, 80) ms longer
    uint64_t seed = 42;
  };
  struct Progress {
    uint32_t id;
    bool last;  // its last token; the engine has forgotten it
  };

  explicit Engine(const Options& options);

  // Could such a request ever run, alone?
  bool fits(uint64_t prompt, uint64_t output) const { return blocks_for(prompt + output) <= blocks_; }
  // Would one more have to be refused? `entering`: requests on their way to add().
  bool full(size_t entering) const;
  // A request, which must fit, enters at the end of the waiting queue. cached: prompt tokens that need no
  // prefill (fewer than prompt). Ids are the caller's, one request each.
  void add(uint32_t id, uint64_t prompt, uint64_t cached, uint64_t output);
  // The client is gone. Unknown ids are ignored.
  void remove(uint32_t id);

  // Starts a step if none runs and there is work: how long it takes, in ns.
  std::optional<int64_t> begin_step();
  // Those that left the queue with the last begin_step() (again, after a preemption).
  std::span<const uint32_t> admitted() const { return admitted_; }
  // The requests that got a token in the step that is over, in batch order. Valid until the next call.
  std::span<const Progress> end_step();

  size_t running() const { return batch_.size(); }
  size_t waiting() const { return queue_.size(); }
  double kv_usage() const { return static_cast<double>(blocks_used_) / static_cast<double>(blocks_); }
  uint64_t preemptions() const { return preemptions_; }
  uint64_t last_step_tokens() const { return step_tokens_; }  // prefilled and decoded in the last step

 private:
  struct Sequence {
    uint32_t id;
    uint64_t context;  // tokens that must be in the KV cache before it can decode
    uint64_t to_prefill;
    uint64_t output_left;
    uint64_t blocks = 0;
  };

  static uint64_t blocks_for(uint64_t tokens) { return (tokens + 15) / 16; }
  void admit();
  bool grow(Sequence& sequence);
  void make_room();
  double step_seconds(uint64_t prefill);

  Options options_;
  uint64_t blocks_, blocks_used_ = 0;
  std::deque<Sequence> queue_;
  std::vector<Sequence> batch_;  // oldest first
  std::vector<Progress> progress_;
  std::vector<uint32_t> admitted_;
  std::vector<uint64_t> chunk_;  // prefill tokens of each sequence in the running step
  bool step_runs_ = false;
  uint64_t preemptions_ = 0, step_tokens_ = 0;
  tkm::Random random_;
};

}  // namespace tokometer::sim
