# What a newcomer does with the package, below a real systemd. The test compares what
# stands behind the words that begin with a "#".
export LC_ALL=C
say() { echo "#$*"; }
service() { systemctl "$@" zitadel-siem; }
lines() { wc -l <"/var/log/zitadel-siem/$1"; }
log() { journalctl -u zitadel-siem --no-pager -o cat; }
until_true() {
    for _ in $(seq 300); do
        "$@" >/dev/null 2>&1 && return
        sleep 0.1
    done
    say "waited in vain for: $*"
}
has_events() { [ "$(lines events.jsonl)" -ge "$(cat /host/events)" ]; }
another() { pid=$(service show -p MainPID --value) && [ "$pid" != 0 ] && [ "$pid" != "$1" ]; }
healthy() { curl -sf --max-time 5 http://127.0.0.1:9464/health; }

dpkg --no-triggers --install /host/zitadel-siem.deb
say installed "$(service is-enabled)" "$(service is-active)"

service start
say "start without a configuration: $? $(service is-active)"
log
say "errors in the journal: $(journalctl _SYSTEMD_UNIT=zitadel-siem.service --no-pager -o cat --priority err | wc -l)"

sed -i 's|^  - url:.*|  - url: http://127.0.0.1:18080|' /etc/zitadel-siem/config.yaml
own() { mkdir -m 700 "$1" && chown zitadel-siem: "$1"; }
own /var/lib/zitadel-siem/targets
(umask 077 && echo c2lnbmluZy1rZXktZm9yLXRlc3RzLW9ubHk= >/var/lib/zitadel-siem/targets/events)
chown zitadel-siem: /var/lib/zitadel-siem/targets/events
printf '    webhook_listen: 127.0.0.1:18443\n    webhook_keys_dir: /var/lib/zitadel-siem/targets\n' >>/etc/zitadel-siem/config.yaml
/host/server 127.0.0.1:18080 /etc/zitadel-siem/token /host/events &
until_true test -s /host/events
service enable --now
say "enable --now: $? $(service is-active)"
until_true has_events
until_true healthy
say events "$(lines events.jsonl)"
say webhook "$(curl -s -o /dev/null --max-time 5 -w '%{http_code}' -X POST -H 'Content-Type: application/json' -d '{}' http://127.0.0.1:18443/events)"
pid=$(service show -p MainPID --value)
say sandbox "$(awk '/^(CapEff|CapBnd|NoNewPrivs|Seccomp):/ { printf "%s%s ", $1, $2 }' "/proc/$pid/status")"
say credential "$(stat -c %a /run/credentials/zitadel-siem.service/token)"
say token in the environment "$(grep -c "$(cat /etc/zitadel-siem/token)" "/proc/$pid/environ")"

kill -9 "$pid"
until_true another "$pid"
until_true healthy
say "after kill -9: $(service is-active) $(lines events.jsonl)"

pid=$(service show -p MainPID --value)
dpkg --no-triggers --force-confold --install /host/zitadel-siem.deb
until_true another "$pid"
say upgraded "$(service is-enabled)" "$(service is-active)"

if command -v logrotate >/dev/null; then
    pid=$(service show -p MainPID --value)
    logrotate -f /etc/logrotate.d/zitadel-siem
    until_true another "$pid"
    say rotated "$(lines events.jsonl.1)" "$(lines events.jsonl)" "$(service is-active)"
fi

dpkg --no-triggers --remove zitadel-siem
say removed "$(service is-active)" "$(ls /etc/zitadel-siem/token /var/lib/zitadel-siem/zitadel.state)"
dpkg --no-triggers --install /host/zitadel-siem.deb
say installed again "$(service is-enabled)"
service start
until_true healthy
say "started again: $(service is-active)"
log
dpkg --no-triggers --purge zitadel-siem
say purged "$(service is-active)" "$(ls -d /etc/zitadel-siem /var/lib/zitadel-siem /var/log/zitadel-siem /etc/systemd/system/multi-user.target.wants/zitadel-siem.service 2>/dev/null | wc -l)"
say done
