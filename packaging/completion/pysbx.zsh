#compdef pysbx
# SPDX-License-Identifier: MIT
# zsh completion for pysbx(1): install as _pysbx in a directory of $fpath

local -a signals=(TERM INT QUIT HUP USR1 USR2 KILL)

_pysbx_profile() {
	_alternative 'profile:profile:(python-web python-strict python-compat)' 'file:profile file:_files'
}

# With more options in its arguments.
_pysbx_run() {
	_arguments -S -A '-*' "$@" \
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
		'*--group=[supplementary group]:group:_groups' \
		'--chdir=[directory of the app]:directory:_directories' \
		'*--env=[set or pass a variable]:variable:_parameters -g "*export*"' \
		'*--env-file=[variables from a file]:file:_files' \
		'*--ro=[show a path, read-only]:path:_files' \
		'*--rw=[show a path, writable]:path:_files' \
		'*--unix-socket=[sockets of a service]:name or path:_files' \
		'--syscalls=[system call profile]:profile:_pysbx_profile' \
		'--syscalls-mode=[what becomes of other calls]:mode:(enforce log canary)' \
		'--network=[network]:mode:(host none private)' \
		'*--egress=[where it may connect to]:address:(localhost dns any none)' \
		'*--listen=[hold a listening socket]:ADDRESS\:PORT' \
		'*--require=[do not start without this wall]:wall:(landlock abstract-sockets network limits)' \
		'--restart=[when to start again]:when:(always on-failure never)' \
		'--max-restarts=[restarts in a row]:number' \
		'--backoff=[delay before a restart]:FIRST[/MAX]' \
		'--no-tripwire[no looks at it close to its memory limit]' \
		'--oom=[whom an OOM kill ends]:whom:(worker app)' \
		'*--pressure=[what is done before the memory limit]:step:(notify=70% reclaim=80% recycle=90% restart=95% kill=98% cooldown=30s off)' \
		'--grace=[how long a stop waits]:time' \
		'--health=[where to ask whether it is well]:URL' \
		'--health-host=[the Host header of that]:name' \
		'--health-interval=[from one check to the next]:time' \
		'--health-timeout=[how long an answer may take]:time' \
		'--health-failures=[in a row, until it is unhealthy]:number' \
		'--health-start-period=[in which failures do not count]:time' \
		'--health-restart=[when an unhealthy app is ended]:when:(hung unhealthy never)' \
		"--kill-signal=[what asks the app to stop]:signal:($signals)" \
		'--report=[append incidents to a file]:file:_files' \
		'--on-incident=[run a program for each incident]:program:_files' \
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

# Names of what the daemon has, quietly: no daemon, no names.
_pysbx_names() {
	local -a names=(${(f)"$(pysbx "$@" --json 2>/dev/null |
		grep -o '"name": *"[a-z0-9._-]*"' | cut -d '"' -f 4)"})
	compadd -a names
}
_pysbx_apps() { _pysbx_names list; }
_pysbx_plans() { _pysbx_names plan list; }
_pysbx_tenants() { _pysbx_names tenant list; }

# A command that speaks to the daemon: its name, then what _arguments takes besides the options of all.
_pysbx_control() {
	local -a common=(
		'--json[print the answer as it is]'
		'--socket=[the daemon'\''s socket]:socket:_files'
		'(- *)--help[print what the command takes]'
	)
	local -a states=(stopped starting running stopping backoff failed suspended)
	local -a lines=('(-n --lines)'{-n+,--lines=}'[how many at the most]:number')
	local -a follow=('(-f --follow)'{-f,--follow}'[go on with what comes]')

	case $1 in
	apply) _arguments $common '--dry-run[only tell what would change]' \
		'--force[lower memory below what is in use]' '*:file:_files' ;;
	get) _arguments $common ':app:_pysbx_apps' ;;
	list) _arguments $common '--tenant=[only of this tenant]:tenant:_pysbx_tenants' \
		"--state=[only in this state]:state:($states)" ;;
	status) _arguments $common $lines '*:app:_pysbx_apps' ;;
	start | restart) _arguments $common '--all[all apps]' '*:app:_pysbx_apps' ;;
	stop) _arguments $common '--all[all apps]' '--force[kill what is stopping already]' \
		'*:app:_pysbx_apps' ;;
	suspend | resume | remove) _arguments $common '*:app:_pysbx_apps' ;;
	signal) _arguments $common ':app:_pysbx_apps' ":signal:($signals)" ;;
	set) _arguments $common '--force[lower memory below what is in use]' ':app:_pysbx_apps' \
		'*:limit:(memory= memory_high= memory_swap= cpu= cpu_weight= pids= nofile= tmp_size= io=)' ;;
	wait) _arguments $common '--timeout=[how long]:time' ':app:_pysbx_apps' "*:state:($states)" ;;
	logs) _arguments $common $lines $follow ':app:_pysbx_apps' ;;
	events) _arguments $common $follow '--cursor=[only what came after]:event' \
		'--app=[only of this app]:app:_pysbx_apps' ;;
	incidents) _arguments $common $lines ':app:_pysbx_apps' ;;
	top) _arguments $common '--once[print it once, as text]' \
		'--sort=[what comes first]:key:(cpu memory share stall io pids restarts name)' \
		'--interval=[look again so often]:time' \
		'--tenant=[only of this tenant]:tenant:_pysbx_tenants' ':text' ;;
	history) _arguments $common $lines '--since=[only the last so long]:time' '--plot[draw it]' \
		':app:_pysbx_apps' ;;
	incident) _arguments $common '--markdown[as Markdown, for a ticket]' \
		'--customer[without what is the host'\''s]' '*:incident' ;;
	stacks) _arguments $common '--watch[look again every second]' \
		':app or process:_pysbx_apps' ;;
	daemon) _arguments $common '--log-level=[set it]:level:(error warning info debug)' ;;
	reload) _arguments $common ;;
	rpc) _arguments $common ':method' ':params' ;;
	plan-list | tenant-list) _arguments $common ;;
	plan-get) _arguments $common ':plan:_pysbx_plans' ;;
	tenant-get) _arguments $common ':tenant:_pysbx_tenants' ;;
	plan-remove) _arguments $common '*:plan:_pysbx_plans' ;;
	tenant-remove) _arguments $common '*:tenant:_pysbx_tenants' ;;
	plan-apply | tenant-apply) _arguments $common '*:file:_files' ;;
	syscalls-show | syscalls-check | syscalls-diff) _arguments '--json[print the answer as it is]' \
		'(- *)--help[print what the command takes]' '*:profile:_pysbx_profile' ;;
	syscalls-convert) _arguments '(- *)--help[print what the command takes]' \
		':profile:_pysbx_profile' ;;
	esac
}

_pysbx_commands() {
	local -a commands=(
		'apply:create apps, or change them to what a JSON file says'
		'get:print an app as it can be applied'
		'list:list the apps'
		'status:tell how apps are'
		'start:start apps'
		'stop:stop apps'
		'restart:stop apps and start them again'
		'signal:send a signal to an app'
		'suspend:freeze apps'
		'resume:let suspended apps go on'
		'set:change limits of an app while it runs'
		'remove:stop apps and forget them'
		'wait:wait until an app is in a state'
		'logs:print the last lines that an app wrote'
		'events:print what happened, or happens'
		'incidents:list the last incidents'
		'incident:explain one incident'
		'top:watch what the apps use'
		'history:tell what an app used in the last five minutes'
		'stacks:show where Python code is'
		'plan:hosting plans'
		'tenant:tenants'
		'reload:read the configuration again'
		'daemon:tell about the daemon'
		'rpc:call any method of the daemon'
		'syscalls:seccomp profiles'
		'run:run a command under limits in a sandbox'
		'help:show the commands'
		'doctor:tell what this machine has and lacks'
		'version:show the version'
	)
	_describe command commands
}

if ((CURRENT == 2)); then
	_pysbx_commands
elif [[ $words[2] == (plan|tenant|syscalls) ]]; then
	if ((CURRENT == 3)); then
		if [[ $words[2] == syscalls ]]; then
			compadd show check diff convert learn
		else
			compadd list get apply remove
		fi
	elif [[ $words[2] == syscalls && $words[3] == learn ]]; then
		shift 2 words
		((CURRENT -= 2))
		_pysbx_run '--output=[where the profile goes]:file:_files' \
			'--base=[profile that it is made of]:profile:_pysbx_profile' \
			'--allow-dangerous[take in what that refuses]'
	else
		local verb=$words[2]-$words[3]
		shift 2 words
		((CURRENT -= 2))
		_pysbx_control $verb
	fi
else
	shift words
	((CURRENT--))
	if [[ $words[1] == run ]]; then
		_pysbx_run
	else
		_pysbx_control $words[1]
	fi
fi
