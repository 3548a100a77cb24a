/* The only function that SQLite's shell needs and wasi-libc lacks: a guest's files belong to it alone. */
#include <sys/stat.h>

int chmod(const char *path, mode_t mode) {
  (void)path;
  (void)mode;
  return 0;
}
