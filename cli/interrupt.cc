#include "cli/interrupt.h"

#include <unistd.h>

#include <csignal>
#include <thread>

namespace quintet::cli {
namespace {

sigset_t only_sigint() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  return set;
}

// As shells report a program that ended so.
constexpr int kInterrupted = 128 + SIGINT;

}  // namespace

Interrupts::Interrupts() {
  const sigset_t set = only_sigint();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::thread([answer = answer_] { wait(answer); }).detach();
}

void Interrupts::wait(const std::shared_ptr<Answer>& answer) {
  const sigset_t set = only_sigint();
  while (true) {
    int signal = 0;
    if (sigwait(&set, &signal) != 0) continue;
    const std::lock_guard lock(answer->mutex);
    if (!answer->stop) _exit(kInterrupted);
    answer->stop->request_stop();
  }
}

std::stop_token Interrupts::begin() {
  const std::lock_guard lock(answer_->mutex);
  return answer_->stop.emplace().get_token();
}

void Interrupts::end() {
  const std::lock_guard lock(answer_->mutex);
  answer_->stop.reset();
}

}  // namespace quintet::cli
