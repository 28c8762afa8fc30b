#include "lib/check/check.h"

#include <algorithm>
#include <initializer_list>
#include <utility>
#include <variant>

#include "absl/container/btree_map.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "lib/base/deadline.h"
#include "lib/sample/series.h"

namespace pycheck {
namespace {

constexpr char kUp[] = "python.process.up";
constexpr char kGcReadable[] = "python.gc.readable";
constexpr char kCount[] = "python.process.count";
constexpr char kLeftToTracer[] = "python.process.left_to_tracer";
constexpr char kSummed[] = "python.process.summed";

// Kinds of findings that several functions know.
constexpr std::string_view kDenied = "denied";
constexpr std::string_view kHidden = "hidden";

using Topic = Findings::Topic;
using State = Watched::State;

// What a person can do about what is left out.
std::string_view Remedy(absl::StatusCode reason) {
  switch (reason) {
    case absl::StatusCode::kPermissionDenied:
      return "; give the Agent CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH: see "
             "\"Rights\" in the check's README";
    case absl::StatusCode::kUnimplemented:
      return "; its other gauges are right";
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kAborted:
      return "; it will be tried again";
    case absl::StatusCode::kResourceExhausted:
      return "; raise the Agent's limit of open files (LimitNOFILE)";
    default:
      return "";
  }
}

std::string KindOf(absl::StatusCode reason) {
  return reason == absl::StatusCode::kPermissionDenied
             ? std::string(kDenied)
             : absl::StatusCodeToString(reason);
}

std::vector<std::string> InstanceTags(const Options& options) {
  std::vector<std::string> tags = options.tags;
  tags.push_back(absl::StrCat("process_name:", options.name));
  return tags;
}

bool IsWithin(const Range& range, int64_t count) {
  const auto number = static_cast<double>(count);
  return range.least <= number && number <= range.most;
}

using ByReason = absl::btree_map<absl::StatusCode, std::vector<const Watched*>>;

void SubmitGauges(const Gauges& gauges, const TagSet& tags, MetricSink& sink) {
  const auto& definitions = GaugeDefinitions();
  for (size_t i = 0; i < definitions.size(); ++i) {
    if (gauges[i]) sink.Gauge(definitions[i].name, *gauges[i], tags);
  }
}

}  // namespace

absl::StatusOr<Check> Check::Create(Options options,
                                    const std::string& default_procfs_path) {
  const bool configured = !options.procfs_path.empty();
  absl::StatusOr<Procfs> procfs =
      Procfs::Open(configured ? options.procfs_path : default_procfs_path);
  if (!procfs.ok()) {
    return absl::Status(
        procfs.status().code(),
        absl::StrCat(configured ? "init_config option \"procfs_path\": " : "",
                     procfs.status().message(),
                     "; procfs_path must be where a procfs is mounted, such as "
                     "/proc, or /host/proc in a container"));
  }
  return Check(std::move(options), *std::move(procfs));
}

Check::Check(Options options, Procfs procfs)
    : options_(std::move(options)),
      procfs_(std::move(procfs)),
      tags_(InstanceTags(options_)),
      selection_(options_.criteria),
      watchlist_(options_, InstanceTags(options_)) {
  if (procfs_.has_own_pids()) {
    absl::StatusOr<Taskstats> taskstats = Taskstats::Open(procfs_);
    if (taskstats.ok()) taskstats_ = *std::move(taskstats);
  }
}

absl::Status Check::Collect() {
  // To find out who is there takes at most half of the time.
  const Deadline to_select(options_.time_budget / 2);
  const Deadline deadline(options_.time_budget);
  failure_ = selection_.Update(procfs_, to_select);
  if (!failure_.ok()) return failure_;
  watchlist_.Update(selection_.chosen(),
                    {.procfs = procfs_,
                     .taskstats = taskstats_ ? &*taskstats_ : nullptr,
                     .binaries = binaries_,
                     .user = options_.tag_by.user,
                     .silent_tracer = options_.tag_by.tracer},
                    deadline);
  findings_.Clear();
  NoteFindings();
  if (options_.ignore_denied_access) return absl::OkStatus();
  for (const Topic topic : {Topic::kProcesses, Topic::kCounts}) {
    if (findings_.Has(topic, kDenied) || findings_.Has(topic, kHidden)) {
      return absl::PermissionDeniedError(absl::StrCat(
          "ignore_denied_access is false: ", findings_.Message(topic)));
    }
  }
  return absl::OkStatus();
}

int64_t Check::CountStates(std::initializer_list<State> states) const {
  return std::count_if(watchlist_.processes().begin(),
                       watchlist_.processes().end(), [&](const auto& entry) {
                         return std::find(states.begin(), states.end(),
                                          entry.second.state) != states.end();
                       });
}

// How many processes there are that hold a Python, or may.
int64_t Check::Matching() const {
  const int64_t threads =
      std::count_if(watchlist_.processes().begin(),
                    watchlist_.processes().end(), [](const auto& entry) {
                      return entry.second.state == State::kFailed &&
                             absl::IsInvalidArgument(entry.second.problem);
                    });
  return CountStates({State::kWaiting, State::kReported, State::kTraced,
                      State::kOverLimit, State::kFailed}) -
         threads;
}

// Whether there is none of which it is not known what it is.
bool Check::IsEveryProcessKnown() const {
  return selection_.waiting() == 0 && selection_.denied() == 0 &&
         CountStates({State::kWaiting, State::kUnseen}) == 0;
}

bool Check::IsEveryProcessRead() const {
  return IsEveryProcessKnown() && watchlist_.carried() == 0 &&
         CountStates({State::kFailed, State::kOverLimit}) == 0;
}

void Check::NoteFindings() {
  if (options_.aggregation == Aggregation::kSum && !IsEveryProcessRead()) {
    findings_.Add(Topic::kProcesses, "sums",
                  "sums are left out, as they would lack processes");
  }
  for (const std::string& note : options_.notes) {
    findings_.Add(Topic::kProcesses, note, note);
  }
  NoteWaiting();
  NoteProcesses();
  NoteCounts();
  if (Matching() == 0 && IsEveryProcessKnown()) {
    findings_.Add(Topic::kProcesses, "none", NothingMatches());
  }
  for (std::string& warning : findings_.New()) {
    warnings_.push_back(std::move(warning));
  }
}

std::string Check::NothingMatches() const {
  std::string text =
      absl::StrCat("no process matches the instance \"", options_.name, "\"");
  const Selector& selector = options_.criteria.selector;
  const bool has_ended =
      !selection_.chosen().empty() && watchlist_.processes().empty();
  if (const auto* file = std::get_if<PidFileSelector>(&selector);
      file != nullptr && has_ended) {
    absl::StrAppend(&text, ": the one whose id is in ", file->path,
                    " has ended");
  }
  if (procfs_.is_of_container()) {
    absl::StrAppend(&text, "; ", procfs_.root(),
                    " has the processes of the Agent's own container only: "
                    "mount the host's procfs and set procfs_path to where it "
                    "is, such as /host/proc, or let the Agent have the host's "
                    "pid namespace");
  }
  return text;
}

// What there was no time or no descriptor for.
void Check::NoteWaiting() {
  if (!selection_.obstacle().ok()) {
    findings_.Add(Topic::kProcesses, "not judged",
                  absl::StrCat(selection_.waiting(),
                               " processes could not be looked at: ",
                               selection_.obstacle().message(),
                               Remedy(selection_.obstacle().code())));
  }
  const size_t late = static_cast<size_t>(watchlist_.carried()) +
                      (selection_.obstacle().ok() ? selection_.waiting() : 0);
  if (late > 0) {
    findings_.Add(
        Topic::kProcesses, "late",
        absl::StrCat(late,
                     " processes wait for the next run, as this one has "
                     "taken its ",
                     absl::FormatDuration(options_.time_budget),
                     "; raise time_budget, or choose fewer processes"));
  }
  if (selection_.denied() > 0) {
    findings_.Add(
        Topic::kProcesses, kHidden,
        absl::StrCat(selection_.denied(), " processes may not be looked at: ",
                     selection_.denial().message(),
                     "; mount procfs without hidepid for the Agent"));
  }
}

// What came of the processes that were chosen.
void Check::NoteProcesses() {
  ByReason failed;
  int64_t over_limit = 0;
  std::vector<const Watched*> no_python;
  std::vector<const Watched*> traced;
  for (const auto& [pid, watched] : watchlist_.processes()) {
    if (watched.state == State::kTraced) traced.push_back(&watched);
    if (watched.state == State::kOverLimit) ++over_limit;
    if (watched.state == State::kNoPython) no_python.push_back(&watched);
    if (watched.state == State::kFailed) {
      failed[watched.problem.code()].push_back(&watched);
    }
  }
  if (over_limit > 0) {
    findings_.Add(
        Topic::kProcesses, "limit",
        absl::StrCat(over_limit, " of ", Matching(),
                     " processes are left out, as limit is ", options_.limit,
                     "; raise it, or choose fewer processes"));
  }
  if (!traced.empty()) {
    findings_.Add(
        Topic::kProcesses, "traced",
        absl::StrCat(traced.size(), " of ", Matching(),
                     " processes are left to their tracers, which send runtime "
                     "metrics themselves (the first is pid ",
                     traced.front()->process->pid(),
                     "); with tracer_runtime_metrics: collect they are "
                     "reported here too"));
  }
  // Most processes of a machine hold none.
  if (!no_python.empty() &&
      !std::holds_alternative<DiscoverSelector>(options_.criteria.selector)) {
    findings_.Add(
        Topic::kProcesses, "no Python",
        absl::StrCat(no_python.size(), " of ", watchlist_.processes().size(),
                     " processes hold no Python and are left out "
                     "(the first is pid ",
                     no_python.front()->process->pid(), ")"));
  }
  for (const auto& [reason, processes] : failed) {
    findings_.Add(
        Topic::kProcesses, KindOf(reason),
        absl::StrCat(processes.size(), " of ", watchlist_.processes().size(),
                     " processes are left out: ",
                     processes.front()->problem.message(), Remedy(reason)));
  }
}

// What the processes' collectors came to.
void Check::NoteCounts() {
  ByReason by_reason;
  std::vector<const Watched*> unseen;
  int64_t reported = 0;
  for (const auto& [pid, watched] : watchlist_.processes()) {
    if (watched.state == State::kUnseen) unseen.push_back(&watched);
    if (watched.state != State::kReported) continue;
    ++reported;
    const absl::StatusCode code = watched.process->collector_status().code();
    if (code != absl::StatusCode::kOk) by_reason[code].push_back(&watched);
  }
  for (const auto& [reason, processes] : by_reason) {
    const Process& first = *processes.front()->process;
    findings_.Add(Topic::kCounts, KindOf(reason),
                  absl::StrCat("runtime.python.gc.count.* is left out for ",
                               processes.size(), " of ", reported,
                               " processes (the first is pid ", first.pid(),
                               "): ", first.collector_status().message(),
                               Remedy(reason)));
  }
  if (!unseen.empty()) {
    findings_.Add(Topic::kCounts, kDenied,
                  absl::StrCat(unseen.size(),
                               " processes are left out, as it may not be "
                               "seen whether they hold a Python (the first is "
                               "pid ",
                               unseen.front()->process->pid(),
                               "): ", unseen.front()->problem.message(),
                               Remedy(unseen.front()->problem.code())));
  }
}

void Check::Report(MetricSink& sink, ContainerTagger* tagger) {
  if (failure_.ok()) {
    if (tagger != nullptr) watchlist_.TagByContainer(*tagger);
    if (options_.aggregation == Aggregation::kSum) {
      ReportSums(sink);
    } else {
      ReportSeries(sink);
    }
    if (IsEveryProcessKnown()) {
      sink.Gauge(kCount, static_cast<double>(Matching()), tags_);
      sink.Gauge(kLeftToTracer,
                 static_cast<double>(CountStates({State::kTraced})), tags_);
    }
  }
  ReportUp(sink);
  sink.ServiceCheck(
      kGcReadable, Readable(), tags_,
      failure_.ok() ? findings_.Message(Topic::kCounts) : std::string());
  for (const std::string& warning : warnings_) sink.Warn(warning);
  warnings_.clear();
}

void Check::ReportSeries(MetricSink& sink) const {
  for (const auto& [pid, watched] : watchlist_.processes()) {
    if (!watched.is_fresh) continue;
    SubmitGauges(watched.gauges, watched.tags, sink);
  }
}

void Check::ReportSums(MetricSink& sink) const {
  if (!IsEveryProcessRead()) return;
  Sums sums;
  for (const auto& [pid, watched] : watchlist_.processes()) {
    if (watched.is_fresh) sums.Add(watched.tags, watched.gauges);
  }
  for (const auto& [tags, sum] : sums.sums()) {
    SubmitGauges(sum.gauges, *tags, sink);
    sink.Gauge(kSummed, static_cast<double>(sum.processes), *tags);
  }
}

void Check::ReportUp(MetricSink& sink) const {
  if (!failure_.ok()) {
    // A pid file that is not there is what a program that ended leaves; and a
    // user that does not exist has no processes.
    sink.ServiceCheck(kUp,
                      absl::IsNotFound(failure_) ? ServiceStatus::kCritical
                                                 : ServiceStatus::kUnknown,
                      tags_, std::string(failure_.message()));
    return;
  }
  const ServiceStatus status = Up();
  std::string message = findings_.Message(Topic::kProcesses);
  if (options_.thresholds && (status == ServiceStatus::kWarning ||
                              status == ServiceStatus::kCritical)) {
    const bool critical = status == ServiceStatus::kCritical;
    const Range& range =
        critical ? options_.thresholds->critical : options_.thresholds->warning;
    message = absl::StrCat(
        Matching(), " processes match the instance \"", options_.name,
        "\", which is ", critical ? "critical" : "a warning", " outside of ",
        range.least, " to ", range.most, message.empty() ? "" : ". ", message);
  }
  sink.ServiceCheck(kUp, status, tags_, message);
}

// As in the process check.
ServiceStatus Check::StatusOf(int64_t count) const {
  if (!options_.thresholds) {
    return count == 0 ? ServiceStatus::kCritical : ServiceStatus::kOk;
  }
  if (!IsWithin(options_.thresholds->critical, count)) {
    return ServiceStatus::kCritical;
  }
  return IsWithin(options_.thresholds->warning, count)
             ? ServiceStatus::kOk
             : ServiceStatus::kWarning;
}

ServiceStatus Check::Up() const {
  const int64_t most = Matching();
  if (IsEveryProcessKnown()) return StatusOf(most);
  // What is not known may all be Pythons that match, or none of it.
  const int64_t least = most - CountStates({State::kWaiting});
  const int64_t unjudged = static_cast<int64_t>(selection_.waiting()) +
                           selection_.denied() + CountStates({State::kUnseen});
  return StatusOf(least) == ServiceStatus::kOk &&
                 StatusOf(most + unjudged) == ServiceStatus::kOk
             ? ServiceStatus::kOk
             : ServiceStatus::kUnknown;
}

ServiceStatus Check::Readable() const {
  if (!failure_.ok()) return ServiceStatus::kUnknown;
  if (findings_.Has(Topic::kCounts, kDenied)) return ServiceStatus::kWarning;
  return CountStates({State::kReported}) > 0 ? ServiceStatus::kOk
                                             : ServiceStatus::kUnknown;
}

}  // namespace pycheck
