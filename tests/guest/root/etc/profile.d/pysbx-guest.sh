# shellcheck shell=sh
# A serial line knows no window size and no terminal type: the host put them on the command line.
if [ "$(tty)" = /dev/ttyS0 ]; then
	read -r words </proc/cmdline
	for word in $words; do
		case $word in
			pysbx.term=*) export TERM="${word#*=}" ;;
			pysbx.rows=*) stty rows "${word#*=}" ;;
			pysbx.columns=*) stty columns "${word#*=}" ;;
		esac
	done
	unset word words
fi
