// Tells ThreadSanitizer about absl::Mutex and absl::CondVar.
//
// Debian's abseil is built without it, so the order that a mutex brings about would be invisible,
// and every access that a mutex guards a race. The linker (--wrap) sends each call from our own
// objects through one of these functions. A Condition is evaluated inside abseil, maybe by another
// thread that holds the mutex: reads are not looked at there.

#include <sanitizer/tsan_interface.h>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

extern "C" {

void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);

}  // extern "C"

namespace {

// Inside abseil: reads of conditions are not ours to judge.
class Quiet {
 public:
  Quiet() { AnnotateIgnoreReadsBegin(__FILE__, __LINE__); }
  ~Quiet() { AnnotateIgnoreReadsEnd(__FILE__, __LINE__); }
};

}  // namespace

// Takes the mutex, whatever the function returns.
#define WRAP_LOCK(result, name, parameters, arguments) \
  extern "C" result __real_##name parameters;          \
  extern "C" result __wrap_##name parameters {         \
    struct AcquireAtEnd {                              \
      void* mutex;                                     \
      ~AcquireAtEnd() { __tsan_acquire(mutex); }       \
    } acquire{mutex};                                  \
    Quiet quiet;                                       \
    return __real_##name arguments;                    \
  }

// Gives the mutex up; takes it again before returning if it waits.
#define WRAP_UNLOCK(name)                      \
  extern "C" void __real_##name(void* mutex);  \
  extern "C" void __wrap_##name(void* mutex) { \
    __tsan_release(mutex);                     \
    Quiet quiet;                               \
    __real_##name(mutex);                      \
  }
#define WRAP_WAIT(result, name, parameters, arguments) \
  extern "C" result __real_##name parameters;          \
  extern "C" result __wrap_##name parameters {         \
    __tsan_release(mutex);                             \
    struct AcquireAtEnd {                              \
      void* mutex;                                     \
      ~AcquireAtEnd() { __tsan_acquire(mutex); }       \
    } acquire{mutex};                                  \
    Quiet quiet;                                       \
    return __real_##name arguments;                    \
  }

// The names are the mangled ones of the functions in the comments.
WRAP_LOCK(void, _ZN4absl7debian35Mutex4LockEv, (void* mutex), (mutex))         // Lock()
WRAP_LOCK(void, _ZN4absl7debian35Mutex10ReaderLockEv, (void* mutex), (mutex))  // ReaderLock()
WRAP_LOCK(bool, _ZN4absl7debian35Mutex7TryLockEv, (void* mutex), (mutex))      // TryLock()
WRAP_LOCK(bool, _ZN4absl7debian35Mutex13ReaderTryLockEv, (void* mutex), (mutex))
WRAP_LOCK(void, _ZN4absl7debian35Mutex8LockWhenERKNS0_9ConditionE,
          (void* mutex, const absl::Condition* condition), (mutex, condition))
WRAP_LOCK(void, _ZN4absl7debian35Mutex14ReaderLockWhenERKNS0_9ConditionE,
          (void* mutex, const absl::Condition* condition), (mutex, condition))
WRAP_LOCK(bool, _ZN4absl7debian35Mutex19LockWhenWithTimeoutERKNS0_9ConditionENS0_8DurationE,
          (void* mutex, const absl::Condition* condition, absl::Duration timeout),
          (mutex, condition, timeout))
WRAP_LOCK(bool, _ZN4absl7debian35Mutex20LockWhenWithDeadlineERKNS0_9ConditionENS0_4TimeE,
          (void* mutex, const absl::Condition* condition, absl::Time deadline),
          (mutex, condition, deadline))

WRAP_UNLOCK(_ZN4absl7debian35Mutex6UnlockEv)         // Unlock()
WRAP_UNLOCK(_ZN4absl7debian35Mutex12ReaderUnlockEv)  // ReaderUnlock()

WRAP_WAIT(void, _ZN4absl7debian35Mutex5AwaitERKNS0_9ConditionE,
          (void* mutex, const absl::Condition* condition), (mutex, condition))
WRAP_WAIT(bool, _ZN4absl7debian35Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE,
          (void* mutex, const absl::Condition* condition, absl::Duration timeout),
          (mutex, condition, timeout))
WRAP_WAIT(bool, _ZN4absl7debian35Mutex17AwaitWithDeadlineERKNS0_9ConditionENS0_4TimeE,
          (void* mutex, const absl::Condition* condition, absl::Time deadline),
          (mutex, condition, deadline))

WRAP_WAIT(void, _ZN4absl7debian37CondVar4WaitEPNS0_5MutexE, (void* condvar, void* mutex),
          (condvar, mutex))
WRAP_WAIT(bool, _ZN4absl7debian37CondVar15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE,
          (void* condvar, void* mutex, absl::Duration timeout), (condvar, mutex, timeout))
WRAP_WAIT(bool, _ZN4absl7debian37CondVar16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE,
          (void* condvar, void* mutex, absl::Time deadline), (condvar, mutex, deadline))
