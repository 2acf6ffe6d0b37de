package behaviour

// All returns the questions, in an order that stays the same.
func All() []Question {
	return []Question{
		closeAfterRepeatedData,
		tooOldACK,
		tooOldACKInSequence,
		ackOfUnsentData,
		zeroWindowFIN,
		dataBeyondWindow,
		resetInHandshake,
		connectOverFINWAIT2,
		destroyOrphan,
		secondChallengeACK,
		challengeACKBudget,
		oldACKFailingPAWS,
		oldACKInTimeWait,
		synFailingPAWS,
		timeWaitCounter,
		establishedCounter,
		rtoMin,
		rtoMax,
		twReuseDelay,
		echoOfLateFIN,
		shutdownInHandshake,
	}
}
