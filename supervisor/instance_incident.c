/* SPDX-License-Identifier: MIT */
/*
 * From what one instance has seen to a verdict, and from there to the incident: read the facts, ask
 * policy, report.
 */
#include "policy/incident.h"
#include "policy/own.h"
#include "supervisor/cgroup.h"
#include "supervisor/clock.h"
#include "supervisor/file.h"
#include "supervisor/incident_store.h"
#include "supervisor/instance.h"
#include "supervisor/kernel_log.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

/* All that a judgement stands on, read once. */
struct facts {
	struct watch_reading now;
	struct event_deltas deltas;
	struct kernel_line kernel[INCIDENT_KERNEL_LINES];
	size_t kernel_count;
	struct incident_process victim;
	uint64_t tenant_oom;
	char allocating_at[VERDICT_TEXT_MAX]; /* "" if unknown */
};

static bool was_oom_killed(const struct instance *instance, const struct facts *facts)
{
	return facts->deltas.leaf_local.oom_kill >
	       instance_explained(instance)->leaf_local.oom_kill;
}

static bool was_group_killed(const struct instance *instance, const struct facts *facts)
{
	return facts->deltas.leaf_local.oom_group_kill >
	       instance_explained(instance)->leaf_local.oom_group_kill;
}

/* The process that the kernel chose, by its own words: the first that it names; 0 if it said none.
 */
static int chosen_pid(const struct facts *facts)
{
	return facts->kernel_count > 0 ? facts->kernel[0].pid : 0;
}

/* Did the main process itself die of it, and not just after one of its children? */
static bool main_was_killed(const struct instance *instance)
{
	return instance->last_words.type == LAUNCH_ENDED &&
	       WIFSIGNALED(instance->last_words.wait_status) &&
	       WTERMSIG(instance->last_words.wait_status) == SIGKILL;
}

/* Of a death of the main process: was it a child that ran out of memory? */
static bool victim_is_child(const struct instance *instance, const struct facts *facts)
{
	int chosen = chosen_pid(facts);

	if (!was_oom_killed(instance, facts))
		return false;
	if (!main_was_killed(instance))
		return true;
	return was_group_killed(instance, facts) && chosen > 0 &&
	       chosen != (int)instance->worker_pid;
}

static void describe_main(struct instance *instance, struct incident_process *victim)
{
	const struct process *process =
		process_table_find(&instance->processes, instance->worker_pid);

	victim->is_main = true;
	victim->pid = (int)instance->worker_pid;
	snprintf(victim->comm, sizeof(victim->comm), "%s", instance->command);
	if (process == NULL)
		return;
	snprintf(victim->comm, sizeof(victim->comm), "%s", process->comm);
	victim->pid_inside = (int)process->pid_inside;
	victim->rss_bytes = process->rss_bytes;
	if (process->command_line[0] != '\0')
		victim->command_line = strdup(process->command_line);
}

/* A child that the OOM killer took: the kernel's own line names it for sure; without one it is the
 * largest of those that are gone. */
static void describe_child(struct instance *instance, const struct facts *facts,
			   struct incident_process *victim)
{
	const struct process *process =
		process_table_find_dead(&instance->processes, instance->worker_pid);

	for (size_t i = 0; i < facts->kernel_count && victim->pid == 0; i++) {
		if (facts->kernel[i].pid <= 0 || facts->kernel[i].pid == (int)instance->worker_pid)
			continue;
		victim->pid = facts->kernel[i].pid;
		if (facts->kernel[i].comm[0] != '\0')
			snprintf(victim->comm, sizeof(victim->comm), "%s", facts->kernel[i].comm);
		process = process_table_find(&instance->processes, (pid_t)victim->pid);
	}
	if (process == NULL)
		return;
	victim->pid = (int)process->pid;
	snprintf(victim->comm, sizeof(victim->comm), "%s", process->comm);
	victim->pid_inside = (int)process->pid_inside;
	victim->rss_bytes = process->rss_bytes;
	if (process->command_line[0] != '\0')
		victim->command_line = strdup(process->command_line);
}

/* The leaf as the kernel's log names it; "" if it cannot be known: then no line is ours. */
static const char *name_cgroup(const struct instance *instance, char *text, size_t size)
{
	text[0] = '\0';
	if (instance->host->root_cgroup[0] != '\0')
		snprintf(text, size, "%s/%s/%s", instance->host->root_cgroup, instance->app_path,
			 instance->leaf_name);
	return text;
}

uint64_t instance_read_tenant_oom(const struct instance *instance)
{
	const char *slash = strchr(instance->app_path, '/');
	char path[INSTANCE_CGROUP_MAX], text[FILE_KERNEL_MAX];
	struct memory_events events = { 0 };
	struct error ignored;

	if (slash == NULL || instance->host->root_fd < 0)
		return 0;
	snprintf(path, sizeof(path), "%.*s/memory.events.local", (int)(slash - instance->app_path),
		 instance->app_path);
	if (file_read_at(instance->host->root_fd, path, text, sizeof(text), &ignored) >= 0)
		keyed_memory_events(text, &events);
	return events.oom;
}

static void read_facts(struct instance *instance, bool child, struct facts *facts)
{
	char cgroup[CGROUP_PATH_MAX + INSTANCE_CGROUP_MAX];

	*facts = (struct facts){ 0 };
	process_table_take_answers(&instance->processes, instance->host->reader);
	if (instance->watch.on_event != NULL) {
		watch_read(&instance->watch, &facts->now);
		instance_read_deltas(instance, &facts->now, &facts->deltas);
	}
	if (was_oom_killed(instance, facts))
		facts->kernel_count = kernel_log_read_oom(
			instance->host->kernel_log, name_cgroup(instance, cgroup, sizeof(cgroup)),
			facts->kernel, INCIDENT_KERNEL_LINES);
	facts->tenant_oom = instance_read_tenant_oom(instance);
	if (child || victim_is_child(instance, facts))
		describe_child(instance, facts, &facts->victim);
	else
		describe_main(instance, &facts->victim);
	(void)diagnosis_locate(&instance->diagnosis, time(NULL), facts->victim.pid,
			       facts->allocating_at, sizeof(facts->allocating_at));
}

static uint64_t uptime_usec(const struct instance *instance, bool child)
{
	const struct instance_end *words = &instance->last_words;

	if (!child && words->type == LAUNCH_ENDED && words->ended_nsec > words->started_nsec)
		return (words->ended_nsec - words->started_nsec) / 1000;
	return clock_monotonic_usec() - instance->spawned_usec;
}

static void fill_death(const struct instance *instance, bool child, const struct facts *facts,
		       struct death *death)
{
	const struct instance_end *words = &instance->last_words;
	const struct incident_memory *before = &instance->memory;
	const struct moment now = instance_moment(&facts->now);

	*death = (struct death){
		.child = child,
		.has_status = !child && words->type == LAUNCH_ENDED,
		.wait_status = words->wait_status,
		.stop_requested = instance->stop_requested,
		.stop_signal = instance->stop_signal,
		.killed_by_us = instance->killed_by_us,
		.ended_cause = instance->ended_cause,
		.ended_for = instance->ended_for,
		.start_failed = !child && words->type == LAUNCH_FAILED,
		.failed_stage = launch_stage_name(words->stage),
		.failed_text = words->text != NULL ? words->text : "",
		.failed_errno = words->errnum,
		.events = facts->deltas,
		.explained = *instance_explained(instance),
		.uptime_usec = uptime_usec(instance, child),
		.limits = &instance->spec->limits,
		.app = instance->spec->name,
		.door = instance->spec->door,
		.grace_usec = instance->spec->stop.grace_usec,
		.forwarded_signal = instance->forwarded_signal,
		.refused_call = instance_refused_call(instance, &now),
		.victim_name = facts->victim.comm[0] != '\0' ? facts->victim.comm : NULL,
		.victim_pid = facts->victim.pid,
		.victim_pid_inside = facts->victim.pid_inside,
		.victim_is_child = !facts->victim.is_main && was_group_killed(instance, facts),
		.memory_anon = before->anon,
		.memory_file = before->file,
		.memory_shmem = before->shmem,
		.memory_current = before->current,
		.allocating_at = facts->allocating_at,
		.tenant_fired = facts->tenant_oom > instance->tenant_oom,
	};
	if (instance->host->bounds != NULL)
		instance->host->bounds(instance, &death->plan, &death->tenant);
	/* a fork that was refused yesterday is not why it ended today */
	if (!instance_pids_matter(instance, &facts->deltas, &now))
		death->events.pids_max = 0;
}

static struct incident_pressure pressure_of(const struct pressure *pressure, bool valid)
{
	return valid ? (struct incident_pressure){ pressure->some_avg10, pressure->full_avg10 }
		     : (struct incident_pressure){ UINT32_MAX, UINT32_MAX };
}

static uint64_t limit_in_force(uint64_t limit)
{
	return limit == LIMIT_UNSET ? LIMIT_MAX : limit;
}

static struct timespec earlier(struct timespec time, uint64_t usec)
{
	time.tv_sec -= (time_t)(usec / 1000000);
	time.tv_nsec -= (long)(usec % 1000000) * 1000;
	if (time.tv_nsec < 0) {
		time.tv_sec--;
		time.tv_nsec += 1000000000;
	}
	return time;
}

/* The time is that of the end, however late it is told. A launcher tells an end again until it has
 * been taken note of: by its time it gets the same id then. ended_nsec: CLOCK_MONOTONIC; 0: not
 * known. */
static void set_id(const struct instance *instance, uint64_t ended_nsec, struct incident *incident)
{
	uint32_t unique = (uint32_t)(ended_nsec ^ ended_nsec >> 32);
	uint64_t now = clock_monotonic_usec(), ended = ended_nsec / 1000;

	clock_gettime(CLOCK_REALTIME, &incident->time);
	if (ended_nsec == 0)
		unique = instance->host->random();
	else if (ended < now)
		incident->time = earlier(incident->time, now - ended);
	incident_make_id(incident->app, incident->instance, &incident->time, unique, incident->id);
}

static void fill_incident(const struct instance *instance, const struct facts *facts,
			  const struct death *death, const struct verdict *verdict,
			  struct incident *incident)
{
	const struct instance_end *words = &instance->last_words;
	const struct limits *limits = &instance->spec->limits;

	*incident = (struct incident){
		.app = instance->spec->name,
		.tenant = instance->spec->tenant,
		.directory = instance->spec->directory,
		.instance = instance->number,
		.verdict = *verdict,
		.victim = facts->victim,
		.has_wait_status = death->has_status && facts->victim.is_main,
		.wait_status = death->wait_status,
		.uptime_usec = death->uptime_usec,
		.user_usec = words->user_usec,
		.system_usec = words->system_usec,
		.maxrss_bytes = words->maxrss_bytes,
		.memory_max = limit_in_force(limits->memory_max),
		.memory_high = limit_in_force(limits->memory_high),
		.pids_max = limit_in_force(limits->pids_max),
		.before = instance->memory,
		.after = facts->now.memory,
		.events = facts->deltas,
		.memory_pressure =
			pressure_of(&facts->now.memory_pressure, facts->now.pressure_valid),
		.cpu_pressure = pressure_of(&facts->now.cpu_pressure, facts->now.pressure_valid),
		.io_pressure = pressure_of(&facts->now.io_pressure, facts->now.pressure_valid),
		.log_lines_dropped = relay_dropped_lines(&instance->relay),
		.restarts = instance->restarts.in_row,
		.diagnosis = &instance->diagnosis,
		.mask = instance->host->mask,
	};
	set_id(instance, death->child ? 0 : words->ended_nsec, incident);
}

static int on_tidy(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct instance *instance = userdata;
	const struct instance_host *host = instance->host;
	struct error ignored;
	(void)source, (void)usec;

	instance->tidy_timer = sd_event_source_disable_unref(instance->tidy_timer);
	(void)incident_store_prune(host->incident_directory, instance->spec->name, host->incidents,
				   time(NULL), &ignored);
	return 0;
}

/* What is to go when a new incident has come: all of the app's have to be looked at, and the next
 * life waits for us. False: it is to be done now. `pysbx run` does not live for so long. */
static bool tidy_later(struct instance *instance)
{
	return instance->host->record != NULL &&
	       (instance->tidy_timer != NULL ||
		instance_arm(instance, &instance->tidy_timer, INSTANCE_TIDY_USEC, on_tidy) >= 0);
}

/* The journal of what went wrong while writing must not stop the text from reaching the operator.
 */
static void store(struct instance *instance, const struct incident *incident, const char *pretty,
		  const char *line)
{
	const struct instance_host *host = instance->host;
	const struct settings_incidents *keep = tidy_later(instance) ? NULL : host->incidents;
	struct error err;

	if (incident_store_write(host->incident_directory, incident->app, incident->id, pretty,
				 keep, time(NULL), &err) < 0)
		log_message(host->log, LOG_LEVEL_ERROR, instance->spec->name, "%s", err.text);
	else if (host->log->journal == NULL) /* there one entry is enough: it has the id */
		log_message(host->log, LOG_LEVEL_INFO, instance->spec->name,
			    "incident report: %s/%s/%s" INCIDENT_STORE_SUFFIX,
			    host->incident_directory, incident->app, incident->id);
	if (host->report_path != NULL && incident_store_append(host->report_path, line, &err) < 0)
		log_message(host->log, LOG_LEVEL_ERROR, instance->spec->name, "--report: %s",
			    err.text);
}

static void tell(struct instance *instance, const struct incident *incident,
		 enum log_event_id event)
{
	_cleanup_free_ char *text = NULL, *pretty = NULL, *line = NULL;
	struct log_subject subject = instance_subject(instance);
	struct error err;
	int r;

	subject.incident = incident->id;
	r = incident_to_text(incident, &text, &err);
	if (r >= 0)
		r = incident_to_json(incident, true, &pretty, &err);
	if (r >= 0)
		r = incident_to_json(incident, false, &line, &err);
	if (r < 0) {
		log_message(instance->host->log, LOG_LEVEL_ERROR, instance->spec->name,
			    "%s (incident: %s)", incident->verdict.sentence, err.text);
		return;
	}
	log_report(instance->host->log, event, &subject, text, line);
	store(instance, incident, pretty, line);
	if (instance->host->hook != NULL)
		incident_hook_run(instance->host->hook, &subject, line);
}

static void add_history(struct instance *instance)
{
	diagnosis_set_history(&instance->diagnosis,
			      recorder_to_json(&instance->recorder, 0, RECORDING_INCIDENT_SAMPLES));
}

static void report(struct instance *instance, const struct facts *facts, const struct death *death,
		   const struct verdict *verdict)
{
	const char *log_lines[LOG_TAIL_LINES], *kernel_lines[INCIDENT_KERNEL_LINES];
	const struct instance_host *host = instance->host;
	struct incident incident;

	add_history(instance);
	fill_incident(instance, facts, death, verdict, &incident);
	incident.log_line_count = log_tail_lines(&instance->relay.tail, log_lines);
	incident.log_lines = log_lines;
	for (size_t i = 0; i < facts->kernel_count; i++)
		kernel_lines[i] = facts->kernel[i].text;
	incident.kernel_lines = kernel_lines;
	incident.kernel_line_count = facts->kernel_count;

	/* only a launcher that an earlier daemon has started may have told that one already */
	if (!instance->launcher.is_child &&
	    incident_store_recall(host->incident_directory, incident.app, incident.id))
		log_message(host->log, LOG_LEVEL_INFO, incident.app,
			    "incident %s has been told before", incident.id);
	else
		tell(instance, &incident,
		     death->child ? LOG_EVENT_APP_CHILD_KILLED : LOG_EVENT_APP_DIED);
	/* of a child's death: the life goes on, and so does its recording */
	json_decref(TAKE_PTR(instance->diagnosis.history));
	if (host->on_incident != NULL)
		host->on_incident(instance, incident.id, verdict);
}

void instance_judge(struct instance *instance, bool child, struct verdict *ret)
{
	const struct log_subject subject = instance_subject(instance);
	struct facts facts;
	struct death death;

	if (!child)
		relay_finish(&instance->relay);
	read_facts(instance, child, &facts);
	fill_death(instance, child, &facts, &death);
	verdict_judge(&death, &instance->spec->restart, instance->spec->oom, &instance->restarts,
		      ret);
	if (!child)
		instance->exit_code = verdict_exit_code(&death, ret);
	if (ret->is_incident) {
		report(instance, &facts, &death, ret);
	} else {
		log_event(instance->host->log, LOG_EVENT_APP_STOPPED, &subject, "%s",
			  ret->sentence);
		if (instance->host->on_incident != NULL)
			instance->host->on_incident(instance, "", ret);
	}
	instance_explain(instance, &facts.deltas);
	instance->tenant_oom = facts.tenant_oom;
	free(facts.victim.command_line);
}
