# SPDX-License-Identifier: MIT
# bash completion for pysbx(1)

_pysbx_run()
{
	local options='--mem --mem-high --swap --cpu --cpu-weight --io --pids --nofile --tmp-size
		--name --user --chdir --env --env-file
		--ro --rw --syscalls --network
		--restart --max-restarts --backoff --oom --grace --kill-signal
		--report --print-plan --cgroup-root --json --quiet --verbose --version --help'
	local flags=' --print-plan --json --quiet --verbose --version --help '
	local i word

	# The command is the first word that is neither an option nor an option's value; from there
	# on, complete as for that command.
	for ((i = 2; i < COMP_CWORD; i++)); do
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
	--network) _pysbx_words -W 'host none' ;;
	--restart) _pysbx_words -W 'always on-failure never' ;;
	--oom) _pysbx_words -W 'worker app' ;;
	--user) _pysbx_words -u ;;
	--kill-signal) _pysbx_words -W 'TERM INT QUIT HUP USR1 USR2 KILL' ;;
	--env) _pysbx_words -e ;;
	--chdir | --cgroup-root) _pysbx_files -d ;;
	--env-file | --ro | --rw | --report | --io) _pysbx_files -f ;;
	--syscalls)
		if [[ $cur == */* ]]; then _pysbx_files -f; else _pysbx_words -W python-web -f; fi
		;;
	--mem | --mem-high | --swap | --cpu | --cpu-weight | --pids | --nofile | --tmp-size) ;;
	--name | --max-restarts | --backoff | --grace) ;;
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

_pysbx()
{
	local cur=${COMP_WORDS[COMP_CWORD]}

	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		_pysbx_words -W 'run help version --help --version'
	elif [[ ${COMP_WORDS[1]} == run ]]; then
		_pysbx_run
	fi
}

complete -F _pysbx pysbx
