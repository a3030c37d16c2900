#!/bin/sh
# boot.sh DIR runs steps.sh below a real systemd, in an overlay of this machine and in
# namespaces of its own, which end with it. DIR has an empty directory host/, with
# zitadel-siem.deb and the server; what the steps print is in host/said.
#
#   unshare --mount --pid --fork --uts --ipc --net --cgroup --kill-child boot.sh DIR
set -eu
dir=$1

mount --make-rprivate /
mkdir "$dir/layers"
mount -t tmpfs layers "$dir/layers"
mkdir "$dir/layers/upper" "$dir/layers/work" "$dir/layers/root"
root=$dir/layers/root
mount -t overlay root -o "lowerdir=/,upperdir=$dir/layers/upper,workdir=$dir/layers/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sys "$root/sys"
mount -t cgroup2 cgroup "$root/sys/fs/cgroup"
mount --rbind /dev "$root/dev"
mount -t tmpfs run "$root/run"
mkdir "$root/host"
mount --bind "$dir/host" "$root/host"
ip link set lo up

# Only the service is started, and no policy of this machine keeps dpkg from stopping it.
rm -rf "$root"/etc/systemd/system/*.wants "$root/usr/sbin/policy-rc.d" \
    "$root/etc/zitadel-siem" "$root/var/lib/zitadel-siem" "$root/var/log/zitadel-siem"
echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"
cat >"$root/etc/systemd/system/steps.service" <<'UNIT'
[Unit]
DefaultDependencies=no
Requires=systemd-journald.service
After=systemd-journald.service
[Service]
Type=oneshot
ExecStart=/bin/sh -c "exec /bin/sh -u /host/steps.sh >/host/said 2>&1"
ExecStopPost=/bin/systemctl exit 0
UNIT

cd "$root"
mkdir old
pivot_root . old
umount -l old
# systemd does so itself, except in a container. Without it, the credentials that it
# mounts are not seen by the service.
mount --make-rshared /
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --unit=steps.service --log-target=null --show-status=no
