#include "lib/procfs/stat.h"

#include <unistd.h>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/types/span.h"
#include "lib/base/file.h"

namespace pycheck {
namespace {

// Field numbers of proc_pid_stat(5).
constexpr int kState = 3;
constexpr int kParent = 4;
constexpr int kUserTime = 14;
constexpr int kSystemTime = 15;
constexpr int kThreadCount = 20;
constexpr int kStartTime = 22;
constexpr int kSize = 23;
constexpr int kStartStack = 28;

absl::Status Malformed(std::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("malformed stat: ", why));
}

}  // namespace

absl::StatusOr<Stat> ParseStat(std::string_view text) {
  const size_t open = text.find('(');
  const size_t close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos ||
      close < open || close + 2 >= text.size()) {
    return Malformed("no command name");
  }
  Stat stat{};
  stat.comm = text.substr(open + 1, close - open - 1);

  int field = kState;
  for (std::string_view value : absl::StrSplit(text.substr(close + 2), ' ')) {
    bool ok = true;
    switch (field) {
      case kState:
        ok = value.size() == 1;
        if (ok) stat.state = value[0];
        break;
      case kParent:
        ok = absl::SimpleAtoi(value, &stat.parent);
        break;
      case kUserTime:
        ok = absl::SimpleAtoi(value, &stat.user_ticks);
        break;
      case kSystemTime:
        ok = absl::SimpleAtoi(value, &stat.system_ticks);
        break;
      case kThreadCount:
        ok = absl::SimpleAtoi(value, &stat.thread_count);
        break;
      case kStartTime:
        ok = absl::SimpleAtoi(value, &stat.start_ticks);
        break;
      case kSize:
        ok = absl::SimpleAtoi(value, &stat.size_bytes);
        break;
      case kStartStack:
        ok = absl::SimpleAtoi(value, &stat.start_stack);
        if (ok) return stat;
        break;
      default:
        break;
    }
    if (!ok) return Malformed(absl::StrCat("field ", field));
    ++field;
  }
  return Malformed(absl::StrCat("ends before field ", kStartStack));
}

absl::StatusOr<Stat> ReadStat(int fd, StatBuffer& buffer) {
  const absl::StatusOr<std::string_view> text =
      ReadFromStart(fd, absl::MakeSpan(buffer), "stat");
  if (!text.ok()) return text.status();
  return ParseStat(*text);
}

absl::StatusOr<Stat> ReadStat(const Procfs& procfs, pid_t pid,
                              StatBuffer& buffer) {
  const absl::StatusOr<UniqueFd> fd = procfs.OpenFile(pid, "stat");
  if (!fd.ok()) return fd.status();
  return ReadStat(fd->get(), buffer);
}

int64_t TicksPerSecond() {
  static const int64_t ticks = sysconf(_SC_CLK_TCK);
  return ticks;
}

}  // namespace pycheck
