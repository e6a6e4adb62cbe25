# SPDX-License-Identifier: GPL-2.0
#
# make [modules]      both modules, into build/modules/<flavour>/
#        |
#        |  KDIR= given: that kernel's build tree      else: the lab's kernel of FLAVOUR,
#        |                                             set up first when there is none
#        v
#   kernel options checked by name --> make -C <kernel build> M=<here> MO=build/modules/<flavour>

.DEFAULT_GOAL := modules
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

FLAVOUR ?= release
KUNIT ?= 0
CLIPPY ?= 0
JOBS ?= $(shell nproc)

top := $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
lab := $(top)/tools/testing/lab/lab
suffix := $(if $(filter 1,$(CLIPPY)),-clippy)$(if $(filter 1,$(KUNIT)),-kunit)
out := $(top)/build/modules/$(FLAVOUR)$(suffix)

# Sources that rustfmt formats: everything that is built by Kbuild.
rust_sources = $(shell find $(top)/rust $(top)/drivers -name '*.rs')

help:
	@echo  '  make                 build both modules for the kernel of the lab'
	@echo  '  make demo            from a fresh machine to guests that own a vGPU'
	@echo  '  make check           run every test suite (SUITES= chooses)'
	@echo  '  make bench           measure against upstream and against the emulated GPU (BENCH= chooses)'
	@echo  '  make guests          eight guests at once, and the GPU goes while they run (TEST_GUESTS= chooses)'
	@echo  '  make guest-kills     500 QEMUs killed at random moments, half an hour (TEST_GUEST_KILLS= chooses)'
	@echo  '  make soak            1,000 vGPUs created and destroyed while faults come and go, 500 users killed'
	@echo  '  make fuzz            parsers and a vGPU against random input, half an hour'
	@echo  '  make syzkaller       random system calls on vGPUs, half an hour, debug kernel'
	@echo  '  make recipes         run what the admin guide tells of libvirt, driverctl and udev'
	@echo  '  make lab-setup       kernel, QEMU, firmware and tools into the cache'
	@echo  '  make lab-shell       a shell in the VM that has the emulated GPU'
	@echo  '  make lab-status      what of the lab is there and what is missing'
	@echo  '  make clippy          lint the modules'
	@echo  '  make rustfmt         format the modules (rustfmt-check: only look)'
	@echo  '  make install         modules, tools, units and manuals (DESTDIR=, PREFIX=, INSTALL_MOD_PATH=)'
	@echo  '  make install-tools   the same without the modules (DKMS builds those)'
	@echo  '  make install-dkms    sources of the modules into /usr/src, for dkms install'
	@echo  '  make uninstall       take away what make install has installed'
	@echo  '  make tool-docs       man pages and shell completions of vgpuctl, into build/vgpuctl-docs'
	@echo  '  make clean           remove build/modules'
	@echo  ''
	@echo  '  KDIR=<dir>           build tree of another kernel (with Rust metadata)'
	@echo  '  FLAVOUR=debug        kernel and modules with run-time checkers (default: release)'
	@echo  '  KUNIT=1              unit tests inside the modules'
	@echo  '  CLIPPY=1             like make clippy'

# Locations come from the lab unless the caller names a kernel. The tools are those the kernel was
# built with: Rust metadata binds to one exact compiler.
define kernel_env
	set -e; \
	if [ -n "$(KDIR)" ]; then \
		kdir="$(KDIR)"; \
		tools=""; \
	else \
		env=$$($(lab) env) || exit 1; \
		eval "$$env"; \
		kdir=$$LAB_KERNEL_BUILD_$(FLAVOUR); \
		if [ ! -f "$$kdir/Module.symvers" ]; then \
			$(lab) setup $(if $(filter-out release,$(FLAVOUR)),--flavour $(FLAVOUR)); \
			env=$$($(lab) env); \
			eval "$$env"; \
			kdir=$$LAB_KERNEL_BUILD_$(FLAVOUR); \
		fi; \
		tools="RUSTC=$$LAB_RUSTC HOSTRUSTC=$$LAB_RUSTC RUSTFMT=$$LAB_RUSTFMT \
			CLIPPY_DRIVER=$$LAB_CLIPPY_DRIVER BINDGEN=$$LAB_BINDGEN \
			RUST_LIB_SRC=$$LAB_RUST_LIB_SRC"; \
		if [ -n "$$LAB_LLVM_$(FLAVOUR)" ]; then \
			tools="$$tools LLVM=$$LAB_LLVM_$(FLAVOUR)"; \
		fi; \
	fi
endef

# One build per output directory at a time.
define kbuild
	$(kernel_env); \
	env $$tools $(top)/tools/build/check-kernel-config "$$kdir" $(if $(filter 1,$(KUNIT)),kunit); \
	mkdir -p $(out); \
	exec flock $(out).lock $(MAKE) --no-print-directory -C "$$kdir" -j$(JOBS) M=$(top) MO=$(out) $$tools \
		NOVA_CORE_VGPU_KUNIT=$(KUNIT) $(if $(filter 1,$(CLIPPY)),CLIPPY=1)
endef

modules:
	+@$(kbuild) modules

# Other code generation than a normal build, therefore an output directory of its own.
clippy:
	+@$(MAKE) --no-print-directory modules CLIPPY=1

include $(top)/packaging/install.mk

rustfmt rustfmt-check:
	@$(kernel_env); \
	[ -e "$$kdir/.rustfmt.toml" ] || kdir=$$kdir/source; \
	$${LAB_RUSTFMT:-rustfmt} --edition 2021 --config-path "$$kdir/.rustfmt.toml" \
		$(if $(filter %-check,$@),--check) $(rust_sources)

demo:
	+@$(top)/tools/testing/demo/demo

check:
	+@$(top)/tools/testing/check --flavour $(FLAVOUR) $(SUITES)

bench:
	+@$(top)/tools/testing/bench/bench $(BENCH)

soak:
	+@$(MAKE) -s -C $(top)/tools/testing/selftests/nvidia-vgpu
	+@TEST_SOAK_CYCLES=$${TEST_SOAK_CYCLES:-1000} TEST_SOAK_KILLS=$${TEST_SOAK_KILLS:-500} $(lab) run --flavour $(FLAVOUR) --timeout 7200 -- \
		tools/testing/selftests/nvidia-vgpu/run_all soak

guests:
	+@$(MAKE) -s -C $(top)/tools/testing/guest
	+@$(lab) run --flavour $(FLAVOUR) --timeout 21600 -- \
		tools/testing/selftests/nvidia-vgpu/run_all guests guests_gone

guest-kills:
	+@$(MAKE) -s -C $(top)/tools/testing/selftests/nvidia-vgpu
	+@$(MAKE) -s -C $(top)/tools/testing/guest
	+@TEST_GUEST_KILLS=$${TEST_GUEST_KILLS:-500} $(lab) run --flavour $(FLAVOUR) --timeout 14400 -- \
		tools/testing/selftests/nvidia-vgpu/run_all guest_kills

fuzz:
	+@FLAVOUR=$(FLAVOUR) $(top)/tools/testing/fuzz/fuzz

syzkaller:
	+@$(lab) setup --flavour debug --syzkaller
	+@$(MAKE) -s -C $(top)/tools/testing/selftests/nvidia-vgpu FLAVOUR=debug
	+@export TEST_SYZKALLER_SECONDS=$${TEST_SYZKALLER_SECONDS:-1800}; \
		$(lab) run --flavour debug --timeout $$((TEST_SYZKALLER_SECONDS * 2 + 1800)) -- \
		tools/testing/selftests/nvidia-vgpu/run_all syzkaller

recipes:
	+@$(top)/tools/testing/recipes/recipes

lab-%:
	+@$(lab) $*

clean:
	rm -rf $(top)/build/modules

.PHONY: help modules clippy rustfmt rustfmt-check demo check bench soak fuzz syzkaller guests guest-kills recipes clean
