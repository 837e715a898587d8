// One I/O thread: encodes releases ahead of time, sends each at its scheduled instant, reads replies, hands
// finished records to the writer. Own io_context, poller, timers; connections and a processor instance for
// each workload; it shares nothing that changes with other workers. Run owns the thread and calls run() on
// it; the functions marked [any] may be called from others.
//
// A worker can host the scheduler: run() is then given its body, which calls serve() wherever it would sleep.
// The end of a request and the release that follows from it then meet on one thread, with no hand-over.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "engine/context.hpp"
#include "engine/exchange.hpp"
#include "engine/mailbox.hpp"
#include "engine/worker_tick.hpp"
#include "engine/writer_thread.hpp"
#include "metrics/record.hpp"
#include "net/pool.hpp"
#include "plugin/handles.hpp"

namespace tokometer {

struct WorkerLinks {
  Mailbox<Completion>& completions;
  WriterThread& writer;
  Mailbox<std::unique_ptr<WorkerTick>>& ticks;
  std::function<void()> wake_scheduler;  // after the first completion of a batch
};

// What a worker needs for the requests of one workload. They have connections of their own.
struct WorkerPart {
  const RunContext& context;
  Processor processor;
  PoolOptions pool;  // of each server; its addresses are the context's
};

struct WorkerOptions {
  bool spin = false;      // the last wait before a send is a spin
  bool io_uring = false;  // reads by io_uring; where that fails after all, by epoll
};

class Worker {
 public:
  // Contexts and links outlive the worker. `parts`: by workload.
  Worker(uint32_t index, std::vector<WorkerPart> parts, const WorkerLinks& links, WorkerOptions options);
  ~Worker();

  // The thread's body; returns after stop(). `guest` runs first, on the same thread.
  void run(const std::function<void()>& guest = {});
  // [guest] Turns of the loop, at least one, until then or until interrupt(), which is true.
  bool serve(int64_t until_ns);
  void interrupt();                    // [any]
  int32_t thread_id() const noexcept;  // [any] of the thread in run(); 0 before

  void release(Release release);  // [any]; of the guest: it is encoded at once, and sent if due
  // Opens connections for a workload before its load starts; `done` is called on the worker's thread.
  void preconnect(size_t workload, size_t count, std::function<void(Result<void>)> done);  // [any]
  // Ends what is in flight, or waits for its time, in a phase: status cancelled, with the reason as class.
  void cancel(uint32_t phase, const char* reason);  // [any]
  void ask_for_tick();                              // [any] the answer goes to links.ticks
  // Of the requests in flight, the `count` with the earliest scheduled times; `done` is called on the
  // worker's thread.
  void ask_for_oldest(size_t count, std::function<void(std::vector<InFlight>)> done);  // [any]
  void stop();  // [any] the thread ends once nothing is in flight

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace tokometer
