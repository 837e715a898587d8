#include "telemetry/metrics_text.hpp"

#include <doctest/doctest.h>

#include <string>

namespace tokometer {
namespace {

constexpr std::string_view kPage =
    "# HELP vllm:num_requests_running Number of requests\n"
    "# TYPE vllm:num_requests_running gauge\n"
    "vllm:num_requests_running{engine=\"0\",model_name=\"a \\\"b\\\" {c}\"} 3.0\n"
    "vllm:num_requests_running{engine=\"1\",model_name=\"m\"} 5.0\n"
    "vllm:num_requests_running_total 99\r\n"
    "hits 1e2 1700000000000\n"
    "queries +400\n"
    "none NaN\n"
    "broken{a=\"never closed 7\n"
    "\n"
    "last 7";

std::optional<double> read(Candidate candidate, std::string_view page = kPage) {
  return read_quantity(page, {.name = "queue_size", .unit = {}, .candidates = {std::move(candidate)}});
}

Candidate of(const std::string& metric) {
  Candidate candidate;
  candidate.metric = metric;
  return candidate;
}

}  // namespace

TEST_CASE("a quantity is read over its series, by name and labels") {
  Candidate running = of("vllm:num_requests_running");
  CHECK(read(running) == 8);
  running.fold = Fold::max;
  CHECK(read(running) == 5);
  running.fold = Fold::mean;
  CHECK(read(running) == 4);
  running.labels = {{"model_name", "a \"b\" {c}"}};
  CHECK(read(running) == 3);
  running.labels = {{"model_name", "m"}, {"engine", "1"}};
  CHECK(read(running) == 5);
  running.labels = {{"model_name", "m"}, {"engine", "0"}};
  CHECK_FALSE(read(running));
}

TEST_CASE("numbers as the format allows them") {
  CHECK(read(of("hits")) == 100);
  CHECK(read(of("queries")) == 400);
  CHECK(read(of("last")) == 7);
  CHECK_FALSE(read(of("none")));
  CHECK_FALSE(read(of("broken")));
  CHECK_FALSE(read(of("hit")));
  CHECK_FALSE(read(of("hits"), ""));
  Candidate rate = of("hits");
  rate.divide_by = "queries";
  rate.scale = 100;
  CHECK(read(rate) == 25);
  rate.divide_by = "nothing";
  CHECK_FALSE(read(rate));
}

TEST_CASE("the first candidate with a sample wins: servers rename metrics") {
  const Quantity quantity{
      .name = "queue_size", .unit = {}, .candidates = {of("new"), of("last"), of("hits")}};
  CHECK(read_quantity(kPage, quantity) == 7);
}

TEST_CASE("a page cut at any byte is read as far as it goes") {
  for (size_t end = 0; end <= kPage.size(); ++end) {
    const auto found = read(of("vllm:num_requests_running"), kPage.substr(0, end));
    CHECK((!found || *found <= 8));
  }
}

}  // namespace tokometer
