#include "lib/procfs/procfs.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <optional>

#include "absl/algorithm/container.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "lib/base/errno_status.h"
#include "lib/base/file.h"
#include "lib/procfs/stat.h"
#include "lib/procfs/status.h"

namespace pycheck {
namespace {

// NSpid lists the process's pid in each namespace, from that of the mount down
// to the process's own (Linux 4.1).
bool NamesOnePidNamespace(const std::string& root) {
  const absl::StatusOr<std::string> status =
      ReadWholeFile(absl::StrCat(root, "/self/status"), size_t{16} << 10);
  if (!status.ok()) return false;
  const auto ids = FindStatusField(*status, "NSpid");
  return ids && !ids->empty() && !absl::StrContains(*ids, '\t');
}

// The inode of the machine's first pid namespace is a constant of the kernel's
// (PROC_PID_INIT_INO).
bool IsReaderInFirstPidNamespace(const std::string& root) {
  constexpr ino_t kFirst = 0xEFFFFFFC;
  struct stat link;
  return stat(absl::StrCat(root, "/self/ns/pid").c_str(), &link) != 0 ||
         link.st_ino == kFirst;
}

// Arguments end with a NUL. In a title that a process has written over them a
// space may be all that there is between words.
std::string_view FirstArgument(std::string_view arguments) {
  const bool has_end = !arguments.empty() && arguments.back() == '\0';
  if (has_end) arguments.remove_suffix(1);
  const bool is_list =
      has_end && arguments.find('\0') != std::string_view::npos;
  return arguments.substr(0, arguments.find(is_list ? '\0' : ' '));
}

// An entry as the kernel gives it, getdents64(2), without its name, which
// follows and ends with a NUL.
struct EntryHeader {
  uint64_t inode;
  int64_t offset;
  uint16_t length;  // of the whole entry
  uint8_t type;
};
constexpr size_t kNameOffset = 19;  // no padding

// Calls `use` for each entry of a directory whose name is a number. (readdir(3)
// allocates.)
absl::Status ForEachNumber(int fd,
                           absl::FunctionRef<void(pid_t, uint64_t inode)> use) {
  alignas(EntryHeader) std::array<char, size_t{16} << 10> buffer;
  while (true) {
    const int64_t size =
        syscall(SYS_getdents64, fd, buffer.data(), buffer.size());
    if (size < 0) return ErrnoStatus(errno, "cannot list a directory");
    if (size == 0) return absl::OkStatus();
    for (const char* at = buffer.data(); at < buffer.data() + size;) {
      EntryHeader entry;
      std::memcpy(&entry, at, kNameOffset);
      if (entry.length <= kNameOffset) return absl::InternalError("no entry");
      pid_t id;
      if (absl::SimpleAtoi(at + kNameOffset, &id)) use(id, entry.inode);
      at += entry.length;
    }
  }
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
  UniqueFd directory = TryOpenAt(AT_FDCWD, root.c_str(), O_PATH | O_DIRECTORY);
  if (!directory.valid()) {
    return ErrnoStatus(errno, absl::StrCat("cannot open ", root));
  }
  const bool has_own_pids = NamesOnePidNamespace(root);
  const bool is_of_container =
      has_own_pids && !IsReaderInFirstPidNamespace(root);
  return Procfs(std::move(root), std::move(directory), has_own_pids,
                is_of_container);
}

std::string Procfs::ProcessPath(pid_t pid, std::string_view file) const {
  return absl::StrCat(root_, "/", pid, "/", file);
}

absl::StatusOr<UniqueFd> Procfs::OpenFile(pid_t pid, std::string_view file,
                                          int flags) const {
  std::array<char, 64> path;
  const size_t length = static_cast<size_t>(
      absl::SNPrintF(path.data(), path.size(), "%d/%s", pid, file));
  UniqueFd fd;
  if (length < path.size()) {
    fd = TryOpenAt(directory_->get(), path.data(), flags);
  } else {
    errno = ENAMETOOLONG;
  }
  if (!fd.valid()) {
    return ErrnoStatus(errno,
                       absl::StrCat("cannot open ", ProcessPath(pid, file)));
  }
  return fd;
}

absl::Status Procfs::ListProcesses(
    std::vector<ListedProcess>& processes) const {
  processes.clear();
  const UniqueFd fd = TryOpenAt(directory_->get(), ".", O_DIRECTORY);
  if (!fd.valid()) {
    return ErrnoStatus(errno, absl::StrCat("cannot list ", root_));
  }
  absl::Status listed = ForEachNumber(fd.get(), [&](pid_t pid, uint64_t inode) {
    processes.push_back({.pid = pid, .inode = inode});
  });
  // As the kernel lists them; nobody promises it.
  const auto by_pid = [](const ListedProcess& a, const ListedProcess& b) {
    return a.pid < b.pid;
  };
  if (!absl::c_is_sorted(processes, by_pid)) absl::c_sort(processes, by_pid);
  return listed;
}

absl::StatusOr<uint64_t> Procfs::ReadInode(pid_t pid) const {
  const std::string path = ProcessPath(pid);
  struct stat directory;
  if (stat(path.c_str(), &directory) != 0) {
    return ErrnoStatus(errno, absl::StrCat("cannot look at ", path));
  }
  return directory.st_ino;
}

absl::StatusOr<int64_t> Procfs::CountThreads(pid_t pid) const {
  std::array<char, 32> path;
  absl::SNPrintF(path.data(), path.size(), "%d/task", pid);
  struct stat directory;
  if (fstatat(directory_->get(), path.data(), &directory, 0) != 0) {
    return ErrnoStatus(errno, "cannot count threads");
  }
  constexpr int64_t kOwnLinks = 2;
  return static_cast<int64_t>(directory.st_nlink) - kOwnLinks;
}

absl::Status ListIds(int fd, std::vector<pid_t>& ids) {
  ids.clear();
  return ForEachNumber(
      fd, [&](pid_t id, uint64_t /*inode*/) { ids.push_back(id); });
}

absl::StatusOr<std::vector<pid_t>> ListIds(const std::string& directory) {
  const UniqueFd fd = TryOpenAt(AT_FDCWD, directory.c_str(), O_DIRECTORY);
  if (!fd.valid()) {
    return ErrnoStatus(errno, absl::StrCat("cannot list ", directory));
  }
  std::vector<pid_t> ids;
  const absl::Status status = ListIds(fd.get(), ids);
  if (!status.ok()) return status;
  return ids;
}

absl::StatusOr<std::string> ReadCommandLine(const Procfs& procfs, pid_t pid) {
  absl::StatusOr<std::string> text =
      ReadFileStart(procfs.ProcessPath(pid, "cmdline"), kMaxCommandLine);
  if (!text.ok()) return text.status();
  std::string& line = *text;
  // Arguments end with a NUL; setproctitle leaves a run of them behind.
  line.erase(line.find_last_not_of('\0') + 1);
  std::replace(line.begin(), line.end(), '\0', ' ');
  return text;
}

absl::StatusOr<std::string> ReadProcessName(const Procfs& procfs, pid_t pid) {
  StatBuffer buffer;
  const absl::StatusOr<Stat> stat = ReadStat(procfs, pid, buffer);
  if (!stat.ok()) return stat.status();
  std::string comm(stat->comm);
  if (comm.size() < kMaxComm) return comm;

  constexpr size_t kLongest = 4096;
  const absl::StatusOr<std::string> arguments =
      ReadFileStart(procfs.ProcessPath(pid, "cmdline"), kLongest);
  if (!arguments.ok()) return comm;
  std::string_view first = FirstArgument(*arguments);
  first.remove_prefix(first.rfind('/') + 1);
  return absl::StartsWith(first, comm) ? std::string(first) : comm;
}

absl::Status CheckIsProcess(const Procfs& procfs, pid_t pid) {
  const absl::StatusOr<std::string> status =
      ReadFileStart(procfs.ProcessPath(pid, "status"), kStatusIds);
  if (!status.ok()) return status.status();
  const auto group = FindStatusField(*status, "Tgid");
  if (!group || *group == absl::StrCat(pid)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(pid, " is not a process but a thread of the process ",
                   *group, "; give that one"));
}

absl::StatusOr<uid_t> ReadUser(const Procfs& procfs, pid_t pid) {
  const absl::StatusOr<std::string> text =
      ReadFileStart(procfs.ProcessPath(pid, "status"), kStatusIds);
  if (!text.ok()) return text.status();
  return ParseRealUser(*text);
}

}  // namespace pycheck
