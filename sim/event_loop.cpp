#include "sim/event_loop.hpp"

#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace tokometer::sim {
namespace {

constexpr uint64_t kTimerTag = ~uint64_t{0};

bool later(const Wake& a, const Wake& b) {
  return a.due_ns != b.due_ns ? a.due_ns > b.due_ns : a.order > b.order;
}

}  // namespace

EventLoop::EventLoop(Descriptor epoll, Descriptor timer, bool busy)
    : epoll_(std::move(epoll)), timer_(std::move(timer)), busy_(busy), events_(256) {}

Result<EventLoop> EventLoop::create(bool busy) {
  ::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
  Descriptor epoll(::epoll_create1(EPOLL_CLOEXEC));
  Descriptor timer(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  if (!epoll || !timer) return Error{std::string("cannot make an event loop: ") + std::strerror(errno)};
  EventLoop loop(std::move(epoll), std::move(timer), busy);
  loop.watch(loop.timer_.get(), kTimerTag, EPOLLIN);
  return loop;
}

bool EventLoop::watch(int fd, uint64_t tag, uint32_t events) {
  epoll_event event{.events = events, .data = {.u64 = tag}};
  return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void EventLoop::change(int fd, uint64_t tag, uint32_t events) {
  epoll_event event{.events = events, .data = {.u64 = tag}};
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

void EventLoop::forget(int fd) {
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void EventLoop::push(int64_t due_ns, Wake::Kind kind, uint32_t slot, uint32_t serial) {
  heap_.push_back({.due_ns = due_ns, .order = pushed_++, .kind = kind, .slot = slot, .serial = serial});
  std::push_heap(heap_.begin(), heap_.end(), later);
}

std::optional<Wake> EventLoop::pop_due(int64_t now_ns) {
  if (heap_.empty() || heap_.front().due_ns > now_ns) return std::nullopt;
  std::pop_heap(heap_.begin(), heap_.end(), later);
  const Wake wake = heap_.back();
  heap_.pop_back();
  return wake;
}

std::optional<int64_t> EventLoop::next_due() const {
  if (heap_.empty()) return std::nullopt;
  return heap_.front().due_ns;
}

std::span<const epoll_event> EventLoop::wait(int64_t now_ns, int64_t until_ns) {
  const int64_t due = std::min(until_ns, next_due().value_or(until_ns));
  const bool poll_only = busy_ || due <= now_ns;
  if (!poll_only && due != armed_for_ns_) {
    itimerspec at{};
    at.it_value = {.tv_sec = due / 1'000'000'000, .tv_nsec = due % 1'000'000'000};
    ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &at, nullptr);
    armed_for_ns_ = due;
  }
  const int ready =
      ::epoll_wait(epoll_.get(), events_.data(), static_cast<int>(events_.size()), poll_only ? 0 : -1);
  size_t count = ready > 0 ? static_cast<size_t>(ready) : 0;
  for (size_t at = 0; at < count; ++at) {
    if (events_[at].data.u64 != kTimerTag) continue;
    uint64_t expirations = 0;
    [[maybe_unused]] const auto ignored = ::read(timer_.get(), &expirations, sizeof expirations);
    armed_for_ns_ = 0;
    events_[at] = events_[--count];
    break;
  }
  return {events_.data(), count};
}

}  // namespace tokometer::sim
