/* A power cut at the moment in which a server has committed: loaded before the program, it keeps of every file what was
 * synced and of every folder the names that were, and ends the process when COMMIT has been answered.
 *
 * In the folder POWER_KEPT: `INODE.file`, the content at the last sync; `INODE.folder`, the path, then a line for each
 * name: `INODE name`. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void keep(int fd) {
    const char *kept = getenv("POWER_KEPT");
    struct stat is;
    char place[4096], self[64], path[4096];
    if (!kept || fstat(fd, &is)) return;
    snprintf(place, sizeof place, "%s/%lu.%s", kept, (unsigned long)is.st_ino, S_ISDIR(is.st_mode) ? "folder" : "file");
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    FILE *out = fopen(place, "w");
    if (!out) abort();
    if (S_ISDIR(is.st_mode)) {
        ssize_t length = readlink(self, path, sizeof path - 1);
        if (length < 0) abort();
        path[length] = 0;
        fprintf(out, "%s\n", path);
        DIR *folder = opendir(path);
        for (struct dirent *one; folder && (one = readdir(folder));)
            if (one->d_type == DT_REG) fprintf(out, "%lu %s\n", (unsigned long)one->d_ino, one->d_name);
        if (folder) closedir(folder);
    } else {
        char buffer[65536];
        off_t at = 0;
        int in = open(self, O_RDONLY);
        for (ssize_t n; in >= 0 && (n = pread(in, buffer, sizeof buffer, at)) > 0; at += n) fwrite(buffer, 1, n, out);
        if (in >= 0) close(in);
    }
    fclose(out);
}

int fsync(int fd) {
    int done = syscall(SYS_fsync, fd);
    keep(fd);
    return done;
}

int fdatasync(int fd) {
    int done = syscall(SYS_fdatasync, fd);
    keep(fd);
    return done;
}

static void cut(int fd, const void *data, size_t length) {
    if (!getenv("POWER_KEPT") || !memmem(data, length, "COMMIT", 6)) return;
    struct pollfd answer = {.fd = fd, .events = POLLIN};
    poll(&answer, 1, 20000);
    _exit(137);
}

ssize_t send(int fd, const void *data, size_t length, int flags) {
    ssize_t done = syscall(SYS_sendto, fd, data, length, flags, NULL, 0);
    cut(fd, data, length);
    return done;
}
