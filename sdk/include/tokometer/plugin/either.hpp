// The stream of a processor that reads replies of several forms: one of `Streams`, chosen in open(). It has
// the three methods of a stream, as each of them must, and passes them on.
#pragma once

#include <tokometer/plugin.hpp>

#include <string_view>
#include <utility>
#include <variant>

namespace tkm {

template <class... Streams>
class EitherStream {
 public:
  template <class Stream>
  EitherStream(Stream stream) : it_(std::move(stream)) {}

  tkm_status head(const tkm_head& head, Events& events) {
    return std::visit([&](auto& stream) { return stream.head(head, events); }, it_);
  }
  void data(std::string_view bytes, Events& events) {
    std::visit([&](auto& stream) { stream.data(bytes, events); }, it_);
  }
  void end(const tkm_end& end, Events& events) {
    std::visit([&](auto& stream) { stream.end(end, events); }, it_);
  }

 private:
  std::variant<Streams...> it_;
};

}  // namespace tkm
