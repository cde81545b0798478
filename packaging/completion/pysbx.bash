# SPDX-License-Identifier: MIT
# bash completion for pysbx(1)

# The options from word $1 on, and besides those of all the words in $2.
_pysbx_run()
{
	local options='--mem --mem-high --swap --cpu --cpu-weight --io --pids --nofile --tmp-size
		--name --user --group --chdir --env --env-file
		--ro --rw --unix-socket --syscalls --syscalls-mode --network --egress --listen --require
		--restart --max-restarts --backoff --oom --no-tripwire --pressure --grace --kill-signal
		--health --health-host --health-interval --health-timeout --health-failures
		--health-start-period --health-restart
		--report --on-incident --print-plan --cgroup-root --json --quiet --verbose --version --help'" $2"
	local flags=' --allow-dangerous --print-plan --json --quiet --verbose --version --help '
	local i word

	# The command is the first word that is neither an option nor an option's value; from there
	# on, complete as for that command.
	for ((i = $1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [[ $word == -- ]]; then
			_pysbx_command $((i + 1))
			return
		elif [[ $word != -* ]]; then
			_pysbx_command "$i"
			return
		elif [[ $flags == *" $word "* ]]; then
			continue
		elif [[ ${COMP_WORDS[i + 1]-} == = ]]; then
			((i += 2)) # readline splits --name=value at the '='
		else
			((i++))
		fi
	done

	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	if [[ $cur == = ]]; then
		cur=
	elif [[ $prev == = ]]; then
		prev=${COMP_WORDS[COMP_CWORD - 2]}
	fi

	case $prev in
	--syscalls-mode) _pysbx_words -W 'enforce log canary' ;;
	--unix-socket)
		if [[ $cur == */* ]]; then
			_pysbx_files -f
		else
			_pysbx_words -W 'mariadb memcached mysql postgresql redis valkey'
		fi
		;;
	--require)
		_pysbx_words -W 'landlock abstract-sockets network limits'
		;;
	--network) _pysbx_words -W 'host none private' ;;
	--egress) _pysbx_words -W 'localhost dns any none' ;;
	--restart) _pysbx_words -W 'always on-failure never' ;;
	--oom) _pysbx_words -W 'worker app' ;;
	--pressure)
		compopt -o nospace
		_pysbx_words -W 'notify= reclaim= recycle= restart= kill= cooldown= off'
		;;
	--user) _pysbx_words -u ;;
	--group) _pysbx_words -g ;;
	--kill-signal) _pysbx_words -W 'TERM INT QUIT HUP USR1 USR2 KILL' ;;
	--env) _pysbx_words -e ;;
	--chdir | --cgroup-root) _pysbx_files -d ;;
	--env-file | --ro | --rw | --report | --on-incident | --io | --output) _pysbx_files -f ;;
	--syscalls | --base)
		if [[ $cur == */* ]]; then _pysbx_files -f; else _pysbx_words -W "$_pysbx_profiles" -f; fi
		;;
	--mem | --mem-high | --swap | --cpu | --cpu-weight | --pids | --nofile | --tmp-size) ;;
	--name | --max-restarts | --backoff | --grace) ;;
	--health) _pysbx_words -W 'http://127.0.0.1: http://unix:/' ;;
	--health-restart) _pysbx_words -W 'hung unhealthy never' ;;
	--health-host | --health-interval | --health-timeout | --health-failures | --health-start-period) ;;
	*)
		if [[ $cur == -* ]]; then
			_pysbx_words -W "$options"
		else
			_pysbx_command "$COMP_CWORD"
		fi
		;;
	esac
}

# One a line: the names of files may hold blanks.
_pysbx_words()
{
	mapfile -t COMPREPLY < <(compgen "$@" -- "$cur")
}

_pysbx_files()
{
	compopt -o filenames
	_pysbx_words "$1"
}

# The word at index $1 is a command: hand over to bash-completion, or complete it ourselves.
_pysbx_command()
{
	local cur=${COMP_WORDS[COMP_CWORD]}

	if declare -F _command_offset >/dev/null; then
		_command_offset "$1"
	elif ((COMP_CWORD == $1)) && [[ $cur != */* ]]; then
		_pysbx_words -c
	else
		_pysbx_files -f
	fi
}

# Names of what the daemon has, quietly: no daemon, no names.
_pysbx_names()
{
	_pysbx_words -W "$(pysbx "$@" --json 2>/dev/null | grep -o '"name": *"[a-z0-9._-]*"' |
		cut -d '"' -f 4)"
}

_pysbx_incidents()
{
	_pysbx_words -W "show $(pysbx incidents --json 2>/dev/null | grep -o '"id": *"[A-Za-z0-9._-]*"' |
		cut -d '"' -f 4)"
}

# A command that speaks to the daemon; its words begin at index $1.
_pysbx_control()
{
	local options='--json --socket --help' command=${COMP_WORDS[*]:1:$1-1}
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}

	if [[ $cur == = ]]; then
		cur=
	elif [[ $prev == = ]]; then
		prev=${COMP_WORDS[COMP_CWORD - 2]}
	fi

	case $prev in
	--socket) _pysbx_files -f && return ;;
	--tenant) _pysbx_names tenant list && return ;;
	--app) _pysbx_names list && return ;;
	--state) _pysbx_words -W "$_pysbx_states" && return ;;
	--log-level) _pysbx_words -W 'error warning info debug' && return ;;
	--sort) _pysbx_words -W 'cpu memory share stall io pids restarts name' && return ;;
	--lines | -n | --cursor | --timeout | --since | --interval) return ;;
	esac

	case $command in
	apply) options+=' --dry-run --force' ;;
	list) options+=' --tenant --state' ;;
	status | incidents) options+=' --lines' ;;
	incident | 'incident show') options+=' --markdown --customer' ;;
	start | restart) options+=' --all' ;;
	stop) options+=' --all --force' ;;
	set) options+=' --force' ;;
	logs) options+=' --lines --follow' ;;
	stacks) options+=' --watch' ;;
	top) options+=' --once --sort --interval --tenant' ;;
	history) options+=' --since --lines --plot' ;;
	events) options+=' --follow --cursor --app' ;;
	wait) options+=' --timeout' ;;
	daemon) options+=' --log-level' ;;
	esac
	if [[ $command == syscalls* ]]; then options='--json --help'; fi
	if [[ $cur == -* ]]; then
		_pysbx_words -W "$options"
		return
	fi

	case $command in
	apply | 'plan apply' | 'tenant apply') _pysbx_files -f ;;
	syscalls*) _pysbx_words -W "$_pysbx_profiles" -f ;;
	incident | 'incident show') _pysbx_incidents ;;
	'plan get' | 'plan remove') _pysbx_names plan list ;;
	'tenant get' | 'tenant remove') _pysbx_names tenant list ;;
	status | start | stop | restart | suspend | resume | remove | get | logs | incidents | history | stacks)
		_pysbx_names list
		;;
	signal)
		if ((COMP_CWORD == 2)); then
			_pysbx_names list
		else
			_pysbx_words -W 'TERM INT QUIT HUP USR1 USR2 KILL'
		fi
		;;
	wait)
		if ((COMP_CWORD == 2)); then _pysbx_names list; else _pysbx_words -W "$_pysbx_states"; fi
		;;
	set)
		if ((COMP_CWORD == 2)); then
			_pysbx_names list
		else
			compopt -o nospace
			_pysbx_words -W 'memory= memory_high= memory_swap= cpu= cpu_weight= pids= nofile= tmp_size= io='
		fi
		;;
	esac
}

_pysbx_profiles='python-web python-strict python-compat'
_pysbx_states='stopped starting running stopping backoff failed suspended'

_pysbx()
{
	local cur=${COMP_WORDS[COMP_CWORD]}
	local commands='apply get list status start stop restart signal suspend resume set remove wait
		logs events incidents incident top history stacks plan tenant reload daemon rpc syscalls
		run doctor help version --help --version'

	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		_pysbx_words -W "$commands"
		return
	fi
	case ${COMP_WORDS[1]} in
	run) _pysbx_run 2 '' ;;
	help | version) ;;
	plan | tenant)
		if ((COMP_CWORD == 2)); then
			_pysbx_words -W 'list get apply remove'
		else
			_pysbx_control 3
		fi
		;;
	syscalls)
		if ((COMP_CWORD == 2)); then
			_pysbx_words -W 'show check diff convert learn'
		elif [[ ${COMP_WORDS[2]} == learn ]]; then
			_pysbx_run 3 '--output --base --allow-dangerous'
		else
			_pysbx_control 3
		fi
		;;
	*) _pysbx_control 2 ;;
	esac
}

complete -F _pysbx pysbx
