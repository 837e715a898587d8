// TCP on loopback with receive stamps, in the fewest calls that Linux allows: one recvmsg a read, one send a
// request. Single thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tokometer::bench {

struct Arrival {
  std::ptrdiff_t bytes = 0;  // 0: end of the stream; negative: nothing there
  int64_t user_ns = 0;       // after recvmsg
  int64_t kernel_ns = 0;  // of the newest segment, on the monotonic clock; user_ns where the kernel gave none
  bool has_kernel = false;
};

// Ends the program with a sentence and errno's text: a bench without its connections is none.
[[noreturn]] void give_up(const char* what);

// A connected non-blocking socket with TCP_NODELAY and kernel receive stamps.
int connect_to(uint16_t port);

// All of it at once, or the program ends: requests are small and the socket is empty.
void send_all(int fd, std::string_view bytes);

class StampedReader {
 public:
  StampedReader();
  Arrival read(int fd, char* into, size_t room);

 private:
  int64_t offset_ns_;
  int64_t next_sample_ns_;
};

}  // namespace tokometer::bench
