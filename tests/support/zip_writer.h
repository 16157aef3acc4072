// ZIP archives for tests, also wrong ones: stored members, any name, any CRC.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace quintet::testing {

struct ZipMember {
  std::string name, content;
  std::optional<uint32_t> crc{};  // Unset: the right one.
};

inline uint32_t crc32_of(const std::string& content) {
  uint32_t crc = 0xffffffffu;
  for (const char c : content) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xedb88320u & (0u - (crc & 1u)));
  }
  return ~crc;
}

inline std::string zip_of(const std::vector<ZipMember>& members) {
  std::string archive, directory;
  const auto number = [](std::string& to, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) to += static_cast<char>((value >> (8 * i)) & 255);
  };
  for (const ZipMember& member : members) {
    const uint64_t offset = archive.size();
    // The fields that a local header and a directory entry have in common.
    std::string common;
    number(common, 20, 2);  // Version needed.
    number(common, 0, 2);   // Flags.
    number(common, 0, 2);   // Stored.
    number(common, 0, 4);   // Time and date.
    number(common, member.crc.value_or(crc32_of(member.content)), 4);
    number(common, member.content.size(), 4);
    number(common, member.content.size(), 4);
    number(common, member.name.size(), 2);
    number(common, 0, 2);  // Extra field.
    archive += "PK\x03\x04" + common + member.name + member.content;
    directory += "PK\x01\x02";
    number(directory, 20, 2);  // Version made by.
    directory += common;
    number(directory, 0, 2);  // Comment.
    number(directory, 0, 2);  // Disk.
    number(directory, 0, 6);  // Attributes.
    number(directory, offset, 4);
    directory += member.name;
  }
  const uint64_t start = archive.size();
  archive += directory + "PK\x05\x06";
  number(archive, 0, 4);  // Disks.
  number(archive, members.size(), 2);
  number(archive, members.size(), 2);
  number(archive, directory.size(), 4);
  number(archive, start, 4);
  number(archive, 0, 2);  // Comment.
  return archive;
}

}  // namespace quintet::testing
