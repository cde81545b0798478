# SPDX-License-Identifier: MIT
# fish completion for pysbx(1)

# The command is one that runs another: prints where its options begin.
function __pysbx_run_at
    set --local words (commandline -opc)
    if test "$words[2]" = run
        echo 3
    else if test "$words[2..3]" = 'syscalls learn'
        echo 4
    end
end

function __pysbx_learns
    __pysbx_in_options; and test (__pysbx_run_at) = 4
end

# Still among the options of `pysbx run`: no word yet that is neither an option nor its value.
function __pysbx_in_options
    set --local words (commandline -opc)
    set --local at (__pysbx_run_at)
    test -n "$at"; or return 1
    set --local flags --no-tripwire --allow-dangerous --print-plan --json --quiet --verbose --version --help
    set --local skip 0
    for word in $words[$at..-1]
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
    set --local flags --no-tripwire --allow-dangerous --print-plan --json --quiet --verbose --version --help
    set --local at (__pysbx_run_at)
    test -n "$at"; or return
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

# Names of what the daemon has, quietly: no daemon, no names.
function __pysbx_names
    pysbx $argv --json 2>/dev/null | string match -ar '"name": *"[a-z0-9._-]*"' | string replace -r '.*"([^"]*)"$' '$1'
end

# The command is one of these ("plan get" is plan-get).
function __pysbx_is
    set --local words (commandline -opc)
    test (count $words) -ge 2; or return 1
    contains -- $words[2] $argv; and return 0
    test (count $words) -ge 3; and contains -- $words[2]-$words[3] $argv
end

function __pysbx_is_control
    set --local words (commandline -opc)
    test (count $words) -ge 2; and not contains -- $words[2] run help version; and test -z (__pysbx_run_at)
end

# How many words there are already: 3 is behind the first word of a command.
function __pysbx_at
    test (count (commandline -opc)) -ge $argv[1]
end

complete -c pysbx -f
complete -c pysbx -n __fish_use_subcommand -a apply -d 'Create apps, or change them'
complete -c pysbx -n __fish_use_subcommand -a get -d 'Print an app as it can be applied'
complete -c pysbx -n __fish_use_subcommand -a list -d 'List the apps'
complete -c pysbx -n __fish_use_subcommand -a status -d 'Tell how apps are'
complete -c pysbx -n __fish_use_subcommand -a start -d 'Start apps'
complete -c pysbx -n __fish_use_subcommand -a stop -d 'Stop apps'
complete -c pysbx -n __fish_use_subcommand -a restart -d 'Stop apps and start them again'
complete -c pysbx -n __fish_use_subcommand -a signal -d 'Send a signal to an app'
complete -c pysbx -n __fish_use_subcommand -a suspend -d 'Freeze apps'
complete -c pysbx -n __fish_use_subcommand -a resume -d 'Let suspended apps go on'
complete -c pysbx -n __fish_use_subcommand -a set -d 'Change limits of an app while it runs'
complete -c pysbx -n __fish_use_subcommand -a remove -d 'Stop apps and forget them'
complete -c pysbx -n __fish_use_subcommand -a wait -d 'Wait until an app is in a state'
complete -c pysbx -n __fish_use_subcommand -a logs -d 'Print the last lines that an app wrote'
complete -c pysbx -n __fish_use_subcommand -a events -d 'Print what happened, or happens'
complete -c pysbx -n __fish_use_subcommand -a incidents -d 'List the last incidents'
complete -c pysbx -n __fish_use_subcommand -a incident -d 'Explain one incident'
complete -c pysbx -n __fish_use_subcommand -a top -d 'Watch what the apps use'
complete -c pysbx -n __fish_use_subcommand -a history -d 'Tell what an app used in the last five minutes'
complete -c pysbx -n __fish_use_subcommand -a stacks -d 'Show where Python code is'
complete -c pysbx -n __fish_use_subcommand -a plan -d 'Hosting plans'
complete -c pysbx -n __fish_use_subcommand -a tenant -d Tenants
complete -c pysbx -n __fish_use_subcommand -a reload -d 'Read the configuration again'
complete -c pysbx -n __fish_use_subcommand -a daemon -d 'Tell about the daemon'
complete -c pysbx -n __fish_use_subcommand -a rpc -d 'Call any method of the daemon'
complete -c pysbx -n __fish_use_subcommand -a syscalls -d 'Seccomp profiles'

complete -c pysbx -n '__pysbx_is plan tenant; and not __pysbx_at 3' -a 'list get apply remove'
complete -c pysbx -n '__pysbx_is syscalls; and not __pysbx_at 3' -a 'show check diff convert learn'
complete -c pysbx -n '__pysbx_is syscalls-show syscalls-check syscalls-diff syscalls-convert' -F -a 'python-web python-strict python-compat'
complete -c pysbx -n '__pysbx_is get status start stop restart suspend resume remove logs incidents history stacks' -a '(__pysbx_names list)'
complete -c pysbx -n '__pysbx_is signal set wait; and not __pysbx_at 3' -a '(__pysbx_names list)'
complete -c pysbx -n '__pysbx_is signal; and __pysbx_at 3' -a 'TERM INT QUIT HUP USR1 USR2 KILL'
complete -c pysbx -n '__pysbx_is wait; and __pysbx_at 3' -a 'stopped starting running stopping backoff failed suspended'
complete -c pysbx -n '__pysbx_is set; and __pysbx_at 3' -a 'memory= memory_high= memory_swap= cpu= cpu_weight= pids= nofile= tmp_size= io='
complete -c pysbx -n '__pysbx_is plan-get plan-remove' -a '(__pysbx_names plan list)'
complete -c pysbx -n '__pysbx_is tenant-get tenant-remove' -a '(__pysbx_names tenant list)'
complete -c pysbx -n '__pysbx_is apply plan-apply tenant-apply' -F

complete -c pysbx -n '__pysbx_is apply' -l dry-run -d 'Only tell what would change'
complete -c pysbx -n '__pysbx_is list top' -x -l tenant -a '(__pysbx_names tenant list)' -d 'Only of this tenant'
complete -c pysbx -n '__pysbx_is list' -x -l state -a 'stopped starting running stopping backoff failed suspended' -d 'Only in this state'
complete -c pysbx -n '__pysbx_is start stop restart' -l all -d 'All apps'
complete -c pysbx -n '__pysbx_is apply set' -l force -d 'Lower memory below what is in use'
complete -c pysbx -n '__pysbx_is stop' -l force -d 'Kill what is stopping already'
complete -c pysbx -n '__pysbx_is logs status incidents history' -x -s n -l lines -d 'How many at the most'
complete -c pysbx -n '__pysbx_is history' -x -l since -d 'Only the last so long'
complete -c pysbx -n '__pysbx_is history' -l plot -d 'Draw it'
complete -c pysbx -n '__pysbx_is top' -l once -d 'Print it once, as text'
complete -c pysbx -n '__pysbx_is top' -x -l sort -a 'cpu memory share stall io pids restarts name' -d 'What comes first'
complete -c pysbx -n '__pysbx_is top' -x -l interval -d 'Look again so often'
complete -c pysbx -n '__pysbx_is incident' -a show -d 'Explain one incident'
complete -c pysbx -n '__pysbx_is incident' -l markdown -d 'As Markdown, for a ticket'
complete -c pysbx -n '__pysbx_is incident' -l customer -d 'Without what is the host\'s'
complete -c pysbx -n '__pysbx_is stacks' -l watch -d 'Look again every second'
complete -c pysbx -n '__pysbx_is logs events' -s f -l follow -d 'Go on with what comes'
complete -c pysbx -n '__pysbx_is events' -x -l cursor -d 'Only what came after this event'
complete -c pysbx -n '__pysbx_is events' -x -l app -a '(__pysbx_names list)' -d 'Only of this app'
complete -c pysbx -n '__pysbx_is wait' -x -l timeout -d 'How long'
complete -c pysbx -n '__pysbx_is daemon' -x -l log-level -a 'error warning info debug' -d 'Set it'
complete -c pysbx -n __pysbx_is_control -l json -d 'Print the answer as it is'
complete -c pysbx -n __pysbx_is_control -r -F -l socket -d 'The socket of the daemon'
complete -c pysbx -n __pysbx_is_control -l help -d 'Print what the command takes'

complete -c pysbx -n __fish_use_subcommand -a run -d 'Run a command under limits in a sandbox'
complete -c pysbx -n __fish_use_subcommand -a help -d 'Show the commands'
complete -c pysbx -n __fish_use_subcommand -a doctor -d 'Tell what this machine has and lacks'
complete -c pysbx -n __fish_use_subcommand -a version -d 'Show the version'
complete -c pysbx -n 'test -n (__pysbx_run_at)' -a '(__pysbx_command)'

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
complete -c pysbx -n __pysbx_in_options -x -l group -a '(__fish_complete_groups)' -d 'Supplementary group'
complete -c pysbx -n __pysbx_in_options -x -l chdir -a '(__fish_complete_directories)' -d 'Directory of the app'
complete -c pysbx -n __pysbx_in_options -x -l env -a '(set -nx)' -d 'Set or pass a variable'
complete -c pysbx -n __pysbx_in_options -r -F -l env-file -d 'Variables from a file'
complete -c pysbx -n __pysbx_in_options -r -F -l ro -d 'Show a path, read-only'
complete -c pysbx -n __pysbx_in_options -r -F -l rw -d 'Show a path, writable'
complete -c pysbx -n __pysbx_in_options -r -F -l unix-socket -a 'mariadb memcached mysql postgresql redis valkey' -d 'Sockets of a service'
complete -c pysbx -n __pysbx_in_options -r -F -l syscalls -a 'python-web python-strict python-compat' -d 'System call profile'
complete -c pysbx -n __pysbx_learns -r -F -l output -d 'Where the profile goes'
complete -c pysbx -n __pysbx_learns -r -F -l base -a 'python-web python-strict python-compat' -d 'Profile that it is made of'
complete -c pysbx -n __pysbx_learns -l allow-dangerous -d 'Take in what that refuses'
complete -c pysbx -n __pysbx_in_options -x -l syscalls-mode -a 'enforce log canary' -d 'What becomes of other calls'
complete -c pysbx -n __pysbx_in_options -x -l network -a 'host none private' -d Network
complete -c pysbx -n __pysbx_in_options -x -l egress -a 'localhost dns any none' -d 'Where it may connect to'
complete -c pysbx -n __pysbx_in_options -x -l listen -d 'Hold a socket, ADDRESS:PORT or unix:PATH'
complete -c pysbx -n __pysbx_in_options -x -l require -a 'landlock abstract-sockets network limits' -d 'Do not start without this wall'
complete -c pysbx -n __pysbx_in_options -x -l restart -a 'always on-failure never' -d 'When to start again'
complete -c pysbx -n __pysbx_in_options -x -l max-restarts -d 'Restarts in a row'
complete -c pysbx -n __pysbx_in_options -x -l backoff -d 'Delay before a restart, FIRST[/MAX]'
complete -c pysbx -n __pysbx_in_options -l no-tripwire -d 'No looks at it close to its memory limit'
complete -c pysbx -n __pysbx_in_options -x -l oom -a 'worker app' -d 'Whom an OOM kill ends'
complete -c pysbx -n __pysbx_in_options -x -l pressure -a 'notify=70% reclaim=80% recycle=90% restart=95% kill=98% cooldown=30s off' -d 'What is done before the memory limit'
complete -c pysbx -n __pysbx_in_options -x -l grace -d 'How long a stop waits'
complete -c pysbx -n __pysbx_in_options -x -l health -d 'Where to ask whether it is well'
complete -c pysbx -n __pysbx_in_options -x -l health-host -d 'The Host header of that'
complete -c pysbx -n __pysbx_in_options -x -l health-interval -d 'From one check to the next'
complete -c pysbx -n __pysbx_in_options -x -l health-timeout -d 'How long an answer may take'
complete -c pysbx -n __pysbx_in_options -x -l health-failures -d 'In a row, until it is unhealthy'
complete -c pysbx -n __pysbx_in_options -x -l health-start-period -d 'In which failures do not count'
complete -c pysbx -n __pysbx_in_options -x -l health-restart -a 'hung unhealthy never' -d 'When an unhealthy app is ended'
complete -c pysbx -n __pysbx_in_options -x -l kill-signal -a 'TERM INT QUIT HUP USR1 USR2 KILL' -d 'What asks the app to stop'
complete -c pysbx -n __pysbx_in_options -r -F -l report -d 'Append incidents to a file'
complete -c pysbx -n __pysbx_in_options -r -F -l on-incident -d 'Run a program for each incident'
complete -c pysbx -n __pysbx_in_options -l print-plan -d 'Print the sandbox plan and run nothing'
complete -c pysbx -n __pysbx_in_options -x -l cgroup-root -a '(__fish_complete_directories)' -d 'Make cgroups below a directory'
complete -c pysbx -n __pysbx_in_options -l json -d 'Messages as JSON'
complete -c pysbx -n __pysbx_in_options -l quiet -d 'Only errors and incidents'
complete -c pysbx -n __pysbx_in_options -l verbose -d 'Say what is done'
complete -c pysbx -n __pysbx_in_options -l version -d 'Print the version'
complete -c pysbx -n __pysbx_in_options -l help -d 'Print the options'
