#include "quintet/engine/automatic_precision.h"

#include "quintet/core/check.h"
#include "quintet/io/catalogue/manifest.h"

namespace quintet {

AutomaticPrecision automatic_precision(const std::filesystem::path& folder,
                                       const io::Catalogue& catalogue) {
  const io::CatalogueModel* model = io::known_model(folder, catalogue);
  if (model == nullptr) return {};
  for (const io::CatalogueCheck& stored : model->checks) {
    const auto precision = parse_precision(stored.precision);
    const auto check = accuracy_check_from_json(stored.accuracy_check);
    QT_CHECK(precision.has_value() && precision->has_value());
    QT_CHECK(check.has_value());
    if (check->difference.high <= check->max_drop) return {**precision, *check};
  }
  return {};
}

}  // namespace quintet
