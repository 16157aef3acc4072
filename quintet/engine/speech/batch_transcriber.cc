#include "quintet/engine/speech/batch_transcriber.h"

#include <algorithm>
#include <utility>

#include "quintet/engine/speech/exact_length.h"
#include "quintet/engine/speech/stationarity.h"

namespace quintet::speech {
namespace {

// Between steady noise (1.2 dB) and speech in noise of four times its power (1.7 dB): see
// modulation_db. Alone it decides nothing: the model, too, must hear no speech.
constexpr float kSteadyNoiseDb = 1.5f;

void charge(Recording& recording, double Timings::*stage, double milliseconds) {
  recording.timings().*stage += milliseconds;
  recording.timings().total += milliseconds;
}

}  // namespace

BatchTranscriber::BatchTranscriber(const SpeechContext& context, whisper::Session& session,
                                   const BatchOptions& options)
    : context_(context), session_(session), options_(options) {}

std::vector<Result<Transcript>> BatchTranscriber::run(std::span<const SpeechInput> inputs) {
  for (const SpeechInput& input : inputs) jobs_.push_back({.input = &input});
  session_.runtime().trace = options_.trace;
  for (;;) {
    drop_cancelled();
    fill_places();
    if (tasks_.empty()) break;
    step();
    retire_finished();
  }
  session_.runtime().trace = nullptr;
  std::vector<Result<Transcript>> results;
  for (Job& job : jobs_) results.push_back(*std::move(job.result));
  return results;
}

// Recordings in hand come first: what was begun is finished soon, and few files are open.
void BatchTranscriber::fill_places() {
  while (std::ssize(tasks_) < options_.windows) {
    if (admit_window()) continue;
    if (next_job_ == jobs_.size()) return;
    open_next();
  }
}

void BatchTranscriber::open_next() {
  const trace::Scope reading(options_.trace, "preprocess/read");
  Job& job = jobs_[next_job_++];
  auto recording = Recording::open(context_, *job.input);
  if (!recording) {
    close(job, std::move(recording).error());
    return;
  }
  job.recording = *std::move(recording);
  charge(*job.recording, &Timings::preprocess, clock_.lap());
  open_.push_back(&job);
}

// False where no open recording has a window that could be decoded now.
bool BatchTranscriber::admit_window() {
  for (size_t i = 0; i < open_.size();) {
    Job& job = *open_[i];
    trace::Scope reading(options_.trace, "preprocess/read");
    auto window = job.recording->next_window();
    reading.close();
    charge(*job.recording, &Timings::preprocess, clock_.lap());
    if (!window) {
      close(job, std::move(window).error());
    } else if (*window) {
      start(job, **std::move(window));
      return true;
    } else if (job.recording->finished()) {
      close(job, job.recording->take_transcript());
    } else {
      ++i;
    }
  }
  return false;
}

void BatchTranscriber::start(Job& job, Recording::Window window) {
  const int64_t full = context_.model.config.mel_frames();
  const int64_t exact = encoder_frames(std::ssize(window.audio.samples), full);
  Task task{.job = &job, .window = std::move(window)};
  task.whole = !job.input->options.exact_length || !session_.runtime().fuse || exact == full;
  encode(task, task.whole ? full : exact);
  tasks_.push_back(std::move(task));
}

void BatchTranscriber::encode(Task& task, int64_t frames) {
  Job& job = *task.job;
  trace::Scope preprocessing(options_.trace, "preprocess/mel");
  const auto mel = session_.encoder().mel(frames);
  const std::span<const float> samples = task.window.audio.samples;
  kernels::normalize_log_mel(mel, context_.mel.log_mel(samples, mel, context_.pool));
  const int64_t audible = std::min(std::ssize(samples) / kernels::kMelHopSamples, frames);
  WindowRequest request = task.window.request;
  request.steady_noise = modulation_db(mel.rows_from(0, audible)) < kSteadyNoiseDb;
  // Less than the whole window is a first try: what it does not settle, the whole window does.
  if (!task.whole) request.temperatures.resize(1);
  preprocessing.close();
  charge(*job.recording, &Timings::preprocess, clock_.lap());
  trace::Scope encoding(options_.trace, "encode");
  whisper::EncodedWindow encoded = session_.encode(frames);
  encoding.close();
  charge(*job.recording, &Timings::encode, clock_.lap());
  task.decoder =
      std::make_unique<WindowDecoder>(std::move(encoded), context_.model, context_.vocabulary,
                                      std::move(request), job.input->options);
  task.language_reported = false;
  report_language(task);
}

void BatchTranscriber::report_language(Task& task) const {
  const auto& detected = task.decoder->detected();
  if (task.language_reported || !detected) return;
  task.job->recording->language_detected(*detected);
  task.language_reported = true;
}

// One pass of the decoder for the rows of all windows.
void BatchTranscriber::step() {
  rows_.clear();
  std::vector<std::pair<int64_t, int64_t>> wanted;  // First and number of each window's logits.
  int64_t count = 0;
  for (const Task& task : tasks_) {
    const auto rows = task.decoder->rows();
    rows_.insert(rows_.end(), rows.begin(), rows.end());
    const int64_t own =
        std::count_if(rows.begin(), rows.end(), [](const auto& row) { return row.wants_logits; });
    wanted.emplace_back(count, own);
    count += own;
  }
  const int64_t vocabulary = context_.model.config.vocabulary;
  if (logits_.size() < count * vocabulary) logits_ = AlignedArray<float>(count * vocabulary);
  const auto logits = matrix(logits_.data(), count, vocabulary);
  const bool searching = std::any_of(tasks_.begin(), tasks_.end(),
                                     [](const Task& task) { return task.decoder->searching(); });
  trace::Scope stepping(options_.trace, searching ? "decode" : "prefill");
  session_.decoder().forward(rows_, logits);
  // A few passes over the vocabulary to a row: at eight windows, a tenth of a step if done by one.
  context_.pool.parallel_for(std::ssize(tasks_), [&](int64_t i) {
    const auto [first, own] = wanted[static_cast<size_t>(i)];
    tasks_[static_cast<size_t>(i)].decoder->take(logits.rows_from(first, own));
  });
  stepping.close();
  charge_step();
  for (Task& task : tasks_) {
    const bool searched = task.decoder->searching();
    task.decoder->advance();
    report_language(task);
    Timings& timings = task.job->recording->timings();
    if (!searched && task.decoder->searching() && timings.first_token == 0) {
      timings.first_token = task.job->recording->age_ms();
    }
  }
}

// Each window pays for its share of the rows.
void BatchTranscriber::charge_step() {
  const double per_row = clock_.lap() / static_cast<double>(rows_.size());
  for (const Task& task : tasks_) {
    charge(*task.job->recording, task.decoder->searching() ? &Timings::decode : &Timings::prefill,
           per_row * static_cast<double>(task.decoder->rows().size()));
  }
}

void BatchTranscriber::retire_finished() {
  for (Task& task : tasks_) {
    if (!task.decoder->rows().empty()) continue;
    task.job->recording->timings().tokens += task.decoder->tokens();
    if (retry_whole(task)) continue;
    const trace::Scope finishing(options_.trace, "decode/segments");
    task.job->recording->finish_window(task.window, *task.decoder);
    task.decoder.reset();
    charge(*task.job->recording, &Timings::decode, clock_.lap());
  }
  std::erase_if(tasks_, [](const Task& task) { return task.decoder == nullptr; });
}

// Whether the window is decoded again at its full length.
bool BatchTranscriber::retry_whole(Task& task) {
  if (task.whole || task.decoder->result().accepted) return false;
  task.whole = true;
  // Other windows may have begun in the language that was heard in this one: it stays.
  if (task.job->recording->independent()) task.window.request.language = task.decoder->language();
  task.decoder.reset();
  encode(task, context_.model.config.mel_frames());
  return true;
}

void BatchTranscriber::drop_cancelled() {
  for (size_t i = 0; i < open_.size();) {
    if (open_[i]->input->options.stop.stop_requested()) {
      close(*open_[i], Error(Code::kCancelled, "cancelled by the caller"));
    } else {
      ++i;
    }
  }
}

void BatchTranscriber::close(Job& job, Result<Transcript> result) {
  std::erase_if(tasks_, [&](const Task& task) { return task.job == &job; });
  std::erase(open_, &job);
  job.recording.reset();
  job.result = std::move(result);
  for (; delivered_ < jobs_.size() && jobs_[delivered_].result; ++delivered_) {
    if (options_.on_result) options_.on_result(delivered_, *jobs_[delivered_].result);
  }
}

}  // namespace quintet::speech
