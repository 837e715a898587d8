// Generated records for the tests of metrics and report: every field of a request line, and short ones.
#pragma once

#include <cstdint>
#include <string>

#include "metrics/record.hpp"

namespace tokometer::test {

// A request with every field set to something that no default could be.
inline RequestRecord full_record(BlockPool& pool) {
  RequestRecord r;
  r.seq = 17, r.id = "3f9c1a-17", r.workload = "chat", r.phase = "steady", r.session = "s\"1", r.turn = 2;
  r.sample = 5, r.model = "Llama-3.1-8B", r.adapter = "sql-lora", r.status = Status::failed;
  r.cls = "in_band", r.http_status = 200, r.finish_reason = "abort",
  r.error = "Model \xc3\xa9 is\\n overloaded";
  r.attempts = 2, r.flags = kFlagNoDone | kFlagCoalesced | kFlagWrongModel;
  r.scheduled_ns = 1'000'000'001, r.released_ns = 1'000'000'100, r.held_by_cap_ns = 50;
  r.connect_ns = 1'000'000'200, r.tcp_ready_ns = 1'000'000'300, r.tls_ready_ns = 1'000'000'400;
  r.sent_ns = 1'000'001'000, r.send_done_ns = 1'000'002'000, r.first_byte_ns = 1'050'000'000;
  r.first_event_ns = 1'050'000'001, r.first_token_ns = 1'060'000'000, r.first_answer_ns = 1'080'000'000;
  r.last_token_ns = 1'100'000'000, r.end_ns = 1'100'000'001;
  r.prompt_tokens = 128, r.cached_tokens = 16, r.output_tokens = 7, r.reasoning_tokens = 1;
  r.asked_output_tokens = 32, r.per_event_tokens = 8, r.token_source = TokenSource::usage;
  r.prompt_from_dataset = true, r.endpoint = "127.0.0.1:8000", r.conn = 3, r.reused = true, r.events = 4;
  r.first_event_tokens = 1, r.has_text_crc = true, r.text_crc = 0x00ab12cd, r.stamp_kernel = true;
  r.client_lag_max_ns = 21'000, r.bytes_sent = 900, r.bytes_received = 4096;
  r.server = {{"queue_time", 0.25}, {"own ttft", 3}};
  r.timeline.add(pool, 0, 1);
  r.timeline.add(pool, 20'000, 2, {.coalesced = false, .choice = 1});
  r.timeline.add(pool, 20'000, 3, {.coalesced = true, .choice = 0});
  r.timeline.add(pool, 40'000, 1);
  return r;
}

}  // namespace tokometer::test
