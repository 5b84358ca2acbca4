package link

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestReportSoon: a sender of a little now and then hears of it all the same, and once for all that
// was taken meanwhile.
func TestReportSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := against(t, nil)
		r.write(chFrame(1, "a"), msgFrames(1, 8), msgFrames(1, 8), chFrame(2, "b"), msgFrames(2, 0))
		for range 3 {
			_, err := l.Receive(t.Context())
			require.NoError(t, err)
		}
		require.Empty(t, r.lines(), "not at once: more may come")
		<-time.After(reportDelay)
		require.Equal(t, []string{"CREDIT 1 80 65616", "CREDIT 2 32 65568"}, r.lines())
		<-time.After(time.Minute)
		require.Empty(t, r.lines(), "there is no news")

		r.write(msgFrames(2, 0))
		_, err := l.Receive(t.Context())
		require.NoError(t, err)
		<-time.After(reportDelay)
		require.Equal(t, []string{"CREDIT 2 64 65600"}, r.lines())
	})
}

// TestReportOfRequests: an answer tells more than a total.
func TestReportOfRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := against(t, nil)
		r.write(chFrame(1, "a"), reqFrames(1, 1, 8))
		m, err := l.Receive(t.Context())
		require.NoError(t, err)
		require.NoError(t, m.Reply(t.Context(), nil))
		<-time.After(time.Second)
		require.Equal(t, []string{"ANSWER 1"}, r.lines())
	})
}
