# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What a person sees: one line for each step with its time, moving progress for
# long ones, and one line for each failure.
#
#   [  0:41] kernel release 7.3.4: built (5:52)
#    |        |                    |
#    since    step                 outcome and the step's own time
#    start
#
# The full output of a step goes to $LAB_CACHE/log/<step>.log.

UI_T0=$SECONDS
UI_JOB=
UI_LOOK=
UI_WORK=10

ui_clock() {
	printf '%d:%02d' $(($1 / 60)) $(($1 % 60))
}

ui_start() {
	UI_T0=$SECONDS
	trap ui_interrupted INT TERM HUP
}

# A build must not go on behind the back of who stopped it.
ui_interrupted() {
	trap - INT TERM HUP
	[ -z "$UI_JOB" ] || kill -TERM -- "-$UI_JOB" 2>/dev/null || true
	die "lab setup" "interrupted" "run it again: it goes on where it was"
}

# From here on only look: a step is not done but ends this shell with UI_WORK.
ui_look() {
	UI_LOOK=1
}

ui_end() {
	echo "lab: ready ($(ui_clock $((SECONDS - UI_T0))))"
}

# say TEXT: a line of progress
say() {
	printf '[%5s] %s\n' "$(ui_clock $((SECONDS - UI_T0)))" "$*"
}

# warn WHAT WHY REMEDY
warn() {
	echo "lab: $1: $2: $3" >&2
}

# die WHAT WHY REMEDY: the one line that a failure gives
die() {
	[ ! -t 1 ] || printf '\r\033[K'
	echo "lab: $1: $2: $3" >&2
	exit 1
}

# step LOG TITLE COMMAND...: runs COMMAND with its output in LOG. On a terminal
# the last line of the log moves along; elsewhere a line appears every minute.
step() {
	local log=$LAB_CACHE/log/$1.log title=$2 start=$SECONDS pid status=0 last beat=0
	shift 2

	[ -z "$UI_LOOK" ] || exit "$UI_WORK"
	mkdir -p "$LAB_CACHE/log"
	say "$title ..."
	# With job control the step is a process group of its own.
	set -m
	("$@") >"$log" 2>&1 </dev/null 9>&- &
	pid=$!
	set +m
	UI_JOB=$pid
	while kill -0 "$pid" 2>/dev/null; do
		sleep 0.2
		if [ -t 1 ]; then
			last=$(tail -n 1 "$log" 2>/dev/null | tr -dc '[:print:]' | cut -c1-60)
			printf '\r\033[K[%5s] %s: %s %s' "$(ui_clock $((SECONDS - UI_T0)))" \
				"$title" "$(ui_clock $((SECONDS - start)))" "$last"
		elif [ $((SECONDS - start)) -ge $((beat + 60)) ]; then
			beat=$((SECONDS - start))
			say "$title: $(ui_clock $beat), $(wc -l <"$log") lines of log"
		fi
	done
	wait "$pid" 2>/dev/null || status=$?
	UI_JOB=
	[ ! -t 1 ] || printf '\r\033[K'
	if [ "$status" != 0 ]; then
		# What the step itself said last is the reason; the log has the rest.
		last=$(grep -E '^lab: |[Ee]rror|^E: ' "$log" | tail -n 1)
		case $last in
		"lab: "*) echo "$last" >&2 ;;
		*) echo "lab: $title: ${last:-failed with status $status}: see $log" >&2 ;;
		esac
		exit 1
	fi
	say "$title: done ($(ui_clock $((SECONDS - start))))"
}

# env_line NAME VALUE: one line that a shell can evaluate
env_line() {
	printf '%s=%q\n' "$1" "$2"
}

# Files may come and go meanwhile.
dir_size() {
	du -sh "$(readlink -f "$1")" 2>/dev/null | cut -f1 || true
}

# status_line NAME DIR [SETUP-ARGUMENTS]
status_line() {
	if [ -n "$2" ] && [ -e "$2" ]; then
		printf '  %-22s %7s  %s\n' "$1" "$(dir_size "$2")" "$2"
	else
		printf '  %-22s %7s  %s\n' "$1" "-" "missing: run lab setup${3:+ $3}"
	fi
}
