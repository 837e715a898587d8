/* LD_PRELOAD: counts what I/O threads (named io-N) take from the allocator, and writes the count to
 * MALLOC_COUNT_FILE at the end. For allocation_test.py. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* memory, size_t size);

static unsigned long calls;
static __thread int is_io_thread;

static void count(void) {
  char name[16] = "";
  if (!is_io_thread) {
    prctl(PR_GET_NAME, name);
    is_io_thread = strncmp(name, "io-", 3) == 0;
  }
  if (is_io_thread) __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
}

void* malloc(size_t size) {
  count();
  return __libc_malloc(size);
}

void* calloc(size_t number, size_t size) {
  count();
  return __libc_calloc(number, size);
}

void* realloc(void* memory, size_t size) {
  count();
  return __libc_realloc(memory, size);
}

__attribute__((destructor)) static void report(void) {
  const char* path = getenv("MALLOC_COUNT_FILE");
  FILE* file = path != NULL ? fopen(path, "w") : NULL;
  if (file == NULL) return;
  fprintf(file, "%lu\n", calls);
  fclose(file);
}
