#include "quintet/eval/profile_svg.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <string_view>

#include "quintet/io/tokenizers/unicode.h"

namespace quintet::eval {
namespace {

// All lengths in pixels.
constexpr double kWidth = 980;
constexpr double kMargin = 24;
constexpr double kInner = kWidth - 2 * kMargin;
constexpr double kRow = 19;
constexpr double kBarHeight = 13;
constexpr double kLabelWidth = 325;
constexpr double kBarWidth = 330;
constexpr double kStripHeight = 30;
constexpr double kLegendHeight = 34;
// Of the widest of the usual monospaced fonts, as a part of its size.
constexpr double kCharacterWidth = 0.61;

constexpr double kSmallShare = 0.005;

constexpr std::array kColours = {"#7c3aed", "#2563eb", "#d97706", "#059669", "#db2777", "#0891b2"};
constexpr const char* kGrey = "#64748b";
constexpr const char* kInk = "#0f172a";

std::string xml_character(char32_t code, std::string_view bytes) {
  switch (code) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    // XML has no place for these.
    case 0xfffe:
    case 0xffff: return "?";
    default: return code < 0x20 || code == 0x7f ? "?" : std::string(bytes);
  }
}

// At most as much of `text` as is `width` wide in font size `size`, safe inside XML.
std::string xml_text(std::string_view text, double size, double width) {
  const auto columns = static_cast<size_t>(std::max(0.0, width / (size * kCharacterWidth)));
  std::string out;
  size_t used = 0;
  while (!text.empty()) {
    const io::CodePoint point = io::code_point_at(text, 0);
    const std::string_view bytes = text.substr(0, std::max<size_t>(point.bytes, 1));
    text.remove_prefix(bytes.size());
    used += bytes.size() > 2 ? 2 : 1;  // East Asian characters are twice as wide.
    if (used + (text.empty() ? 0 : 1) > columns) return columns > 0 ? out + "…" : out;
    out += xml_character(point.bytes > 0 ? point.value : 0, bytes);
  }
  return out;
}

template <typename... Values>
std::string format(const char* pattern, Values... values) {
  std::array<char, 256> text{};
  std::snprintf(text.data(), text.size(), pattern, values...);
  return text.data();
}

std::string percent(double share) { return format("%.1f %%", 100 * share); }

std::string share_of_bound(const ProfileRow& row) {
  if (row.bound_ms <= 0) return "";
  return format(", %.0f %% of %s", 100 * row.share_of_bound(), row.limit());
}

// Rows that are too short to see become one at the end of their stage.
std::vector<ProfileRow> without_small(const Profile& profile, const std::string& stage) {
  std::vector<ProfileRow> rows;
  ProfileRow small{.stage = stage};
  int count = 0;
  for (const ProfileRow& row : profile.rows) {
    if (row.stage != stage) continue;
    if (row.ms >= kSmallShare * profile.total_ms) {
      rows.push_back(row);
    } else {
      small.add(row);
      ++count;
    }
  }
  small.name = format("(%d smaller)", count);
  if (count > 0) rows.push_back(small);
  return rows;
}

class Picture {
 public:
  Picture(const Profile& profile, const ProfileHeading& heading)
      : profile_(profile), heading_(heading), stages_(profile.stages()) {}

  std::string draw() {
    draw_heading();
    draw_strip();
    draw_legend();
    double longest = 0;
    for (const ProfileRow& row : profile_.rows) longest = std::max(longest, row.ms);
    for (size_t i = 0; i < stages_.size(); ++i) draw_stage(i, longest);
    const double height = y_ + kMargin;
    return format(
               "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" "
               "width=\"%.0f\" height=\"%.0f\" ",
               kWidth, height, kWidth, height) +
           "font-family=\"'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"12\">\n" +
           format("<rect width=\"%.0f\" height=\"%.0f\" fill=\"#ffffff\"/>\n", kWidth, height) +
           body_ + "</svg>\n";
  }

 private:
  const char* colour(size_t stage) const {
    const bool outside = stages_[stage].stage == kOutside;
    return outside ? kGrey : kColours[stage % kColours.size()];
  }

  void rectangle(double x, double y, double width, double height, const char* fill,
                 double opacity) {
    body_ += format(
        "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"%s\" "
        "fill-opacity=\"%.2f\"/>\n",
        x, y, std::max(0.0, width), height, fill, opacity);
  }

  // `attributes`: of the text element, ours.
  void text(double x, double y, double size, double width, std::string_view content,
            const char* attributes) {
    body_ += format("<text x=\"%.2f\" y=\"%.2f\" font-size=\"%.0f\" %s>", x, y, size, attributes) +
             xml_text(content, size, width) + "</text>\n";
  }

  void draw_heading() {
    y_ += 8;
    text(kMargin, y_ += 10, 17, kInner, heading_.title, "fill=\"#0f172a\" font-weight=\"bold\"");
    y_ += 6;
    for (const std::string& line : heading_.lines) {
      text(kMargin, y_ += 17, 12, kInner, line, "fill=\"#475569\"");
    }
    y_ += 14;
  }

  // All stages side by side, as wide as their time.
  void draw_strip() {
    double x = kMargin;
    for (size_t i = 0; i < stages_.size(); ++i) {
      const double width = kInner * part(stages_[i].ms);
      body_ += "<g><title>" + xml_text(summary(stages_[i]), 12, 1e4) + "</title>\n";
      rectangle(x, y_, width - 1, kStripHeight, colour(i), 1);
      const std::string label = stages_[i].stage + " " + format("%.0f ms", stages_[i].ms);
      if (static_cast<double>(label.size()) * 12 * kCharacterWidth + 12 <= width) {
        text(x + 6, y_ + 20, 12, width - 12, label, "fill=\"#ffffff\"");
      }
      body_ += "</g>\n";
      x += width;
    }
    y_ += kStripHeight;
  }

  void draw_legend() {
    const double bar = y_ + 13;
    rectangle(kMargin, bar, 28, kBarHeight, kInk, 0.9);
    text(kMargin + 34, bar + 11, 12, 320, "the least that the roofline allows", "fill=\"#475569\"");
    rectangle(kMargin + 320, bar, 28, kBarHeight, kInk, 0.25);
    text(kMargin + 354, bar + 11, 12, 320, "time beyond it, or of unknown work",
         "fill=\"#475569\"");
    y_ += kLegendHeight;
  }

  void draw_stage(size_t stage, double longest) {
    const ProfileRow& sum = stages_[stage];
    y_ += kRow + 8;
    const std::string title =
        sum.stage + format(": %.1f ms, ", sum.ms) + percent(part(sum.ms)) +
        (sum.bound_ms > 0 ? format(", bound %.1f ms", sum.bound_ms) : std::string());
    text(kMargin, y_, 13, kInner, title,
         format("fill=\"%s\" font-weight=\"bold\"", colour(stage)).c_str());
    y_ += 5;
    for (const ProfileRow& row : without_small(profile_, sum.stage)) {
      draw_row(row, colour(stage), longest);
    }
  }

  void draw_row(const ProfileRow& row, const char* fill, double longest) {
    const double left = kMargin + kLabelWidth;
    const double width = longest > 0 ? kBarWidth * std::max(0.0, row.ms) / longest : 0;
    const double bound = std::min(1.0, row.share_of_bound()) * width;
    body_ += "<g><title>" + xml_text(summary(row), 12, 1e4) + "</title>\n";
    text(kMargin + 12, y_ + 12, 12, kLabelWidth - 20, row.name, "fill=\"#0f172a\"");
    rectangle(left, y_ + 2, width, kBarHeight, fill, 0.3);
    rectangle(left, y_ + 2, bound, kBarHeight, fill, 1);
    const std::string label = format("%.2f ms", row.ms) + share_of_bound(row);
    text(left + width + 6, y_ + 12, 12, kInner - kLabelWidth - width - 6, label,
         "fill=\"#334155\"");
    body_ += "</g>\n";
    y_ += kRow;
  }

  double part(double ms) const { return profile_.total_ms > 0 ? ms / profile_.total_ms : 0; }

  std::string summary(const ProfileRow& row) const {
    std::string summary = row.stage + (row.name.empty() ? "" : "/" + row.name);
    summary += format(": %.3f ms, ", row.ms) + percent(part(row.ms));
    if (row.calls > 0) summary += ", " + std::to_string(row.calls) + " calls";
    if (row.bound_ms > 0 && row.ms > 0) {
      summary += format(", %.1f Gop/s, %.1f GB/s, ", 1e-6 * row.work.operations / row.ms,
                        1e-6 * row.bytes() / row.ms) +
                 percent(row.share_of_bound()) + " of the bound";
    }
    return summary;
  }

  const Profile& profile_;
  const ProfileHeading& heading_;
  std::vector<ProfileRow> stages_;
  std::string body_;
  double y_ = kMargin;
};

}  // namespace

std::string profile_svg(const Profile& profile, const ProfileHeading& heading) {
  return Picture(profile, heading).draw();
}

}  // namespace quintet::eval
