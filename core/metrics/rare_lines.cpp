#include "metrics/rare_lines.hpp"

#include <algorithm>

#include "metrics/record_fields.hpp"

namespace tokometer {

using namespace record_fields;

uint64_t get_count(const tkm::Json& object, std::string_view key) {
  return static_cast<uint64_t>(std::max<int64_t>(tkm::get_int(object, key), 0));
}

namespace {

template <size_t N>
size_t index_in(const std::array<std::string_view, N>& names, std::string_view name) {
  for (size_t i = 0; i < N; ++i) {
    if (names[i] == name) return i;
  }
  return 0;
}

std::optional<uint64_t> get_optional_count(const tkm::Json& object, std::string_view key) {
  if (tkm::find(object, key) == nullptr) return std::nullopt;
  return get_count(object, key);
}

// Calls f for each item of the array `key`; nothing if there is none.
template <class F>
void for_each_item(const tkm::Json& object, std::string_view key, F&& f) {
  const tkm::Json* array = tkm::find(object, key);
  if (array == nullptr || !array->IsArray()) return;
  for (const tkm::Json& item : array->GetArray()) f(item);
}

Span read_span(const tkm::Json& object, std::string_view key) {
  Span span;
  if (const tkm::Json* json = tkm::find(object, key)) {
    span.kind = static_cast<Span::Kind>(index_in(kSpanNames, tkm::get_string(*json, "kind")));
    span.ns = tkm::get_int(*json, "ns");
    span.count = get_count(*json, "count");
  }
  return span;
}

void read_histogram(const tkm::Json& json, std::string_view key, Histogram& histogram) {
  histogram.clear();
  for_each_item(json, key, [&](const tkm::Json& pair) {
    if (!pair.IsArray() || pair.Size() != 2 || !pair[0].IsUint() || !pair[1].IsUint64()) return;
    histogram.record_bucket(pair[0].GetUint(), pair[1].GetUint64());
  });
}

}  // namespace

PhaseLine read_phase(const tkm::Json& json) {
  PhaseLine line;
  line.phase = tkm::get_string(json, "phase");
  line.workload = tkm::get_string(json, "workload");
  line.event = static_cast<PhaseLine::Event>(index_in(kPhaseEventNames, tkm::get_string(json, "event")));
  line.at_ns = tkm::get_int(json, "at_ns");
  if (const tkm::Json* duration = tkm::find(json, "duration_ns")) line.duration_ns = tkm::int_of(*duration);
  line.requests = get_optional_count(json, "requests");
  line.sessions = get_optional_count(json, "sessions");
  line.warmup = read_span(json, "warmup");
  line.cooldown = read_span(json, "cooldown");
  line.measure = tkm::get_bool(json, "measure", true);
  line.open_loop = tkm::get_string(json, "loop", "open") == "open";
  line.unsteady = tkm::get_bool(json, "unsteady");
  line.load = tkm::get_string(json, "load");
  if (tkm::find(json, "rate_per_s") != nullptr) line.rate_per_s = tkm::get_number(json, "rate_per_s");
  line.users = get_optional_count(json, "users");
  line.max_in_flight = get_optional_count(json, "max_in_flight");
  line.overload = tkm::get_string(json, "overload");
  if (const tkm::Json* options = tkm::find(json, "options"))
    tkm::JsonWriter(line.load_options).value(*options);
  if (tkm::find(json, "value") != nullptr) line.value = tkm::get_number(json, "value");
  return line;
}

std::vector<PhaseTotals> read_totals(const tkm::Json& json) {
  std::vector<PhaseTotals> all;
  for_each_item(json, "totals", [&](const tkm::Json& item) {
    PhaseTotals t;
    t.workload = tkm::get_string(item, "workload");
    t.phase = tkm::get_string(item, "phase");
    t.planned = get_count(item, "planned"), t.issued = get_count(item, "issued");
    t.not_issued = get_count(item, "not_issued"), t.ok = get_count(item, "ok");
    t.failed = get_count(item, "failed"), t.cancelled = get_count(item, "cancelled");
    t.wanted_user_ns = tkm::get_int(item, "wanted_user_ns");
    t.active_user_ns = tkm::get_int(item, "active_user_ns");
    all.push_back(std::move(t));
  });
  return all;
}

void read_tick(const tkm::Json& json, TickLine& line) {
  line.at_ns = tkm::get_int(json, "at_ns");
  line.totals = read_totals(json);
  line.last_seq = get_optional_count(json, "last_seq");
  line.in_flight = get_count(json, "in_flight");
  line.rss_bytes = tkm::get_int(json, "rss_bytes");
  line.fds = tkm::get_int(json, "fds");
  line.threads.clear();
  for_each_item(json, "threads", [&](const tkm::Json& item) {
    line.threads.push_back({std::string(tkm::get_string(item, "name")), tkm::get_bool(item, "io"),
                            tkm::get_int(item, "cpu_ns"), tkm::get_int(item, "run_queue_ns"),
                            tkm::get_int(item, "longest_turn_ns")});
  });
  for (const TickField& field : kTickFields) line.*field.number = tkm::get_int(json, field.name);
  read_histogram(json, "client_lag", line.client_lag);
  read_histogram(json, "ambiguity", line.ambiguity);
}

}  // namespace tokometer
