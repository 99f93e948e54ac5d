#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "landmarks/interrupt.h"
#include "landmarks/report.h"
#include "model/interrupt.h"

namespace siamese::landmarks {

std::string draw_pictures(const std::filesystem::path& folder) {
  std::string script = SIAMESE_PICTURES_SCRIPT;
  std::string argument = std::filesystem::absolute(folder).string();  // which is no option
  std::array<char*, 3> arguments{script.data(), argument.data(), nullptr};
  pid_t process = 0;
  const int error =
      ::posix_spawn(&process, script.c_str(), nullptr, nullptr, arguments.data(), environ);
  if (error != 0) {
    return fmt::format("no pictures: {}: {}", script,
                       std::error_code(error, std::generic_category()).message());
  }
  int status = 0;
  while (::waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
    return fmt::format("pictures in {}", folder.string());
  }
  if (interrupted()) {
    throw Interrupted(
        fmt::format("stopped, as asked, at the pictures; {} has all else", folder.string()));
  }
  return "no pictures: the script that draws them failed, as it says above";
}

}  // namespace siamese::landmarks
