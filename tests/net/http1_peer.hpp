// HTTP/1.1 for the scripted server of loopback.hpp.
#pragma once

#include <string>

#include "loopback.hpp"

namespace tokometer::testing {

inline const std::string kGet = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
inline const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
inline const std::string kChunkedHead = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

inline void answer_all(Peer& peer, const std::string& response) {
  while (!peer.request().empty()) peer.send(response);
}

inline std::string post(size_t body_bytes) {
  return "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body_bytes) + "\r\n\r\n" +
         std::string(body_bytes, 'p');
}

}  // namespace tokometer::testing
