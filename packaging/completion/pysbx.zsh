#compdef pysbx
# SPDX-License-Identifier: MIT
# zsh completion for pysbx(1): install as _pysbx in a directory of $fpath

local -a signals=(TERM INT QUIT HUP USR1 USR2 KILL)

_pysbx_profile() {
	_alternative 'profile:profile:(python-web)' 'file:profile file:_files'
}

_pysbx_run() {
	_arguments -S -A '-*' \
		'--mem=[memory, at which the OOM killer ends a process]:size' \
		'--mem-high=[memory above which the app is slowed down]:size' \
		'--swap=[swap on top of memory]:size' \
		'--cpu=[CPU time, 150% or 1.5]:cpu' \
		'--cpu-weight=[share of CPU against others]:1 to 10000' \
		'*--io=[bytes and operations a second]:PATH=RBPS/WBPS[/RIOPS/WIOPS]:_files' \
		'--pids=[processes and threads]:number' \
		'--nofile=[open files of each process]:number' \
		'--tmp-size=[size of /tmp]:size' \
		'--name=[name of the app]:name' \
		'--user=[who to run as]:user:_users' \
		'--chdir=[directory of the app]:directory:_directories' \
		'*--env=[set or pass a variable]:variable:_parameters -g "*export*"' \
		'*--env-file=[variables from a file]:file:_files' \
		'*--ro=[show a path, read-only]:path:_files' \
		'*--rw=[show a path, writable]:path:_files' \
		'--syscalls=[system call profile]:profile:_pysbx_profile' \
		'--network=[network]:mode:(host none)' \
		'--restart=[when to start again]:when:(always on-failure never)' \
		'--max-restarts=[restarts in a row]:number' \
		'--backoff=[delay before a restart]:FIRST[/MAX]' \
		'--oom=[whom an OOM kill ends]:whom:(worker app)' \
		'--grace=[how long a stop waits]:time' \
		"--kill-signal=[what asks the app to stop]:signal:($signals)" \
		'--report=[append incidents to a file]:file:_files' \
		'--print-plan[print the sandbox plan and run nothing]' \
		'--cgroup-root=[make cgroups below a directory]:directory:_directories' \
		'--json[messages as JSON]' \
		'(--verbose)--quiet[only errors and incidents]' \
		'(--quiet)--verbose[say what is done]' \
		'(- *)--version[print the version]' \
		'(- *)--help[print the options]' \
		'(-):command: _command_names -e' \
		'*::arguments: _normal'
}

if ((CURRENT == 2)); then
	local -a commands=(
		'run:run a command under limits in a sandbox'
		'help:show the commands'
		'version:show the version'
	)
	_describe command commands
elif [[ $words[2] == run ]]; then
	shift words
	((CURRENT--))
	_pysbx_run
fi
