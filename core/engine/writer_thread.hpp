// The one thread that touches the disk while the load runs. Workers and the scheduler push; it formats lines,
// appends them every 100 ms or 256 KiB, and syncs as the run file says. Records go back to their worker for
// reuse. Ticks are completed here, since what they need from /proc is slow to read.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/file.hpp"
#include "config/run_file.hpp"
#include "engine/mailbox.hpp"
#include "engine/tick_collector.hpp"
#include "metrics/histogram.hpp"
#include "metrics/record_log.hpp"

namespace tokometer {

// A final record on its way to the writer, and the box that takes it back (timeline blocks and strings).
struct FinishedRecord {
  std::unique_ptr<RequestRecord> record;
  Mailbox<std::unique_ptr<RequestRecord>>* home = nullptr;  // null: it is not reused
};

using WriterItem =
    std::variant<FinishedRecord, std::unique_ptr<PhaseLine>, std::unique_ptr<TickLine>, WarnLine>;

// What the progress display shows of finished requests.
struct LiveFigures {
  uint64_t ok = 0, failed = 0, output_tokens = 0;
  int64_t ttft_p50_ns = -1, ttft_p99_ns = -1;  // -1: none yet
  int64_t schedule_lag_p99_ns = -1;            // sent - scheduled
  int64_t client_lag_p99_ns = -1;              // user - kernel stamp of the reads of the last tick
};

class WriterThread {
 public:
  // Creates DIR/records.jsonl and a reserve file whose space is given back when the disk is full. `ticks`
  // and `clock` outlive the writer.
  static Result<std::unique_ptr<WriterThread>> start(const std::filesystem::path& run_dir,
                                                     const RunFile::Output& output, TickCollector& ticks,
                                                     const Clock& clock);
  ~WriterThread();  // finish() if that was not called

  void push(WriterItem item);  // any thread

  // Writes what is left, then `end` as the last line, syncs, ends the thread. The records in flight must be
  // in by then.
  void finish(const EndLine& end);

  // Not empty: a write or sync failed. The run stops; what is in flight is still written if the reserve gives
  // room.
  std::string fault() const;
  bool has_fault() const noexcept { return has_fault_.load(std::memory_order_relaxed); }
  int64_t waiting_lines() const noexcept;  // pushed and not in the file yet
  int64_t backlog_bytes() const noexcept;  // an estimate of what these take
  uint64_t request_lines() const noexcept { return request_lines_.load(std::memory_order_relaxed); }
  // All that was pushed so far is in the file, whose length this is.
  bool has_written_all() const noexcept { return written_.load() == pushed_.load(); }
  uint64_t file_bytes() const noexcept { return file_bytes_.load(std::memory_order_relaxed); }
  LiveFigures live() const;  // any thread
  // Over the whole run; -1: none yet. Any thread.
  int64_t ttft_p50_ns(const std::string& workload) const;
  int32_t thread_id() const noexcept { return thread_id_.load(std::memory_order_relaxed); }

  static constexpr int64_t kBacklogLimitBytes = 256 * 1024 * 1024;

 private:
  WriterThread(AppendFile file, std::filesystem::path reserve, const RunFile::Output& output,
               TickCollector& ticks, const Clock& clock);
  void run();
  void write_items();
  void write(FinishedRecord& finished);
  void write(TickLine& tick);
  void append(bool force);
  void append_or_free_reserve();
  void sync_if_due(int64_t now_ns);
  void fail(const Error& error);

  AppendFile file_;
  std::filesystem::path reserve_;
  RunFile::Output output_;
  TickCollector& ticks_;
  const Clock& clock_;
  RecordWriter lines_;
  Mailbox<WriterItem> inbox_;
  std::vector<WriterItem> items_;
  std::atomic<uint64_t> pushed_{0}, written_{0}, request_lines_{0}, file_bytes_{0};
  std::atomic<bool> stop_{false}, has_fault_{false};
  std::atomic<int32_t> thread_id_{0};
  uint64_t formatted_ = 0;
  int64_t last_append_ns_ = 0;
  int64_t last_sync_ns_ = 0;
  bool unsynced_ = false;
  bool broken_ = false;       // nothing more can be written
  mutable std::mutex mutex_;  // guards what follows
  std::string fault_;
  LiveFigures live_;
  Histogram ttft_, schedule_lag_;
  std::map<std::string, Histogram> ttft_by_workload_;
  std::thread thread_;
};

}  // namespace tokometer
