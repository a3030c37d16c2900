package check

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/zitadel-siem/zitadel-siem/internal/setup/scripts"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
)

const (
	// maxOrgs bounds the requests: one for each organization, three where it has actions.
	maxOrgs = 1000
	// lookFor bounds the time.
	lookFor = 15 * time.Second
)

// checkScripts looks at the actions of all organizations (Actions V1). Nothing of it
// concerns this reader, so nothing of it fails: a script that prints passwords is a
// warning, although the worst one.
func checkScripts(ctx context.Context, r *report, client *zitadel.Client) {
	within, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	found, err := scripts.Look(within, client, maxOrgs)
	dangers := 0
	for _, f := range found.Found {
		text := "organization " + f.Org + ": " + f.Text
		if f.Danger {
			dangers++
			text = "DANGER: " + text
		}
		r.say(warns, "actions", text, f.Fix)
	}
	if dangers == 0 && found.Looked > 0 {
		text := fmt.Sprintf("no script that prints passwords; organizations looked at: %d", found.Looked)
		if found.Right > 0 {
			text += fmt.Sprintf("; our scripts, up to date and in both flows: %d", found.Right)
		}
		r.say(passes, "actions", text, "")
	}
	rest := found.Orgs - found.Looked
	switch {
	case found.Orgs == 0 && err != nil:
		r.say(skips, "actions", "could not look for scripts that print passwords (Actions V1): "+why(err), "")
	case rest > 0 && err != nil && within.Err() == nil:
		r.say(skips, "actions", fmt.Sprintf("could not look at %d of %d organizations: %s", rest, found.Orgs, why(err)), "")
	case rest > 0:
		r.say(skips, "actions", fmt.Sprintf("did not look at %d of %d organizations, which would take too long", rest, found.Orgs), "zitadel-siem setup log --dry-run --org all looks at every one")
	}
}

// why is short where the role is the reason, which is usual.
func why(err error) string {
	if e, ok := errors.AsType[*zitadel.Error](err); ok && (e.Code == codes.PermissionDenied || e.Code == codes.NotFound) {
		return "the token's user may not read actions in all organizations, which IAM_OWNER_VIEWER may"
	}
	return err.Error()
}
