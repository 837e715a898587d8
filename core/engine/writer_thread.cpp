#include "engine/writer_thread.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <utility>

namespace tokometer {
namespace {

constexpr int64_t kAppendNs = 100'000'000;
constexpr size_t kAppendBytes = 256 * 1024;
constexpr auto kTurn = std::chrono::milliseconds(25);
constexpr int64_t kUsualRecordBytes = 4096;  // of a record that waits: for the backlog estimate
constexpr off_t kReserveBytes = 4 * 1024 * 1024;

void make_reserve(const std::filesystem::path& path) {
  const Descriptor file(open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600));
  // Without a reserve a full disk only costs a little more; so its own failure is not one of the run.
  if (file) (void)posix_fallocate(file.get(), 0, kReserveBytes);
}

}  // namespace

Result<std::unique_ptr<WriterThread>> WriterThread::start(const std::filesystem::path& run_dir,
                                                          const RunFile::Output& output, TickCollector& ticks,
                                                          const Clock& clock) {
  auto file = AppendFile::create(run_dir / "records.jsonl");
  if (!file) return file.errors();
  const auto reserve = run_dir / ".reserve";
  make_reserve(reserve);
  return std::unique_ptr<WriterThread>(new WriterThread(std::move(*file), reserve, output, ticks, clock));
}

WriterThread::WriterThread(AppendFile file, std::filesystem::path reserve, const RunFile::Output& output,
                           TickCollector& ticks, const Clock& clock)
    : file_(std::move(file)),
      reserve_(std::move(reserve)),
      output_(output),
      ticks_(ticks),
      clock_(clock),
      lines_(RecordWriter::Options{.gaps = output.record_gaps}),
      last_sync_ns_(clock.now_ns()),
      thread_([this] { run(); }) {}

WriterThread::~WriterThread() {
  stop_.store(true);
  if (thread_.joinable()) thread_.join();
  std::error_code ignored;  // the file may be gone already: it served its purpose
  std::filesystem::remove(reserve_, ignored);
}

void WriterThread::push(WriterItem item) {
  pushed_.fetch_add(1, std::memory_order_relaxed);
  inbox_.push(std::move(item));
}

int64_t WriterThread::waiting_lines() const noexcept {
  return static_cast<int64_t>(pushed_.load(std::memory_order_relaxed) -
                              written_.load(std::memory_order_relaxed));
}

int64_t WriterThread::backlog_bytes() const noexcept {
  return waiting_lines() * kUsualRecordBytes;
}

std::string WriterThread::fault() const {
  const std::lock_guard lock(mutex_);
  return fault_;
}

LiveFigures WriterThread::live() const {
  const std::lock_guard lock(mutex_);
  LiveFigures figures = live_;
  figures.ttft_p50_ns = ttft_.percentile(500).value_or(-1);
  figures.ttft_p99_ns = ttft_.percentile(990).value_or(-1);
  figures.schedule_lag_p99_ns = schedule_lag_.percentile(990).value_or(-1);
  return figures;
}

int64_t WriterThread::ttft_p50_ns(const std::string& workload) const {
  const std::lock_guard lock(mutex_);
  const auto found = ttft_by_workload_.find(workload);
  return found == ttft_by_workload_.end() ? -1 : found->second.percentile(500).value_or(-1);
}

void WriterThread::run() {
  thread_id_.store(gettid(), std::memory_order_relaxed);
  pthread_setname_np(pthread_self(), "writer");
  while (!stop_.load()) {
    write_items();
    append(false);
    std::this_thread::sleep_for(kTurn);
  }
  write_items();
  append(true);
}

void WriterThread::write_items() {
  inbox_.take(items_);
  const std::lock_guard lock(mutex_);
  for (WriterItem& item : items_) {
    if (auto* finished = std::get_if<FinishedRecord>(&item)) write(*finished);
    if (auto* phase = std::get_if<std::unique_ptr<PhaseLine>>(&item)) lines_.write_phase(**phase);
    if (auto* tick = std::get_if<std::unique_ptr<TickLine>>(&item)) write(**tick);
    if (auto* warn = std::get_if<WarnLine>(&item)) lines_.write_warn(*warn);
  }
  formatted_ += items_.size();
  items_.clear();
}

void WriterThread::write(FinishedRecord& finished) {
  RequestRecord& record = *finished.record;
  lines_.write_request(record);
  request_lines_.fetch_add(1, std::memory_order_relaxed);
  if (record.sent_ns != kAbsent) schedule_lag_.record(record.sent_ns - record.scheduled_ns);
  if (record.status == Status::ok) {
    ++live_.ok;
    if (record.output_tokens > 0) live_.output_tokens += static_cast<uint64_t>(record.output_tokens);
    if (record.first_token_ns != kAbsent) {
      ttft_.record(record.first_token_ns - record.scheduled_ns);
      ttft_by_workload_[record.workload].record(record.first_token_ns - record.scheduled_ns);
    }
  } else if (record.status == Status::failed) {
    ++live_.failed;
  }
  if (finished.home == nullptr) return;
  record.reset();
  finished.home->push(std::move(finished.record));
}

void WriterThread::write(TickLine& tick) {
  ticks_.complete(tick);
  if (const auto p99_ns = tick.client_lag.percentile(990)) live_.client_lag_p99_ns = *p99_ns;
  tick.writer_backlog_bytes = backlog_bytes();
  tick.writer_backlog_limit_bytes = kBacklogLimitBytes;
  lines_.write_tick(tick);
}

void WriterThread::append(bool force) {
  const int64_t now_ns = clock_.now_ns();
  const size_t waiting = lines_.pending().size();
  if (waiting > 0 && (force || waiting >= kAppendBytes || now_ns - last_append_ns_ >= kAppendNs)) {
    if (!broken_) append_or_free_reserve();
    lines_.clear_pending();
    file_bytes_.fetch_add(waiting, std::memory_order_relaxed);
    written_.store(formatted_);
    last_append_ns_ = now_ns;
    unsynced_ = true;
  }
  sync_if_due(force ? INT64_MAX : now_ns);
}

// A full disk stops the run, but what is in flight still finds room in the reserve.
void WriterThread::append_or_free_reserve() {
  struct stat before {};
  fstat(file_.fd(), &before);
  const auto appended = file_.append(lines_.pending());
  if (appended) return;
  fail(appended.error());
  std::error_code ignored;
  const bool freed = std::filesystem::remove(reserve_, ignored) && ftruncate(file_.fd(), before.st_size) == 0;
  broken_ = !freed || !file_.append(lines_.pending());
}

void WriterThread::sync_if_due(int64_t now_ns) {
  const RunFile::SyncPolicy& sync = output_.sync;
  if (!unsynced_ || broken_ || sync.kind == RunFile::SyncPolicy::Kind::off) return;
  if (sync.kind == RunFile::SyncPolicy::Kind::interval && now_ns < last_sync_ns_ + sync.interval_ns) return;
  if (auto synced = file_.sync(); !synced) {
    fail(synced.error());
    broken_ = true;  // what is on the disk is unknown: nothing is retried and then trusted
  }
  last_sync_ns_ = clock_.now_ns();
  unsynced_ = false;
}

void WriterThread::fail(const Error& error) {
  const std::lock_guard lock(mutex_);
  if (fault_.empty()) fault_ = to_string(error);
  has_fault_.store(true);
}

void WriterThread::finish(const EndLine& end) {
  stop_.store(true);
  thread_.join();
  lines_.write_end(end);
  append(true);
}

}  // namespace tokometer
