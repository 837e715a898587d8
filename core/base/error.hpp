// A user's mistake, or the outside world's, as a value: what is wrong, where, and what to do about it.
//
//   Result<RunFile> read(...);
//   if (auto file = read(...); !file) for (const Error& e : file.errors()) std::cerr << to_string(e) << '\n';
//
// A programmer's mistake is an assert. Exceptions of third-party code end in the file that calls that code.
#pragma once

#include <cassert>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace tokometer {

struct Error {
  std::string message;    // a sentence for the user: the value found, the nearest name, what to do
  std::string file = {};  // empty: not about a file
  int line = 0;           // from 1; 0: not known
  int column = 0;         // from 1; 0: not known
};

// "run.yaml:12:7: load.options.rat: unknown key", or the message alone where no file is known.
std::string to_string(const Error& error);

// Orders by file, line, column: the order in which a reader meets the faults.
bool operator<(const Error& a, const Error& b);

// A T, or at least one Error.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}         // NOLINT: implicit on purpose
  Result(Error error) : state_(std::in_place_index<1>, 1, std::move(error)) {}  // NOLINT
  Result(std::vector<Error> errors) : state_(std::in_place_index<1>, std::move(errors)) {  // NOLINT
    assert(!this->errors().empty());
  }

  bool ok() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return ok(); }

  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(value()); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  T& value() {
    assert(ok());
    return std::get<0>(state_);
  }
  const T& value() const {
    assert(ok());
    return std::get<0>(state_);
  }
  const std::vector<Error>& errors() const {
    assert(!ok());
    return std::get<1>(state_);
  }
  const Error& error() const { return errors().front(); }

 private:
  std::variant<T, std::vector<Error>> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : errors_{std::move(error)} {}                 // NOLINT: implicit on purpose
  Result(std::vector<Error> errors) : errors_(std::move(errors)) {}  // NOLINT

  bool ok() const noexcept { return errors_.empty(); }
  explicit operator bool() const noexcept { return ok(); }
  const std::vector<Error>& errors() const { return errors_; }
  const Error& error() const {
    assert(!ok());
    return errors_.front();
  }

 private:
  std::vector<Error> errors_;
};

}  // namespace tokometer
