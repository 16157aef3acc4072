#include "quintet/eval/english_spelling.h"

#include <algorithm>
#include <array>
#include <span>
#include <unordered_map>
#include <unordered_set>

namespace quintet::eval {
namespace {

using Set = std::unordered_set<std::string_view>;

// What comes before "-ise" in verbs that have "-ize" in America. A list, because "rise", "promise"
// and "exercise" have not.
const Set kIzeStems = {
    "agon",       "amort",    "antagon",   "apolog",     "author",   "brutal",     "capital",
    "categor",    "central",  "character", "civil",      "colon",    "commercial", "computer",
    "critic",     "crystall", "custom",    "decentral",  "demoral",  "digit",      "dramat",
    "econom",     "emphas",   "energ",     "equal",      "fantas",   "fertil",     "final",
    "formal",     "general",  "global",    "harmon",     "homogen",  "hospital",   "human",
    "hypnot",     "ideal",    "immun",     "industrial", "initial",  "internal",   "jeopard",
    "legal",      "legitim",  "liberal",   "local",      "marginal", "material",   "maxim",
    "mechan",     "memor",    "minim",     "mobil",      "modern",   "monopol",    "national",
    "natural",    "neutral",  "normal",    "optim",      "organ",    "ostrac",     "oxid",
    "patron",     "penal",    "personal",  "plagiar",    "polar",    "popular",    "priorit",
    "privat",     "public",   "random",    "rational",   "real",     "recogn",     "reorgan",
    "revolution", "satir",    "scrutin",   "sensit",     "social",   "special",    "stabil",
    "standard",   "steril",   "stigmat",   "subsid",     "summar",   "symbol",     "sympath",
    "synchron",   "synthes",  "systemat",  "terror",     "theor",    "traumat",    "util",
    "vandal",     "vapor",    "verbal",    "victim",     "visual",   "western"};

// Words in "-our" that lose the u, alone and in front of further letters ("colourful").
constexpr std::array kOrStems = std::to_array<std::string_view>(
    {"ardour",    "armour",    "behaviour", "candour", "clamour", "colour", "demeanour",
     "endeavour", "favour",    "fervour",   "flavour", "harbour", "honour", "humour",
     "labour",    "neighbour", "odour",     "parlour", "rancour", "rigour", "rumour",
     "saviour",   "splendour", "tumour",    "vapour",  "vigour"});

// Words in "-re" that end in "-er".
constexpr std::array kErStems = std::to_array<std::string_view>(
    {"calibr", "centr", "centimetr", "epicentr", "fibr", "kilometr", "litr", "lustr", "meagr",
     "metr", "millimetr", "sabr", "sombr", "spectr", "theatr", "millilitr"});

// Verbs that double their l before endings.
const Set kSingleL = {"travel", "cancel",  "label",   "model",  "signal", "level",   "counsel",
                      "marvel", "quarrel", "channel", "tunnel", "dial",   "initial", "rival",
                      "shovel", "swivel",  "unravel", "funnel", "grovel", "pedal",   "panel",
                      "parcel", "duel",    "bevel",   "chisel", "carol",  "libel",   "enamel",
                      "snivel", "drivel",  "towel",   "yodel",  "spiral", "remodel", "refuel",
                      "jewel",  "stencil", "pencil",  "imperil"};

const std::unordered_map<std::string_view, std::string_view> kWords = {
    {"aeroplane", "airplane"},
    {"aesthetic", "esthetic"},
    {"ageing", "aging"},
    {"aluminium", "aluminum"},
    {"anaemia", "anemia"},
    {"anaemic", "anemic"},
    {"anaesthetic", "anesthetic"},
    {"archaeology", "archeology"},
    {"artefact", "artifact"},
    {"bannister", "banister"},
    {"callipers", "calipers"},
    {"cheque", "check"},
    {"chilli", "chili"},
    {"cosy", "cozy"},
    {"cosier", "cozier"},
    {"defence", "defense"},
    {"defenceless", "defenseless"},
    {"diarrhoea", "diarrhea"},
    {"disc", "disk"},
    {"distil", "distill"},
    {"draught", "draft"},
    {"draughty", "drafty"},
    {"encyclopaedia", "encyclopedia"},
    {"enrol", "enroll"},
    {"enthral", "enthrall"},
    {"foetal", "fetal"},
    {"foetus", "fetus"},
    {"fulfil", "fulfill"},
    {"fulfilment", "fulfillment"},
    {"gaol", "jail"},
    {"grey", "gray"},
    {"greyish", "grayish"},
    {"gynaecology", "gynecology"},
    {"haemoglobin", "hemoglobin"},
    {"haemorrhage", "hemorrhage"},
    {"instal", "install"},
    {"instalment", "installment"},
    {"instil", "instill"},
    {"jewellery", "jewelry"},
    {"judgement", "judgment"},
    {"leukaemia", "leukemia"},
    {"licence", "license"},
    {"likeable", "likable"},
    {"manoeuvre", "maneuver"},
    {"manoeuvred", "maneuvered"},
    {"manoeuvring", "maneuvering"},
    {"marvellous", "marvelous"},
    {"mediaeval", "medieval"},
    {"mould", "mold"},
    {"mouldy", "moldy"},
    {"moult", "molt"},
    {"moustache", "mustache"},
    {"oesophagus", "esophagus"},
    {"oestrogen", "estrogen"},
    {"offence", "offense"},
    {"omelette", "omelet"},
    {"orthopaedic", "orthopedic"},
    {"paediatric", "pediatric"},
    {"paediatrician", "pediatrician"},
    {"paedophile", "pedophile"},
    {"plough", "plow"},
    {"fibreglass", "fiberglass"},
    {"catalogued", "cataloged"},
    {"cataloguing", "cataloging"},
    {"practise", "practice"},
    {"practised", "practiced"},
    {"practising", "practicing"},
    {"pretence", "pretense"},
    {"programme", "program"},
    {"pyjamas", "pajamas"},
    {"sceptic", "skeptic"},
    {"sceptical", "skeptical"},
    {"scepticism", "skepticism"},
    {"smoulder", "smolder"},
    {"storey", "story"},
    {"storeys", "stories"},
    {"sulphur", "sulfur"},
    {"tyre", "tire"},
    {"woollen", "woolen"},
    {"yoghurt", "yogurt"},
};

// Nouns in "-logue".
const Set kLogStems = {"ana", "cata", "dia", "mono", "pro", "epi"};

// Verbs in "-yse".
const Set kYzeStems = {"anal", "breathal", "catal", "dial", "paral", "psychoanal"};

using Endings = std::span<const std::string_view>;

// Where `word` is a stem of `stems` and one of `endings`: the stem, else empty.
template <typename Stems>
std::string_view stem_before(std::string_view word, const Stems& stems, Endings endings) {
  for (const std::string_view ending : endings) {
    if (!word.ends_with(ending)) continue;
    const std::string_view stem = word.substr(0, word.size() - ending.size());
    if (std::find(stems.begin(), stems.end(), stem) != stems.end()) return stem;
  }
  return {};
}

std::string joined(std::string_view head, std::string_view middle, std::string_view tail) {
  return std::string(head).append(middle).append(tail);
}

std::string ize_spelling(std::string_view word) {
  constexpr std::array kEndings =
      std::to_array<std::string_view>({"ise", "ised", "iser", "isers", "ises", "ising", "isation",
                                       "isations", "isational", "isable"});
  for (const std::string_view prefix : {"", "de", "dis", "re", "un"}) {
    if (!word.starts_with(prefix)) continue;
    const std::string_view verb = word.substr(prefix.size());
    const std::string_view stem = stem_before(verb, kIzeStems, kEndings);
    if (!stem.empty()) return joined(prefix, stem, "iz").append(verb.substr(stem.size() + 2));
  }
  return {};
}

std::string or_spelling(std::string_view word) {
  for (const std::string_view stem : kOrStems) {
    const size_t at = word.find(stem);
    if (at == std::string_view::npos) continue;
    const size_t u = at + stem.size() - 2;
    return joined(word.substr(0, u), word.substr(u + 1), "");
  }
  return {};
}

std::string er_spelling(std::string_view word) {
  constexpr std::array kEndings = std::to_array<std::string_view>({"e", "es", "ed"});
  const std::string_view stem = stem_before(word, kErStems, kEndings);
  if (stem.empty()) return {};
  const std::string_view ending = word.substr(stem.size());
  return joined(stem.substr(0, stem.size() - 1), "er",
                ending.substr(1) == "d" ? "ed" : ending.substr(1));
}

std::string single_l_spelling(std::string_view word) {
  constexpr std::array kEndings =
      std::to_array<std::string_view>({"led", "ler", "lers", "ling", "lings"});
  const std::string_view stem = stem_before(word, kSingleL, kEndings);
  return stem.empty() ? std::string() : joined(stem, word.substr(stem.size() + 1), "");
}

std::string log_spelling(std::string_view word) {
  constexpr std::array kEndings = std::to_array<std::string_view>({"logue", "logues"});
  const std::string_view stem = stem_before(word, kLogStems, kEndings);
  return stem.empty() ? std::string() : joined(stem, "log", word.ends_with('s') ? "s" : "");
}

std::string yze_spelling(std::string_view word) {
  constexpr std::array kEndings = std::to_array<std::string_view>({"yse", "ysed", "yses", "ysing"});
  const std::string_view stem = stem_before(word, kYzeStems, kEndings);
  return stem.empty() ? std::string() : joined(stem, "yz", word.substr(stem.size() + 2));
}

std::string listed_spelling(std::string_view word) {
  for (const std::string_view ending : {"", "s", "ed", "ing", "ings"}) {
    if (!word.ends_with(ending)) continue;
    const auto found = kWords.find(word.substr(0, word.size() - ending.size()));
    if (found != kWords.end()) return joined(found->second, ending, "");
  }
  return {};
}

}  // namespace

std::string american_spelling(std::string_view word) {
  for (const auto rule : {listed_spelling, ize_spelling, or_spelling, er_spelling,
                          single_l_spelling, log_spelling, yze_spelling})
    if (std::string american = rule(word); !american.empty()) return american;
  return std::string(word);
}

}  // namespace quintet::eval
