/* SPDX-License-Identifier: MIT */
#include "supervisor/walk.h"

#include "policy/own.h"
#include "policy/path.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

/* The way so far: `done` is canonical, `rest` is what remains to be walked. */
struct walk {
	char done[PATH_MAX];
	char rest[PATH_MAX];
	size_t crossed[WALK_LINKS_MAX]; /* indices of facts->links */
	size_t crossed_count;
};

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

static int note_link(struct walk *walk, const char *path, const char *text,
		     struct host_facts *facts, struct error *err)
{
	size_t i = 0;
	int r;

	if (walk->crossed_count == WALK_LINKS_MAX)
		return error_set(err, ERROR_SYSTEM, ELOOP, "%s", path);
	while (i < facts->link_count && strcmp(facts->links[i].path, path) != 0)
		i++;
	if (i == facts->link_count) {
		r = append_link(facts, path, text, err);
		if (r < 0)
			return r;
	}
	walk->crossed[walk->crossed_count++] = i;
	return 0;
}

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
static int follow_link(struct walk *walk, const char *at, struct host_facts *facts,
		       struct error *err)
{
	char text[PATH_MAX], rest[2 * PATH_MAX + 1];
	ssize_t length = readlink(at, text, sizeof(text) - 1);
	int r;

	if (length < 0)
		return error_set(err, ERROR_SYSTEM, errno, "%s", at);
	text[length] = '\0';
	r = note_link(walk, at, text, facts, err);
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
		return follow_link(walk, at, facts, err);
	memcpy(walk->done, at, strlen(at) + 1);
	return 0;
}

/* Was a link crossed on this walk that the app may turn elsewhere? Only now its end is known. */
static int check_links(const struct walk *walk, const struct host_facts *facts,
		       enum walk_purpose purpose, struct error *err)
{
	for (size_t i = 0; i < walk->crossed_count; i++) {
		const char *link = facts->links[walk->crossed[i]].path;
		int r = walk_check_step(facts, link, walk->done, purpose, err);

		if (r < 0)
			return r;
	}
	return 0;
}

int walk_resolve(struct host_facts *facts, const char *path, enum walk_purpose purpose,
		 char **ret_real, struct error *err)
{
	struct walk walk = { .done = "/" };
	char component[NAME_MAX + 1];
	bool too_long;
	char *real;
	int r;

	if (strlen(path) >= sizeof(walk.rest))
		return error_set(err, ERROR_SYSTEM, ENAMETOOLONG, "%.*s...", 64, path);
	memcpy(walk.rest, path, strlen(path) + 1);
	while (next_component(walk.rest, component, &too_long)) {
		if (strcmp(component, ".") == 0)
			continue;
		if (strcmp(component, "..") == 0) {
			step_up(walk.done);
			continue;
		}
		r = step_down(&walk, component, facts, err);
		if (r < 0)
			return r;
	}
	if (too_long)
		return error_set(err, ERROR_SYSTEM, ENAMETOOLONG, "%.*s...", 64, path);
	r = check_links(&walk, facts, purpose, err);
	if (r < 0)
		return r;
	real = strdup(walk.done);
	if (real == NULL)
		return error_no_memory(err);
	*ret_real = real;
	return 0;
}
