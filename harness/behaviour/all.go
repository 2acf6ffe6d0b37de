package behaviour

import "github.com/finwait/finwait/topologies"

// All returns the questions, in an order that stays the same.
func All() []Question {
	return []Question{
		oldACKWhileClosing,
		oldACKWhileClosing.overIPv6(),
		closeAfterRepeatedData,
		tooOldACK,
		tooOldACKInSequence,
		ackOfUnsentData,
		zeroWindowFIN,
		dataBeyondWindow,
		resetInHandshake,
		connectOverFINWAIT2,
		connectOverFINWAIT2.overIPv6(),
		destroyOrphan,
		secondChallengeACK,
		challengeACKBudget,
		oldACKFailingPAWS,
		oldACKInTimeWait,
		synFailingPAWS,
		synFailingPAWS.overIPv6(),
		timeWaitCounter,
		establishedCounter,
		rtoMin,
		rtoMax,
		twReuseDelay,
		echoOfLateFIN,
		shutdownInHandshake,
	}
}

// overIPv6 is the same question where IPv6 has code of its own, or the case that all of
// this is about.
func (q Question) overIPv6() Question {
	q.Name += "/ipv6"
	q.family = topologies.IPv6
	return q
}
