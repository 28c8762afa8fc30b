#include "lib/procfs/procfs.h"

#include <dirent.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "lib/base/errno_status.h"
#include "lib/base/file.h"
#include "lib/procfs/stat.h"
#include "lib/procfs/status.h"

namespace pycheck {
namespace {

// TASK_COMM_LEN without its NUL.
constexpr size_t kMaxComm = 15;

// NSpid lists the process's pid in each namespace, from that of the mount down
// to the process's own (Linux 4.1).
bool NamesOnePidNamespace(const std::string& root) {
  const absl::StatusOr<std::string> status =
      ReadWholeFile(absl::StrCat(root, "/self/status"), size_t{16} << 10);
  if (!status.ok()) return false;
  const auto ids = FindStatusField(*status, "NSpid");
  return ids && !ids->empty() && !absl::StrContains(*ids, '\t');
}

absl::StatusOr<std::string_view> ReadProcessFile(const Procfs& procfs,
                                                 pid_t pid,
                                                 std::string_view file,
                                                 absl::Span<char> buffer) {
  const std::string path = procfs.ProcessPath(pid, file);
  const absl::StatusOr<UniqueFd> fd = OpenFile(path);
  if (!fd.ok()) return fd.status();
  return ReadFromStart(fd->get(), buffer, path);
}

}  // namespace

absl::StatusOr<Procfs> Procfs::Open(std::string root) {
  if (root.size() > 1 && root.back() == '/') root.pop_back();
  struct statfs filesystem;
  if (statfs(root.c_str(), &filesystem) != 0) {
    return ErrnoStatus(errno, absl::StrCat("cannot open ", root));
  }
  if (filesystem.f_type != PROC_SUPER_MAGIC) {
    return absl::FailedPreconditionError(
        absl::StrCat(root, " is not a mounted procfs"));
  }
  const bool has_own_pids = NamesOnePidNamespace(root);
  return Procfs(std::move(root), has_own_pids);
}

std::string Procfs::ProcessPath(pid_t pid, std::string_view file) const {
  return absl::StrCat(root_, "/", pid, "/", file);
}

absl::StatusOr<std::vector<pid_t>> Procfs::ListPids() const {
  return ListIds(root_);
}

absl::StatusOr<std::vector<pid_t>> ListIds(const std::string& directory) {
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(opendir(directory.c_str()),
                                                   closedir);
  if (!stream) {
    return ErrnoStatus(errno, absl::StrCat("cannot list ", directory));
  }
  std::vector<pid_t> ids;
  // One thread reads this stream, for which readdir is safe.
  while (const dirent* entry =
             readdir(stream.get())) {  // NOLINT(concurrency-mt-unsafe)
    pid_t id;
    if (absl::SimpleAtoi(entry->d_name, &id)) ids.push_back(id);
  }
  return ids;
}

absl::StatusOr<std::string> ReadCommandLine(const Procfs& procfs, pid_t pid) {
  std::string line(kMaxCommandLine, '\0');
  const absl::StatusOr<std::string_view> text =
      ReadProcessFile(procfs, pid, "cmdline", absl::MakeSpan(line));
  if (!text.ok()) return text.status();
  line.resize(text->size());
  // Arguments end with a NUL; setproctitle leaves a run of them behind.
  line.erase(line.find_last_not_of('\0') + 1);
  std::replace(line.begin(), line.end(), '\0', ' ');
  return line;
}

absl::StatusOr<std::string> ReadProcessName(const Procfs& procfs, pid_t pid) {
  std::array<char, 4096> buffer;
  const absl::StatusOr<std::string_view> text =
      ReadProcessFile(procfs, pid, "stat", absl::MakeSpan(buffer));
  if (!text.ok()) return text.status();
  const absl::StatusOr<Stat> stat = ParseStat(*text);
  if (!stat.ok()) return stat.status();
  std::string comm(stat->comm);
  if (comm.size() < kMaxComm) return comm;

  const absl::StatusOr<std::string_view> arguments =
      ReadProcessFile(procfs, pid, "cmdline", absl::MakeSpan(buffer));
  if (arguments.ok()) {
    std::string_view first = arguments->substr(0, arguments->find('\0'));
    first.remove_prefix(first.rfind('/') + 1);
    if (absl::StartsWith(first, comm)) return std::string(first);
  }
  return comm;
}

}  // namespace pycheck
