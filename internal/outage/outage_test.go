package outage

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestLog_IsDueWhenTheTextChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Log
		refused, full, empty := errors.New("refused"), errors.New("full"), errors.New("")
		for i, step := range []struct {
			err  error
			want bool
		}{{refused, true}, {refused, false}, {full, true}, {refused, true}, {refused, false}, {empty, true}, {empty, false}} {
			if got := l.Failed(step.err); got != step.want {
				t.Errorf("step %d: due is %v, want %v", i, got, step.want)
			}
			if !l.Active() {
				t.Errorf("step %d: no outage", i)
			}
			time.Sleep(time.Hour)
		}
		if lasted, ended := l.Worked(); !ended || lasted != 7*time.Hour {
			t.Errorf("ended is %v after %s, want true after 7h", ended, lasted)
		}
		if _, ended := l.Worked(); ended || l.Active() {
			t.Error("an outage ended twice")
		}
		if !l.Failed(refused) {
			t.Error("a new outage with the same text is not due")
		}
	})
}

func TestLog_Reminds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := Log{Remind: 10 * time.Minute}
		lines := 0
		for range 61 {
			if l.Failed(errors.New("refused")) {
				lines++
			}
			time.Sleep(time.Minute)
		}
		if lines != 7 {
			t.Errorf("%d lines in an hour, want one each 10 minutes", lines)
		}
	})
}
