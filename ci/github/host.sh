#!/usr/bin/env bash
# Runs the suite on the runner's own kernel, as root. Ubuntu keeps netem in a package that not every kernel of a runner
# has; without it, the specs that need netem are skipped, and those on a cable in user space are not.
#
#   GITHUB_STEP_SUMMARY  says which it was
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

release=$(uname -r)
modules=linux-modules-extra-$release
sudo apt-get update
if apt-cache show "$modules" >/dev/null 2>&1; then
	sudo apt-get install -y --no-install-recommends "$modules"
fi
if sudo modprobe sch_netem; then
	with='with netem'
else
	with='without netem: the specs that need it were skipped'
fi
echo "The suite on this runner's kernel, $release, $with" >>"$GITHUB_STEP_SUMMARY"
sudo env "PATH=$PATH" "HOME=$HOME" make specs
