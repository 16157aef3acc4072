#include "quintet/net/pip.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <system_error>
#include <vector>

#include "quintet/net/url.h"

extern char** environ;

namespace quintet::net {
namespace {

constexpr size_t kKeptOutput = size_t{64} << 10;

// The environment of this process, with temporary files in `folder`.
std::vector<std::string> environment_with_tmpdir(const std::filesystem::path& folder) {
  std::vector<std::string> result;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    if (!std::string_view(*entry).starts_with("TMPDIR=")) result.emplace_back(*entry);
  }
  result.push_back("TMPDIR=" + folder.string());
  return result;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (std::string& text : strings) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

uint64_t bytes_below(const std::filesystem::path& folder) {
  uint64_t sum = 0;
  std::error_code error;
  std::filesystem::recursive_directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::recursive_directory_iterator();
       entry.increment(error)) {
    std::error_code gone;  // pip removes its temporary files meanwhile.
    const uint64_t size = entry->is_regular_file(gone) ? entry->file_size(gone) : 0;
    if (!gone) sum += size;
  }
  return sum;
}

// pip's last line that begins with ERROR, else its last line.
std::string reason_in(const std::string& output) {
  std::string last, last_error;
  size_t start = 0;
  while (start < output.size()) {
    const size_t end = std::min(output.find('\n', start), output.size());
    const std::string line = one_line(std::string_view(output).substr(start, end - start));
    if (!line.empty()) {
      last = line;
      if (line.starts_with("ERROR")) last_error = line;
    }
    start = end + 1;
  }
  return last_error.empty() ? last : last_error;
}

struct Finished {
  int status = 0;  // As waitpid gives it.
  std::string output;
};

// A running child with its output in a pipe. Destroyed early, it is stopped and reaped.
class Child {
 public:
  Child() = default;
  ~Child() {
    if (pid_ > 0) {
      ::kill(pid_, SIGTERM);
      ::waitpid(pid_, nullptr, 0);
    }
    if (output_ >= 0) ::close(output_);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // False where there is no such program.
  Result<bool> start(std::vector<std::string> arguments, const std::filesystem::path& folder);

  // Reads what the child prints until it is done.
  Result<Finished> finish(const std::filesystem::path& folder, const ProgressCallback& progress);

 private:
  pid_t pid_ = -1;
  int output_ = -1;
};

Result<bool> Child::start(std::vector<std::string> arguments, const std::filesystem::path& folder) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    return Error(Code::kIo, std::string("pip: cannot make a pipe: ") + std::strerror(errno));
  }
  output_ = ends[0];
  std::vector<std::string> environment = environment_with_tmpdir(folder);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  // Python looks for modules in the working folder first: it must not be the user's.
  posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
  const int failure = ::posix_spawnp(&pid_, arguments[0].c_str(), &actions, nullptr,
                                     pointers(arguments).data(), pointers(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  if (failure == 0) return true;
  pid_ = -1;
  return false;
}

Result<Finished> Child::finish(const std::filesystem::path& folder,
                               const ProgressCallback& progress) {
  constexpr int kPollMs = 200;
  Finished finished;
  char buffer[4096];
  while (true) {
    if (progress && !progress(bytes_below(folder), 0)) {
      return Error(Code::kCancelled, "pip: cancelled");
    }
    pollfd waiting{.fd = output_, .events = POLLIN, .revents = 0};
    if (::poll(&waiting, 1, kPollMs) == 0) continue;
    const ssize_t n = ::read(output_, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    finished.output.append(buffer, static_cast<size_t>(n));
    if (finished.output.size() > 2 * kKeptOutput) {
      finished.output.erase(0, finished.output.size() - kKeptOutput);
    }
  }
  while (::waitpid(pid_, &finished.status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return finished;
}

}  // namespace

Result<void> pip_download(const std::string& requirement, const std::filesystem::path& into,
                          const ProgressCallback& progress) {
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::absolute(into, error);
  const std::vector<std::string> arguments = {"download",
                                              "--no-deps",
                                              "--only-binary=:all:",
                                              "--no-input",
                                              "--progress-bar=off",
                                              "--disable-pip-version-check",
                                              "--dest=" + folder.string(),
                                              "--",
                                              requirement};
  const std::vector<std::vector<std::string>> programs = {
      {"python3", "-m", "pip"}, {"pip3"}, {"pip"}};
  for (const auto& program : programs) {
    std::vector<std::string> command = program;
    command.insert(command.end(), arguments.begin(), arguments.end());
    Child child;
    QT_TRY(const bool started, child.start(std::move(command), folder));
    if (!started) continue;
    QT_TRY(const Finished finished, child.finish(folder, progress));
    if (WIFEXITED(finished.status) && WEXITSTATUS(finished.status) == 0) return {};
    const bool no_program = WIFEXITED(finished.status) && WEXITSTATUS(finished.status) == 127;
    if (no_program || finished.output.find("No module named pip") != std::string::npos) continue;
    return Error(Code::kIo, requirement + ": pip failed: " + reason_in(finished.output));
  }
  return Error(Code::kUnavailable,
               requirement +
                   ": no package index is configured and pip is not installed; set "
                   "QUINTET_INDEX_URL to the address of a simple index, or install python3-pip");
}

}  // namespace quintet::net
