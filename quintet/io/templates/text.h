// Strings as Python sees them: counted in code points, cased and split by Unicode's properties.
// A byte that is no UTF-8 counts as one character and stays as it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace quintet::io::templates {

// The characters of a text, by number.
class Characters {
 public:
  explicit Characters(std::string_view text);
  size_t size() const { return starts_.empty() ? text_.size() : starts_.size() - 1; }
  std::string_view at(size_t i) const { return range(i, i + 1); }
  // REQUIRES: begin <= end <= size().
  std::string_view range(size_t begin, size_t end) const;

 private:
  std::string_view text_;
  std::vector<size_t> starts_;  // Empty where every character is one byte.
};

struct Sides {
  bool left = true;
  bool right = true;
};
// Without white space at the sides, or without any of `characters`.
std::string_view strip(std::string_view text, Sides sides = {});
std::string_view strip(std::string_view text, Sides sides, std::string_view characters);

std::string upper(std::string_view text);
std::string lower(std::string_view text);
std::string capitalize(std::string_view text);
// Python's str.title(): every run of letters begins with a capital.
std::string title(std::string_view text);

// Where `part` begins in `text`, from byte `from` on; npos where nowhere. The time is linear in the
// length of the text, which std::string's own search is not for texts that are made for it.
size_t find_text(std::string_view text, std::string_view part, size_t from = 0);
size_t find_last_text(std::string_view text, std::string_view part);
// How often, without overlap. REQUIRES: `part` is not empty.
size_t count_text(std::string_view text, std::string_view part);

// The pieces between runs of white space; the last holds the rest once there are `limit` splits.
std::vector<std::string_view> split_spaces(std::string_view text, int64_t limit = -1);
std::vector<std::string_view> split_spaces_from_right(std::string_view text, int64_t limit);
std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends = false);

// Python's repr() of a float and of a string.
std::string float_text(double number);
void append_quoted(std::string& out, std::string_view text);

}  // namespace quintet::io::templates
