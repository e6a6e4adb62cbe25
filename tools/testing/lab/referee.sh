#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The referee: a driver that nobody here wrote must boot on the emulated GPU.
# Runs in the VM with the two modules left out (lab run --no-modules):
#
#   three times:  modprobe nova_core -> "GPU name: ..." in the kernel log -> rmmod
#
# nova-core boots the GSP in its probe, so loading and unloading it is a whole
# boot and a whole unload of the firmware.
rounds=3
limit=120
failed=0

echo "TAP version 13"
echo "1..$((rounds * 3))"

number=0
result() {
	number=$((number + 1))
	if [ "$1" = 0 ]; then
		echo "ok $number - $2"
	else
		echo "not ok $number - $2"
		failed=1
	fi
}

# Messages of the driver since the mark of this round.
messages() {
	dmesg | sed -n "/referee: round $1\$/,\$p" | grep -E 'NovaCore|nova_core|nova-core'
}

for ((round = 1; round <= rounds; round++)); do
	echo "referee: round $round" >/dev/kmsg

	# By its full name: the alias is on the lab's blacklist.
	timeout "$limit" modprobe nova_core
	result $? "round $round: nova-core loads"

	name=$(messages "$round" | grep -o 'GPU name: .*')
	[ -n "$name" ]
	result $? "round $round: nova-core reads the GPU's name from GSP-RM (${name:-no such line})"
	[ -n "$name" ] || messages "$round" | sed 's/^/# /'

	timeout "$limit" rmmod nova_core && ! messages "$round" | grep -qiE 'unload.*(fail|error|timed out)'
	result $? "round $round: nova-core unloads"
done
exit "$failed"
