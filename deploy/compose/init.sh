#!/bin/sh
# Makes the passwords of compose.yaml, in files that only their user can read. Runs as root
# in a container of its own. Files that exist are kept.
set -eu
umask 077
volumes=${VOLUMES:-/volumes}

# The users in the images.
postgres=70 zitadel=1000 loki=10001 grafana=472

# random N prints N letters and digits.
random() {
	LC_ALL=C tr -dc 'A-Za-z0-9' </dev/urandom | head -c "$1"
}

# keep FILE writes standard input into FILE, unless it exists.
keep() {
	if [ -e "$1" ]; then
		cat >/dev/null
	else
		cat >"$1.new"
		mv "$1.new" "$1"
	fi
}

random 40 | keep "$volumes/postgres/password"
random 40 | keep "$volumes/grafana/password"
random 32 | keep "$volumes/zitadel/masterkey"
# ZITADEL's default policy wants a symbol as well.
printf '%s-aA1' "$(random 24)" | keep "$volumes/zitadel/human-password"

keep "$volumes/zitadel/passwords.yaml" <<END
Database:
  postgres:
    User:
      Password: "$(random 40)"
    Admin:
      Password: "$(cat "$volumes/postgres/password")"
END

# The token of the service user with the role IAM_OWNER is for setup.sh, soon after this.
hour=$(date -u -d "@$(($(date +%s) + 3600))" +%Y-%m-%dT%H:%M:%SZ)
keep "$volumes/zitadel/steps.yaml" <<END
FirstInstance:
  PatPath: ${SETUP:-/run/setup}/token
  Org:
    Human:
      Password: "$(cat "$volumes/zitadel/human-password")"
      PasswordChangeRequired: false
    Machine:
      Machine:
        Username: first-start
        Name: Used once by setup.sh
      Pat:
        ExpirationDate: $hour
END

mkdir -p "$volumes/fluent-bit/storage"
chown -R $postgres:$postgres "$volumes/postgres"
chown -R $zitadel:$zitadel "$volumes/zitadel" "$volumes/setup" "$volumes/reader" "$volumes/fluent-bit"
chown -R $loki:$loki "$volumes/loki"
chown -R $grafana:0 "$volumes/grafana"
chmod 700 "$volumes"/*
