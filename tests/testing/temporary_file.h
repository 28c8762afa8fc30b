#ifndef PYCHECK_TESTS_TESTING_TEMPORARY_FILE_H_
#define PYCHECK_TESTS_TESTING_TEMPORARY_FILE_H_

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace pycheck {

// A new empty directory, removed at the end with all that is in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory() : path_(testing::TempDir() + "/pycheck-XXXXXX") {
    if (mkdtemp(path_.data()) == nullptr) ADD_FAILURE() << path_;
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }

  std::string File(std::string_view name) const {
    return path_ + "/" + std::string(name);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A file of a given content, removed at the end.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::string_view content)
      : path_(directory_.File("file")) {
    std::ofstream(path_, std::ios::binary) << content;
  }

  const std::string& path() const { return path_; }

 private:
  TemporaryDirectory directory_;
  std::string path_;
};

}  // namespace pycheck

#endif  // PYCHECK_TESTS_TESTING_TEMPORARY_FILE_H_
