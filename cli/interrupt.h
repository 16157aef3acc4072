// Ctrl-C of a command that talks with somebody: it stops the answer that is on its way, and leaves
// the program where none is.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>

namespace quintet::cli {

// To be made before any thread is started: they inherit that SIGINT is left to the one that waits
// for it here, so that nothing has to be done within a signal handler.
class Interrupts {
 public:
  Interrupts();

  // From here on Ctrl-C stops the token; after end() it leaves the program again.
  std::stop_token begin();
  void end();

 private:
  struct Answer {
    std::mutex mutex;
    std::optional<std::stop_source> stop;
  };
  [[noreturn]] static void wait(const std::shared_ptr<Answer>& answer);

  std::shared_ptr<Answer> answer_ = std::make_shared<Answer>();
};

}  // namespace quintet::cli
