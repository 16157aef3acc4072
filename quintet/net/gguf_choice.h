// Which of the GGUF files of a repository is meant.
#pragma once

#include <vector>

#include "quintet/core/result.h"
#include "quintet/net/hub.h"

namespace quintet::net {

// The file that `model` names, or the only one, and all its parts where it has several
// ("-00001-of-00003.gguf"). Projectors of other modalities ("mmproj...") are taken only by name.
// Errors: as choose_hub_files.
Result<std::vector<HubFile>> choose_gguf(const std::vector<HubFile>& ggufs, const HubModel& model);

}  // namespace quintet::net
