#include "plugin/calls.hpp"

#include "base/text.hpp"

namespace tokometer {
namespace {

// All slots ever made; only grows, so readers need no lock. A slot is given on when its thread ends.
std::atomic<CallSlot*> all_slots{nullptr};

thread_local CallSlot* this_thread_slot = nullptr;

// Gives the slot back at the end of the thread. Apart from the pointer, so that the hot path touches plain
// memory only.
struct SlotReturn {
  ~SlotReturn() {
    CallSlot* slot = this_thread_slot;
    this_thread_slot = nullptr;
    slot->taken.store(false, std::memory_order_release);
  }
};

CallSlot* reuse_slot() {
  for (CallSlot* slot = all_slots.load(std::memory_order_acquire); slot != nullptr; slot = slot->next) {
    bool taken = false;
    if (slot->taken.compare_exchange_strong(taken, true, std::memory_order_acq_rel)) return slot;
  }
  return nullptr;
}

CallSlot* make_slot() {
  auto* slot = new CallSlot;  // never freed: the watchdog and a crash handler may look at any time
  slot->next = all_slots.load(std::memory_order_relaxed);
  while (!all_slots.compare_exchange_weak(slot->next, slot, std::memory_order_release)) {
  }
  return slot;
}

CallSlot& slot_of_this_thread() {
  if (this_thread_slot == nullptr) {
    CallSlot* slot = reuse_slot();
    this_thread_slot = slot != nullptr ? slot : make_slot();
    thread_local SlotReturn giver;
    static_cast<void>(giver);
  }
  return *this_thread_slot;
}

// By two where a call begins or ends inside another: the thread stays inside, in a call of another number.
void count_up(std::atomic<uint64_t>& serial, bool nested) {
  serial.store(serial.load(std::memory_order_relaxed) + (nested ? 2 : 1), std::memory_order_release);
}

}  // namespace

CallScope::CallScope(const CalledPlugin& plugin, const char* call, CallTime time) noexcept
    : slot_(slot_of_this_thread()), nested_(slot_.serial.load(std::memory_order_relaxed) % 2 == 1) {
  if (nested_) {
    outer_plugin_ = slot_.plugin.load(std::memory_order_relaxed);
    outer_call_ = slot_.call.load(std::memory_order_relaxed);
    outer_time_ = slot_.time.load(std::memory_order_relaxed);
  }
  slot_.plugin.store(&plugin, std::memory_order_relaxed);
  slot_.call.store(call, std::memory_order_relaxed);
  slot_.time.store(time, std::memory_order_relaxed);
  count_up(slot_.serial, nested_);
}

CallScope::~CallScope() {
  if (nested_) {
    slot_.plugin.store(outer_plugin_, std::memory_order_relaxed);
    slot_.call.store(outer_call_, std::memory_order_relaxed);
    slot_.time.store(outer_time_, std::memory_order_relaxed);
  }
  count_up(slot_.serial, nested_);
}

const CallSlot* this_thread_calls() noexcept {
  return this_thread_slot;
}

std::string to_string(const SlowCall& slow) {
  const std::string who =
      "plugin \"" + slow.plugin + "\" (" + slow.path + ", " + slow.version + "): call " + slow.call;
  if (slow.fatal) return who + " has not returned for " + format_duration(kFatalCallNs);
  return who + " takes longer than " + format_duration(kSlowCallNs);
}

std::vector<SlowCall> CallWatchdog::check(int64_t now_ns) {
  std::vector<SlowCall> found;
  for (CallSlot* slot = all_slots.load(std::memory_order_acquire); slot != nullptr; slot = slot->next) {
    const uint64_t serial = slot->serial.load(std::memory_order_acquire);
    Seen& seen = seen_[slot];
    if (seen.serial != serial) seen = {serial, now_ns, false, false};
    const bool inside = serial % 2 == 1;
    if (!inside || slot->time.load(std::memory_order_relaxed) == CallTime::unlimited) continue;

    const int64_t inside_ns = now_ns - seen.since_ns;
    const bool fatal = inside_ns >= kFatalCallNs;
    bool& told = fatal ? seen.told_fatal : seen.told_slow;
    if (inside_ns < kSlowCallNs || told) continue;
    const CalledPlugin* plugin = slot->plugin.load(std::memory_order_relaxed);
    const char* call = slot->call.load(std::memory_order_relaxed);
    // The names belong to this call only if it is still running.
    if (slot->serial.load(std::memory_order_acquire) != serial) continue;
    told = true;
    found.push_back({plugin->name, plugin->path, plugin->version, call, inside_ns, fatal});
  }
  return found;
}

}  // namespace tokometer
