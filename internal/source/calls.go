package source

import (
	"github.com/zitadel-siem/zitadel-siem/internal/calls"
	"github.com/zitadel-siem/zitadel-siem/internal/schema"
	"github.com/zitadel-siem/zitadel-siem/internal/webhook"
)

// joinCalls makes events take the address of the API call that wrote them. Calls are noted
// when they arrive, before the reader meets them in the spool: an event waits for none.
func (s *Source) joinCalls() {
	if s.Listener == nil || !s.Settings.Listen.CallAddresses || s.Settings.Format.Raw() {
		return
	}
	store := calls.New(s.opts.Now)
	s.Listener.OnCall(func(x *webhook.Execution) {
		store.Add(calls.Call{
			Method: x.Method, User: x.UserID, Address: schema.Forwarded(x.ForwardedFor),
			Response: x.Kind == webhook.KindResponse, Signed: x.Sent, Pair: x.Pair, Changed: x.ChangeDate,
		})
	})
	s.Listener.OnLost(store.Lost)
	s.opts.Format.Join(store)
}
