#include "check/confined.hpp"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "check/sanitizer.hpp"

namespace tokometer::check {
namespace {

// Written by the confined process, read by the one that waits for it.
struct Note {
  bool is_confined, is_done;
  long refused_call;  // -1: none
  Outcome outcome;
  size_t size;
  std::array<char, 4096> sentence;
};

Note* shared_note = nullptr;

// The call is not made; it returns ENOSYS.
void on_refused_call(int, siginfo_t* info, void* context) {
  if (shared_note->refused_call < 0) shared_note->refused_call = info->si_syscall;
  auto* state = static_cast<ucontext_t*>(context);
#if defined __x86_64__
  state->uc_mcontext.gregs[REG_RAX] = -ENOSYS;
#elif defined __aarch64__
  state->uc_mcontext.regs[0] = static_cast<unsigned long long>(-ENOSYS);
#endif
}

constexpr std::array kAllowed{SYS_mmap,    SYS_munmap,   SYS_mremap,       SYS_brk,
                              SYS_madvise, SYS_mprotect, SYS_rt_sigreturn, SYS_exit_group};

bool install_filter() {
  std::array<sock_filter, 2 * kAllowed.size() + 2> program{};
  size_t size = 0;
  const auto add = [&](sock_filter step) { program[size++] = step; };
  add(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
  for (const long call : kAllowed) {
    add(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(call), 0, 1));
    add(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  }
  add(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP));
  const sock_fprog filter{static_cast<unsigned short>(size), program.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) == 0;
}

// The first throw of a process takes a lock of the C++ runtime, once; that is not the plugin's doing.
void set_up_exceptions() {
  try {
    throw 0;
  } catch (int) {
  }
}

[[noreturn]] void be_confined(Note& note, const std::function<Finding()>& work) {
  // A crash handler makes system calls and would never come to its end.
  for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) ::signal(number, SIG_DFL);
  struct sigaction action {};
  action.sa_sigaction = on_refused_call;
  action.sa_flags = SA_SIGINFO;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGSYS, &action, nullptr);
  set_up_exceptions();
  note.is_confined = install_filter();
  if (!note.is_confined) ::_exit(0);
  const Finding finding = work();
  note.outcome = finding.outcome;
  note.size = std::min(finding.sentence.size(), note.sentence.size());
  std::memcpy(note.sentence.data(), finding.sentence.data(), note.size);
  note.is_done = true;
  ::_exit(0);
}

std::string name_of(long call) {
  struct Named {
    long number;
    const char* name;
  };
  constexpr std::array kNames{Named{SYS_read, "read"},
                              Named{SYS_write, "write"},
                              Named{SYS_openat, "openat"},
                              Named{SYS_close, "close"},
                              Named{SYS_socket, "socket"},
                              Named{SYS_connect, "connect"},
                              Named{SYS_clock_gettime, "clock_gettime"},
                              Named{SYS_clock_nanosleep, "clock_nanosleep"},
                              Named{SYS_nanosleep, "nanosleep"},
                              Named{SYS_futex, "futex"},
                              Named{SYS_getrandom, "getrandom"},
                              Named{SYS_clone, "clone"},
                              Named{SYS_clone3, "clone3"},
                              Named{SYS_getpid, "getpid"},
                              Named{SYS_sched_yield, "sched_yield"},
                              Named{SYS_newfstatat, "newfstatat"},
                              Named{SYS_tgkill, "tgkill"},
                              Named{SYS_execve, "execve"}};
  const auto found =
      std::find_if(kNames.begin(), kNames.end(), [&](const Named& it) { return it.number == call; });
  return found != kNames.end() ? found->name : "number " + std::to_string(call);
}

Finding finding_of(const Note& note, int status) {
  if (note.refused_call >= 0) {
    return fail("made the system call " + name_of(note.refused_call) +
                "; this call may compute and allocate only");
  }
  if (WIFSIGNALED(status)) return {Outcome::crashed, "SIG" + std::string(sigabbrev_np(WTERMSIG(status)))};
  if (!note.is_confined) return skip("the kernel refused a system-call filter (seccomp) to this process");
  if (!note.is_done) return fail("the process ended in the middle");
  return {note.outcome, std::string(note.sentence.data(), note.size)};
}

}  // namespace

Finding run_confined(const std::function<Finding()>& work) {
  if (kIsSanitized) return skip("a sanitizer's runtime makes system calls of its own");
  void* memory = ::mmap(nullptr, sizeof(Note), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return fail("no memory");
  shared_note = static_cast<Note*>(memory);
  shared_note->refused_call = -1;
  const pid_t pid = ::fork();
  if (pid == 0) be_confined(*shared_note, work);
  int status = 0;
  while (pid > 0 && ::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  const Finding finding = pid < 0 ? fail("cannot start a child process") : finding_of(*shared_note, status);
  ::munmap(memory, sizeof(Note));
  return finding;
}

}  // namespace tokometer::check
