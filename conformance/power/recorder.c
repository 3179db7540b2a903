/* Records what a program does to the files below a folder: loaded before the C library (LD_PRELOAD), so that the program is the one that is shipped.
 *
 *   POWER_RECORD_FOLDER   the folder whose files are recorded
 *   POWER_RECORD_LOG      where to, outside of that folder
 *   POWER_RECORD_DEAF     if set: syncs are neither done nor recorded, as by an engine that forgot them
 *
 * Each entry is one write to a log opened with O_APPEND, so that entries of threads, and of whoever else appends to the log, keep an order:
 * op (1 byte), length of the path (4), path, number (8), length of the data (4), data; little-endian.
 *
 *   o  a file was made             w  data at an offset (number)       t  the file got another length (number)
 *   r  renamed; data: the new path u  unlinked                         m  a folder was made
 *   s  a sync of a file or folder begins                               S  it has ended well; number: that of its beginning
 *
 * A change is entered after it was made, so that a sync which begins in between is taken not to cover it: more is lost in the replay than
 * could be lost in truth, never less.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#define FILES_MAX 4096

static char *paths[FILES_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_ulong syncs;
static int log_fd = -1;
static const char *folder;
static int deaf;

#define REAL(name) __typeof__(name) *real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void begin(void) {
    const char *log = getenv("POWER_RECORD_LOG");
    folder = getenv("POWER_RECORD_FOLDER");
    deaf = getenv("POWER_RECORD_DEAF") != NULL;
    if (log != NULL && folder != NULL) {
        int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
        log_fd = real(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    }
}

static void enter(char op, const char *path, uint64_t number, const void *data, uint32_t length) {
    ssize_t (*real)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
    uint32_t path_length = strlen(path);
    size_t size = 1 + 4 + path_length + 8 + 4 + length;
    char *entry = malloc(size), *at = entry;
    if (entry == NULL) abort();
    *at++ = op;
    memcpy(at, &path_length, 4), at += 4;
    memcpy(at, path, path_length), at += path_length;
    memcpy(at, &number, 8), at += 8;
    memcpy(at, &length, 4), at += 4;
    if (length > 0) memcpy(at, data, length);
    if (real(log_fd, entry, size) != (ssize_t)size) abort();
    free(entry);
}

/* The path of a file that is recorded. It stays good: paths are never freed. */
static const char *recorded(int fd) {
    return log_fd >= 0 && fd >= 0 && fd < FILES_MAX ? paths[fd] : NULL;
}

static int within(const char *path) {
    return log_fd >= 0 && strncmp(path, folder, strlen(folder)) == 0;
}

static void opened(int fd, const char *path, int existed) {
    if (fd < 0 || fd >= FILES_MAX || log_fd < 0) return;
    pthread_mutex_lock(&lock);
    paths[fd] = within(path) ? strdup(path) : NULL;
    pthread_mutex_unlock(&lock);
    if (paths[fd] != NULL && !existed) enter('o', path, 0, NULL, 0);
}

static int exists(const char *path) {
    int saved = errno, found = access(path, F_OK) == 0;
    errno = saved;
    return found;
}

#define OPEN(name)                                                       \
    int name(const char *path, int flags, ...) {                         \
        int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, #name);   \
        va_list rest;                                                    \
        va_start(rest, flags);                                           \
        mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;        \
        va_end(rest);                                                    \
        int existed = exists(path);                                      \
        int fd = real(path, flags, mode);                                \
        opened(fd, path, existed);                                       \
        if (fd >= 0 && (flags & O_TRUNC) && existed && recorded(fd)) enter('t', path, 0, NULL, 0); \
        return fd;                                                       \
    }
OPEN(open)
OPEN(open64)

int close(int fd) {
    REAL(close);
    if (fd >= 0 && fd < FILES_MAX) {
        pthread_mutex_lock(&lock);
        paths[fd] = NULL;
        pthread_mutex_unlock(&lock);
    }
    return real(fd);
}

ssize_t write(int fd, const void *data, size_t length) {
    REAL(write);
    const char *path = recorded(fd);
    off_t at = path != NULL ? lseek(fd, 0, SEEK_CUR) : 0;
    ssize_t done = real(fd, data, length);
    if (path != NULL && done > 0) enter('w', path, at, data, done);
    return done;
}

#define PWRITE(name, offset)                                             \
    ssize_t name(int fd, const void *data, size_t length, offset at) {   \
        REAL(name);                                                      \
        const char *path = recorded(fd);                                 \
        ssize_t done = real(fd, data, length, at);                       \
        if (path != NULL && done > 0) enter('w', path, at, data, done);  \
        return done;                                                     \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define TRUNCATE(name, offset)                                           \
    int name(int fd, offset length) {                                    \
        REAL(name);                                                      \
        const char *path = recorded(fd);                                 \
        int done = real(fd, length);                                     \
        if (path != NULL && done == 0) enter('t', path, length, NULL, 0);\
        return done;                                                     \
    }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

#define SYNC(name)                                                       \
    int name(int fd) {                                                   \
        REAL(name);                                                      \
        const char *path = recorded(fd);                                 \
        if (path == NULL) return real(fd);                               \
        if (deaf) return 0;                                              \
        uint64_t number = atomic_fetch_add(&syncs, 1);                   \
        enter('s', path, number, NULL, 0);                               \
        int done = real(fd);                                             \
        if (done == 0) enter('S', path, number, NULL, 0);                \
        return done;                                                     \
    }
SYNC(fsync)
SYNC(fdatasync)

int rename(const char *from, const char *to) {
    REAL(rename);
    int done = real(from, to);
    if (done == 0 && within(from)) enter('r', from, 0, to, strlen(to));
    return done;
}

int unlink(const char *path) {
    REAL(unlink);
    int done = real(path);
    if (done == 0 && within(path)) enter('u', path, 0, NULL, 0);
    return done;
}

int mkdir(const char *path, mode_t mode) {
    REAL(mkdir);
    int done = real(path, mode);
    if (done == 0 && within(path)) enter('m', path, 0, NULL, 0);
    return done;
}
