#!/usr/bin/env bash
# Makes a matrix of the workflow's inputs, for `gate matrix`, and its cells, for GitHub: one job a kernel.
#
#   KERNELS       KERNEL arguments, separated by blanks or lines, or a JSON list; without any, the kernels that
#                 `gate kernels` finds today
#   BASELINE LABEL_FILTER TRIALS
#   GITHUB_OUTPUT gets matrix={"kernels":[...],...} and cells=[{"kernel":"debian/trixie","shard":"1/2"},...]
set -euo pipefail

if [[ ${KERNELS-} =~ ^[[:space:]]*\[ ]]; then
	kernels=$KERNELS
elif [[ ${KERNELS-} =~ [^[:space:]] ]]; then
	kernels=$(jq -Rsc '[splits("\\s+") | select(. != "")]' <<<"$KERNELS")
else
	listed=$(gate kernels --json)
	lost=$(jq -r '.[] | select(.error != null) | "\(.kernel): \(.error)"' <<<"$listed")
	if [[ -n $lost ]]; then
		echo "not all kernels can be had; name those that are to be played, to do without:" >&2
		echo "$lost" >&2
		exit 1
	fi
	kernels=$(jq -c --arg baseline "${BASELINE-}" '[.[].kernel | select(. != "host" and . != $baseline)]' <<<"$listed")
fi
matrix=$(jq -nc --argjson kernels "$kernels" --arg baseline "${BASELINE-}" --arg filter "${LABEL_FILTER-}" --arg trials "${TRIALS:-1}" \
	'{$kernels, baseline: $baseline, "label-filter": $filter, trials: ($trials | tonumber? // .)}')
# What is wrong with it is found here, and not by each job.
cells=$(gate matrix --list /dev/stdin <<<"$matrix")

printf 'matrix=%s\ncells=%s\n' "$matrix" "$cells" >>"$GITHUB_OUTPUT"
