#include "sim/model.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

namespace tokometer::sim {
namespace {

struct Gpu {
  std::string_view name;
  double tera_bytes_per_s, tera_flops, flops_share;
  uint64_t kv_tokens;
  uint32_t most_seqs;
};
constexpr auto kGpus = std::to_array<Gpu>({
    {"h100-80", 3.35, 989, 0.45, 400'000, 0},
    {"a100-80", 2.04, 312, 0.38, 400'000, 0},
    {"a100-40", 1.555, 312, 0.38, 120'000, 0},
    {"l40s", 0.864, 362, 0.32, 180'000, 0},
    {"l4", 0.30, 121, 0.40, 30'000, 24},
});

// Llama-3.1-8B in BF16.
constexpr double kParameters = 8.03e9, kWeightBytes = 16.06e9, kKvBytesPerToken = 131'072;
constexpr double kLaunchS = 1.15e-3, kWeightEfficiency = 0.855, kKvEfficiency = 0.53, kPerSequenceS = 4e-6;

}  // namespace

GpuModel gpu_preset(std::string_view name) {
  const auto* gpu =
      std::find_if(kGpus.begin(), kGpus.end(), [&](const Gpu& one) { return one.name == name; });
  assert(gpu != kGpus.end());
  const double bytes_per_s = gpu->tera_bytes_per_s * 1e12;
  return {.base_s = kLaunchS + kWeightBytes / (kWeightEfficiency * bytes_per_s),
          .context_token_s = kKvBytesPerToken / (kKvEfficiency * bytes_per_s),
          .prefill_token_s = 2 * kParameters / (gpu->flops_share * gpu->tera_flops * 1e12),
          .sequence_s = kPerSequenceS,
          .kv_tokens = gpu->kv_tokens,
          .most_seqs = gpu->most_seqs};
}

Engine::Engine(const Options& options)
    : options_(options),
      blocks_((options.kv_tokens != 0 ? options.kv_tokens : options.gpu.kv_tokens) / 16),
      random_(options.seed, "engine") {
  if (options_.gpu.most_seqs != 0)
    options_.max_num_seqs = std::min(options_.max_num_seqs, options_.gpu.most_seqs);
  blocks_ = std::max<uint64_t>(blocks_, 1);
}

bool Engine::full(size_t entering) const {
  const size_t free_slots = options_.max_num_seqs - batch_.size();
  return options_.queue_limit != 0 && queue_.size() + entering >= options_.queue_limit + free_slots;
}

void Engine::add(uint32_t id, uint64_t prompt, uint64_t cached, uint64_t output) {
  assert(fits(prompt, output) && cached < prompt && output > 0);
  queue_.push_back({.id = id, .context = prompt, .to_prefill = prompt - cached, .output_left = output});
}

void Engine::remove(uint32_t id) {
  std::erase_if(queue_, [&](const Sequence& sequence) { return sequence.id == id; });
  for (size_t at = 0; at < batch_.size(); ++at) {
    if (batch_[at].id != id) continue;
    blocks_used_ -= batch_[at].blocks;
    batch_.erase(batch_.begin() + static_cast<std::ptrdiff_t>(at));
    if (step_runs_ && at < chunk_.size()) chunk_.erase(chunk_.begin() + static_cast<std::ptrdiff_t>(at));
    return;
  }
}

// First come, first served: nobody overtakes the head of the queue.
void Engine::admit() {
  while (!queue_.empty() && batch_.size() < options_.max_num_seqs) {
    Sequence& first = queue_.front();
    if (!grow(first)) return;
    batch_.push_back(first);
    admitted_.push_back(first.id);
    queue_.pop_front();
  }
}

// Takes the blocks that the sequence's context and its next token need.
bool Engine::grow(Sequence& sequence) {
  const uint64_t more =
      blocks_for(sequence.context + 1) - std::min(sequence.blocks, blocks_for(sequence.context + 1));
  if (blocks_used_ + more > blocks_) return false;
  blocks_used_ += more;
  sequence.blocks += more;
  return true;
}

// Each running sequence needs room for its next token. Where there is none, the newest goes back to the
// queue's head and will be computed again.
void Engine::make_room() {
  for (size_t at = 0; at < batch_.size(); ++at) {
    while (!grow(batch_[at])) {
      Sequence newest = batch_.back();
      batch_.pop_back();
      blocks_used_ -= newest.blocks;
      newest.blocks = 0;
      newest.to_prefill = newest.context;
      queue_.push_front(newest);
      ++preemptions_;
      if (at == batch_.size()) return;
    }
  }
}

double Engine::step_seconds(uint64_t prefill) {
  uint64_t context = 0;
  for (const Sequence& sequence : batch_) context += sequence.context;
  const double plain = options_.gpu.base_s + options_.gpu.context_token_s * static_cast<double>(context) +
                       options_.gpu.prefill_token_s * static_cast<double>(prefill) +
                       options_.gpu.sequence_s * static_cast<double>(batch_.size());
  const double factor = options_.jitter > 0 ? random_.lognormal(1, options_.jitter) : 1;
  const double stall = random_.chance(options_.stall_chance) ? random_.uniform(0.020, 0.080) : 0;
  return plain * factor + stall;
}

std::optional<int64_t> Engine::begin_step() {
  if (step_runs_) return std::nullopt;
  admitted_.clear();
  make_room();
  admit();
  if (batch_.empty()) return std::nullopt;
  uint64_t budget = options_.prefill_budget;
  chunk_.clear();
  step_tokens_ = 0;
  for (const Sequence& sequence : batch_) {
    chunk_.push_back(std::min(sequence.to_prefill, budget));
    budget -= chunk_.back();
    step_tokens_ += sequence.to_prefill == 0 ? 1 : chunk_.back();
  }
  step_runs_ = true;
  return static_cast<int64_t>(step_seconds(options_.prefill_budget - budget) * 1e9);
}

std::span<const Engine::Progress> Engine::end_step() {
  assert(step_runs_);
  step_runs_ = false;
  progress_.clear();
  size_t kept = 0;
  for (size_t at = 0; at < batch_.size(); ++at) {
    Sequence& sequence = batch_[at];
    sequence.to_prefill -= chunk_[at];
    const bool got_token = sequence.to_prefill == 0;  // the step that ends a prefill gives the first token
    if (got_token) ++sequence.context, --sequence.output_left;
    const bool last = got_token && sequence.output_left == 0;
    if (got_token) progress_.push_back({sequence.id, last});
    if (last) {
      blocks_used_ -= sequence.blocks;
    } else {
      batch_[kept++] = sequence;
    }
  }
  batch_.erase(batch_.begin() + static_cast<std::ptrdiff_t>(kept), batch_.end());
  return progress_;
}

}  // namespace tokometer::sim
