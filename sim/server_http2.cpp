// HTTP/2 connections: each stream is a slot of its own, as a connection of HTTP/1.1 is, and is answered by
// the same code. What differs: how one begins and ends.
#include <utility>
#include <vector>

#include "sim/server.hpp"

namespace tokometer::sim {

bool Server::read_http2(uint32_t slot) {
  Connection& connection = *slots_[slot];
  if (connection.http2 == nullptr) {
    const std::string_view begin = connection.reader.unread();
    const bool may_be = !begin.empty() && connection.replies == 0 && kHttp2Preface.starts_with(begin);
    if (may_be && begin.size() < kHttp2Preface.size()) return true;  // the rest is on its way
    if (!begin.starts_with(kHttp2Preface)) return false;
    connection.begin_http2(options_.max_streams);
  }
  const bool is_sound = connection.http2->feed(connection.reader.take_unread());
  for (auto& [stream, request] : connection.http2->take_requests()) {
    begin_stream(slot, stream, request);
    if (slots_[slot] == nullptr) return true;
  }
  connection.send_frames();
  close_gone_streams(slot);
  if (!is_sound) connection.close_when_sent = true;
  settle(slot);
  return true;
}

void Server::begin_stream(uint32_t slot, int32_t stream, const Request& request) {
  Connection& parent = *slots_[slot];
  const uint32_t own = new_slot(std::make_unique<Connection>(parent, stream));
  parent.slots[stream] = own;
  answer(own, request);
}

// The reply is complete.
void Server::end_of_stream(uint32_t slot) {
  Connection& stream = *slots_[slot];
  Connection& parent = *stream.parent();
  ++parent.replies;
  const bool is_last = options_.close_after != 0 && parent.replies >= options_.close_after;
  if (is_last) stream.refuse_later_streams();
  stream.close_when_sent = true;
  settle(slot);
}

void Server::settle_stream(uint32_t slot) {
  Connection& stream = *slots_[slot];
  const uint32_t parent_slot = stream.parent()->own_slot;
  if (stream.broken()) return close(parent_slot, "client_gone");
  if (stream.close_when_sent && stream.abrupt) {
    slots_[parent_slot]->close_when_sent = slots_[parent_slot]->abrupt = true;
  } else if (stream.close_when_sent) {
    close(slot, {});  // after a GOAWAY the client closes: our close could throw that away at the client's end
  }
  settle(parent_slot);
}

// RST_STREAM, if its reply is not complete and the connection lives on.
void Server::leave_parent(Connection& stream) {
  Connection& parent = *stream.parent();
  parent.slots.erase(stream.stream());
  if (parent.close_when_sent || parent.http2->is_answered(stream.stream())) return;
  parent.http2->reset(stream.stream());
  parent.send_frames();
}

void Server::close_gone_streams(uint32_t slot) {
  Connection& connection = *slots_[slot];
  for (const int32_t stream : connection.http2->take_gone()) {
    const auto at = connection.slots.find(stream);
    if (at != connection.slots.end()) close(at->second, "client_gone");
  }
}

void Server::close_streams(uint32_t slot, std::string_view outcome) {
  for (const auto& [stream, own] : std::map<int32_t, uint32_t>(slots_[slot]->slots)) close(own, outcome);
}

}  // namespace tokometer::sim
