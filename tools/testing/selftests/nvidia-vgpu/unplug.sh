#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Somebody presses the button of the GPU's slot while eight VFs are open: their
# users are asked, and when the last has closed its VF the GPU can be taken out.
# Not part of run_all: the machine has no GPU after this.
#
# Hot plug removes the functions of a slot one by one, the last one first, and
# its users are asked when it is a function's turn.
set -u
. tools/testing/selftests/nvidia-vgpu/lib.sh

TYPE=942
# Who has pressed the button may think it over for five seconds.
GOES_MS=$((30000 * TIME_FACTOR))

needs_model

open_all() {
	local vf

	enable_vfs 8 || return 1
	for vf in "${vfs[@]}"; do
		writes $TYPE "$(vgpu_file "$vf" current_vgpu_type)" || return 1
	done
	hold_vfs "${vfs[@]}" && holders_answer "watch error" ok && holders_answer "watch request" ok
}

# The vGPUs work until they are given back.
asked() {
	local answer

	slot_button || return 1
	printf 'wait request\n' >&"${holders_in[-1]}"
	IFS= read -r -u "${holders_out[-1]}" answer
	[ "$answer" = ok ] || { echo "wait request: $answer"; return 1; }
	holders_answer "bme on" ok && holders_answer "no error" ok && [ -e "/sys/bus/pci/devices/$pf" ]
}

gone() {
	release_vfs
	taken_out $GOES_MS
}

unloads() {
	host_unload_modules
}

begin 4
result "eight VFs are opened" open_all
result "their users are asked" asked
result "the GPU goes when they have closed them" gone
result "the modules can be unloaded" unloads
finish
