package events

import (
	"net/netip"
	"testing"

	"github.com/finwait/finwait/harness/segment"
)

func TestWhomARecordConcerns(t *testing.T) {
	here, there := netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("192.0.2.2:2")
	s := socket{cookie: 7, netns: 3, local: here, remote: there}
	received, sent := &segment.Segment{Src: there, Dst: here}, &segment.Segment{Src: here, Dst: there}
	for name, c := range map[string]struct {
		rec   record
		about *segment.Segment
		want  bool
	}{
		"its own":                               {record{cookie: 7}, nil, true},
		"another socket's, of a segment":        {record{cookie: 8, netns: 3}, received, false},
		"a segment that its host received":      {record{netns: 3}, received, true},
		"a segment that its host sent":          {record{netns: 3}, sent, true},
		"a segment in another namespace":        {record{netns: 4}, received, false},
		"a segment received nobody knows where": {record{}, received, true},
		"a segment sent nobody knows where":     {record{}, sent, false},
		"no segment, and no socket":             {record{netns: 3}, nil, false},
		"a segment for another port":            {record{netns: 3}, &segment.Segment{Src: there, Dst: there}, false},
	} {
		if got := s.concerns(c.rec, c.about); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
