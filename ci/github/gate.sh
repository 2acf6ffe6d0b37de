#!/usr/bin/env bash
# Runs gate in a job, and puts what it has to say into the job's summary. It exits as gate does.
#
#   ARGUMENTS            those of a gate command that writes into a folder; quoted as for a shell, and not expanded
#   OUT                  that folder
#   GITHUB_STEP_SUMMARY  gets gate.md, or what was wrong
set -euo pipefail

words=$(xargs -n 1 printf '%s\n' <<<"$ARGUMENTS") # fails at a quote that is not closed
mapfile -t words <<<"$words"
rm -f "$OUT/gate.md" # of a step before

status=0
# In a group of lines that starts folded, for they are many.
echo "::group::gate ${words[*]}"
gate "${words[@]}" --out "$OUT" 2>"$RUNNER_TEMP/gate.err" || status=$?
echo "::endgroup::"
cat "$RUNNER_TEMP/gate.err" >&2

if [[ -s $OUT/gate.md ]]; then
	cat "$OUT/gate.md" >>"$GITHUB_STEP_SUMMARY"
fi
if ((status == 1)); then
	# Not a verdict: the gate could not do its work.
	{ echo; sed 's/^/    /' "$RUNNER_TEMP/gate.err"; echo; } >>"$GITHUB_STEP_SUMMARY"
fi
exit "$status"
