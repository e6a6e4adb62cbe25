# SPDX-License-Identifier: GPL-2.0
#
# make install    everything that a host needs; uninstall takes it away again
#
#   /lib/modules/<release>/updates/            modules         (INSTALL_MOD_PATH)
#   /lib/firmware/updates/nvidia/              vGPU types      (FIRMWARE_DIR)
#   PREFIX/bin/                                vgpuctl, vgpu-metadata
#   PREFIX/lib/modprobe.d/                     who gets the GPU
#   PREFIX/lib/systemd/system/, udev/rules.d/  configuration comes back
#   PREFIX/share/                              man pages, completions
#
# DESTDIR is put before all of them, for packages. install-dkms puts the sources of the modules into
# /usr/src instead of the modules, for "dkms install".

PREFIX ?= /usr/local
FIRMWARE_DIR ?= /lib/firmware/updates
INSTALL_MOD_PATH ?= $(DESTDIR)
CARGO ?= cargo

lib_dir = $(DESTDIR)$(PREFIX)/lib
share_dir = $(DESTDIR)$(PREFIX)/share
firmware_file = $(DESTDIR)$(FIRMWARE_DIR)/nvidia/vgpu-570.144.bin
host_tools := $(top)/build/host/release
tool_docs := $(top)/build/vgpuctl-docs
units := vgpuctl-restore.service vgpuctl-restore@.service

# All of them but the man pages, of which there is one for each command.
installed_files = $(DESTDIR)$(PREFIX)/bin/vgpuctl $(DESTDIR)$(PREFIX)/bin/vgpu-metadata \
	$(lib_dir)/modprobe.d/nvidia-vgpu.conf \
	$(addprefix $(lib_dir)/systemd/system/,$(units)) \
	$(lib_dir)/udev/rules.d/90-nvidia-vgpu.rules \
	$(share_dir)/bash-completion/completions/vgpuctl \
	$(share_dir)/zsh/site-functions/_vgpuctl \
	$(share_dir)/fish/vendor_completions.d/vgpuctl.fish \
	$(firmware_file)

# With the lab's compiler if this is the lab's kernel: cargo would build all again for another one.
tools:
	@$(if $(KDIR),,env=$$($(lab) env) && eval "$$env";) \
	env $${LAB_RUSTC:+RUSTC="$$LAB_RUSTC"} CARGO_TARGET_DIR=$(top)/build/host \
		$${LAB_CARGO:-$(CARGO)} build --release --locked --manifest-path $(top)/tools/Cargo.toml \
		--bin vgpuctl --bin vgpuctl-docs --bin vgpu-metadata

tool-docs: tools
	rm -rf $(tool_docs)
	$(host_tools)/vgpuctl-docs $(tool_docs)

install: install-modules install-tools

install-modules: modules
	+@$(kbuild) modules_install INSTALL_MOD_PATH="$(INSTALL_MOD_PATH)"

install-tools: tool-docs
	install -D -t $(DESTDIR)$(PREFIX)/bin $(host_tools)/vgpuctl $(host_tools)/vgpu-metadata
	install -D -m 644 -t $(lib_dir)/modprobe.d $(top)/packaging/nvidia-vgpu.conf
	install -D -m 644 -t $(lib_dir)/udev/rules.d $(top)/packaging/90-nvidia-vgpu.rules
	install -d $(lib_dir)/systemd/system
	set -e; for unit in $(units); do \
		sed 's|@bindir@|$(PREFIX)/bin|' $(top)/packaging/$$unit.in >$(lib_dir)/systemd/system/$$unit; \
	done
	install -D -m 644 -t $(share_dir)/man/man1 $(tool_docs)/man/*.1
	install -D -m 644 -t $(share_dir)/bash-completion/completions $(tool_docs)/bash/vgpuctl
	install -D -m 644 -t $(share_dir)/zsh/site-functions $(tool_docs)/zsh/_vgpuctl
	install -D -m 644 -t $(share_dir)/fish/vendor_completions.d $(tool_docs)/fish/vgpuctl.fish
	install -d $(dir $(firmware_file))
	$(host_tools)/vgpu-metadata build $(top)/tools/vgpu-metadata/types.toml -o $(firmware_file)

# What dkms.conf's MAKE needs, and nothing that was built.
dkms_version := $(shell sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' $(top)/dkms.conf)
dkms_source = $(DESTDIR)/usr/src/nova-core-vgpu-$(dkms_version)
dkms_files := COPYING Kbuild Kconfig Makefile dkms.conf drivers packaging rust tools/build

install-dkms:
	rm -rf $(dkms_source)
	install -d $(dkms_source)
	cd $(top) && cp -r --parents -t $(abspath $(dkms_source)) $(dkms_files)

uninstall:
	rm -rf $(dkms_source)
	rm -f $(installed_files) $(share_dir)/man/man1/vgpuctl.1 $(share_dir)/man/man1/vgpuctl-*.1
	@$(kernel_env); \
	release=$$(cat "$$kdir/include/config/kernel.release"); \
	dir=$(INSTALL_MOD_PATH)/lib/modules/$$release; \
	rm -fv "$$dir"/updates/nova_core_vgpu.ko* "$$dir"/updates/nvidia_vgpu_vfio.ko*; \
	if [ -e "$$dir/modules.dep" ]; then depmod -b "$(or $(INSTALL_MOD_PATH),/)" "$$release"; fi

.PHONY: tools tool-docs install install-modules install-tools install-dkms uninstall
