// SPDX-License-Identifier: GPL-2.0

//! The directory that the devices of a module have their debugfs files in.
//!
//! ```text
//!   module init ─▶ Root::new()          /sys/kernel/debug/<module>/
//!   probe       ─▶ Root::dir() ─▶ scope      <device>/…
//!   module exit ─▶ drop(Root)
//! ```

/// Defines a type that owns a debugfs directory, which every device of the module finds without being
/// given it.
///
/// The module makes one with `new` before it registers its driver, and drops it afterwards.
#[macro_export]
macro_rules! debugfs_root {
    ($(#[$meta:meta])* $vis:vis struct $name:ident = $directory:expr;) => {
        ::kernel::sync::global_lock! {
            // SAFETY: Initialised by `new`, before anybody can ask for the directory.
            unsafe(uninit) static DEBUGFS_ROOT: Mutex<Option<::kernel::debugfs::Dir>> = None;
        }

        $(#[$meta])*
        $vis struct $name(());

        impl $name {
            /// Makes the directory.
            ///
            /// # Safety
            ///
            /// To be called once, when the module is initialised, and before [`Self::dir`].
            $vis unsafe fn new() -> Self {
                // SAFETY: By the contract of this function, the first and only call.
                unsafe { DEBUGFS_ROOT.init() };
                *DEBUGFS_ROOT.lock() = Some(::kernel::debugfs::Dir::new($directory));
                Self(())
            }

            /// The directory.
            ///
            /// # Errors
            ///
            /// `ENODEV` once the module is being unloaded.
            $vis fn dir() -> ::kernel::error::Result<::kernel::debugfs::Dir> {
                DEBUGFS_ROOT.lock().clone().ok_or(::kernel::error::code::ENODEV)
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                *DEBUGFS_ROOT.lock() = None;
            }
        }
    };
}
