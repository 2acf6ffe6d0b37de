// Package ci holds what the project's own CI expects of pinned kernels.
package ci

import _ "embed"

// BehavioursFile is where Behaviours is in a checkout.
const BehavioursFile = "ci/behaviours.yaml"

// Behaviours is the text of BehavioursFile: for each pinned kernel, its answers to the
// questions of package behaviour.
//
//go:embed behaviours.yaml
var Behaviours []byte
