#include "lib/procfs/taskstats.h"

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/taskstats.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "lib/base/errno_status.h"
#include "lib/procfs/thread_switches.h"

namespace pycheck {
namespace {

// A reply to a query holds struct taskstats, 0.4 KB; a family description
// lists the family's operations, less than that.
constexpr size_t kReplySize = 4096;

absl::Status Malformed() {
  return absl::InternalError("malformed reply over generic netlink");
}

// The payload of the first attribute of type `type` among `attributes`.
std::optional<std::string_view> FindAttribute(std::string_view attributes,
                                              uint16_t type) {
  while (attributes.size() >= NLA_HDRLEN) {
    nlattr header;
    std::memcpy(&header, attributes.data(), sizeof(header));
    if (header.nla_len < NLA_HDRLEN || header.nla_len > attributes.size()) {
      break;
    }
    if ((header.nla_type & NLA_TYPE_MASK) == type) {
      return attributes.substr(NLA_HDRLEN, header.nla_len - NLA_HDRLEN);
    }
    attributes.remove_prefix(
        std::min<size_t>(NLA_ALIGN(header.nla_len), attributes.size()));
  }
  return std::nullopt;
}

template <typename T>
std::optional<T> ReadAt(std::string_view bytes, size_t offset) {
  if (bytes.size() < offset + sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

// Sends one command with one attribute, and gives the attributes of its reply,
// which are a view into `reply`. The kernel answers a generic netlink command
// before sendto(2) returns, so nothing here waits.
absl::StatusOr<std::string_view> Ask(int socket, uint16_t family,
                                     uint8_t command, uint32_t sequence,
                                     uint16_t attribute,
                                     std::string_view payload,
                                     std::array<char, kReplySize>& reply) {
  struct {
    nlmsghdr netlink;
    genlmsghdr generic;
    nlattr attribute;
    char payload[32];
  } request = {};
  static_assert(sizeof(request.payload) >= sizeof(TASKSTATS_GENL_NAME));
  request.netlink.nlmsg_len = static_cast<uint32_t>(
      offsetof(decltype(request), payload) + NLA_ALIGN(payload.size()));
  request.netlink.nlmsg_type = family;
  request.netlink.nlmsg_flags = NLM_F_REQUEST;
  request.netlink.nlmsg_seq = sequence;
  request.generic.cmd = command;
  request.generic.version = 1;
  request.attribute.nla_type = attribute;
  request.attribute.nla_len =
      static_cast<uint16_t>(NLA_HDRLEN + payload.size());
  std::memcpy(request.payload, payload.data(), payload.size());

  if (send(socket, &request, request.netlink.nlmsg_len, MSG_DONTWAIT) < 0) {
    return ErrnoStatus(errno, "cannot send over generic netlink");
  }
  while (true) {
    const ssize_t length =
        recv(socket, reply.data(), reply.size(), MSG_DONTWAIT);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) {
      return ErrnoStatus(errno, "no reply over generic netlink");
    }
    const std::string_view bytes(reply.data(), static_cast<size_t>(length));
    const auto header = ReadAt<nlmsghdr>(bytes, 0);
    if (!header || header->nlmsg_len > bytes.size()) return Malformed();
    // What is left of a query that failed half way is passed over.
    if (header->nlmsg_seq != sequence) continue;
    if (header->nlmsg_type == NLMSG_ERROR) {
      const auto error = ReadAt<nlmsgerr>(bytes, NLMSG_HDRLEN);
      if (!error || error->error == 0) return Malformed();
      return ErrnoStatus(-error->error, "refused by generic netlink");
    }
    if (header->nlmsg_len < NLMSG_HDRLEN + GENL_HDRLEN) return Malformed();
    return bytes.substr(NLMSG_HDRLEN + GENL_HDRLEN,
                        header->nlmsg_len - NLMSG_HDRLEN - GENL_HDRLEN);
  }
}

}  // namespace

absl::StatusOr<Taskstats> Taskstats::Open(const Procfs& procfs) {
  UniqueFd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC));
  if (!fd.valid()) {
    return ErrnoStatus(errno, "cannot open generic netlink");
  }
  // Only the kernel can send to the connected socket.
  sockaddr_nl kernel = {};
  kernel.nl_family = AF_NETLINK;
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&kernel),
              sizeof(kernel)) != 0) {
    return ErrnoStatus(errno, "cannot connect generic netlink");
  }
  std::array<char, kReplySize> reply;
  const absl::StatusOr<std::string_view> attributes =
      Ask(fd.get(), GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 0, CTRL_ATTR_FAMILY_NAME,
          std::string_view(TASKSTATS_GENL_NAME, sizeof(TASKSTATS_GENL_NAME)),
          reply);
  if (!attributes.ok()) return attributes.status();
  const auto id = FindAttribute(*attributes, CTRL_ATTR_FAMILY_ID);
  const auto family = id ? ReadAt<uint16_t>(*id, 0) : std::nullopt;
  if (!family) return Malformed();

  Taskstats taskstats(std::move(fd), *family);
  const absl::Status proof = taskstats.ProveItKeepsEndedThreads(procfs);
  if (!proof.ok()) return proof;
  return taskstats;
}

absl::Status Taskstats::ProveItKeepsEndedThreads(const Procfs& procfs) {
  const std::string directory = procfs.ProcessPath(getpid(), "task");
  const absl::StatusOr<std::vector<pid_t>> before = ListIds(directory);
  const absl::StatusOr<ContextSwitches> all = Query(getpid());
  if (!all.ok()) return all.status();
  const absl::StatusOr<ContextSwitches> living =
      ThreadSwitches().Read(procfs, getpid());
  const absl::StatusOr<std::vector<pid_t>> after = ListIds(directory);
  // The living threads are read later, so alone they could only have more.
  if (before.ok() && living.ok() && after.ok() && *before == *after &&
      all->voluntary > living->voluntary) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      "taskstats may not count threads that have ended");
}

absl::StatusOr<ContextSwitches> Taskstats::Query(pid_t pid) {
  const auto id = static_cast<uint32_t>(pid);
  std::array<char, kReplySize> reply;
  const absl::StatusOr<std::string_view> attributes = Ask(
      socket_.get(), family_, TASKSTATS_CMD_GET, ++sequence_,
      TASKSTATS_CMD_ATTR_TGID,
      std::string_view(reinterpret_cast<const char*>(&id), sizeof(id)), reply);
  if (!attributes.ok()) return attributes.status();
  const auto group = FindAttribute(*attributes, TASKSTATS_TYPE_AGGR_TGID);
  const auto stats =
      group ? FindAttribute(*group, TASKSTATS_TYPE_STATS) : std::nullopt;
  if (!stats) return Malformed();
  const auto voluntary =
      ReadAt<uint64_t>(*stats, offsetof(struct taskstats, nvcsw));
  const auto involuntary =
      ReadAt<uint64_t>(*stats, offsetof(struct taskstats, nivcsw));
  if (!voluntary || !involuntary) return Malformed();
  return ContextSwitches{.voluntary = *voluntary, .involuntary = *involuntary};
}

}  // namespace pycheck
