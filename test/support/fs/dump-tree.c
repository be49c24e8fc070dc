/*
 * Writes every file below a directory to a disk, as readDump() of guest-kernel.ts reads it. Little endian. Runs as a
 * static program in a small guest, for filesystems that only its kernel can mount.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

struct record {
	uint32_t path_length, mode, uid, gid, major, minor, mtime_nsec, failed;
	uint64_t links, size, content_length;
	int64_t mtime;
};

static FILE *out;
static char buffer[1 << 16];

static void fail(const char *path)
{
	fprintf(stderr, "dump-tree: %s: %s\n", path, strerror(errno));
	exit(1);
}

static void put(const void *bytes, size_t length)
{
	if (length > 0 && fwrite(bytes, length, 1, out) != 1)
		fail("output");
}

static void dump(int parent, const char *name, const char *path)
{
	struct record record = { .path_length = strlen(path) };
	struct stat st;
	char target[PATH_MAX];
	int file = -1;

	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		fail(path);
	record.mode = st.st_mode;
	record.uid = st.st_uid;
	record.gid = st.st_gid;
	record.major = major(st.st_rdev);
	record.minor = minor(st.st_rdev);
	record.links = st.st_nlink;
	record.size = st.st_size;
	record.mtime = st.st_mtim.tv_sec;
	record.mtime_nsec = st.st_mtim.tv_nsec;
	if (S_ISREG(st.st_mode)) {
		file = openat(parent, name, O_RDONLY);
		if (file < 0)
			fail(path);
		record.content_length = st.st_size;
		/* A file that cannot be read is no reason to stop: that is what some tests are about. */
		for (uint64_t done = 0; done < record.content_length && !record.failed;) {
			ssize_t got = read(file, buffer, sizeof(buffer));
			if (got <= 0)
				record.failed = 1;
			else
				done += got;
		}
		if (record.failed)
			record.content_length = 0;
	} else if (S_ISLNK(st.st_mode)) {
		ssize_t got = readlinkat(parent, name, target, sizeof(target));
		record.failed = got < 0;
		record.content_length = got < 0 ? 0 : got;
	}
	put(&record, sizeof(record));
	put(path, record.path_length);
	if (file >= 0) {
		lseek(file, 0, SEEK_SET);
		for (uint64_t done = 0; done < record.content_length;) {
			ssize_t got = read(file, buffer, sizeof(buffer));
			if (got <= 0)
				fail(path);
			put(buffer, got);
			done += got;
		}
		close(file);
	} else {
		put(target, record.content_length);
	}
	if (!S_ISDIR(st.st_mode))
		return;
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		fail(path);
	for (struct dirent *entry; errno = 0, (entry = readdir(dir));) {
		char *below;
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (asprintf(&below, "%s/%s", path, entry->d_name) < 0)
			fail(path);
		dump(fd, entry->d_name, below);
		free(below);
	}
	if (errno)
		fail(path);
	closedir(dir);
}

int main(int argc, char **argv)
{
	struct record end = { .path_length = UINT32_MAX };

	if (argc != 3 || !(out = fopen(argv[2], "r+")))
		fail("usage: dump-tree DIRECTORY DISK");
	dump(AT_FDCWD, argv[1], "");
	put(&end, sizeof(end));
	if (fclose(out) != 0)
		fail("output");
	return 0;
}
