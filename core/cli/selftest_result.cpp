#include "cli/selftest_result.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include <tokometer/json.hpp>

#include "base/text.hpp"
#include "cli/host.hpp"
#include "metrics/number_text.hpp"

namespace tokometer {
namespace {

constexpr double kClientLimit = 0.9;  // a thread this busy was what ended the growth
constexpr std::array kOwnChecks{"V4", "V5", "V6", "V7", "V8", "V9"};
constexpr size_t kColumn = 15;

double scalar(const PhaseSummary& phase, const char* id) {
  const Scalar* found = phase.find_scalar(id);
  return found == nullptr ? 0 : found->number();
}

int64_t p99_ns(const PhaseSummary& phase, const char* id) {
  const Distribution* found = phase.find_metric(id);
  return found == nullptr || found->count == 0 ? 0 : std::llround(found->percentile("p99"));
}

// 21,613 -> 21,000: more digits would promise too much.
double rounded_down(double value) {
  if (value < 10) return std::floor(value);
  const double unit = std::pow(10, std::floor(std::log10(value)) - 1);
  return std::floor(value / unit) * unit;
}

// 21613.4 -> "21,613"
std::string grouped(double value) {
  const std::string digits = fixed(value, 0);
  std::string text;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

std::string line_of(std::string name, const std::string& value) {
  name.resize(std::max(name.size() + 1, kColumn), ' ');
  return name + value + "\n";
}

std::string top_text(double rate, const char* what, const LoadTrial& trial) {
  const std::string busy = fixed(trial.busiest_thread * 100, 0) + " %";
  return grouped(rate) + " " + what + "/s" +
         (trial.busiest_thread >= kClientLimit
              ? "; the client was the limit: busiest I/O thread " + busy
              : " at least; the simulator or the host was the limit: busiest I/O thread " + busy);
}

std::string doubts_text(const LoadTrial& trial) {
  if (is_calm(trial)) return line_of("", "no doubt: V4 to V9 are VALID");
  std::string text;
  for (const Check& check : trial.doubts) {
    text += line_of("", std::string(to_string(check.grade)) + " " + check.id + " " + check.name + " " +
                            check.measured + " " + check.relation + " " + check.limit);
  }
  return text;
}

std::string host_line(const Manifest::Host& host) {
  std::string text =
      "tokometer " + std::string(kToolVersion) + " selftest, " + std::to_string(host.cores) + " cores";
  for (const std::string& fact : {host.cpu, host.kernel}) text += fact.empty() ? "" : ", " + fact;
  return text + "\n";
}

std::string stamps_text(const SelfTest& test) {
  const double share = std::min(test.requests.kernel_stamp_share, test.streams.kernel_stamp_share);
  if (share == 1) return "kernel";
  return share == 0 ? "user: the kernel gives none here, so every lag of the client is in the times"
                    : "kernel " + percent_text(share);
}

void put_trial(tkm::JsonWriter& json, std::string_view key, const LoadTrial& trial) {
  json.key(key).begin_object();
  json.member("requests_per_s", trial.requests_per_s).member("events_per_s", trial.events_per_s);
  json.member("streams", trial.streams).member("busiest_thread", trial.busiest_thread);
  json.member("cores_used", trial.cores_used).member("rss_peak_bytes", trial.rss_peak_bytes);
  json.member("send_lateness_p99_ns", trial.send_lateness_p99_ns);
  json.member("client_lag_p99_ns", trial.client_lag_p99_ns);
  json.member("coalesced_share", trial.coalesced_share);
  json.member("kernel_stamp_share", trial.kernel_stamp_share);
  json.key("doubts").begin_array();
  for (const Check& check : trial.doubts) {
    json.begin_object().member("id", check.id).member("grade", to_string(check.grade));
    json.member("measured", check.measured).member("limit", check.limit).end_object();
  }
  json.end_array().end_object();
}

}  // namespace

LoadTrial trial_of(const Summary& summary) {
  LoadTrial trial;
  if (summary.phases.empty()) return trial;
  const PhaseSummary& phase = summary.phases.front();
  trial.requests_per_s = scalar(phase, "completed_rate");
  trial.events_per_s = scalar(phase, "output_tokens_per_s") + scalar(phase, "lost_tokens_per_s");
  trial.streams = scalar(phase, "concurrency_wire");
  trial.busiest_thread = phase.busiest_thread;
  trial.cores_used = phase.cores_used();
  trial.coalesced_share = phase.coalesced_share;
  trial.kernel_stamp_share = phase.kernel_stamp_share;
  trial.rss_peak_bytes = phase.rss_peak_bytes;
  trial.send_lateness_p99_ns = p99_ns(phase, "own_lag");
  trial.client_lag_p99_ns = p99_ns(phase, "client_lag");
  for (const Check& check : summary.checks) {
    const bool is_own = std::find(kOwnChecks.begin(), kOwnChecks.end(), check.id) != kOwnChecks.end();
    if (is_own && check.grade != Grade::valid) trial.doubts.push_back(check);
  }
  return trial;
}

bool is_calm(const LoadTrial& trial) {
  return trial.doubts.empty();
}

Trust trust_of(const SelfTest& test) {
  Trust trust;
  if (is_calm(test.requests)) trust.requests_per_s = rounded_down(test.requests.requests_per_s);
  if (is_calm(test.streams)) {
    trust.events_per_s = rounded_down(test.streams.events_per_s);
    trust.streams = rounded_down(test.streams.streams);
  }
  trust.gap_ns = std::max(test.requests.client_lag_p99_ns, test.streams.client_lag_p99_ns);
  return trust;
}

std::string sentence_of(const SelfTest& test) {
  const Trust trust = trust_of(test);
  std::vector<std::string> good, bad;
  (trust.requests_per_s > 0 ? good : bad)
      .push_back(grouped(rounded_down(test.requests.requests_per_s)) + " requests/s");
  const std::string streams = grouped(rounded_down(test.streams.streams)) + " streams with together " +
                              grouped(rounded_down(test.streams.events_per_s)) + " events/s";
  (trust.streams > 0 ? good : bad).push_back(streams);
  const auto listed = [](const std::vector<std::string>& parts) {
    return parts.size() == 2 ? parts[0] + ", or " + parts[1] : parts.front();
  };
  std::string text;
  if (!good.empty()) text += "up to about " + listed(good) + "; ";
  if (!bad.empty()) text += "not " + listed(bad) + " (see above: stop other work, or use a quieter host); ";
  return text + "gaps below " + milliseconds_text(static_cast<double>(trust.gap_ns)) +
         " cannot be told apart";
}

std::string selftest_text(const SelfTest& test) {
  const LoadTrial& requests = test.requests;
  const LoadTrial& streams = test.streams;
  std::string text = host_line(test.host);
  text += line_of("Idle host", "lost " + percent_text(test.idle_lost_share) + " in gaps over 1 ms, longest " +
                                   milliseconds_text(static_cast<double>(test.idle_longest_gap_ns)));
  text += line_of("Most requests", top_text(test.top_requests.requests_per_s, "requests", test.top_requests));
  text += line_of("Most events", top_text(test.top_events.events_per_s, "events", test.top_events));
  text += line_of("Open loop", "at " + grouped(requests.requests_per_s) + " requests/s: sends late by p99 " +
                                   milliseconds_text(static_cast<double>(requests.send_lateness_p99_ns)) +
                                   ", client lag p99 " +
                                   milliseconds_text(static_cast<double>(requests.client_lag_p99_ns)) +
                                   ", busiest I/O thread " + fixed(requests.busiest_thread * 100, 0) + " %");
  text += doubts_text(requests);
  text += line_of("Streams", "at " + grouped(streams.streams) + " with " + grouped(streams.events_per_s) +
                                 " events/s: client lag p99 " +
                                 milliseconds_text(static_cast<double>(streams.client_lag_p99_ns)) +
                                 ", coalesced " + percent_text(streams.coalesced_share) +
                                 ", busiest I/O thread " + fixed(streams.busiest_thread * 100, 0) +
                                 " %, memory " + fixed(static_cast<double>(streams.rss_peak_bytes) / 1e6, 0) +
                                 " MB");
  text += doubts_text(streams);
  text += line_of("Stamps", stamps_text(test));
  return text + line_of("Trust it", sentence_of(test));
}

std::string selftest_json(const SelfTest& test) {
  std::string text;
  tkm::JsonWriter json(text);
  json.begin_object().member("schema_version", 1).member("tool_version", kToolVersion);
  json.key("host").begin_object().member("cores", test.host.cores).member("cpu", test.host.cpu);
  json.member("kernel", test.host.kernel).end_object();
  json.key("idle").begin_object().member("seconds", test.idle_s);
  json.member("lost_share", test.idle_lost_share).member("longest_gap_ns", test.idle_longest_gap_ns);
  json.end_object();
  put_trial(json, "top_requests", test.top_requests);
  put_trial(json, "top_events", test.top_events);
  put_trial(json, "open_loop", test.requests);
  put_trial(json, "streams", test.streams);
  const Trust trust = trust_of(test);
  json.key("trust").begin_object().member("requests_per_s", trust.requests_per_s);
  json.member("streams", trust.streams).member("events_per_s", trust.events_per_s);
  json.member("gap_ns", trust.gap_ns).member("sentence", sentence_of(test)).end_object().end_object();
  return text + "\n";
}

}  // namespace tokometer
