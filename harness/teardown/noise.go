package teardown

import "time"

// tooLate is how long, of the time in which an end should have closed, the machine may
// have kept its threads waiting before nobody can tell why it did not.
const tooLate = time.Second

// holdAgainstNoise doubts what may have happened for no other reason than that the
// machine was late: a segment that was sent again, although it had arrived and nothing
// says that it was refused, and an end that had not closed by the deadline.
func (t *Trial) holdAgainstNoise(x *Exchange) {
	for _, r := range t.Retransmissions {
		if r.Cause.silent && x.Noise > 0 && x.Noise >= r.RTO/2 {
			t.doubt("the %v sent %s again, which the %v had got and not refused, but this machine kept its threads waiting for up to %v, and the RTO was %v",
				r.From, r.Segment, r.From.Peer(), x.Noise.Round(time.Millisecond), r.RTO.Round(time.Millisecond))
		}
	}
	refused := t.ChallengeACKs[0]+t.ChallengeACKs[1] > 0
	if x.GaveUp && !x.Over() && !refused && x.Noise >= tooLate {
		t.doubt("an end had not closed by the deadline, but this machine kept its threads waiting for up to %v", x.Noise.Round(time.Millisecond))
	}
}
