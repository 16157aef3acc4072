// pip as a child process: the way to a package where only pip knows the index.
#pragma once

#include <filesystem>
#include <string>

#include "quintet/core/result.h"
#include "quintet/net/http.h"

namespace quintet::net {

// Has pip download `requirement` ("name==1.0.0") as a wheel, without what it depends on, into the
// folder `into`, which must exist and be ours alone: pip's temporary files go there too, and
// progress is the growth of that folder.
// Errors: kUnavailable where there is no pip, kIo with pip's own last line where it fails,
// kCancelled.
Result<void> pip_download(const std::string& requirement, const std::filesystem::path& into,
                          const ProgressCallback& progress);

}  // namespace quintet::net
