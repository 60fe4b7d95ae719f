#!/bin/sh
# Installs the load generators that wsrig loadgen is compared with: k6 with go install
# into the folder that is the first argument, tsung from the system's packages. What
# cannot be installed is said on standard error and left out; the comparison then shows
# it with the reason. Ends with 0 in either case.
set -u
into=${1:?usage: install.sh FOLDER}
mkdir -p "$into" && into=$(cd "$into" && pwd) || exit 2

if ! [ -x "$into/k6" ] && ! command -v k6 >/dev/null; then
	echo "installing k6 into $into" >&2
	# Outside of the module: its go.mod says nothing about k6.
	(cd / && GOFLAGS= GOBIN="$into" timeout 1200 "${GO:-go}" install go.k6.io/k6@latest) ||
		echo "k6 could not be installed with go install" >&2
fi

enabled() { systemctl is-enabled "$1" >/dev/null 2>&1; }

if ! command -v tsung >/dev/null; then
	root=
	[ "$(id -u)" = 0 ] || root="sudo -n"
	if ! command -v apt-get >/dev/null || ! $root true 2>/dev/null; then
		echo "tsung is missing; run yourself: apt-get install -y --no-install-recommends tsung (as root)" >&2
		exit 0
	fi
	echo "installing tsung" >&2
	before=
	for unit in epmd.service epmd.socket; do enabled $unit && before="$before $unit"; done
	$root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends tsung >&2 ||
		{ $root apt-get update -q >&2 && $root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends tsung >&2; } ||
		echo "tsung could not be installed with apt-get" >&2
	# Erlang brings a port mapper for all users; here each run has its own.
	for unit in epmd.service epmd.socket; do
		case "$before" in *" $unit"*) continue ;; esac
		if enabled $unit; then $root systemctl disable --now $unit >&2; fi
	done
fi
exit 0
