/* SPDX-License-Identifier: MIT */
#include "supervisor/walk.h"

#include "policy/own.h"
#include "policy/path.h"
#include "supervisor/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* What has led here: a symlink on the way, or the file whose text names the path. */
struct guide {
	const char *path; /* canonical; of facts->links, or the caller's */
	uid_t uid;
	bool is_link;
};

/* The way so far: `done` is canonical, `rest` is what remains to be walked. */
struct walk {
	char done[PATH_MAX];
	char rest[PATH_MAX];
	struct guide guides[1 + WALK_LINKS_MAX];
	size_t guide_count;
	size_t link_count; /* of them */
};

/* --- what the app can change ------------------------------------------------------------------*/

static bool is_seen_anyway(const struct host_facts *facts, const char *writable, const char *real,
			   enum walk_purpose purpose)
{
	if (path_is_within(real, writable))
		return true;
	return purpose == WALK_TO_READ &&
	       (path_is_within(real, "/usr") ||
		(facts->directory != NULL && path_is_within(real, facts->directory)));
}

int walk_check_step(const struct host_facts *facts, const char *step, const char *real,
		    enum walk_purpose purpose, struct error *err)
{
	for (size_t i = 0; i < facts->writable.count; i++) {
		const char *writable = facts->writable.items[i];

		if (!path_is_within(step, writable) ||
		    is_seen_anyway(facts, writable, real, purpose))
			continue;
		error_set(err, ERROR_INVALID, 0,
			  "isolation.writable: %s holds %s, which leads to %s, and the app could "
			  "make it lead anywhere: name narrower writable paths",
			  writable, step, real);
		return -EPERM;
	}
	return 0;
}

/* --- whose word it is -------------------------------------------------------------------------*/

/* Is that granted to everybody? To owner's group and others alike: whether the guide's uid is in
 * the group is not known here. */
static bool is_open(const struct stat *st, unsigned wanted)
{
	return (wanted & ~((unsigned)st->st_mode & (unsigned)st->st_mode >> 3)) == 0;
}

static int raise_mistrust(const struct guide *guide, const char *path, const struct stat *st,
			  struct error *err)
{
	error_set(err, ERROR_INVALID, 0,
		  "%s is a %s of uid %u that leads to %s of uid %u (mode %04o): root does not "
		  "follow it, name the real path",
		  guide->path, guide->is_link ? "symlink" : "file", guide->uid, path, st->st_uid,
		  st->st_mode & 07777U);
	return -EACCES;
}

/* done is a directory on the way: could the owners of what has led here pass it themselves? */
static int check_passage(const struct walk *walk, const struct stat *st, struct error *err)
{
	for (size_t i = 0; i < walk->guide_count; i++) {
		const struct guide *guide = &walk->guides[i];

		if (guide->uid != 0 && guide->uid != st->st_uid && !is_open(st, S_IXOTH))
			return raise_mistrust(guide, walk->done, st, err);
	}
	return 0;
}

/* done is the end: whose is it? */
static int check_end(const struct walk *walk, enum walk_purpose purpose, struct error *err)
{
	struct stat st;
	unsigned wanted;

	if (lstat(walk->done, &st) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "%s", walk->done);
	wanted = S_ISDIR(st.st_mode) ? S_IROTH | S_IXOTH : S_IROTH;
	for (size_t i = 0; i < walk->guide_count; i++) {
		const struct guide *guide = &walk->guides[i];

		if (guide->uid == 0 || guide->uid == st.st_uid ||
		    (purpose == WALK_TO_READ && st.st_uid == 0 && is_open(&st, wanted)))
			continue;
		return raise_mistrust(guide, walk->done, &st, err);
	}
	return 0;
}

/* --- links ------------------------------------------------------------------------------------*/

static int append_link(struct host_facts *facts, const char *path, const char *text,
		       struct error *err)
{
	struct host_entry *entries =
		reallocarray(facts->links, facts->link_count + 1, sizeof(*entries));
	struct host_entry entry = { 0 };

	if (entries == NULL)
		return error_no_memory(err);
	facts->links = entries;
	entry.path = strdup(path);
	entry.link = strdup(text);
	if (entry.path == NULL || entry.link == NULL) {
		free(entry.path);
		free(entry.link);
		return error_no_memory(err);
	}
	facts->links[facts->link_count++] = entry;
	return 0;
}

static int note_link(struct walk *walk, const char *path, uid_t uid, const char *text,
		     struct host_facts *facts, struct error *err)
{
	size_t i = 0;
	int r;

	if (walk->link_count == WALK_LINKS_MAX)
		return error_set(err, ERROR_SYSTEM, ELOOP, "%s", path);
	while (i < facts->link_count && strcmp(facts->links[i].path, path) != 0)
		i++;
	if (i == facts->link_count) {
		r = append_link(facts, path, text, err);
		if (r < 0)
			return r;
	}
	walk->link_count++;
	walk->guides[walk->guide_count++] =
		(struct guide){ .path = facts->links[i].path, .uid = uid, .is_link = true };
	return 0;
}

/* --- the way ----------------------------------------------------------------------------------*/

static void step_up(char *done)
{
	char *slash = strrchr(done, '/');

	if (slash == done)
		slash++;
	*slash = '\0';
}

/* Takes the first component off rest. False if there is none left. */
static bool next_component(char *rest, char component[NAME_MAX + 1], bool *ret_too_long)
{
	char *start = rest + strspn(rest, "/");
	size_t length = strcspn(start, "/");

	*ret_too_long = length > NAME_MAX;
	if (length == 0 || *ret_too_long)
		return false;
	memcpy(component, start, length);
	component[length] = '\0';
	memmove(rest, start + length, strlen(start + length) + 1);
	return true;
}

/* done/component is a symlink: its text takes the component's place in front of rest. */
static int follow_link(struct walk *walk, const char *at, uid_t uid, struct host_facts *facts,
		       struct error *err)
{
	char text[PATH_MAX], rest[2 * PATH_MAX + 1];
	ssize_t length = readlink(at, text, sizeof(text) - 1);
	int r;

	if (length < 0)
		return error_set(err, ERROR_SYSTEM, errno, "%s", at);
	text[length] = '\0';
	r = note_link(walk, at, uid, text, facts, err);
	if (r < 0)
		return r;
	snprintf(rest, sizeof(rest), "%s/%s", text, walk->rest);
	if (strlen(rest) >= sizeof(walk->rest))
		return error_set(err, ERROR_SYSTEM, ENAMETOOLONG, "%s", at);
	memcpy(walk->rest, rest, strlen(rest) + 1);
	if (text[0] == '/')
		memcpy(walk->done, "/", 2);
	return 0;
}

static int step_down(struct walk *walk, const char *component, struct host_facts *facts,
		     struct error *err)
{
	char at[PATH_MAX + NAME_MAX + 2];
	struct stat st;

	snprintf(at, sizeof(at), "%s/%s", walk->done[1] == '\0' ? "" : walk->done, component);
	if (strlen(at) >= sizeof(walk->done))
		return error_set(err, ERROR_SYSTEM, ENAMETOOLONG, "%s", at);
	if (lstat(at, &st) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "%s", at);
	if (S_ISLNK(st.st_mode))
		return follow_link(walk, at, st.st_uid, facts, err);
	memcpy(walk->done, at, strlen(at) + 1);
	return S_ISDIR(st.st_mode) ? check_passage(walk, &st, err) : 0;
}

/* Has something led here that the app may turn elsewhere? Only now the end is known. */
static int check_guides(const struct walk *walk, const struct host_facts *facts,
			enum walk_purpose purpose, struct error *err)
{
	for (size_t i = 0; i < walk->guide_count; i++) {
		int r = walk_check_step(facts, walk->guides[i].path, walk->done, purpose, err);

		if (r < 0)
			return r;
	}
	return check_end(walk, purpose, err);
}

static int begin(struct walk *walk, const char *from, const char *path, struct error *err)
{
	struct stat st;

	if (strlen(path) >= sizeof(walk->rest))
		return error_set(err, ERROR_SYSTEM, ENAMETOOLONG, "%.*s...", 64, path);
	memcpy(walk->done, "/", 2);
	memcpy(walk->rest, path, strlen(path) + 1);
	walk->guide_count = walk->link_count = 0;
	if (from == NULL)
		return 0;
	if (lstat(from, &st) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "%s", from);
	walk->guides[walk->guide_count++] = (struct guide){ .path = from, .uid = st.st_uid };
	return 0;
}

static int go(struct walk *walk, struct host_facts *facts, struct error *err)
{
	char component[NAME_MAX + 1];
	bool too_long;

	while (next_component(walk->rest, component, &too_long)) {
		int r;

		if (strcmp(component, ".") == 0)
			continue;
		if (strcmp(component, "..") == 0) {
			step_up(walk->done);
			continue;
		}
		r = step_down(walk, component, facts, err);
		if (r < 0)
			return r;
	}
	if (too_long)
		return error_set(err, ERROR_SYSTEM, ENAMETOOLONG, "%.*s...", 64, walk->rest);
	return 0;
}

int walk_resolve_from(struct host_facts *facts, const char *from, const char *path,
		      enum walk_purpose purpose, char **ret_real, struct error *err)
{
	struct walk walk;
	char *real;
	int r;

	r = begin(&walk, from, path, err);
	if (r >= 0)
		r = go(&walk, facts, err);
	if (r >= 0)
		r = check_guides(&walk, facts, purpose, err);
	if (r < 0)
		return r;
	real = strdup(walk.done);
	if (real == NULL)
		return error_no_memory(err);
	*ret_real = real;
	return 0;
}

int walk_resolve(struct host_facts *facts, const char *path, enum walk_purpose purpose,
		 char **ret_real, struct error *err)
{
	return walk_resolve_from(facts, NULL, path, purpose, ret_real, err);
}

/* --- the file at its end ----------------------------------------------------------------------*/

/* O_PATH first: to open a device or a FIFO is already to act on it. */
int walk_open(const char *real, int *ret_fd, struct error *err)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	_cleanup_close_ int place = (int)syscall(SYS_openat2, AT_FDCWD, real, &how, sizeof(how));
	char again[sizeof("/proc/self/fd/-2147483648")];
	struct stat st;
	int fd;

	if (place < 0 || fstat(place, &st) < 0)
		return error_set(err, ERROR_INVALID, errno, "%s", real);
	if (!S_ISREG(st.st_mode))
		return error_set(err, ERROR_INVALID, 0, "%s: is not a regular file", real);
	snprintf(again, sizeof(again), "/proc/self/fd/%d", place);
	/* not waiting for whoever owns it to give back a lease (fcntl(2)) */
	fd = open(again, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return error_set(err, ERROR_INVALID, errno, "%s", real);
	*ret_fd = fd;
	return 0;
}

int walk_read(const char *real, size_t max, char **ret_text, size_t *ret_length, struct error *err)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *text = NULL;
	int length;
	int r;

	r = walk_open(real, &fd, err);
	if (r < 0)
		return r;
	text = malloc(max + 2); /* one more than max, so that what is longer is not cut */
	if (text == NULL)
		return error_no_memory(err);
	length = file_read_fd(fd, text, max + 2, err);
	if (length >= 0 && (size_t)length > max)
		length = error_set(err, ERROR_INVALID, EFBIG, "has more than %zu bytes", max);
	if (length < 0) {
		err->kind = ERROR_INVALID;
		error_prefix(err, "%s", real);
		return length;
	}
	*ret_text = TAKE_PTR(text);
	*ret_length = (size_t)length;
	return 0;
}
