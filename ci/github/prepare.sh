#!/usr/bin/env bash
# Puts gate into a job's PATH, and what boots kernels onto its machine: QEMU, Debian's archive keys, and KVM where the
# runner has it (for `clock: real`; the virtual clock does without).
#
#   RUNNER_TEMP  a folder for gate
#   GITHUB_PATH  gets it
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

make qemu keyring
# A release runs in any folder, so that the job's own paths can be its arguments.
make release
install -D ".bin/release/gate-linux-$(go env GOARCH)" "$RUNNER_TEMP/finwait/gate"
echo "$RUNNER_TEMP/finwait" >>"$GITHUB_PATH"

if [[ -e /dev/kvm && ! -w /dev/kvm ]]; then
	sudo chmod 0666 /dev/kvm
fi
"$RUNNER_TEMP/finwait/gate" version
