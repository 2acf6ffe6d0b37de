package scenario

// Attending turns the recording of what the kernels say off and on, to measure
// what it costs.
func Attending(on bool) { attending = on }
