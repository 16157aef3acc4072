// A profile as a picture: one file that any browser shows, without scripts, fonts or links.
#pragma once

#include <string>
#include <vector>

#include "quintet/eval/profile.h"

namespace quintet::eval {

struct ProfileHeading {
  std::string title;               // "whisper-base, jfk.wav"; what is too long is cut.
  std::vector<std::string> lines;  // Below it, small.
};

// Stages as one stacked bar, then a bar for each operator, coloured by stage: as long as its time,
// dark as far as the bound, light where time is lost. Operators below half a per cent of the total
// share a bar. Texts may hold anything: they are escaped.
std::string profile_svg(const Profile& profile, const ProfileHeading& heading);

}  // namespace quintet::eval
