// One TCP connection over several addresses of the same host: the next one is tried when one fails, and a
// rival is started when one stays silent (try_next, called by the pool's timer). The first that answers wins.
// Owned by the Connection that it connects.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <span>
#include <string>
#include <string_view>

#include "net/poller.hpp"
#include "net/socket.hpp"
#include "net/url.hpp"

namespace tokometer {

// The two last calls end the connector's work and may destroy it.
class ConnectorListener {
 public:
  virtual void on_attempt(
      int64_t at_ns) = 0;  // just before connect(), once an address. May not destroy the connector
  virtual void on_connected(Socket socket, size_t endpoint, int64_t ready_ns) = 0;
  virtual void on_connect_failed(std::string_view cls, std::string message) = 0;

 protected:
  ~ConnectorListener() = default;
};

class Connector {
 public:
  static constexpr size_t kMaxAddresses = 16;

  // endpoints: must outlive the connector; tried from `first` on, around the end.
  Connector(Poller& poller, ConnectorListener& listener, std::span<const Endpoint> endpoints, size_t first);
  ~Connector();
  Connector(const Connector&) = delete;
  Connector& operator=(const Connector&) = delete;

  // Starts the next address beside those that are under way. The listener may hear the end inside the call.
  void try_next();
  bool has_next() const noexcept { return tried_ < limit_; }

 private:
  struct Attempt final : Pollable {
    void on_ready(uint32_t) override { connector->on_answer(*this); }
    Connector* connector = nullptr;
    Socket socket;
    size_t endpoint = 0;
    std::list<Attempt>::iterator position;
  };

  int begin(Attempt& attempt);  // 0: connected, EINPROGRESS, or why not
  void on_answer(Attempt& attempt);
  void win(Attempt& attempt);
  void note_failure(const Attempt& attempt, int error);

  Poller& poller_;
  ConnectorListener& listener_;
  std::span<const Endpoint> endpoints_;
  size_t first_;
  size_t limit_;
  size_t tried_ = 0;
  std::list<Attempt> attempts_;
  std::string_view failure_cls_ = "connect";
  std::string failures_;
};

}  // namespace tokometer
