#include "quintet/eval/profile_svg.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace quintet::eval {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Profile profile() {
  Profile profile{.total_ms = 100};
  profile.rows = {
      {.stage = "encode", .name = "fc1", .calls = 2, .ms = 80, .compute_ms = 40, .bound_ms = 40},
      {.stage = "encode", .name = "norm", .calls = 2, .ms = 0.4},
      {.stage = "encode", .name = "positions", .calls = 1, .ms = 0.1},
      {.stage = "decode",
       .name = "output_head",
       .calls = 9,
       .ms = 19.5,
       .memory_ms = 39,
       .bound_ms = 39}};
  return profile;
}

// Whether tags are closed in the order in which they were opened, attributes are quoted and no
// stray < or & stands in the text.
testing::AssertionResult well_formed(const std::string& xml) {
  std::vector<std::string> open;
  for (size_t at = 0; at < xml.size();) {
    if (xml[at] == '&') {
      const std::string entity = xml.substr(at, xml.find(';', at) + 1 - at);
      if (entity != "&amp;" && entity != "&lt;" && entity != "&gt;" && entity != "&quot;") {
        return testing::AssertionFailure() << "stray & at " << at;
      }
    }
    if (xml[at] != '<') {
      ++at;
      continue;
    }
    const size_t end = xml.find('>', at);
    if (end == std::string::npos) return testing::AssertionFailure() << "tag without end";
    const std::string tag = xml.substr(at + 1, end - at - 1);
    at = end + 1;
    if (tag.find('<') != std::string::npos) return testing::AssertionFailure() << tag;
    if (std::count(tag.begin(), tag.end(), '"') % 2 != 0) return testing::AssertionFailure() << tag;
    if (tag.front() == '/') {
      if (open.empty() || open.back() != tag.substr(1)) {
        return testing::AssertionFailure() << tag << " closes nothing";
      }
      open.pop_back();
    } else if (tag.back() != '/') {
      open.push_back(tag.substr(0, tag.find(' ')));
    }
  }
  if (!open.empty()) return testing::AssertionFailure() << open.back() << " is open";
  return testing::AssertionSuccess();
}

TEST(ProfileSvg, IsWellFormedAndNamesEveryStageAndItsOperators) {
  const std::string svg = profile_svg(profile(), {.title = "model, audio", .lines = {"a", "b"}});
  EXPECT_TRUE(well_formed(svg));
  for (const char* text : {"model, audio", "encode 80 ms", "fc1", "80.00 ms, 50 % of fp32 peak",
                           "output_head", "19.50 ms, 200 % of bandwidth"}) {
    EXPECT_THAT(svg, HasSubstr(text));
  }
}

TEST(ProfileSvg, StandsAlone) {
  const std::string svg = profile_svg(profile(), {});
  for (const char* text : {"href", "url(", "<script", "<style", "@import"}) {
    EXPECT_THAT(svg, Not(HasSubstr(text)));
  }
}

TEST(ProfileSvg, JoinsWhatIsTooSmallToSee) {
  const std::string svg = profile_svg(profile(), {});
  EXPECT_THAT(svg, HasSubstr(">(2 smaller)<"));
  EXPECT_THAT(svg, Not(HasSubstr("positions")));
}

TEST(ProfileSvg, EscapesWhateverTextsHold) {
  const std::string odd = "<b> & \"q\" \x01 \xff \xc3\xa9 \xef\xbf\xbf";
  Profile with_odd = profile();
  with_odd.rows[0].name = odd;
  const std::string svg = profile_svg(with_odd, {.title = odd, .lines = {odd}});
  EXPECT_TRUE(well_formed(svg));
  EXPECT_THAT(svg, HasSubstr("&lt;b&gt; &amp; &quot;q&quot; ? ? \xc3\xa9 ?<"));
}

TEST(ProfileSvg, CutsWhatIsTooLongForItsPlace) {
  Profile with_long = profile();
  with_long.rows[0].name = std::string(500, 'x');
  with_long.rows[3].name = "\xe8\xaa\x9e\xe8\xaa\x9e\xe8\xaa\x9e";
  const std::string svg =
      profile_svg(with_long, {.title = std::string(500, 't'), .lines = {std::string(500, 'l')}});
  EXPECT_TRUE(well_formed(svg));
  EXPECT_THAT(svg, HasSubstr("xxx…</text>"));
  EXPECT_THAT(svg, HasSubstr("ttt…</text>"));
  EXPECT_THAT(svg, HasSubstr("lll…</text>"));
  EXPECT_THAT(svg, HasSubstr("\xe8\xaa\x9e\xe8\xaa\x9e\xe8\xaa\x9e</text>"));
}

TEST(ProfileSvg, OfNothingIsAPictureToo) {
  EXPECT_TRUE(well_formed(profile_svg({}, {})));
  Profile zero{.total_ms = 0};
  zero.rows = {{.stage = "encode", .name = "fc1"}};
  EXPECT_TRUE(well_formed(profile_svg(zero, {})));
  EXPECT_THAT(profile_svg(zero, {}), Not(HasSubstr("nan")));
}

}  // namespace
}  // namespace quintet::eval
