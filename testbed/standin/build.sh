#!/bin/sh
# Builds stand-ins for the official images of haproxy, nginx and redis from this
# system's own packages, for machines that reach no registry. It is one image with
# three tags: wsrig-standin/haproxy, wsrig-standin/nginx and wsrig-standin/redis. Takes
# about 70 s and 240 MB. An image that is there is not built again.
#
#   testbed/standin/build.sh [TAG]    TAG is latest when left out
set -eu
tag=${1:-latest}
names="haproxy nginx redis"

missing=
for name in $names; do
	docker image inspect "wsrig-standin/$name:$tag" >/dev/null 2>&1 || missing="$missing $name"
done
if [ -z "$missing" ]; then
	exit 0
fi
if ! command -v debootstrap >/dev/null; then
	echo "debootstrap is not installed; apt-get install debootstrap" >&2
	exit 1
fi
if [ "$(id -u)" != 0 ]; then
	echo "debootstrap makes a root file system, which only root may; run this script as root" >&2
	exit 1
fi

. /etc/os-release
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT INT TERM
echo "building stand-in images of ${VERSION_CODENAME:?no Debian release name in /etc/os-release}" >&2
debootstrap --variant=minbase --include=haproxy,nginx-light,redis-server "$VERSION_CODENAME" "$root" >"$root.log" 2>&1 || {
	tail -20 "$root.log" >&2
	echo "debootstrap failed; its log is $root.log" >&2
	exit 1
}
rm -rf "$root/var/cache/apt" "$root/var/lib/apt/lists" "$root/usr/share/doc" "$root/usr/share/man" "$root/usr/share/locale" "$root.log"
# PATH as in the official images, whose programs are found by name.
tar -C "$root" --one-file-system --exclude=./proc --exclude=./sys -c . |
	docker import --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
		--message 'stand-in from Debian packages' - "wsrig-standin/haproxy:$tag" >/dev/null
for name in nginx redis; do
	docker tag "wsrig-standin/haproxy:$tag" "wsrig-standin/$name:$tag"
done
