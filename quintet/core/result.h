// Result<T>: a value or the reason why there is none. The names follow std::expected, which C++20
// does not have yet.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace quintet {

enum class Code : uint8_t {
  kInvalidArgument,  // The caller asked for something that cannot be: a wrong option or value.
  kNotFound,         // A file, model or tensor that is not there.
  kUnsupported,      // Well formed, but not something this version can do.
  kCorrupt,          // Bytes from outside that contradict themselves or their format.
  kIo,               // The operating system or the network refused.
  kExhausted,        // A limit on size, memory or time of work was reached.
  kDeadline,         // The deadline passed.
  kCancelled,        // The caller asked to stop.
  kUnavailable,      // Try again later.
  kTargetMissed,     // Done as asked, but the result is not as good as it was to be.
  kInternal,         // A defect of this program.
};

// One line for people: names the file or option, what is wrong, what would be right.
class Error {
 public:
  Error(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  Code code() const { return code_; }
  const std::string& message() const { return message_; }

  // Puts where it happened in front: `error.with("model.bin")` reads "model.bin: ...". A message
  // that begins so already stays as it is.
  Error with(std::string_view context) && {
    const std::string prefix = std::string(context) + ": ";
    if (!message_.starts_with(prefix)) message_.insert(0, prefix);
    return std::move(*this);
  }

 private:
  Code code_;
  std::string message_;
};

template <typename T>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  // REQUIRES: has_value().
  T& value() & { return checked(*this); }
  const T& value() const& { return checked(*this); }
  T&& value() && { return std::move(checked(*this)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  // REQUIRES: !has_value().
  const Error& error() const& { return std::get<1>(state_); }
  Error&& error() && { return std::get<1>(std::move(state_)); }

  // The same result, whose error (if it is one) names where it happened.
  Result with(std::string_view context) && {
    if (has_value()) return std::move(*this);
    return Result(std::get<1>(std::move(state_)).with(context));
  }

 private:
  template <typename Self>
  static auto& checked(Self& self) {
    if (!self.has_value()) {
      std::fprintf(stderr, "quintet: value() of a failed Result: %s\n",
                   std::get<1>(self.state_).message().c_str());
      std::abort();
    }
    return std::get<0>(self.state_);
  }

  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}

  bool has_value() const { return !error_.has_value(); }
  explicit operator bool() const { return has_value(); }
  // REQUIRES: !has_value().
  const Error& error() const& { return *error_; }
  Error&& error() && { return *std::move(error_); }

  Result with(std::string_view context) && {
    if (has_value()) return {};
    return Result((*std::move(error_)).with(context));
  }

 private:
  std::optional<Error> error_;
};

}  // namespace quintet

#define QT_CONCAT_INNER(a, b) a##b
#define QT_CONCAT(a, b) QT_CONCAT_INNER(a, b)

// QT_TRY(const int64_t heads, config.int_field("heads")); returns the Error from the enclosing
// function, if there is one; otherwise declares the variable with the value.
#define QT_TRY(declaration, ...) \
  QT_TRY_INNER(QT_CONCAT(qt_result_, __LINE__), declaration, __VA_ARGS__)
#define QT_TRY_INNER(result, declaration, ...)               \
  auto result = (__VA_ARGS__);                               \
  if (!result.has_value()) return std::move(result).error(); \
  declaration = *std::move(result)

// The same for Result<void>, and for values that are not needed.
#define QT_TRY_VOID(...)                                        \
  do {                                                          \
    if (auto qt_result = (__VA_ARGS__); !qt_result.has_value()) \
      return std::move(qt_result).error();                      \
  } while (false)
