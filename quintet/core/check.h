// Checks of the program against itself. A failed QT_CHECK is a defect, never a user's mistake:
// bytes and requests from outside are checked with Result.
#pragma once

#include <iostream>
#include <source_location>
#include <sstream>
#include <string>

namespace quintet::internal {

[[noreturn]] void check_failed(const char* expression, const std::string& values,
                               std::source_location where);

template <typename A, typename B>
std::string both_values(const A& a, const B& b) {
  std::ostringstream out;
  out << a << " vs " << b;
  return out.str();
}

}  // namespace quintet::internal

#define QT_CHECK(condition)                                                               \
  do {                                                                                    \
    if (!(condition)) [[unlikely]]                                                        \
      ::quintet::internal::check_failed(#condition, "", std::source_location::current()); \
  } while (false)

#define QT_CHECK_OP(a, op, b)                                                       \
  do {                                                                              \
    if (!((a)op(b))) [[unlikely]]                                                   \
      ::quintet::internal::check_failed(#a " " #op " " #b,                          \
                                        ::quintet::internal::both_values((a), (b)), \
                                        std::source_location::current());           \
  } while (false)
#define QT_CHECK_EQ(a, b) QT_CHECK_OP(a, ==, b)
#define QT_CHECK_LE(a, b) QT_CHECK_OP(a, <=, b)
#define QT_CHECK_LT(a, b) QT_CHECK_OP(a, <, b)

#ifdef NDEBUG
#define QT_DCHECK(condition) static_cast<void>(0)
#else
#define QT_DCHECK(condition) QT_CHECK(condition)
#endif
