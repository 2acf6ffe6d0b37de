#!/usr/bin/env bash
# Unpacks the servers that are tried, and all that they need, into a folder: DIR/root is laid over a machine's own files,
# and DIR/packages.tsv has a line of package, version and architecture for each package in it.
#
#   ci/servers.sh DIR
#
# apt fetches and checks them from the machine's sources, for a machine on which nothing is installed yet, whose state is in
# a folder of its own. So the machine's own apt and dpkg learn nothing of it, nothing is configured or started, and an
# ordinary user can do it.
set -euo pipefail

packages=(nginx haproxy apache2-bin lighttpd redis-server postgresql nodejs python3 curl)

dir=$(realpath -m -- "${1:?the folder to make is missing: ci/servers.sh DIR}")
[[ ! -e $dir || -e $dir/packages.tsv ]] || { echo >&2 "$dir is there, and is none that this script has made: name another folder"; exit 1; }
umask 022
mkdir -p "$(dirname "$dir")"
new=$(mktemp -d "$dir.XXXXXX")
trap 'rm -rf "$new"' EXIT
apt=$new/apt
mkdir -p "$apt"/{lists,archives}/partial "$new/servers/root"

fail() {
	echo >&2 "the servers were not fetched: $1"
	exit 1
}

# What is configured on the machine stays in force, a proxy above all, but for what it would have apt do when it has fetched
# the indexes. The user that it would become as root to fetch may have no way to this folder.
: >"$apt/status"
cat >"$apt/apt.conf" <<-CONF
	#clear APT::Update::Pre-Invoke;
	#clear APT::Update::Post-Invoke;
	#clear APT::Update::Post-Invoke-Success;
	APT::Sandbox::User "root";
	APT::Install-Recommends "false";
	Acquire::Languages "none";
	Debug::NoLocking "true";
	Dir::State "$apt";
	Dir::State::status "$apt/status";
	Dir::State::lists "$apt/lists";
	Dir::Cache "$apt";
	Dir::Log "$apt";
	Dir::Cache::archives "$apt/archives";
CONF
echo "Fetching ${packages[*]}, and what they need"
apt-get -c "$apt/apt.conf" -qq --error-on=any update ||
	fail "apt has no indexes; put right what it says above"
apt-get -c "$apt/apt.conf" -qq --download-only --yes install "${packages[@]}" >/dev/null ||
	fail "apt did not download them; put right what it says above"

# A tree that is merged as today's machines are: a package that still has a file in /lib has it in /usr/lib.
root=$new/servers/root
for folder in bin sbin lib lib64; do
	mkdir -p "$root/usr/$folder"
	ln -s "usr/$folder" "$root/$folder"
done

# As the caller's own files, and without set-user-ID programs: nothing here becomes another user.
for deb in "$apt"/archives/*.deb; do
	dpkg-deb --fsys-tarfile "$deb" |
		tar -x -C "$root" --keep-directory-symlink --no-same-owner --no-same-permissions \
			--exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' --exclude='./usr/share/locale/*' ||
		fail "$(basename "$deb") was not unpacked"
	# shellcheck disable=SC2016 # dpkg-deb's own fields
	dpkg-deb --show --showformat='${Package}\t${Version}\t${Architecture}\n' "$deb"
done | LC_ALL=C sort >"$new/servers/packages.tsv"

rm -rf "$dir"
mv -T "$new/servers" "$dir"
