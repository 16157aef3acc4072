// tests/support/http_server.py as a child process, with a folder of files to serve.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "quintet/core/check.h"

extern char** environ;

namespace quintet::testing {

// A folder that is gone after the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "quintet-test-XXXXXX").string();
    QT_CHECK(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

  // Folders in `name` are made.
  void write(const std::string& name, const std::string& content) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary) << content;
  }
  std::string read(const std::string& name) const {
    std::ifstream file(path_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  std::filesystem::path path_;
};

// An environment variable set (nullopt: unset) until the end of the scope.
class ScopedEnv {
 public:
  ScopedEnv(const char* name, const std::optional<std::string>& value) : name_(name) {
    if (const char* old = ::getenv(name)) old_ = old;
    apply(value);
  }
  ~ScopedEnv() { apply(old_); }
  ScopedEnv(const ScopedEnv&) = delete;
  ScopedEnv& operator=(const ScopedEnv&) = delete;

 private:
  void apply(const std::optional<std::string>& value) const {
    if (value) {
      ::setenv(name_, value->c_str(), 1);
    } else {
      ::unsetenv(name_);
    }
  }
  const char* name_;
  std::optional<std::string> old_;
};

class HttpServer {
 public:
  // `tls` holds certificate and key file, if the server is to speak https.
  explicit HttpServer(const std::filesystem::path& root, const std::vector<std::string>& tls = {}) {
    int input[2], output[2];
    QT_CHECK(::pipe2(input, O_CLOEXEC) == 0 && ::pipe2(output, O_CLOEXEC) == 0);
    std::vector<std::string> arguments = {
        "python3", QUINTET_SOURCE_DIR "/tests/support/http_server.py", root.string()};
    if (!tls.empty()) arguments.insert(arguments.end(), {"--tls", tls[0], tls[1]});
    std::vector<char*> pointers;
    for (std::string& argument : arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
    QT_CHECK_EQ(::posix_spawnp(&pid_, "python3", &actions, nullptr, pointers.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    ::close(input[0]);
    ::close(output[1]);
    input_ = input[1];
    std::string port;
    for (char c = 0; ::read(output[0], &c, 1) == 1 && c != '\n';) port += c;
    ::close(output[0]);
    QT_CHECK(!port.empty());
    base_ = (tls.empty() ? "http://127.0.0.1:" : "https://127.0.0.1:") + port;
  }
  ~HttpServer() {
    ::close(input_);
    ::waitpid(pid_, nullptr, 0);
  }
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  const std::string& base() const { return base_; }
  std::string url(const std::string& path) const { return base_ + "/" + path; }

 private:
  pid_t pid_ = -1;
  int input_ = -1;
  std::string base_;
};

}  // namespace quintet::testing
