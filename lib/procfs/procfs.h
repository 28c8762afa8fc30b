#ifndef PYCHECK_LIB_PROCFS_PROCFS_H_
#define PYCHECK_LIB_PROCFS_PROCFS_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/unique_fd.h"

namespace pycheck {

// A process as procfs lists it.
struct ListedProcess {
  pid_t pid;
  // Of its directory. The kernel binds that to the process, and gives one that
  // gets the same pid later another; a process may get another one too, when
  // the kernel has had to forget the directory.
  uint64_t inode;
};

// A mount of procfs: this machine's own at /proc, or, in a container, the
// host's, often at /host/proc. Immutable: any thread may use it.
class Procfs {
 public:
  // kNotFound or kFailedPrecondition when `root` is not a mounted procfs.
  static absl::StatusOr<Procfs> Open(std::string root);

  // The path of a process's directory, or of `file` in it.
  std::string ProcessPath(pid_t pid, std::string_view file = "") const;

  // Opens a file of a process's directory, or with O_DIRECTORY among `flags` a
  // directory in it; as OpenFile.
  absl::StatusOr<UniqueFd> OpenFile(pid_t pid, std::string_view file,
                                    int flags = 0) const;

  // All processes, by their pids, in place of what `processes` holds.
  absl::Status ListProcesses(std::vector<ListedProcess>& processes) const;

  // What ListProcesses gives as the inode of the process that has this pid now.
  absl::StatusOr<uint64_t> ReadInode(pid_t pid) const;

  // How many threads the process that has this pid now has, by the links of its
  // directory "task": the kernel keeps the number, where for stat it goes
  // through the threads.
  absl::StatusOr<int64_t> CountThreads(pid_t pid) const;

  // Whether its pids are those of the caller's own pid namespace, so that a
  // system call that takes a pid means the same process. Known to be so when
  // the caller's own entry names one namespace only; false when that cannot
  // be told.
  bool has_own_pids() const { return has_own_pids_; }

  // Whether it is known to have the processes of a pid namespace below the
  // machine's first one only, such as those of one container.
  bool is_of_container() const { return is_of_container_; }

  const std::string& root() const { return root_; }

 private:
  Procfs(std::string root, UniqueFd directory, bool has_own_pids,
         bool is_of_container)
      : root_(std::move(root)),
        directory_(std::make_shared<UniqueFd>(std::move(directory))),
        has_own_pids_(has_own_pids),
        is_of_container_(is_of_container) {}

  std::string root_;
  std::shared_ptr<const UniqueFd> directory_;
  bool has_own_pids_;
  bool is_of_container_;
};

// The directory entries whose names are numbers, in no order: of the directory
// `fd`, which is read to its end, in place of what `ids` holds; or of the one
// at `directory`.
absl::Status ListIds(int fd, std::vector<pid_t>& ids);
absl::StatusOr<std::vector<pid_t>> ListIds(const std::string& directory);

// The process's arguments with a space between them, from its
// /proc/PID/cmdline, proc_pid_cmdline(5), cut at kMaxCommandLine bytes. World-
// readable. A process may rewrite it. Empty for a kernel thread or a zombie.
// (The kernel lets a program be started with no more, its environment included,
// and with 2 MiB as long as the stack's limit is not raised.)
inline constexpr size_t kMaxCommandLine = size_t{6} << 20;
absl::StatusOr<std::string> ReadCommandLine(const Procfs& procfs, pid_t pid);

// The longest comm: TASK_COMM_LEN without its NUL. One of this length may have
// been cut.
inline constexpr size_t kMaxComm = 15;

// The process's name as psutil and the process check give it: comm, or where
// the kernel cut that at 15 bytes, the base name of the first argument, if that
// begins with it.
absl::StatusOr<std::string> ReadProcessName(const Procfs& procfs, pid_t pid);

// Whether `pid` is a process's. A thread has a directory in procfs as well,
// though none that is listed: kInvalidArgument names its process.
absl::Status CheckIsProcess(const Procfs& procfs, pid_t pid);

// The user of the process: the real user id of its /proc/PID/status,
// proc_pid_status(5). World-readable.
absl::StatusOr<uid_t> ReadUser(const Procfs& procfs, pid_t pid);

}  // namespace pycheck

#endif  // PYCHECK_LIB_PROCFS_PROCFS_H_
