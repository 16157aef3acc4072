#include "quintet/eval/profile.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

namespace quintet::eval {
namespace {

double milliseconds(double amount, double per_second) {
  return per_second > 0 ? 1e3 * amount / per_second : 0;
}

ProfileRow row_of(const trace::Span& span, const kernels::Roofline& roofline, double footprint) {
  const trace::Work& work = span.work;
  const int threads = span.threads * span.lanes;
  ProfileRow row{.calls = 1, .ms = span.milliseconds(), .work = work};
  row.compute_ms =
      milliseconds(work.operations, roofline.rates(threads).operations_per_second(work.arithmetic));
  row.memory_ms = milliseconds(work.weight_bytes, roofline.bytes_per_second(footprint, threads)) +
                  milliseconds(work.activation_bytes,
                               roofline.bytes_per_second(work.activation_bytes, threads));
  row.bound_ms = std::max(row.compute_ms, row.memory_ms);
  return row;
}

// Rows by stage and name. Stages stand in the order in which they began, their rows in that of
// their first call, what is not traced last.
class Rows {
 public:
  ProfileRow& at(const std::string& stage, const std::string& name) {
    const auto rank = static_cast<int>(ranks_.size());
    const int stage_rank = ranks_.emplace(stage, rank).first->second;
    const auto [found, is_new] = places_.emplace(std::pair(stage, name), rows_.size());
    if (is_new) {
      const bool last = name == kNotTraced || name == kWaiting;
      rows_.push_back({stage_rank, last, {.stage = stage, .name = name}});
    }
    return rows_[found->second].row;
  }

  std::vector<ProfileRow> ordered() && {
    std::stable_sort(rows_.begin(), rows_.end(), [](const Placed& a, const Placed& b) {
      return std::tie(a.stage_rank, a.last) < std::tie(b.stage_rank, b.last);
    });
    std::vector<ProfileRow> rows;
    for (Placed& placed : rows_) rows.push_back(std::move(placed.row));
    return rows;
  }

 private:
  struct Placed {
    int stage_rank;
    bool last;
    ProfileRow row;
  };
  std::map<std::string, int> ranks_;
  std::map<std::pair<std::string, std::string>, size_t> places_;
  std::vector<Placed> rows_;
};

// Of each span: whether it has children, also on several threads at once, and what they cover of
// its time.
struct Children {
  bool any = false;
  bool lanes = false;
  double ms = 0;
};

std::vector<Children> children_of(std::span<const trace::Span> spans) {
  std::vector<Children> children(spans.size());
  for (const trace::Span& span : spans) {
    if (span.parent < 0) continue;
    Children& of_parent = children[static_cast<size_t>(span.parent)];
    of_parent.any = true;
    of_parent.lanes |= span.lanes > spans[static_cast<size_t>(span.parent)].lanes;
    of_parent.ms += span.milliseconds();
  }
  return children;
}

}  // namespace

void ProfileRow::add(const ProfileRow& other) {
  calls += other.calls;
  ms += other.ms;
  work.operations += other.work.operations;
  work.weight_bytes += other.work.weight_bytes;
  work.activation_bytes += other.work.activation_bytes;
  if (other.work.operations > 0) work.arithmetic = other.work.arithmetic;
  compute_ms += other.compute_ms;
  memory_ms += other.memory_ms;
  bound_ms += other.bound_ms;
}

const char* ProfileRow::limit() const {
  if (bound_ms <= 0) return "";
  if (memory_ms > compute_ms) return "bandwidth";
  switch (work.arithmetic) {
    case DType::kI8: return "int8 peak";
    case DType::kBF16: return "bf16 peak";
    default: return "fp32 peak";
  }
}

std::vector<ProfileRow> Profile::stages() const {
  Rows stages;
  for (const ProfileRow& row : rows) stages.at(row.stage, "").add(row);
  return std::move(stages).ordered();
}

Profile profile_of(std::span<const trace::Span> spans, double total_ms,
                   const kernels::Roofline& roofline, const ProfileOptions& options) {
  const std::vector<Children> children = children_of(spans);
  Rows rows;
  double outside = total_ms;
  for (size_t i = 0; i < spans.size(); ++i) {
    const trace::Span& span = spans[i];
    const std::string path = trace::path_of(spans, static_cast<int64_t>(i), options.each_layer);
    const std::string stage = path.substr(0, path.find('/'));
    if (span.parent < 0) outside -= span.milliseconds();
    if (children[i].any) {
      rows.at(stage, children[i].lanes ? kWaiting : kNotTraced).ms +=
          span.milliseconds() - children[i].ms;
      continue;
    }
    const std::string name = path == stage ? kNotTraced : path.substr(stage.size() + 1);
    rows.at(stage, name).add(row_of(span, roofline, options.weight_footprint_bytes));
  }
  Profile profile{.total_ms = total_ms, .rows = std::move(rows).ordered()};
  profile.rows.push_back({.stage = kOutside, .name = kNotTraced, .ms = outside});
  return profile;
}

}  // namespace quintet::eval
