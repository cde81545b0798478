# SPDX-License-Identifier: MIT
# fish completion for pysbx(1)

# Still among the options of `pysbx run`: no word yet that is neither an option nor its value.
function __pysbx_in_options
    set --local words (commandline -opc)
    test (count $words) -ge 2; and test "$words[2]" = run; or return 1
    set --local flags --print-plan --json --quiet --verbose --version --help
    set --local skip 0
    for word in $words[3..-1]
        if test $skip = 1
            set skip 0
        else if contains -- $word $flags; or string match -q -- '--?*=*' $word
            continue
        else if test "$word" = --; or not string match -q -- '-*' $word
            return 1
        else
            set skip 1
        end
    end
    return 0
end

# The command and its arguments, once the options are over.
function __pysbx_command
    set --local words (commandline -opc) (commandline -ct)
    set --local flags --print-plan --json --quiet --verbose --version --help
    set --local at 3
    while test $at -le (count $words)
        set --local word $words[$at]
        if test "$word" = --
            set at (math $at + 1)
            break
        else if contains -- $word $flags; or string match -q -- '--?*=*' $word
            set at (math $at + 1)
        else if string match -q -- '-*' $word
            set at (math $at + 2)
        else
            break
        end
    end
    test $at -le (count $words); and complete -C (string join ' ' -- (string escape -- $words[$at..-1]))
end

complete -c pysbx -f
complete -c pysbx -n __fish_use_subcommand -a run -d 'Run a command under limits in a sandbox'
complete -c pysbx -n __fish_use_subcommand -a help -d 'Show the commands'
complete -c pysbx -n __fish_use_subcommand -a version -d 'Show the version'
complete -c pysbx -n '__fish_seen_subcommand_from run' -a '(__pysbx_command)'

complete -c pysbx -n __pysbx_in_options -x -l mem -d 'Memory, at which the OOM killer ends a process'
complete -c pysbx -n __pysbx_in_options -x -l mem-high -d 'Memory above which the app is slowed down'
complete -c pysbx -n __pysbx_in_options -x -l swap -d 'Swap on top of memory'
complete -c pysbx -n __pysbx_in_options -x -l cpu -d 'CPU time, 150% or 1.5'
complete -c pysbx -n __pysbx_in_options -x -l cpu-weight -d 'Share of CPU against others'
complete -c pysbx -n __pysbx_in_options -r -F -l io -d 'Bytes and operations a second of a disk'
complete -c pysbx -n __pysbx_in_options -x -l pids -d 'Processes and threads'
complete -c pysbx -n __pysbx_in_options -x -l nofile -d 'Open files of each process'
complete -c pysbx -n __pysbx_in_options -x -l tmp-size -d 'Size of /tmp'
complete -c pysbx -n __pysbx_in_options -x -l name -d 'Name of the app'
complete -c pysbx -n __pysbx_in_options -x -l user -a '(__fish_complete_users)' -d 'Who to run as'
complete -c pysbx -n __pysbx_in_options -x -l chdir -a '(__fish_complete_directories)' -d 'Directory of the app'
complete -c pysbx -n __pysbx_in_options -x -l env -a '(set -nx)' -d 'Set or pass a variable'
complete -c pysbx -n __pysbx_in_options -r -F -l env-file -d 'Variables from a file'
complete -c pysbx -n __pysbx_in_options -r -F -l ro -d 'Show a path, read-only'
complete -c pysbx -n __pysbx_in_options -r -F -l rw -d 'Show a path, writable'
complete -c pysbx -n __pysbx_in_options -r -F -l syscalls -a python-web -d 'System call profile'
complete -c pysbx -n __pysbx_in_options -x -l network -a 'host none' -d Network
complete -c pysbx -n __pysbx_in_options -x -l restart -a 'always on-failure never' -d 'When to start again'
complete -c pysbx -n __pysbx_in_options -x -l max-restarts -d 'Restarts in a row'
complete -c pysbx -n __pysbx_in_options -x -l backoff -d 'Delay before a restart, FIRST[/MAX]'
complete -c pysbx -n __pysbx_in_options -x -l oom -a 'worker app' -d 'Whom an OOM kill ends'
complete -c pysbx -n __pysbx_in_options -x -l grace -d 'How long a stop waits'
complete -c pysbx -n __pysbx_in_options -x -l kill-signal -a 'TERM INT QUIT HUP USR1 USR2 KILL' -d 'What asks the app to stop'
complete -c pysbx -n __pysbx_in_options -r -F -l report -d 'Append incidents to a file'
complete -c pysbx -n __pysbx_in_options -l print-plan -d 'Print the sandbox plan and run nothing'
complete -c pysbx -n __pysbx_in_options -x -l cgroup-root -a '(__fish_complete_directories)' -d 'Make cgroups below a directory'
complete -c pysbx -n __pysbx_in_options -l json -d 'Messages as JSON'
complete -c pysbx -n __pysbx_in_options -l quiet -d 'Only errors and incidents'
complete -c pysbx -n __pysbx_in_options -l verbose -d 'Say what is done'
complete -c pysbx -n __pysbx_in_options -l version -d 'Print the version'
complete -c pysbx -n __pysbx_in_options -l help -d 'Print the options'
