package program

// AwaitListeningFor is AwaitListening with a time of the caller's for which a program may
// listen elsewhere.
var AwaitListeningFor = (*Program).awaitListening
