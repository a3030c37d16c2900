#!/bin/sh
# Creates the service user zitadel-siem with the role IAM_OWNER_VIEWER in ZITADEL, and writes
# its personal access token to a file. It does nothing if the file is there.
set -eu
umask 077
url=${ZITADEL:-http://localhost:8080}
setup=${SETUP:-/run/setup}/token
reader=${READER:-/run/reader}/token

if [ -s "$reader" ]; then
	echo "setup: the user exists already"
	exit 0
fi
if [ ! -s "$setup" ]; then
	echo "setup: ZITADEL has written no token: its database is older than these volumes. Start over: docker compose down -v" >&2
	exit 1
fi

# post PATH BODY prints ZITADEL's answer.
post() {
	wget -q -O - --header "Authorization: Bearer $(cat "$setup")" --header "Content-Type: application/json" --post-data "$2" "$url$1" || {
		echo "setup: ZITADEL refused POST $1; see docker compose logs zitadel" >&2
		return 1
	}
}

# field NAME prints the text of a field in an answer.
field() {
	sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p"
}

# ZITADEL answers 503 for some seconds after it is ready.
owner=
for try in $(seq 1 30); do
	owner=$(wget -q -O - --header "Authorization: Bearer $(cat "$setup")" "$url/auth/v1/users/me" | sed -n 's/.*"user": *{ *"id": *"\([^"]*\)".*/\1/p')
	[ -z "$owner" ] || break
	sleep 2
done
if [ -z "$owner" ]; then
	echo "setup: ZITADEL does not accept the token of its first start, which is valid for one hour. Start over: docker compose down -v" >&2
	exit 1
fi

answer=$(post /management/v1/users/machine '{"userName": "zitadel-siem", "name": "zitadel-siem", "description": "Reads events"}')
user=$(printf '%s' "$answer" | field userId)
post /admin/v1/members "{\"userId\": \"$user\", \"roles\": [\"IAM_OWNER_VIEWER\"]}" >/dev/null
answer=$(post "/management/v1/users/$user/pats" '{"expirationDate": "2099-01-01T00:00:00Z"}')
printf '%s' "$answer" | field token >"$reader.new"
if [ ! -s "$reader.new" ]; then
	echo "setup: ZITADEL's answer has no token" >&2
	exit 1
fi
mv "$reader.new" "$reader"

# Nobody needs the owner of the first start any more.
post "/v2/users/$owner/deactivate" '{}' >/dev/null
rm -f "$setup"
echo "setup: the user zitadel-siem can read events"
